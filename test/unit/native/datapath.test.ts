// Tests the native datapath on a real socket: what passes by the tables, what is dropped, what goes up.
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nativeAddon } from '../../../engine/host/addon.ts';
import type { Upcall } from '../../../engine/datapath/types.ts';
import { buildBubble, buildEcho, buildIp6Packet, PROTOCOL } from '../../../engine/wire/index.ts';
import { buildAddon, Line, LOOPBACK, OURS, PEER, STRANGER, udpPacket, until } from './line.ts';
import type { Neighbour } from './line.ts';

beforeAll(buildAddon, 120_000);

let line: Line;
let peer: Neighbour;
beforeEach(async () => {
  line = new Line();
  peer = await line.addNeighbour();
  line.datapath.setAddresses([OURS]);
  line.datapath.setPeer(PEER, peer.endpoint, nativeAddon().now());
});
afterEach(() => line.close());

const oneUpcall = (): Promise<Upcall> => until('an upcall', () => line.under.upcalls[0]);

describe('to a peer', () => {
  test('a packet of ours to a fresh peer whose flow passes leaves as it is, and is stamped', async () => {
    line.datapath.setDefaultVerdict('pass');
    const before = nativeAddon().now();
    const packet = udpPacket(OURS, PEER);
    line.fromAdapter(packet);
    const got = await until('the datagram', () => peer.received[0]);
    expect(got.bytes).toEqual(packet);
    expect(got.from).toEqual(line.datapath.local);
    const stamps = line.datapath.readPeer(PEER)!;
    expect(stamps).toMatchObject({ packetsOut: 1, bytesOut: packet.length, packetsIn: 0 });
    expect(stamps.lastSentMs).toBeGreaterThanOrEqual(before);
    expect(line.datapath.counters()).toMatchObject({ packetsOut: 1, upcallsAdapter: 0 });
  });

  test('a burst keeps its order', async () => {
    line.datapath.setDefaultVerdict('pass');
    const packets = Array.from({ length: 150 }, (_, i) =>
      udpPacket(OURS, PEER, { source: i, destination: 9 }),
    );
    for (const packet of packets) line.fromAdapter(packet);
    await until('the burst', () => peer.received.length === 150);
    expect(peer.received.map(({ bytes }) => bytes)).toEqual(packets);
  });

  const outward: readonly [string, () => Uint8Array, (() => void)?][] = [
    [
      'the default verdict is ask',
      () => udpPacket(OURS, PEER),
      () => line.datapath.setDefaultVerdict('ask'),
    ],
    ['the source is not ours', () => udpPacket(STRANGER, PEER)],
    ['the destination is no peer', () => udpPacket(OURS, STRANGER)],
    [
      'the destination is ours',
      () => udpPacket(OURS, OURS),
      () => line.datapath.setPeer(OURS, peer.endpoint, nativeAddon().now()),
    ],
    ['the peer was removed', () => udpPacket(OURS, PEER), () => line.datapath.removePeer(PEER)],
    [
      'the peer was heard too long ago',
      () => udpPacket(OURS, PEER),
      () => line.datapath.setPeer(PEER, peer.endpoint, nativeAddon().now() - 30_001),
    ],
    [
      'the peer was never heard',
      () => udpPacket(OURS, PEER),
      () => line.datapath.setPeer(PEER, peer.endpoint, 0),
    ],
    ['it is a bubble', () => buildBubble(OURS, PEER)],
    ['it has a hop-by-hop header', () => withExtension(PROTOCOL.hopByHop, OURS, PEER)],
    ['it has a routing header', () => withExtension(PROTOCOL.routing, OURS, PEER)],
    ['its length field is wrong', () => new Uint8Array([...udpPacket(OURS, PEER), 0])],
  ];
  test.each(outward)('it goes up when %s', async (_, packet, prepare) => {
    line.datapath.setDefaultVerdict('pass');
    prepare?.();
    const bytes = packet();
    line.fromAdapter(bytes);
    expect(await oneUpcall()).toEqual({ kind: 'packet', bytes });
    expect(line.datapath.counters()).toMatchObject({ packetsOut: 0, upcallsAdapter: 1 });
  });
});

