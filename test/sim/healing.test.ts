// Tests of what heals by itself, and how fast, in the simulated Internet: mappings, peers, networks, sleep.
import { describe, expect, test } from 'vitest';
import { attachEchoHost, NAT_KINDS } from '../../engine/sim/index.ts';
import { decodeTeredo, parseIp6 } from '../../engine/wire/index.ts';
import { msUntil, RESTRICTED, ROUND_TRIP_MS, scene, setEvery, talk } from './scene.ts';
import { Home, ip, SERVER, World } from './world.ts';

const CARRIER = NAT_KINDS.carrier;
const NATIVE = parseIp6('2001:db8::80')!;
/** A refresh interval, and N time-outs of T: after so long a silent server is known to be (RFC 4380 §5.2.5). */
const KNOWN_SILENT_MS = 30_000 + 12_000;

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
