// Random networks among a hundred hostile hosts: every rule holds, all heals when they go, and each row of the list of attacks was tried.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CrowdReport } from './random/crowd-report.ts';
import { keepEveryRule } from './random/keep.ts';
import { play } from './random/play.ts';
import { fateOf, ROWS } from './random/rows.ts';
import { CROWD_ATTACKS, drawCrowd, LONE_ATTACKS } from './random/scenario.ts';
import type { Scenario } from './random/scenario.ts';

const ATTACKS = [...LONE_ATTACKS, ...CROWD_ATTACKS];
const total = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((sum, count) => sum + count, 0);

test('each attack of docs/security.md is a row, and each packet of the crowd is for one', () => {
  const headings = [...readFileSync('docs/security.md', 'utf8').matchAll(/^### ([^:]+):/gm)];
  expect(Object.keys(ROWS).sort()).toEqual(headings.map(([, id]) => id!).sort());
  expect(new Set(Object.values(ROWS).flatMap(({ attacks }) => attacks))).toEqual(new Set(ATTACKS));
});

/** Each is the smallest network that found a fault. */
const FOUND: readonly (readonly [string, Scenario])[] = [
  [
    'a neighbour is refused whose bubble came round the router a moment before its own',
    {
      seed: 143,
      homes: [
        {
          kind: 'carrier',
          line: { delayMs: 20, jitterMs: 30, reorder: 0.1 },
          settings: { localDiscovery: true },
          hairpin: 'external',
        },
        { kind: 'carrier', line: {}, settings: { localDiscovery: true }, behind: 0 },
        { kind: 'carrier', line: {}, settings: { localDiscovery: true }, behind: 0 },
      ],
      natives: 1,
      relays: 1,
      steps: [{ kind: 'attack', at: 482.3, attack: 'largeToDead', home: 2, count: 100 }],
      quietAt: 60_000,
      attackers: 100,
    },
  ],
  [
    'who is new is shut out by dead links that programs gave up long ago',
    {
      seed: 7,
      homes: [
        { kind: 'none', line: {} },
        { kind: 'none', line: {} },
      ],
      natives: 0,
      relays: 0,
      steps: [
        { kind: 'attack', at: 11_885, attack: 'everNewLinks', home: 1, count: 100 },
        { kind: 'attack', at: 10_614, attack: 'largeToDead', home: 1, count: 100 },
      ],
      quietAt: 20_000,
      attackers: 100,
    },
  ],
];

test.each(FOUND)('not any more: %s', (_, scenario) => {
  expect(play(scenario).violation).toBeNull();
});

describe('random networks among a hundred hostile hosts', () => {
  const report = new CrowdReport();
  keepEveryRule(1, 40, drawCrowd, 10, (scenario, { accounts }) => report.add(scenario, accounts));

  test('they send everything that they know, and thousands of it', () => {
    const drawn = Array.from({ length: 4 }, (_, i) => drawCrowd(i + 1));
    const attacks = drawn
      .flatMap(({ steps }) => steps)
      .flatMap((step) => (step.kind === 'attack' ? [step] : []));
    expect(drawn.map(({ attackers }) => attackers)).toEqual([100, 100, 100, 100]);
    expect(new Set(attacks.map(({ attack }) => attack))).toEqual(new Set(ATTACKS));
    expect(attacks.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(16_000);
  });

  test.each(Object.entries(ROWS))('%s was tried', (id, { attacks, faults, unsent }) => {
    const { sent, refused, answered, taken, times } = report.rows.get(id)!;
    if (unsent !== undefined) return;
    if (attacks.length === 0) {
      expect(faults.length).toBeGreaterThan(0);
      expect(times).toBeGreaterThan(3);
      return;
    }
    expect(sent).toBeGreaterThan(1_000);
    // Most of it comes to a machine of ours, and is refused there by name.
    expect(total(refused) + answered + taken).toBeGreaterThan(500);
    if (attacks.every((attack) => fateOf(attack) === 'refused'))
      expect([answered, taken]).toEqual([0, 0]);
    if (id !== 'H-queue') expect(total(refused)).toBeGreaterThan(300);
  });
});
