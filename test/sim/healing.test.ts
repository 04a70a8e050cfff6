// Tests of what heals by itself, and how fast, in the simulated Internet: servers, mappings, peers, networks, clocks.
import { describe, expect, test } from 'vitest';
import { attachEchoHost, NAT_KINDS } from '../../engine/sim/index.ts';
import { decodeTeredo, parseIp6 } from '../../engine/wire/index.ts';
import { Home, ip, OTHER_SERVER, SERVER, World } from './world.ts';

const RESTRICTED = NAT_KINDS.portRestricted;
const CARRIER = NAT_KINDS.carrier;
const NATIVE = parseIp6('2001:db8::80')!;
/** Two lines of 5 ms either way and the ones in the home, looked at each 10 ms. */
const ROUND_TRIP_MS = 40;
/** A refresh interval, and N time-outs of T: after so long a silent server is known to be (RFC 4380 §5.2.5). */
const KNOWN_SILENT_MS = 30_000 + 12_000;

interface Scene {
  readonly world: World;
  readonly first: Home;
  readonly second: Home;
}

/** Two qualified homes. */
function scene(
  settings: { failoverMs?: number } = {},
  behaviour = RESTRICTED,
  ofSecond = RESTRICTED,
): Scene {
  const world = new World();
  const first = new Home(world, 'first', '198.51.100.7', behaviour, settings);
  const second = new Home(world, 'second', '203.0.113.9', ofSecond, settings);
  first.start();
  second.start();
  world.run(1_000);
  return { world, first, second };
}

/** Virtual ms until `done`, looked at each 10 ms; Infinity when `limit` goes by. */
function msUntil(world: World, limit: number, done: () => boolean): number {
  for (let ms = 0; ms <= limit; ms += 10) {
    if (done()) return ms;
    world.run(10);
  }
  return Infinity;
}

/** Programs on both sides send to each other once a second. */
function talk({ world, first, second }: Scene, seconds: number, tag = 1): void {
  for (let n = 0; n < seconds; n++) {
    first.send(second.address, tag);
    second.send(first.address, tag);
    world.run(1_000);
  }
}

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

describe('a changed mapping', () => {
  test('is noticed within 6 s while something is sent: the silence of a peer makes us ask', () => {
    const s = scene({}, CARRIER);
    talk(s, 3);
    const old = s.first.address;
    s.first.nat!.reboot();
    let ms = 0;
    while (s.first.address === old && ms < 40_000) {
      s.first.send(s.second.address, 1);
      s.world.run(100);
      ms += 100;
    }
    expect(ms).toBeLessThanOrEqual(6_000);
    expect(decodeTeredo(s.first.address)!.client).toEqual(s.first.client.status().mapped);
  });

  test('is noticed by the next refresh when nothing is sent', () => {
    const { world, first } = scene({}, CARRIER);
    const old = first.address;
    first.nat!.reboot();
    expect(msUntil(world, 40_000, () => first.address !== old)).toBeLessThanOrEqual(30_100);
  });

  test('and the same mapping after a reboot of the router keeps the address and heals the path', () => {
    const s = scene();
    talk(s, 3);
    const old = s.first.address;
    s.first.nat!.reboot(2_000);
    talk(s, 10);
    expect(s.first.address).toBe(old);
    s.second.received.length = 0;
    talk(s, 2, 9);
    expect(s.second.received).toEqual([9, 9]);
  });
});

describe('peers and relays', () => {
  test('a trusted peer that falls silent is asked after 3 s, and local senders are told after 30 s', () => {
    const s = scene();
    talk(s, 3);
    s.second.nat!.setBehaviour({ blockedPorts: 'all' });
    const send = setEvery(s.world, 100, () => s.first.send(s.second.address, 1));
    const told = msUntil(s.world, 60_000, () => s.first.errors > 0);
    send();
    expect(told).toBeGreaterThanOrEqual(28_000);
    expect(told).toBeLessThanOrEqual(32_000);
  });

  test('an expired peer that answers nothing: unreachable within 9 s of the first packet', () => {
    const s = scene();
    talk(s, 1);
    s.world.run(60_000);
    s.second.nat!.setBehaviour({ blockedPorts: 'all' });
    s.first.send(s.second.address, 1);
    expect(msUntil(s.world, 10_000, () => s.first.errors > 0)).toBeLessThanOrEqual(9_000);
  });

  test('a peer whose program refuses: the next packet is answered, and the way heals when it is back', () => {
    const world = new World();
    const first = new Home(world, 'first', '198.51.100.7', RESTRICTED);
    const second = new Home(world, 'second', '203.0.113.9', null);
    first.start();
    second.start();
    world.run(1_000);
    first.send(second.address, 1);
    world.run(100);
    second.stop();
    first.send(second.address, 2);
    world.run(50);
    first.send(second.address, 3);
    world.run(50);
    expect(first.errors).toBe(1);
  });

  test('a relay that falls silent is replaced by another within 6 s', () => {
    const s = scene();
    const near = s.world.addRelay('192.0.2.66');
    s.world.addRelay('192.0.2.67', 10);
    attachEchoHost(s.world.native, 'site', NATIVE);
    const relayOf = (): number | undefined =>
      s.first.client.peers(s.world.simulation.now).find((p) => p.address === NATIVE)?.endpoint?.ip;
    s.first.send(NATIVE, 1);
    s.world.run(1_000);
    expect(relayOf()).toBe(ip('192.0.2.66'));
    near.line.set({ loss: 1 });
    near.withdraw();
    const send = setEvery(s.world, 100, () => s.first.send(NATIVE, 1));
    expect(msUntil(s.world, 20_000, () => relayOf() === ip('192.0.2.67'))).toBeLessThanOrEqual(
      6_000,
    );
    send();
  });
});

