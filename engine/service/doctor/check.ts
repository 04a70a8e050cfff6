// Module doctor/check says what a check is: a name, what it rests on, and how it judges the facts; and judges all of a list. Pure.
import type { Facts } from './facts.ts';
import { say, textOf, textsOf } from './sayings.ts';
import type { Saying } from './sayings.ts';

export type Result = 'good' | 'bad' | 'unknown';

/** What a check comes to: what was seen, and one thing to do; null when there is nothing. */
export interface Finding {
  readonly result: Result;
  readonly seen: readonly Saying[];
  readonly todo: Saying | null;
}

/** Parts of the facts that a check waits for. */
export type FactName = Exclude<keyof Facts, 'evenWithNativeIpv6'>;

/** A check by the facts `F`. */
export interface CheckOf<F> {
  readonly code: string;
  readonly title: string;
  /** While one of these is bad, this one says nothing. */
  readonly dependsOn: readonly string[];
  readonly judge: (facts: F) => Finding;
}

/** One of the doctor's own. */
export interface Check extends CheckOf<Facts> {
  readonly needs: readonly FactName[];
}

/** One check judged. */
export interface Judged extends Finding {
  readonly code: string;
  readonly title: string;
  /** The same in English. */
  readonly evidence: string;
  readonly action: string | null;
  readonly dependsOn: readonly string[];
}

export const good = (...seen: readonly Saying[]): Finding => ({ result: 'good', seen, todo: null });
export const bad = (seen: Saying, todo: Saying): Finding => ({ result: 'bad', seen: [seen], todo });
export const unknown = (seen: Saying, todo: Saying | null = null): Finding => ({
  result: 'unknown',
  seen: [seen],
  todo,
});

/**
 * Judges all `checks`, of which each stands after what it rests on: what rests on a bad one is unknown, and says on which.
 */
export function judgeAll<F>(checks: readonly CheckOf<F>[], facts: F): Judged[] {
  const results = new Map<string, Judged>();
  for (const { code, title, dependsOn, judge: judgeOne } of checks) {
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
