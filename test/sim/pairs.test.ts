// Tests of whole conversations in the simulated Internet: every pair of NATs that RFC 4380 supports, outages, loss, and replays.
import { describe, expect, test } from 'vitest';
import { NAT_KINDS } from '../../engine/sim/index.ts';
import type { NatBehaviour } from '../../engine/sim/index.ts';
import { decodeTeredo, formatIp6 } from '../../engine/wire/index.ts';
import { Home, World } from './world.ts';

/** RFC 4380 §3.1: Teredo serves clients without a NAT and behind cone, restricted and port-restricted NATs. */
const SUPPORTED = ['none', 'cone', 'restricted', 'portRestricted', 'linux', 'carrier'] as const;
type Kind = (typeof SUPPORTED)[number] | 'symmetric';

const behaviour = (kind: Kind): NatBehaviour | null => (kind === 'none' ? null : NAT_KINDS[kind]);

function twoHomes(a: Kind, b: Kind, seed = 1): { world: World; first: Home; second: Home } {
  const world = new World(seed);
  const first = new Home(world, 'first', '198.51.100.7', behaviour(a));
  const second = new Home(world, 'second', '203.0.113.9', behaviour(b));
  first.start();
  second.start();
  world.run(2_000);
  return { world, first, second };
}

describe('qualification', () => {
  test.each([
    ['none', 'none'],
    ['cone', 'restricted'],
    ['restricted', 'restricted'],
    ['portRestricted', 'restricted'],
    ['linux', 'restricted'],
    ['symmetric', 'symmetric'],
  ] as const)('behind %s the NAT is named %s', (kind, nat) => {
    const { first } = twoHomes(kind, 'none');
    expect(first.client.status()).toMatchObject({ state: 'qualified', nat });
    expect(decodeTeredo(first.address)!.client).toEqual(first.client.status().mapped);
  });

  test('an open path costs one round trip', () => {
    const world = new World();
    const home = new Home(world, 'home', '198.51.100.7', null);
    home.start();
    // Each line takes 5 ms: to the server and back are four of them.
    world.run(19);
    expect(home.client.status().state).toBe('qualifying');
    world.run(2);
    expect(home.client.status().state).toBe('qualified');
  });

  test('blocked UDP 3544 is said after T x N = 12 s, and heals by itself', () => {
    const world = new World();
    const home = new Home(world, 'home', '198.51.100.7', {
      ...NAT_KINDS.portRestricted,
      blockedPorts: [3544],
    });
    home.start();
    world.run(12_001);
    expect(home.client.status()).toMatchObject({
      state: 'qualifying',
      reason: { code: 'no-answer' },
    });
    home.nat!.setBehaviour(NAT_KINDS.portRestricted);
    world.run(30_000);
    expect(home.client.status().state).toBe('qualified');
  });
});

describe('client to client', () => {
  for (const a of SUPPORTED)
    for (const b of SUPPORTED)
      test(`${a} starts to ${b}: all packets arrive, in order, within 100 ms`, () => {
        const { world, first, second } = twoHomes(a, b);
        for (const tag of [1, 2, 3]) first.send(second.address, tag);
        world.run(100);
        expect(second.received).toEqual([1, 2, 3]);
        second.send(first.address, 9);
        world.run(30);
        expect(first.received).toEqual([9]);
      });

  test('both start at the same moment', () => {
    const { world, first, second } = twoHomes('portRestricted', 'portRestricted');
    first.send(second.address, 1);
    second.send(first.address, 2);
    world.run(100);
    expect([first.received, second.received]).toEqual([[2], [1]]);
  });

  test('symmetric to port-restricted can’t be: the sender is told within 9 s, and nobody gets anything', () => {
    const { world, first, second } = twoHomes('symmetric', 'portRestricted');
    first.send(second.address, 1);
    world.run(9_000);
    expect([first.errors, second.received]).toEqual([1, []]);
  });

  test('a peer that is gone: unreachable within 9 s', () => {
    const { world, first, second } = twoHomes('portRestricted', 'portRestricted');
    const { address } = second;
    second.nat!.setBehaviour({ blockedPorts: 'all' });
    first.send(address, 1);
    world.run(9_000);
    expect(first.errors).toBe(1);
  });

  test('a flow outlives the server: 60 s of its silence cost nothing', () => {
    const { world, first, second } = twoHomes('portRestricted', 'portRestricted');
    first.send(second.address, 1);
    world.run(100);
    const { address } = first;
    world.silenceServer();
    for (let tag = 2; tag < 62; tag++) {
      first.send(second.address, tag);
      second.send(first.address, tag);
      world.run(1_000);
    }
    expect(second.received).toHaveLength(61);
    expect(first.received).toHaveLength(60);
    expect(formatIp6(first.address)).toBe(formatIp6(address));
    expect(first.client.status()).toMatchObject({
      state: 'qualified',
      reason: { code: 'server-silent' },
    });
  });

  test('a NAT that reboots: the new mapping is noticed by the next refresh, and the address follows', () => {
    const { world, first } = twoHomes('carrier', 'none');
    const { address } = first;
    first.nat!.reboot();
    world.run(31_000);
    expect(first.client.status()).toMatchObject({ state: 'qualified' });
    expect(first.address).not.toBe(address);
    expect(decodeTeredo(first.address)!.client).toEqual(first.client.status().mapped);
  });
});

describe('loss', () => {
  test('with a quarter of all packets lost the path opens within 7 s in 9 of 10 cases: bubbles are repeated by a timer', () => {
    let opened = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const { world, first, second } = twoHomes('portRestricted', 'portRestricted', seed);
      first.nat!.line.set({ loss: 0.25 });
      first.send(second.address, 1);
      world.run(7_000);
      if (first.events.some((event) => event.kind === 'peerUp')) opened += 1;
    }
    // One pair of bubbles makes it with 0.75 x 0.75; one of four with 0.96.
    expect(opened).toBeGreaterThanOrEqual(180);
  });
});
