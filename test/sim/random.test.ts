// A thousand random networks, and every packet of theirs watched for the rules that always hold; another thousand is in random-more.test.ts.
import { describe, expect, test } from 'vitest';
import { NAT_KINDS } from '../../engine/sim/index.ts';
import { play } from './random/play.ts';
import {
  drawPlain,
  drawScenario,
  FAULTS,
  FURTHER_FAULTS,
  LONE_ATTACKS,
} from './random/scenario.ts';
import { keepEveryRule } from './random/keep.ts';

describe('random networks', () => {
  keepEveryRule(1, 1_000);

  test.each([8, 51, 80, 280, 107_270, 114_478, 310_817])(
    'seed %i, which found a fault, keeps every rule',
    (seed) => {
      expect(play(drawPlain(seed)).violation).toBeNull();
    },
  );

  test('a first packet that comes by the short way, a moment before its proof, is not lost', () => {
    expect(play(drawScenario(21_719)).violation).toBeNull();
  });

  test('a seed replays a run exactly, and another seed is another run', () => {
    const hash = (seed: number): string => play(drawScenario(seed), { trace: [] }).hash;
    expect(hash(5)).toBe(hash(5));
    expect(hash(5)).not.toBe(hash(6));
  });

  test('they are not empty: packets arrive, every attack and fault is drawn', () => {
    let delivered = 0;
    const drawn = new Set<string>();
    for (let seed = 1; seed <= 200; seed++) {
      const scenario = drawScenario(seed);
      if (seed <= 30) delivered += play(scenario).delivered;
      for (const step of scenario.steps)
        drawn.add(step.kind === 'send' ? 'send' : step.kind === 'fault' ? step.fault : step.attack);
      for (const step of scenario.steps) {
        if (step.kind === 'send' && step.large) drawn.add('a large packet');
        if (step.kind === 'fault' && step.until - step.at > 3_600_000) drawn.add('a night');
      }
      for (const { kind, behind, hairpin, settings, sidePorts, line } of scenario.homes) {
        if (line.mtu !== undefined) drawn.add(`an mtu of ${line.mtu}`);
        for (const name of [kind, behind === undefined ? 'alone' : 'neighbours', hairpin])
          drawn.add(`${name} ${sidePorts} ${Object.keys(settings!).join()}`);
      }
    }
    expect(delivered).toBeGreaterThan(500);
    const count = (of: RegExp): number => [...drawn].filter((name) => of.test(name)).length;
    const names = [...FAULTS, ...FURTHER_FAULTS, ...LONE_ATTACKS];
    expect(names.filter((name) => !drawn.has(name))).toEqual([]);
    expect(count(/^a large packet|a night|an mtu of (1300|1200|576)$/)).toBe(5);
    // Each kind of access; each option with some of them.
    for (const kind of ['none', ...Object.keys(NAT_KINDS), 'neighbours', 'external', 'internal'])
      expect(count(new RegExp(`^${kind} `)), kind).toBeGreaterThan(2);
    for (const option of [/localDiscovery/, /intervalSearch/, / 0 /, / 1 /])
      expect(count(option)).toBeGreaterThan(10);
  });
});