/** An IPv6 packet with an eight-byte extension header before an empty TCP header. */
function withExtension(kind: number, source: bigint, destination: bigint): Uint8Array {
  const payload = new Uint8Array(8 + 20);
  payload[0] = PROTOCOL.tcp;
  return buildIp6Packet({ source, destination, nextHeader: kind, hopLimit: 64 }, payload);
}

/** A fragment of a UDP datagram; only the first one carries ports (1000 -> 2000). */
function fragment(source: bigint, destination: bigint, first: boolean): Uint8Array {
  const payload = new Uint8Array(8 + 16);
  const view = new DataView(payload.buffer);
  view.setUint8(0, PROTOCOL.udp);
  view.setUint16(2, first ? 1 : 2 << 3);
  view.setUint32(4, 77);
  if (first) {
    view.setUint16(8, 1000);
    view.setUint16(10, 2000);
  }
  return buildIp6Packet(
    { source, destination, nextHeader: PROTOCOL.fragment, hopLimit: 64 },
    payload,
  );
}

describe('from a peer', () => {
  test('a packet to us from the endpoint of its peer goes to the adapter and renews the peer', async () => {
    line.datapath.setDefaultVerdict('pass');
    line.datapath.setPeer(PEER, peer.endpoint, 1);
    const before = nativeAddon().now();
    const packet = udpPacket(PEER, OURS);
    line.fromSocket(peer, packet);
    expect(await until('the packet', () => line.delivered()[0])).toEqual(packet);
    const stamps = line.datapath.readPeer(PEER)!;
    expect(stamps).toMatchObject({ packetsIn: 1, bytesIn: packet.length, packetsOut: 0 });
    expect(stamps.lastReceivedMs).toBeGreaterThanOrEqual(before);
    expect(line.datapath.counters()).toMatchObject({ packetsIn: 1, upcallsOther: 0 });
  });

  test("a peer's address from another endpoint is not believed", async () => {
    line.datapath.setDefaultVerdict('pass');
    const liar = await line.addNeighbour();
    const bytes = udpPacket(PEER, OURS);
    line.fromSocket(liar, bytes);
    expect(await oneUpcall()).toEqual({
      kind: 'datagram',
      ring: 'other',
      from: liar.endpoint,
      bytes,
    });
    expect(line.delivered()).toEqual([]);
    expect(line.datapath.readPeer(PEER)!.packetsIn).toBe(0);
  });

  const inward: readonly [string, () => Uint8Array, (() => void)?][] = [
    [
      'the default verdict is ask',
      () => udpPacket(PEER, OURS),
      () => line.datapath.setDefaultVerdict('ask'),
    ],
    ['it is not for us', () => udpPacket(PEER, STRANGER)],
    ['we have no address', () => udpPacket(PEER, OURS), () => line.datapath.setAddresses([])],
    ['its source is no peer', () => udpPacket(STRANGER, OURS)],
    ['it is a bubble', () => buildBubble(PEER, OURS)],
    ['a trailer follows it', () => new Uint8Array([...udpPacket(PEER, OURS), 1, 4, 1, 2, 3, 4])],
    [
      'an origin indication comes before it',
      () => new Uint8Array([0, 0, 1, 2, 3, 4, 5, 6, ...udpPacket(PEER, OURS)]),
    ],
    ['it is cut short', () => udpPacket(PEER, OURS).slice(0, -1)],
    ['it is shorter than a header', () => new Uint8Array([0x60, 0, 0])],
    ['it is empty', () => new Uint8Array(0)],
    ['it has destination options', () => withExtension(PROTOCOL.destinationOptions, PEER, OURS)],
    ['it is no IPv6', () => new Uint8Array(60).fill(0x45)],
  ];
  test.each(inward)('it goes up when %s', async (_, packet, prepare) => {
    line.datapath.setDefaultVerdict('pass');
    prepare?.();
    const bytes = packet();
    line.fromSocket(peer, bytes);
    expect(await oneUpcall()).toEqual({
      kind: 'datagram',
      ring: 'other',
      from: peer.endpoint,
      bytes,
    });
    expect(line.delivered()).toEqual([]);
    expect(line.datapath.counters()).toMatchObject({ packetsIn: 0, upcallsOther: 1 });
  });

  test("what a server sends goes up in the server's ring", async () => {
    const server = await line.addNeighbour();
    line.datapath.setServers([{ ip: LOOPBACK, port: 3544 }, server.endpoint]);
    const bytes = new Uint8Array([0, 1, 2]);
    line.fromSocket(server, bytes);
    expect(await oneUpcall()).toEqual({
      kind: 'datagram',
      ring: 'server',
      from: server.endpoint,
      bytes,
    });
    expect(line.datapath.counters()).toMatchObject({ upcallsServer: 1, upcallsOther: 0 });
  });

  test('an echo reply with the probe identifier goes up, another one to the adapter', async () => {
    line.datapath.setDefaultVerdict('pass');
    line.datapath.setProbeId(0x1234);
    const echo = { source: PEER, destination: OURS, sequence: 1, data: new Uint8Array(8) };
    const probe = buildEcho({ ...echo, reply: true, identifier: 0x1234 });
    line.fromSocket(peer, buildEcho({ ...echo, reply: true, identifier: 0x1235 }));
    line.fromSocket(peer, buildEcho({ ...echo, reply: false, identifier: 0x1234 }));
    line.fromSocket(peer, probe);
    expect(await oneUpcall()).toMatchObject({ kind: 'datagram', bytes: probe });
    await until('the others', () => line.delivered().length === 2);
  });
});

