// A thousand random networks, and every packet of theirs watched for the rules that always hold.
import { describe, expect, test } from 'vitest';
import { play } from './random/play.ts';
import { drawScenario } from './random/scenario.ts';
import { report, shrink } from './random/shrink.ts';

const RUNS = 1_000;
const PARTS = 10;

describe('random networks', () => {
  // In parts, so that a failure is told early and the runner sees that something happens.
  test.each(Array.from({ length: PARTS }, (_, i) => 1 + i * (RUNS / PARTS)))(
    `${RUNS / PARTS} networks from seed %i keep every rule`,
    (first) => {
      for (let seed = first; seed < first + RUNS / PARTS; seed++) {
        const scenario = drawScenario(seed);
        const { violation } = play(scenario);
        if (violation) throw new Error(report(seed, shrink(scenario, violation.rule)));
      }
    },
  );

  test.each([8, 80, 107_270, 114_478])('seed %i, which found a fault, keeps every rule', (seed) => {
    expect(play(drawScenario(seed)).violation).toBeNull();
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
      delivered += play(scenario).delivered;
      for (const step of scenario.steps)
        drawn.add(step.kind === 'send' ? 'send' : step.kind === 'fault' ? step.fault : step.attack);
    }
    expect(delivered).toBeGreaterThan(2_000);
    expect(drawn.size).toBe(1 + 10 + 13);
  });
});