describe('the own network', () => {
  test('an interface that goes and comes back keeps the address; the server is asked at once', () => {
    const s = scene();
    talk(s, 2);
    const { address } = s.first;
    const link = s.first.link;
    link.setUp(false);
    expect(s.first.client.status()).toMatchObject({
      state: 'qualifying',
      reason: { code: 'no-network' },
    });
    s.world.run(60_000);
    link.setUp(true);
    const ms = msUntil(s.world, 10_000, () => s.first.client.status().state === 'qualified');
    expect(ms).toBeLessThanOrEqual(ROUND_TRIP_MS);
    expect(s.first.address).toBe(address);
  });

  test('a move to another network gives another address in one round trip', () => {
    const s = scene();
    talk(s, 2);
    const { address } = s.first;
    s.first.moveTo(s.world.addNat('hotel', '192.0.3.7', CARRIER), ip('10.9.0.5'));
    const ms = msUntil(s.world, 10_000, () => s.first.address !== address);
    expect(ms).toBeLessThanOrEqual(ROUND_TRIP_MS);
    s.second.send(s.first.address, 8);
    s.world.run(200);
    expect(s.first.received).toContain(8);
  });

  test('a network that swallows UDP is told within 12 s, and healed by the first answer', () => {
    const s = scene();
    const { address } = s.first;
    s.first.nat!.setBehaviour({ blockedPorts: 'all' });
    s.first.input({ kind: 'network', networks: s.first.host.networks(), route: 'hotel' });
    s.world.run(12_100);
    expect(s.first.client.status()).toMatchObject({
      state: 'qualifying',
      reason: { code: 'no-answer' },
    });
    s.world.run(600_000);
    s.first.nat!.setBehaviour({ blockedPorts: [] });
    const ms = msUntil(s.world, 10_000, () => s.first.client.status().state === 'qualified');
    expect(ms).toBeLessThanOrEqual(4_100);
    expect(s.first.address).toBe(address);
  });

  test('a portal that answers in the server’s place is told from a silent network', () => {
    const s = scene();
    s.world.silenceServer();
    s.first.input({ kind: 'network', networks: s.first.host.networks(), route: 'hotel' });
    for (let n = 0; n < 13; n++) {
      s.first.input({
        kind: 'datagram',
        from: { ip: SERVER, port: 3544 },
        bytes: new TextEncoder().encode('HTTP/1.1 302 Found'),
      });
      s.world.run(1_000);
    }
    expect(s.first.client.status()).toMatchObject({
      state: 'qualifying',
      reason: { code: 'server-junk' },
    });
    s.world.silenceServer(false);
    expect(
      msUntil(s.world, 10_000, () => s.first.client.status().state === 'qualified'),
    ).toBeLessThanOrEqual(4_100);
  });

  test('a change of network while the server is away ends no flow', () => {
    const s = scene();
    talk(s, 3);
    s.world.silenceServer();
    s.world.run(100);
    s.first.host.addInterface(s.first.nat!.inside, ip('192.168.1.77'));
    s.second.received.length = 0;
    talk(s, 60, 3);
    expect(s.second.received).toHaveLength(60);
    expect(s.first.client.status()).toMatchObject({
      state: 'qualified',
      reason: { code: 'server-silent' },
    });
  });

  test('a day asleep, and the router forgot us: the new address is there one round trip after waking', () => {
    const s = scene({}, CARRIER);
    talk(s, 2);
    const { address } = s.first;
    s.first.suspend(true);
    s.world.run(86_400_000);
    s.first.nat!.reboot();
    s.first.suspend(false);
    expect(msUntil(s.world, 10_000, () => s.first.address !== address)).toBeLessThanOrEqual(
      ROUND_TRIP_MS,
    );
    s.first.send(s.second.address, 6);
    s.world.run(100);
    expect(s.second.received).toContain(6);
  });

  test('it is known after at most 42 s that a server is silent', () => {
    const { world, first } = scene();
    world.silenceServer();
    const ms = msUntil(world, 60_000, () => first.client.status().reason.code === 'server-silent');
    expect(ms).toBeLessThanOrEqual(KNOWN_SILENT_MS);
  });
});

/** Runs `act` now and each `ms` until the returned function is called. */
function setEvery(world: World, ms: number, act: () => void): () => void {
  let stopped = false;
  const tick = (): void => {
    if (stopped) return;
    act();
    world.simulation.after(ms, tick);
  };
  tick();
  return () => {
    stopped = true;
  };
}