describe('flows', () => {
  const flow = {
    protocol: PROTOCOL.udp,
    local: OURS,
    localPort: 1000,
    remote: PEER,
    remotePort: 2000,
  };

  test('an entry decides both ways before the default does', async () => {
    line.datapath.setFlow(flow, 'pass');
    const out = udpPacket(OURS, PEER, { source: 1000, destination: 2000 });
    const back = udpPacket(PEER, OURS, { source: 2000, destination: 1000 });
    line.fromAdapter(out);
    line.fromSocket(peer, back);
    await until('both', () => peer.received.length === 1 && line.delivered().length === 1);
    line.datapath.setDefaultVerdict('pass');
    line.datapath.setFlow(flow, 'drop');
    line.fromAdapter(out);
    line.fromSocket(peer, back);
    await until('both drops', () => {
      const { droppedIn, droppedOut } = line.datapath.counters();
      return droppedIn === 1 && droppedOut === 1;
    });
    expect(peer.received).toHaveLength(1);
    expect(line.delivered()).toHaveLength(1);
    expect(line.datapath.readPeer(PEER)).toMatchObject({ packetsIn: 1, packetsOut: 1 });
  });

  test.each([
    ['removeFlow', () => line.datapath.removeFlow(flow)],
    ['clearFlows', () => line.datapath.clearFlows()],
  ])('after %s the default decides again', async (_, forget) => {
    line.datapath.setFlow(flow, 'pass');
    forget();
    const packet = udpPacket(OURS, PEER, { source: 1000, destination: 2000 });
    line.fromAdapter(packet);
    expect(await oneUpcall()).toEqual({ kind: 'packet', bytes: packet });
  });

  test('another port, protocol or direction is another flow', async () => {
    line.datapath.setFlow(flow, 'drop');
    line.datapath.setFlow({ ...flow, protocol: PROTOCOL.tcp, localPort: 1 }, 'drop');
    line.fromAdapter(udpPacket(OURS, PEER, { source: 1001, destination: 2000 }));
    line.fromAdapter(udpPacket(OURS, PEER, { source: 2000, destination: 1000 }));
    line.fromAdapter(udpPacket(OURS, PEER, { source: 1, destination: 2000 }));
    await until('all three', () => line.under.upcalls.length === 3);
  });

  test('echo is a flow by its identifier', async () => {
    line.datapath.setFlow(
      { protocol: PROTOCOL.icmp6, local: OURS, localPort: 7, remote: PEER, remotePort: 0 },
      'pass',
    );
    const echo = { sequence: 1, data: new Uint8Array(8), identifier: 7 };
    line.fromAdapter(buildEcho({ ...echo, reply: false, source: OURS, destination: PEER }));
    line.fromSocket(peer, buildEcho({ ...echo, reply: true, source: PEER, destination: OURS }));
    await until('both', () => peer.received.length === 1 && line.delivered().length === 1);
    const other = buildEcho({
      ...echo,
      identifier: 8,
      reply: false,
      source: OURS,
      destination: PEER,
    });
    line.fromAdapter(other);
    expect(await oneUpcall()).toEqual({ kind: 'packet', bytes: other });
  });

  test('the fragments of a packet go by the default, the first as the later ones', async () => {
    line.datapath.setFlow(flow, 'pass');
    const pieces = [fragment(OURS, PEER, true), fragment(OURS, PEER, false)];
    for (const piece of pieces) line.fromAdapter(piece);
    await until('both', () => line.under.upcalls.length === 2);
    expect(line.under.upcalls.map((one) => one.kind === 'packet' && one.bytes)).toEqual(pieces);
    line.datapath.setDefaultVerdict('pass');
    for (const piece of pieces) line.fromAdapter(piece);
    await until('both', () => peer.received.length === 2);
  });
});

