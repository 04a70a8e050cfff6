// Tests that show that faults of the reference implementation, Miredo 1.2.6, are not ours; the number is the row in docs/healing.md.
import { expect, test } from 'vitest';
import { NAT_KINDS } from '../../engine/sim/index.ts';
import { kindOf } from './kinds.ts';
import { Home, ip, SERVER, World } from './world.ts';

const RESTRICTED = NAT_KINDS.portRestricted;

interface Pair {
  readonly world: World;
  readonly first: Home;
  readonly second: Home;
}

function pair(behaviour = RESTRICTED): Pair {
  const world = new World();
  const first = new Home(world, 'first', '198.51.100.7', behaviour);
  const second = new Home(world, 'second', '203.0.113.9', RESTRICTED);
  first.start();
  second.start();
  world.run(1_000);
  return { world, first, second };
}

/** Virtual ms, by steps of 100, in which `first` sends until `done`. */
function sendingUntil({ world, first, second }: Pair, limit: number, done: () => boolean): number {
  const to = second.address;
  for (let ms = 0; ms < limit; ms += 100) {
    if (done()) return ms;
    first.send(to, 1);
    world.run(100);
  }
  return Infinity;
}

test('Miredo fault 1: a server outage of 42 s takes down no address and no flow', () => {
  const { world, first, second } = pair();
  first.send(second.address, 0);
  world.run(500);
  const { address } = first;
  world.silenceServer();
  for (let second42 = 0; second42 < 42; second42++) {
    first.send(second.address, 1);
    second.send(first.address, 1);
    world.run(1_000);
  }
  world.silenceServer(false);
  expect(first.received).toHaveLength(42);
  expect(second.received).toHaveLength(43);
  expect(first.address).toBe(address);
});

test('Miredo fault 2: blocked UDP 3544 is told with its likely causes, and healed within 10 s', () => {
  const world = new World();
  const home = new Home(world, 'home', '198.51.100.7', { ...RESTRICTED, blockedPorts: [3544] });
  home.start();
  world.run(12_100);
  expect(home.client.status().reason.text).toContain('blocks UDP port 3544');
  world.run(300_000);
  home.nat!.setBehaviour({ blockedPorts: [] });
  world.run(10_100);
  expect(home.client.status().state).toBe('qualified');
});

test('Miredo fault 3: a symmetric NAT is named, and a peer that can’t be reached is told to the sender', () => {
  const { world, first, second } = pair(NAT_KINDS.symmetric);
  expect(first.client.status().nat).toBe('symmetric');
  first.send(second.address, 1);
  world.run(9_000);
  expect(first.errors).toBe(1);
});

test('Miredo fault 4: a new mapping is noticed within 6 s of sending, not at the next refresh', () => {
  const p = pair(NAT_KINDS.carrier);
  p.first.send(p.second.address, 1);
  p.world.run(1_000);
  const { address } = p.first;
  p.first.nat!.reboot();
  expect(sendingUntil(p, 20_000, () => p.first.address !== address)).toBeLessThanOrEqual(6_000);
});

test('Miredo fault 5: a dead peer is told after 30 s of silence, and at once when its host refuses', () => {
  const p = pair();
  p.first.send(p.second.address, 1);
  p.world.run(500);
  p.second.nat!.setBehaviour({ blockedPorts: 'all' });
  expect(sendingUntil(p, 60_000, () => p.first.errors > 0)).toBeLessThanOrEqual(31_000);

  const world = new World();
  const first = new Home(world, 'first', '198.51.100.7', RESTRICTED);
  const open = new Home(world, 'open', '203.0.113.9', null);
  first.start();
  open.start();
  world.run(1_000);
  const q = { world, first, second: open };
  first.send(open.address, 1);
  world.run(500);
  open.stop();
  expect(sendingUntil(q, 5_000, () => first.errors > 0)).toBeLessThanOrEqual(300);
});

/** What arrives of `count` packets that were sent to a new peer at once. */
function burst(count: number): number[] {
  const { world, first, second } = pair();
  for (let tag = 0; tag < count; tag++) first.send(second.address, tag);
  world.run(1_000);
  return second.received;
}

test('Miredo fault 6: what waits for a new peer arrives in order', () => {
  expect(burst(8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('Miredo fault 7: 64 packets wait for a new peer, and none is lost', () => {
  expect(burst(64)).toHaveLength(64);
});

test('Miredo fault 8: a lone first packet arrives although its bubbles were lost', () => {
  const { world, first, second } = pair();
  first.nat!.line.set({ loss: 1 });
  first.send(second.address, 7);
  world.run(1_500);
  first.nat!.line.set({ loss: 0 });
  world.run(5_000);
  expect(second.received).toEqual([7]);
});

test('Miredo fault 26: a change of network is answered in one round trip', () => {
  const { world, first } = pair();
  const { address } = first;
  first.moveTo(world.addNat('hotel', '192.0.3.7', RESTRICTED), ip('10.9.0.5'));
  world.run(100);
  expect(first.client.status().state).toBe('qualified');
  expect(first.address).not.toBe(address);
});

test('Miredo fault 28: a flow of one packet in 36 s needs one handshake, and no server after that', () => {
  const { world, first, second } = pair();
  /** Bubbles that the first home sent, to its server and to its peer. */
  const bubbles = { server: 0, peer: 0 };
  world.simulation.onTrace(({ node, kind, packet }) => {
    if (node !== 'first' || kind !== 'send' || packet.kind !== 'udp') return;
    if (kindOf(packet.bytes) !== 'bubble') return;
    bubbles[packet.destination.ip === SERVER ? 'server' : 'peer'] += 1;
  });
  first.send(second.address, 0);
  world.run(36_000);
  expect(bubbles.server).toBe(1);
  for (let n = 1; n < 6; n++) {
    const before = { ...bubbles };
    first.send(second.address, n);
    // Straight there, back, and the packet: 20 ms each, and what is in the homes.
    world.run(61);
    expect(second.received).toHaveLength(n + 1);
    world.run(36_000);
    expect({ n, ...bubbles }).toEqual({ n, server: before.server, peer: before.peer + 1 });
  }
});
