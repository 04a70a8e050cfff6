// Tests local client discovery (RFC 4380 §5.2.8): two PCs behind one NAT find each other without any server, and nobody else is let in.
import { describe, expect, test } from 'vitest';
import { clientConfig } from '../../engine/client/config.ts';
import { simulateClient } from '../../engine/service/simulated.ts';
import type { SimulatedClient } from '../../engine/service/simulated.ts';
import { Host, NAT_KINDS } from '../../engine/sim/index.ts';
import type { Nat } from '../../engine/sim/index.ts';
import {
  buildBubble,
  buildIp6Packet,
  encodeTeredo,
  isBubble,
  LINK_LOCAL_ALL_NODES,
  parseDatagram,
  PROTOCOL,
} from '../../engine/wire/index.ts';
import type { Ip6 } from '../../engine/wire/index.ts';
import { ip, SERVER, World } from './world.ts';

const GROUP = { ip: ip('224.0.0.253'), port: 3544 };
/** Longest wait between discovery bubbles (RFC 4380 §5.2.8). */
const ROUND_MS = 300_000;

class Pc {
  readonly simulated: SimulatedClient;
  received = 0;

  constructor(world: World, nat: Nat, name: string, address: string, localDiscovery = true) {
    const host = new Host(world.simulation, name);
    host.addInterface(nat.inside, ip(address));
    this.simulated = simulateClient(world.simulation, {
      host,
      port: 50_000,
      config: clientConfig({ server: SERVER, localDiscovery }),
      onDeliver: (packet) => (this.received += packet[6] === PROTOCOL.udp ? 1 : 0),
    });
    this.simulated.start();
  }

  get address(): Ip6 {
    return this.simulated.client.status().address!;
  }

  send(to: Ip6): void {
    const header = { nextHeader: PROTOCOL.udp, hopLimit: 64, source: this.address };
    this.simulated.station.datapath.fromAdapter(
      buildIp6Packet({ ...header, destination: to }, new Uint8Array(16)),
    );
  }
}

function scene(localDiscovery = true) {
  const world = new World();
  // No hairpinning, and from the start of the tests no server: what works is local.
  const nat = world.addNat('home', '198.51.100.7', {
    ...NAT_KINDS.portRestricted,
    hairpin: 'none',
  });
  const one = new Pc(world, nat, 'one', '10.9.0.10', localDiscovery);
  const two = new Pc(world, nat, 'two', '10.9.0.11', localDiscovery);
  const multicast: { at: number; ttl: number; port: number; bytes: Uint8Array }[] = [];
  world.simulation.onTrace(({ kind, at, packet }) => {
    if (kind === 'send' && packet.kind === 'udp' && packet.destination.ip === GROUP.ip)
      multicast.push({
        at,
        ttl: packet.ttl,
        port: packet.source.port,
        bytes: packet.bytes,
      });
  });
  world.run(2_000);
  return { world, nat, one, two, multicast };
}

