// Module test/sim/demo-tour.test hears the second half of the demo out: each sentence must come from what really happened.
import { describe, expect, test } from 'vitest';
import { FAULTS } from '../../engine/service/builtin/faults.ts';
import type { FaultName } from '../../engine/service/builtin/faults.ts';
import type { AccessKind } from '../../engine/service/builtin/places.ts';
import { demoSteps } from '../../engine/service/demo.ts';
import { tourSteps } from '../../engine/service/demo-tour.ts';
import type { TourOptions, TourStep } from '../../engine/service/demo-tour.ts';

async function hear(options: TourOptions): Promise<TourStep[]> {
  const steps: TourStep[] = [];
  for await (const step of tourSteps(options)) steps.push(step);
  return steps;
}

const texts = (steps: readonly TourStep[]): string =>
  steps.flatMap((step) => (step.kind === 'text' ? [step.text] : [])).join('\n');
const tableOf = (steps: readonly TourStep[]): readonly (readonly string[])[] =>
  steps.find((step) => step.kind === 'table')!.rows;

describe.concurrent('the tour', () => {
  test('behind a usual router: asleep, woken, refused, asked, silent, blocked, and every router tried', async () => {
    const steps = await hear({ nat: 'portRestricted' });
    expect(steps.at(-1)).toEqual({ kind: 'end', ok: true });
    const told = texts(steps);
    expect(told).toMatch(/Chess starts.* later it has its first answer from Ana/);
    expect(told).toMatch(/refused so far, each at once: [1-9]\d*; answers: 0/);
    expect(told).toMatch(/port 445, and can’t be reached from the Internet. Programs that can: 0/);
    expect(told).toMatch(/You allow Photos: .* later its next packet is answered/);
    expect(told).toMatch(/the tunnel sleeps again/);
    const [, sent, answered] = /Chess meanwhile: (\d+) packets sent, (\d+) answered/.exec(told)!;
    expect(Number(sent)).toBeGreaterThan(30);
    // The last one may still be on its way.
    expect(Number(answered)).toBeGreaterThanOrEqual(Number(sent) - 1);
    const pictures = steps.flatMap((step) => (step.kind === 'picture' ? [step.status] : []));
    expect(pictures.map(({ reason }) => reason.code)).toEqual([
      'qualified',
      'server-silent',
      'no-answer',
    ]);
    const [head, ...rows] = tableOf(steps);
    expect(head).toEqual(['YOUR ROUTER', 'SEEN AS', 'ANA', 'DORA', 'WEBSITE']);
    expect(rows).toHaveLength(11);
    expect(rows.every((row) => row.at(-1) === 'relay')).toBe(true);
    expect(rows.find(([name]) => name === 'cone')).toContain('bubbles');
  });

  test('behind a symmetric router the relay carries what is told', async () => {
    const steps = await hear({ nat: 'symmetric' });
    expect(steps.at(-1)).toEqual({ kind: 'end', ok: true });
    expect(texts(steps)).toMatch(/meanwhile: [1-9]\d* packets sent, [1-9]\d* answered/);
  });

  for (const fault of Object.keys(FAULTS) as FaultName[])
    test(`the failure “${fault}”: told, and over`, async () => {
      const steps = await hear({ nat: 'portRestricted', fault });
      expect(steps.at(-1)).toEqual({ kind: 'end', ok: true });
      expect(texts(steps)).toMatch(/Chess has answers again/);
    });
});

describe('the first half behind other routers', () => {
  const why = (nat: AccessKind): string =>
    [...demoSteps(nat)].flatMap((step) => (step.kind === 'packet' ? [step.why] : [])).join('\n');
  test.each(['symmetric', 'symmetricSequential'] as const)('%s: named as what it is', (nat) => {
    expect(why(nat)).toMatch(/another port for each destination \(a symmetric NAT\)/);
    expect(why(nat)).not.toContain('one port is kept for you');
  });
  test.each(['cone', 'restricted', 'open', 'none'] as const)('%s: one port', (nat) => {
    expect(why(nat)).toContain('one port is kept for you');
    expect(why(nat)).not.toContain('symmetric NAT');
  });
});
