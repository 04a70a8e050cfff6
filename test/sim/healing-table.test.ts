// Holds the table of docs/healing.md to what the simulator shows, and shows that it would tell of a client that heals late.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FAULTS } from './healing/faults.ts';
import { measure } from './healing/measure.ts';
import { withTable } from './healing/table.ts';

test('docs/healing.md has what "npm run healing" makes', () => {
  const document = readFileSync('docs/healing.md', 'utf8');
  expect(document).toBe(withTable(document));
});

test('what does not heal in time is measured as long as it takes', () => {
  const fault = FAULTS.find(({ name }) => name === 'The cable is pulled out')!;
  expect(measure(fault).healed.most).toBeLessThan(1_000);
  // The same, plugged in ten seconds after it seems to be.
  const late = measure({
    ...fault,
    begin: (scene) => {
      const end = fault.begin(scene, [])!;
      return () => void scene.world.simulation.after(10_000, end);
    },
  });
  expect(late.healed.least).toBeGreaterThan(10_000);
  expect(late.healed.most).toBeLessThan(11_000);
});
