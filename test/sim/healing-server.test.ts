// Tests what a silent server does to its clients, and how they move to another one and back, in the simulated Internet.
import { describe, expect, test } from 'vitest';
import { NAT_KINDS } from '../../engine/sim/index.ts';
import { decodeTeredo } from '../../engine/wire/index.ts';
import { msUntil, RESTRICTED, ROUND_TRIP_MS, scene, setEvery, talk } from './scene.ts';
import { Home, OTHER_SERVER, SERVER, World } from './world.ts';

describe('a silent server', () => {
  test('a minute without it costs no flow, and a new peer works at once when it is back', () => {
    const s = scene();
    const third = new Home(s.world, 'third', '192.88.98.7', RESTRICTED);
    third.start();
    talk(s, 2);
    const address = s.first.address;
    s.world.silenceServer();
    talk(s, 60);
    expect(s.first.client.status()).toMatchObject({
      state: 'qualified',
      reason: { code: 'server-silent' },
      address,
    });
    expect(s.first.received).toHaveLength(62);
    s.world.silenceServer(false);
    s.first.send(third.address, 5);
    expect(msUntil(s.world, 5_000, () => third.received.includes(5))).toBeLessThanOrEqual(100);
    expect(
      msUntil(s.world, 5_000, () => s.first.client.status().reason.code === 'qualified'),
    ).toBeLessThanOrEqual(4_100);
  });

  test.each([0, 1_000, 5_000, 15_000, 30_000, 45_000])(
    'a peer that was asked for %i ms after it fell silent works within 5 s of its return',
    (after) => {
      const { world, first, second } = scene();
      world.silenceServer();
      world.run(after);
      // A program that tries again and again, for a minute.
      for (let n = 0; n < 60; n++) {
        first.send(second.address, 1);
        world.run(1_000);
      }
      expect(second.received).toEqual([]);
      world.silenceServer(false);
      const again = setEvery(world, 1_000, () => first.send(second.address, 7));
      expect(msUntil(world, 5_000, () => second.received.includes(7))).toBeLessThan(5_000);
      again();
    },
  );

  test('is not left for another before its time, and then the old address stays for its flows', () => {
    const s = scene({ failoverMs: 120_000 });
    s.world.addOtherServer();
    talk(s, 2);
    const old = s.first.address;
    s.world.silenceServer();
    talk(s, 110);
    expect(s.first.address).toBe(old);
    talk(s, 60);
    expect(s.first.client.status()).toMatchObject({
      state: 'qualified',
      server: { ip: OTHER_SERVER },
    });
    expect(decodeTeredo(s.first.address)!.server).toBe(OTHER_SERVER);
    // The flow of the old addresses goes on in both directions, within the datapath.
    const peer = [...s.second.client.peers(s.world.simulation.now)].find((p) => p.address === old);
    expect(peer?.trusted).toBe(true);
    s.first.received.length = 0;
    s.second.send(old, 42);
    s.world.run(100);
    expect(s.first.received).toEqual([42]);
  });

  test('and another one that is as silent: that is told, and goes on being told', () => {
    const world = new World();
    world.silenceServer();
    const home = new Home(world, 'home', '198.51.100.7', RESTRICTED);
    home.start();
    world.run(12_000);
    for (let minute = 0; minute < 5; minute++) {
      expect(home.client.status()).toMatchObject({
        state: 'qualifying',
        reason: { code: 'no-answer' },
      });
      world.run(60_000);
    }
  });

  test('that is back does not take its clients back: the address changed once, and that is enough', () => {
    const s = scene({ failoverMs: 60_000 });
    s.world.addOtherServer();
    s.world.silenceServer();
    talk(s, 130);
    const { address } = s.first;
    expect(decodeTeredo(address)!.server).toBe(OTHER_SERVER);
    s.world.silenceServer(false);
    talk(s, 120);
    expect(s.first.address).toBe(address);
    expect(
      s.first.events.filter((e) => e.kind === 'state' && e.reason === 'server-changed'),
    ).toHaveLength(1);
  });

  test('an old address goes when its flows have ended, and its server is asked no more', () => {
    const s = scene({ failoverMs: 60_000 });
    s.world.addOtherServer();
    talk(s, 2);
    const old = s.first.address;
    s.world.silenceServer();
    talk(s, 130);
    expect(s.first.client.serverEndpoints).toHaveLength(4);
    s.world.run(400_000);
    expect(s.first.client.serverEndpoints).toHaveLength(2);
    s.second.send(old, 43);
    s.world.run(10_000);
    expect(s.first.received).not.toContain(43);
  });

  test('the user may change the server at any time: one round trip, and the old address stays', () => {
    const s = scene();
    s.world.addOtherServer();
    talk(s, 2);
    const old = s.first.address;
    s.first.input({
      kind: 'server',
      server: OTHER_SERVER,
      server2: OTHER_SERVER + 1,
      always: true,
    });
    s.world.run(ROUND_TRIP_MS);
    expect(decodeTeredo(s.first.address)!.server).toBe(OTHER_SERVER);
    s.second.send(old, 44);
    s.world.run(100);
    expect(s.first.received).toContain(44);
    // Somebody new who knows only the old address comes in through the old server.
    const third = new Home(s.world, 'third', '192.88.98.7', RESTRICTED);
    third.start();
    s.world.run(1_000);
    third.send(old, 45);
    s.world.run(1_000);
    expect(s.first.received).toContain(45);
  });

  test.each([
    'symmetric',
    'symmetricSequential',
    'symmetricPreserving',
    'symmetricByAddress',
  ] as const)(
    'behind a router that is %s another server sees another port, and the old address stays for its flows all the same',
    (kind) => {
      const s = scene({}, NAT_KINDS[kind], NAT_KINDS.restricted);
      s.world.addOtherServer();
      talk(s, 5);
      const old = s.first.address;
      expect(s.first.received.length).toBeGreaterThan(0);
      s.world.silenceServer();
      s.first.input({
        kind: 'server',
        server: OTHER_SERVER,
        server2: OTHER_SERVER + 1,
        always: true,
      });
      s.world.run(ROUND_TRIP_MS);
      const fresh = decodeTeredo(s.first.address)!;
      expect(fresh.server).toBe(OTHER_SERVER);
      expect(s.first.client.status().mapped).toEqual(fresh.client);
      expect(s.first.client.status().reason.code).toBe('server-changed');
      // For longer than any refresh, and both ways: neither what the new server sees nor the old one's silence ends the flow.
      s.first.received.length = 0;
      s.second.received.length = 0;
      for (let second = 0; second < 120; second++) {
        s.first.send(s.second.address, 46, old);
        s.second.send(old, 47);
        s.world.run(1_000);
      }
      expect(s.first.received).toEqual(new Array(120).fill(47));
      expect(s.second.received).toEqual(new Array(120).fill(46));
      expect(s.first.client.status().nat).toBe('symmetric');
    },
  );

  test.each([0, 100, 500, 1_000, 1_400])(
    'a peer that was answered %i ms ago reaches the new address at once, too',
    (ms) => {
      const s = scene();
      s.world.addOtherServer();
      s.second.send(s.first.address, 1);
      s.world.run(ROUND_TRIP_MS);
      s.world.run(ms);
      s.first.input({
        kind: 'server',
        server: OTHER_SERVER,
        server2: OTHER_SERVER + 1,
        always: true,
      });
      s.world.run(ROUND_TRIP_MS);
      s.second.send(s.first.address, 2);
      expect(msUntil(s.world, 5_000, () => s.first.received.includes(2))).toBeLessThanOrEqual(100);
    },
  );

  test('back at a server whose address is kept, that address is the one in use again', () => {
    const s = scene();
    s.world.addOtherServer();
    talk(s, 2);
    const first = s.first.address;
    const move = (server: number): void => {
      s.first.input({ kind: 'server', server, server2: server + 1, always: true });
      s.world.run(ROUND_TRIP_MS);
    };
    move(OTHER_SERVER);
    const other = s.first.address;
    move(SERVER);
    expect(s.first.address).toBe(first);
    for (const [to, tag] of [
      [first, 50],
      [other, 51],
    ] as const) {
      s.second.send(to, tag);
      s.world.run(1_000);
      expect(s.first.received).toContain(tag);
    }
  });

  test('a server that never answers is left at once: there is no address to lose', () => {
    const world = new World();
    world.silenceServer();
    world.addOtherServer();
    const home = new Home(world, 'home', '198.51.100.7', RESTRICTED);
    home.start();
    const ms = msUntil(world, 20_000, () => home.client.status().state === 'qualified');
    expect(ms).toBeLessThanOrEqual(12_100);
    expect(decodeTeredo(home.address)!.server).toBe(OTHER_SERVER);
  });
});
