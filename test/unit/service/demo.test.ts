// The demo reaches both hosts by the real machines, tells every packet, and is the same each time.
import { expect, it } from 'vitest';
import { demoSteps } from '../../../engine/service/demo.ts';

const steps = [...demoSteps()];

it('qualifies behind a restricted NAT and gets both pings answered', () => {
  expect(steps.at(-1)).toMatchObject({
    kind: 'result',
    result: {
      ok: true,
      nat: 'restricted',
      pings: [
        { result: { ok: true, path: 'bubbles' } },
        { address: '2001:db8::80', result: { ok: true, path: 'relay' } },
      ],
    },
  });
});

it('tells every packet, the one that a router drops included', () => {
  const packets = steps.filter((step) => step.kind === 'packet');
  expect(packets.filter((step) => step.dropped)).toMatchObject([
    { from: 'Your PC', to: 'Friend’s router', destination: '203.0.113.9:61007', bytes: 40 },
  ]);
  expect(packets.map((step) => step.why)).not.toContain('One more step on the same way.');
  expect(packets.every((step) => step.from !== '' && step.why !== '')).toBe(true);
  expect(packets).toHaveLength(21);
});

it('is the same each time', () => {
  expect([...demoSteps()]).toEqual(steps);
});
