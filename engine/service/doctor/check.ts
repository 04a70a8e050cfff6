// Module doctor/check says what a check is: a name, what it rests on, which facts it waits for, and how it judges them. Pure.
import type { Facts } from './facts.ts';
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

export interface Check {
  readonly code: string;
  readonly title: string;
  /** While one of these is bad, this one says nothing. */
  readonly dependsOn: readonly string[];
  readonly needs: readonly FactName[];
  readonly judge: (facts: Facts) => Finding;
}

export const good = (...seen: readonly Saying[]): Finding => ({ result: 'good', seen, todo: null });
export const bad = (seen: Saying, todo: Saying): Finding => ({ result: 'bad', seen: [seen], todo });
export const unknown = (seen: Saying, todo: Saying | null = null): Finding => ({
  result: 'unknown',
  seen: [seen],
  todo,
});
