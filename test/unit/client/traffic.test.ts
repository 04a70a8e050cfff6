// Tests of client/traffic: what comes in, what is refused by name, and what stays within its bounds (RFC 4380 §5.2.3, §7).
import { describe, expect, test } from 'vitest';
import {
  buildEcho,
  buildIp6Packet,
  encodeTeredo,
  formatIp6,
  ICMP6,
  parseIcmp6,
  PROTOCOL,
} from '../../../engine/wire/index.ts';
import type { Ip6 } from '../../../engine/wire/index.ts';
import {
  at,
  Bench,
  bubble,
  echoReply,
  ip4,
  ip6,
  MAPPED,
  NATIVE,
  open,
  PEER,
  PEER_ENDPOINT,
  PEER_SERVER,
  PRIMARY,
  RELAY,
  tagOf,
  udp,
  data,
  errors,
  joined,
} from './harness.ts';

describe('bubbles through our server', () => {
  test('are answered by one direct bubble to the origin', () => {
    const bench = Bench.qualified();
    bench.receive(PRIMARY, bubble(PEER, bench.address, PEER_ENDPOINT));
    const [reply] = bench.takeSent();
    expect(reply).toMatchObject({ why: 'bubble-reply', to: PEER_ENDPOINT });
    expect([open(reply!).header.source, open(reply!).header.destination]).toEqual([
      bench.address,
      PEER,
    ]);
    bench.receive(PEER_ENDPOINT, data(udp(PEER, bench.address, 5)));
    expect(bench.delivered.map((d) => tagOf(d.bytes))).toEqual([5]);
  });

  test('from a link-local source (Miredo) are answered to that exact source and leave no entry', () => {
    const bench = Bench.qualified();
    const source = ip6('fe80::1122:3344:5566:7788');
    bench.receive(PRIMARY, bubble(source, bench.address, RELAY));
    const [reply] = bench.takeSent();
    expect(reply!.to).toEqual(RELAY);
    expect(open(reply!).header.destination).toBe(source);
    expect(bench.client.peers(bench.now)).toEqual([]);
  });

  test('with an origin that is not public, is us, or is missing are discarded', () => {
    const bench = Bench.qualified();
    bench.receive(PRIMARY, bubble(PEER, bench.address, at('10.1.1.1:99')));
    bench.receive(PRIMARY, bubble(PEER, bench.address, MAPPED));
    bench.receive(PRIMARY, bubble(PEER, bench.address));
    bench.receive(at('203.0.113.66:3544'), bubble(PEER, bench.address, PEER_ENDPOINT));
    expect(bench.takeSent()).toEqual([]);
    expect(bench.client.discards).toEqual({
      originNotGlobal: 1,
      sourceIsUs: 1,
      bubbleNoOrigin: 1,
      indicatorNotFromServer: 1,
    });
  });
});

