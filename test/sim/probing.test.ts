// Tests that guessing ports finds a way between a random symmetric NAT and a port-restricted one as often as it must, and bothers nobody else.
import { describe, expect, test } from 'vitest';
import { NAT_KINDS } from '../../engine/sim/index.ts';
import type { Ip4 } from '../../engine/wire/index.ts';
import { Home, ip, SERVER, World } from './world.ts';

const ADDRESSES = [ip('198.51.100.7'), ip('203.0.113.9')];
const NETWORKS = 12;

function scene(
  seed: number,
  kinds: readonly ['portRestricted' | 'symmetric', 'portRestricted' | 'symmetric'],
  both = true,
) {
  const world = new World(seed);
  const settings = { birthdayProbing: true };
  const one = new Home(world, 'one', '198.51.100.7', NAT_KINDS[kinds[0]], settings);
  const two = new Home(world, 'two', '203.0.113.9', NAT_KINDS[kinds[1]], both ? settings : {});
  const sent: { at: number; from: string; to: Ip4 }[] = [];
  one.start();
  two.start();
  world.run(3_000);
  world.simulation.onTrace(({ kind, at, node, packet }) => {
    if (kind === 'send' && (node === 'one' || node === 'two') && packet.kind === 'udp')
      sent.push({ at, from: node, to: packet.destination.ip });
  });
  one.send(two.address, 1);
  world.run(17_000);
  return { world, one, two, sent };
}

describe('guessing ports', () => {
  test.each([
    ['portRestricted', 'symmetric'],
    ['symmetric', 'portRestricted'],
  ] as const)('%s to %s: most meet, within the budget, and nobody else hears of it', (...kinds) => {
    let met = 0;
    for (let seed = 1; seed <= NETWORKS; seed++) {
      const { world, one, two, sent } = scene(seed, kinds);
      const elsewhere = sent.filter(({ to }) => ![...ADDRESSES, SERVER, SERVER + 1].includes(to));
      expect(elsewhere).toEqual([]);
      // Two rounds: 1,024 guesses from one side and 64 ports of the other, with the bubbles around them.
      expect(sent.length).toBeLessThanOrEqual(2 * (1_024 + 64) + 60);
      const perSecond = new Map<string, number>();
      for (const { at, from } of sent) {
        const key = `${from} ${Math.floor(at / 1_000)}`;
        perSecond.set(key, (perSecond.get(key) ?? 0) + 1);
      }
      expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(230);
      if (two.received.length === 0) continue;
      two.send(one.address, 2);
      world.run(1_000);
      expect([one.received, two.received]).toEqual([[2], [1]]);
      met += 1;
    }
    // Each meets with a probability of 95 %; the seeds are always the same.
    expect(met).toBeGreaterThanOrEqual(NETWORKS - 4);
  });

  test('where only one has it switched on there is none', () => {
    const { sent, two } = scene(1, ['portRestricted', 'symmetric'], false);
    expect(two.received).toEqual([]);
    expect(sent.length).toBeLessThan(60);
  });

  test('a way once found stays open while it is used', () => {
    const { world, one, two } = scene(2, ['portRestricted', 'symmetric']);
    expect(two.received).toEqual([1]);
    for (let i = 2; i < 20; i++) {
      world.run(20_000);
      one.send(two.address, i);
    }
    world.run(1_000);
    expect(two.received).toHaveLength(19);
  });
});
