// Module doctor/checks judges the facts by all checks, in the order in which one rests on another. Pure.
import { judgeAll } from './check.ts';
import type { Check, Judged } from './check.ts';
import { MACHINE_CHECKS } from './checks-machine.ts';
import { NETWORK_CHECKS } from './checks-network.ts';
import type { Facts } from './facts.ts';

/** What a check rests on stands before it. */
export const CHECKS: readonly Check[] = [...MACHINE_CHECKS, ...NETWORK_CHECKS];

export const judge = (facts: Facts): Judged[] => judgeAll(CHECKS, facts);