describe('refused from outside', () => {
  const routing = (source: Ip6, destination: Ip6): Uint8Array =>
    buildIp6Packet(
      { nextHeader: PROTOCOL.routing, hopLimit: 64, source, destination },
      Uint8Array.of(59, 2, 0, 1, ...new Uint8Array(20)),
    );
  const inside = encodeTeredo({
    server: PEER_SERVER.ip,
    flags: 0,
    client: at('192.168.1.20:4000'),
  });
  const cases: [string, (b: Bench) => [string, Uint8Array], string][] = [
    [
      'H-peer-spoof: right IPv6, wrong port',
      (b) => ['203.0.113.9:50001', data(udp(PEER, b.address))],
      'peerEndpointMismatch',
    ],
    [
      'H-peer-spoof: right IPv6, wrong IPv4',
      (b) => ['203.0.113.10:50000', data(udp(PEER, b.address))],
      'peerEndpointMismatch',
    ],
    [
      'M-0501: our own address as source',
      (b) => ['203.0.113.9:50000', data(udp(b.address, b.address))],
      'sourceIsUs',
    ],
    [
      'M-0701: routing header with segments left',
      (b) => ['203.0.113.9:50000', data(routing(PEER, b.address))],
      'routingHeader',
    ],
    [
      'another destination',
      () => ['203.0.113.9:50000', data(udp(PEER, NATIVE))],
      'destinationNotUs',
    ],
    [
      'H-ingress-bypass: a source inside our own network',
      (b) => ['192.168.1.20:4000', data(udp(inside, b.address))],
      'endpointNotGlobal',
    ],
    [
      'multicast source',
      (b) => ['203.0.113.9:50000', data(udp(ip6('ff02::1'), b.address))],
      'sourceNotUnicast',
    ],
    [
      'loopback source',
      (b) => ['203.0.113.9:50000', data(udp(1n, b.address))],
      'addressNotUnicast',
    ],
    [
      'v4-mapped source',
      (b) => ['203.0.113.9:50000', data(udp(ip6('::ffff:192.0.2.4'), b.address))],
      'addressNotUnicast',
    ],
    [
      'link-local source',
      (b) => ['203.0.113.9:50000', data(udp(ip6('fe80::1'), b.address))],
      'addressNotUnicast',
    ],
    [
      'L-1: a 6to4 source that embeds us',
      (b) => ['203.0.113.9:50000', data(udp(ip6('2002:c633:6407::1'), b.address))],
      'embeddedNotGlobal',
    ],
    [
      'a bubble from a native source',
      (b) => ['203.0.113.9:50000', bubble(NATIVE, b.address)],
      'bubbleUnproven',
    ],
    ['nothing at all', () => ['203.0.113.9:50000', new Uint8Array(0)], 'empty'],
  ];
  test.each(cases)('%s', (_, make, reason) => {
    const bench = Bench.qualified();
    const [from, bytes] = make(bench);
    bench.receive(at(from), bytes);
    expect(bench.client.discards).toEqual({ [reason]: 1 });
    expect([bench.takeSent(), bench.delivered, [...bench.peerTable]]).toEqual([[], [], []]);
  });
});

describe('refused from local programs', () => {
  const teredo = (server: string, client: string): Ip6 =>
    encodeTeredo({ server: ip4(server), flags: 0, client: at(client) });
  const cases: [string, Ip6, string, number[][]][] = [
    [
      'M-0703: private client inside',
      teredo('192.0.2.129', '10.0.0.1:1'),
      'teredoClientNotGlobal',
      [[1, 0]],
    ],
    [
      'M-0703: loopback client',
      teredo('192.0.2.129', '127.0.0.1:1'),
      'teredoClientNotGlobal',
      [[1, 0]],
    ],
    [
      'M-0703: multicast server',
      teredo('224.0.0.1', '203.0.113.9:1'),
      'teredoServerNotGlobal',
      [[1, 0]],
    ],
    ['M-0703: port 0', teredo('192.0.2.129', '203.0.113.9:0'), 'teredoClientNotGlobal', [[1, 0]]],
    [
      'our own mapped endpoint',
      teredo('192.0.2.129', '198.51.100.7:40000'),
      'teredoClientIsUs',
      [[1, 0]],
    ],
    ['multicast', ip6('ff02::16'), 'adapterMulticast', []],
  ];
  test.each(cases)('%s', (_, destination, reason, icmp) => {
    const bench = Bench.qualified();
    bench.fromProgram(udp(bench.address, destination));
    expect(bench.client.discards).toEqual({ [reason]: 1 });
    expect(bench.takeSent()).toEqual([]);
    expect(errors(bench)).toEqual(icmp);
  });

  test('more than 1280 bytes: packet too big with the MTU, as a router would', () => {
    const bench = Bench.qualified();
    bench.fromProgram(udp(bench.address, PEER, 0, 1_281));
    const icmp = parseIcmp6(bench.delivered[0]!.bytes);
    expect(
      icmp.ok && [icmp.value.type, icmp.value.code, [...icmp.value.body.subarray(0, 4)]],
    ).toEqual([ICMP6.packetTooBig, 0, [0, 0, 5, 0]]);
    expect(icmp.ok && icmp.value.header.destination).toBe(bench.address);
    expect(bench.delivered[0]!.bytes.length).toBeLessThanOrEqual(1_280);
  });

  test('a foreign source address', () => {
    const bench = Bench.qualified();
    bench.fromProgram(udp(NATIVE, PEER));
    expect(bench.client.discards).toEqual({ adapterSource: 1 });
    expect(bench.takeSent()).toEqual([]);
  });

  test('bytes behind its end never leave: the peer would read them as trailers of ours (RFC 6081 §4.1)', () => {
    const bench = Bench.qualified();
    bench.receive(PEER_ENDPOINT, bubble(PEER, bench.address));
    bench.takeSent();
    const whole = udp(bench.address, PEER);
    bench.fromProgram(joined(whole, Uint8Array.of(1, 4, 1, 2, 3, 4)));
    expect(bench.client.discards).toEqual({ adapterLength: 1 });
    expect(bench.takeSent()).toEqual([]);
    bench.fromProgram(whole);
    expect(bench.takeSent()).toHaveLength(1);
  });
});

