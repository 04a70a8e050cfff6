// Tests what the datapath's tables cost when they are full, and that nothing is given away which a thread still reads.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'shipworm-tables-'));
const program = join(folder, 'tables');
const source = 'test/unit/native/tables-tool.cc';
execFileSync('g++', ['-std=c++20', '-O2', '-Wall', '-Wextra', '-o', program, source]);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['peers', 1_000_000],
  ['flows', 100_000],
] as const)(
  '%s: %d entries cost less than 200 bytes each, each is found, and the memory of all is given back',
  (kind, count) => {
    const text = execFileSync(program, [kind, `${count}`], { encoding: 'utf8' });
    const result = JSON.parse(text) as Record<string, number>;
    const { found, strangers, left } = result;
    expect(result['bytes']).toBeLessThan(200);
    expect(result['kept']).toBeLessThan(5);
    expect({ found, strangers, left }).toEqual({ found: count, strangers: 0, left: count / 2 });
    // However many there are: a look-up meets its own key and seldom another.
    expect(result['comparisons']).toBeLessThan(1.5);
    // One of 128 parts is made anew at once, never the whole.
    expect(result['longest']).toBeLessThan((count / 128) * 2);
  },
);

test('Miredo fault 16: what a thread has found stays as it was until that thread is done, and only then is its room used again', () => {
  const rounds = 500;
  const text = execFileSync(program, ['grace', `${rounds}`], { encoding: 'utf8' });
  expect(JSON.parse(text)).toEqual({
    spoiled: 0,
    // The table is full of what rests: there is no room, rather than one that somebody still reads.
    refusedInside: rounds,
    refusedAfter: 0,
    diedInside: 0,
    livedOn: 0,
  });
});
