// Module random/keep makes tests of a range of seeds, each of which must keep every rule.
import { test } from 'vitest';
import { play } from './play.ts';
import type { Outcome } from './play.ts';
import { drawScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { report, shrink } from './shrink.ts';

/** Networks of one test: a failure is told early, and the runner sees that something happens. */
const PART = 100;

/** Tests for seeds `from` to `to`, `part` of them each; the length of the range is a multiple of that. */
export function keepEveryRule(
  from: number,
  to: number,
  draw = drawScenario,
  part = PART,
  played: (scenario: Scenario, outcome: Outcome) => void = () => undefined,
): void {
  const starts = Array.from({ length: (to - from + 1) / part }, (_, i) => from + i * part);
  test.each(starts)(`${part} networks from seed %i keep every rule`, (first) => {
    for (let seed = first; seed < first + part; seed++) {
      const scenario = draw(seed);
      const outcome = play(scenario);
      const { violation } = outcome;
      if (violation) throw new Error(report(seed, shrink(scenario, violation.rule)));
      played(scenario, outcome);
    }
  });
}