describe('bounds', () => {
  test('H-inducement: a flood of new sources makes few entries and evicts no trusted peer', () => {
    const bench = Bench.qualified({ limits: { maxPeers: 8 } });
    bench.receive(PEER_ENDPOINT, bubble(PEER, bench.address));
    for (let i = 0; i < 5_000; i++) {
      bench.receive(
        at(`203.0.113.66:${1 + i}`),
        data(udp(NATIVE + BigInt(i), bench.address, 0, 80)),
      );
      bench.pass(1);
    }
    expect(bench.client.peers(bench.now).length).toBeLessThanOrEqual(8);
    expect(bench.peerTable.get(PEER)).toEqual(PEER_ENDPOINT);
    expect(bench.delivered).toHaveLength(0);
    const tests = bench.takeSent().filter((s) => s.why === 'ping-test');
    expect(tests.length).toBeGreaterThan(0);
    expect(tests.length).toBeLessThanOrEqual(5 * 50 + 50);
  });

  test('H-queue: packets to many dead addresses stay within the bounds in bytes', () => {
    const bench = Bench.qualified({ limits: { queueBytesTotal: 100_000 } });
    for (let i = 0; i < 200; i++)
      bench.fromProgram(udp(bench.address, PEER ^ BigInt(i + 1), 0, 1_280));
    expect(bench.client.discards['queueFull']).toBe(200 - Math.floor(100_000 / 1_280));
  });
});

describe('ping', () => {
  const ping = (bench: Bench, address: Ip6): void => {
    bench.client.handleInput({ kind: 'ping', id: 1, address, timeoutMs: 10_000 }, bench.now);
    bench.drain();
  };

  test('opens the way to a Teredo peer, then measures one echo', () => {
    const bench = Bench.qualified();
    ping(bench, PEER);
    bench.pass(15);
    bench.receive(PEER_ENDPOINT, bubble(PEER, bench.address));
    const echo = bench.takeSent().find((s) => s.why === 'ping')!;
    expect(echo.to).toEqual(PEER_ENDPOINT);
    bench.pass(40);
    bench.receive(PEER_ENDPOINT, echoReply(echo));
    expect(bench.pongs).toEqual([
      { kind: 'pong', id: 1, result: { ok: true, rttMs: 40, path: 'bubbles' } },
    ]);
    expect(bench.delivered).toEqual([]);
  });

  test('says what failed: no path, no reply, an address that nobody can have', () => {
    const silent = Bench.qualified();
    ping(silent, PEER);
    silent.pass(9_000);
    expect(silent.pongs[0]!.result).toEqual({ ok: false, code: 'no-path' });
    const closed = Bench.qualified();
    ping(closed, PEER);
    closed.receive(PEER_ENDPOINT, bubble(PEER, closed.address));
    closed.pass(10_000);
    expect(closed.pongs[0]!.result).toEqual({ ok: false, code: 'no-reply' });
    const refused = Bench.qualified();
    ping(refused, ip6('ff02::1'));
    expect(refused.pongs[0]!.result).toEqual({ ok: false, code: 'address-refused' });
    const early = new Bench();
    ping(early, PEER);
    expect(early.pongs[0]!.result).toEqual({ ok: false, code: 'not-qualified' });
  });

  test('a kernel’s own echo reply goes to the adapter', () => {
    const bench = Bench.qualified();
    const identifier = (bench.client.probeId + 1) & 0xffff;
    const packet = buildEcho({
      reply: true,
      source: PEER,
      destination: bench.address,
      identifier,
      sequence: 1,
      data: new Uint8Array(8),
    });
    bench.receive(PEER_ENDPOINT, data(packet));
    expect(bench.delivered).toHaveLength(1);
    expect(formatIp6(open({ bytes: data(packet) }).header.source)).toBe(formatIp6(PEER));
  });
});
