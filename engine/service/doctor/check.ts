// Module doctor/check says what a check is: a name, what it rests on, which facts it waits for, and how it judges them. Pure.
import type { Facts } from './facts.ts';

export type Result = 'good' | 'bad' | 'unknown';

/** What a check comes to. `action` is one thing to do, null when there is nothing. */
export interface Finding {
  readonly result: Result;
  readonly evidence: string;
  readonly action: string | null;
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

export const good = (evidence: string): Finding => ({ result: 'good', evidence, action: null });
export const bad = (evidence: string, action: string): Finding => ({
  result: 'bad',
  evidence,
  action,
});
export const unknown = (evidence: string, action: string | null = null): Finding => ({
  result: 'unknown',
  evidence,
  action,
});