describe('asleep', () => {
  test('it has no socket, forgets peers, and still hands up what programs send', async () => {
    line.datapath.setDefaultVerdict('pass');
    const { port } = line.datapath.local;
    line.fromAdapter(udpPacket(OURS, PEER));
    await until('awake', () => peer.received.length === 1);
    line.datapath.sleep();
    line.datapath.sleep();
    expect(udpPorts()).not.toContain(port);
    const packet = udpPacket(OURS, PEER);
    line.fromAdapter(packet);
    expect(await oneUpcall()).toEqual({ kind: 'packet', bytes: packet });
    line.datapath.transmit(peer.endpoint, packet);
    line.datapath.wake();
    expect(udpPorts()).toContain(port);
    expect(line.datapath.readPeer(PEER)).toBeUndefined();
    line.datapath.setPeer(PEER, peer.endpoint, nativeAddon().now());
    line.fromAdapter(packet);
    await until('awake again', () => peer.received.length === 2);
    line.fromSocket(peer, udpPacket(PEER, OURS));
    await until('heard', () => line.delivered().length === 1);
    // What was sent while it slept went nowhere.
    expect(line.datapath.counters()).toMatchObject({ packetsOut: 2, transmitted: 0 });
  });

  test('waking says so when the port is another’s by then, and sleeps on', async () => {
    line.datapath.sleep();
    const thief = createSocket('udp4');
    await new Promise<void>((resolve) => thief.bind(line.datapath.local.port, resolve));
    try {
      expect(() => line.datapath.wake()).toThrow(/already in use/);
    } finally {
      thief.close();
    }
    await until('the port is free', () => !udpPorts().includes(line.datapath.local.port));
    line.datapath.wake();
    expect(udpPorts()).toContain(line.datapath.local.port);
  });
});

/** Ports of UDP sockets over IPv4 in this network namespace. */
function udpPorts(): number[] {
  return readFileSync('/proc/net/udp', 'utf8')
    .split('\n')
    .slice(1, -1)
    .map((row) => parseInt(row.trim().split(/\s+/)[1]!.split(':')[1]!, 16));
}
