// Module random/keep makes tests of a range of seeds, each of which must keep every rule.
import { test } from 'vitest';
import { play } from './play.ts';
import { drawScenario } from './scenario.ts';
import { report, shrink } from './shrink.ts';

/** Networks of one test: a failure is told early, and the runner sees that something happens. */
const PART = 100;

/** Tests for seeds `from` to `to`; the length of the range is a multiple of 100. */
export function keepEveryRule(from: number, to: number): void {
  const starts = Array.from({ length: (to - from + 1) / PART }, (_, i) => from + i * PART);
  test.each(starts)(`${PART} networks from seed %i keep every rule`, (first) => {
    for (let seed = first; seed < first + PART; seed++) {
      const scenario = drawScenario(seed);
      const { violation } = play(scenario);
      if (violation) throw new Error(report(seed, shrink(scenario, violation.rule)));
    }
  });
}
