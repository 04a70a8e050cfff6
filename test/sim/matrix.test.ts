// Holds docs/nat-matrix.md to what the simulator shows.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { document } from './matrix/tables.ts';

test('docs/nat-matrix.md is what "npm run nat-matrix" makes', () => {
  expect(readFileSync('docs/nat-matrix.md', 'utf8')).toBe(document());
});
