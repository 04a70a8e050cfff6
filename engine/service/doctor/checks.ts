// Module doctor/checks judges the facts by all checks, in the order in which one rests on another. Pure.
import { unknown } from './check.ts';
import type { Check, Finding } from './check.ts';
import { MACHINE_CHECKS } from './checks-machine.ts';
import { NETWORK_CHECKS } from './checks-network.ts';
import type { Facts } from './facts.ts';
import { say, textOf, textsOf } from './sayings.ts';

/** What a check rests on stands before it. */
export const CHECKS: readonly Check[] = [...MACHINE_CHECKS, ...NETWORK_CHECKS];

/** One check judged. */
export interface Judged extends Finding {
  readonly code: string;
  readonly title: string;
  /** The same in English. */
  readonly evidence: string;
  readonly action: string | null;
  readonly dependsOn: readonly string[];
}

/** Judges all checks: what rests on a bad one is unknown, and says on which. */
export function judge(facts: Facts): Judged[] {
  const results = new Map<string, Judged>();
  for (const { code, title, dependsOn, judge: judgeOne } of CHECKS) {
    const first = dependsOn.map((each) => results.get(each)).find((each) => each?.result === 'bad');
    const own = judgeOne(facts);
    // What was seen good is good, whatever else failed.
    const finding =
      first && own.result !== 'good'
        ? unknown(say('not-judged', { title: first.title, check: first.code }))
        : own;
    const { seen, todo } = finding;
    const texts = { evidence: textsOf(seen), action: todo && textOf(todo) };
    results.set(code, { code, title, dependsOn, ...finding, ...texts });
  }
  return [...results.values()];
}