describe('local client discovery', () => {
  test('a discovery bubble is what the RFC says: TTL 1, from the service port, hop limit 1, to all nodes', () => {
    const { multicast, one } = scene();
    expect(multicast.length).toBeGreaterThanOrEqual(2);
    const [{ ttl, port, bytes }] = multicast as [(typeof multicast)[0]];
    expect([ttl, port]).toEqual([1, 50_000]);
    const datagram = parseDatagram(bytes);
    if (!datagram.ok) throw new Error(datagram.reason);
    expect(isBubble(datagram.value.header)).toBe(true);
    expect(datagram.value.header).toMatchObject({
      source: one.address,
      destination: LINK_LOCAL_ALL_NODES,
      hopLimit: 1,
    });
  });

  test('it is repeated at random intervals of 200 to 300 s', () => {
    const { world, multicast } = scene();
    world.run(1_500_000);
    const times = multicast.filter((_, i) => i % 2 === 0).map(({ at }) => at);
    expect(multicast.length).toBeGreaterThanOrEqual(2 + 2 * 5);
    const gaps = multicast
      .slice(2)
      .map(({ at }, i) => at - multicast[i]!.at)
      .filter((gap) => gap > 190_000);
    for (const gap of gaps) expect(gap).toBeLessThanOrEqual(ROUND_MS);
    expect(new Set(times).size).toBe(times.length);
  });

  test('without any server they talk directly, both ways', () => {
    const { world, one, two } = scene();
    world.silenceServer();
    one.send(two.address);
    world.run(100);
    two.send(one.address);
    world.run(100);
    expect([one.received, two.received]).toEqual([1, 1]);
    const row = one.simulated.client.peers(world.simulation.now)[0];
    expect(row).toMatchObject({ path: 'local', endpoint: { ip: ip('10.9.0.11'), port: 50_000 } });
  });

  test('a PC that comes later is known to those that were there, and knows them, within seconds', () => {
    const { world, nat, one } = scene();
    world.run(60_000);
    const late = new Pc(world, nat, 'late', '10.9.0.12');
    world.run(3_000);
    world.silenceServer();
    late.send(one.address);
    world.run(100);
    expect(one.received).toBe(1);
    one.send(late.address);
    world.run(100);
    expect(late.received).toBe(1);
  });

  test('switched off, nothing goes to the group, and the way is another', () => {
    const { world, multicast, one, two } = scene(false);
    expect(multicast).toEqual([]);
    world.silenceServer();
    one.send(two.address);
    world.run(5_000);
    expect(two.received).toBe(0);
  });

  test('without a NAT there is no neighbour to look for', () => {
    const world = new World();
    const sent: unknown[] = [];
    world.simulation.onTrace(({ packet }) => {
      if (packet.kind === 'udp' && packet.destination.ip === GROUP.ip) sent.push(packet);
    });
    const host = new Host(world.simulation, 'open');
    host.addInterface(world.internet, ip('198.51.100.7'));
    simulateClient(world.simulation, {
      host,
      port: 50_000,
      config: clientConfig({ server: SERVER, localDiscovery: true }),
      onDeliver: () => undefined,
    }).start();
    world.run(10_000);
    expect(sent).toEqual([]);
  });
});

describe('H-discovery: what a liar on the link can do', () => {
  const forged = (mapped: string): Ip6 =>
    encodeTeredo({ server: SERVER, flags: 0, client: { ip: ip(mapped), port: 40_000 } });

  test.each([
    ['another mapped address', forged('203.0.113.9'), GROUP, LINK_LOCAL_ALL_NODES],
    [
      'unicast to us',
      forged('198.51.100.7'),
      { ip: ip('10.9.0.10'), port: 50_000 },
      LINK_LOCAL_ALL_NODES,
    ],
    ['a native source', 0x20010db8_00000000_00000000_00000001n, GROUP, LINK_LOCAL_ALL_NODES],
  ])('%s: not answered, no peer', (_, source, to, destination) => {
    const { world, nat, one } = scene();
    const liar = new Host(world.simulation, 'liar');
    liar.addInterface(nat.inside, ip('10.9.0.66'));
    let answers = 0;
    const socket = liar.bind(50_000, { onDatagram: () => answers++ });
    socket.send(to, buildBubble(source, destination));
    world.run(1_000);
    expect(answers).toBe(0);
    const known = one.simulated.client.peers(world.simulation.now).map(({ address }) => address);
    expect(known).not.toContain(source);
  });

  test('a way that is open is not taken over', () => {
    const { world, nat, one, two } = scene();
    one.send(two.address);
    world.run(100);
    const liar = new Host(world.simulation, 'liar');
    liar.addInterface(nat.inside, ip('10.9.0.66'));
    const socket = liar.bind(50_000);
    socket.send(GROUP, buildBubble(two.address, LINK_LOCAL_ALL_NODES));
    world.run(10);
    socket.send({ ip: ip('10.9.0.10'), port: 50_000 }, buildBubble(two.address, one.address));
    world.run(10);
    one.send(two.address);
    world.run(100);
    expect(two.received).toBe(2);
  });
});
