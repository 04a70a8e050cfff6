// Random networks among a hundred hostile hosts: every rule holds, and all heals when they go.
import { describe, expect, test } from 'vitest';
import { keepEveryRule } from './random/keep.ts';
import { ATTACKS, drawCrowd } from './random/scenario.ts';

describe('random networks among a hundred hostile hosts', () => {
  keepEveryRule(1, 40, drawCrowd, 10);

  test('they send everything that they know, and thousands of it', () => {
    const { steps, attackers } = drawCrowd(1);
    const attacks = steps.flatMap((step) => (step.kind === 'attack' ? [step] : []));
    expect(attackers).toBe(100);
    expect(new Set(attacks.map(({ attack }) => attack))).toEqual(new Set(ATTACKS));
    expect(attacks.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(4_000);
  });
});
