// Tests that docs/healing.md has each of the 29 known faults of Miredo 1.2.6 once, and names only tests that exist.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROW = /^\| (\d+) +\| ([^|]+?) +\| `([^`]+)` +\| ([^|]+?) +\|$/gm;
const [, table] = readFileSync('docs/healing.md', 'utf8').split('\n## Faults of Miredo');
const rows = [...table!.matchAll(ROW)].map(([, number, , file, title]) => ({
  number: Number(number),
  file: file!,
  title: title!,
}));

test('each fault has one row', () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 29 }, (_, n) => n + 1));
});

test.each(rows)('fault $number: $file has "$title"', ({ number, file, title }) => {
  const whole = `Miredo fault ${number}: ${title}`.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const call = /^\s*(?:test|it)(?:\.skipIf\([^()]*\)|\.each\(\[[^\]]*\]\))?\(\s*(['"`])/m.source;
  expect(new RegExp(`${call}${whole}\\1,`, 'm').test(readFileSync(file, 'utf8'))).toBe(true);
});
