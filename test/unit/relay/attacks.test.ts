// Module relay/attacks.test replays what has been done to Teredo relays; each test is named by the attack's id.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeTeredo,
  readIp6,
  buildBubble,
  buildDatagram,
  buildIcmp6,
  buildIp6Packet,
  originBytesOf,
  PROTOCOL,
} from '../../../engine/wire/index.ts';
import type { Ip6 } from '../../../engine/wire/index.ts';
import {
  answer,
  at,
  Bench,
  CLIENT,
  CLIENT_AT,
  clientAt,
  ip6,
  madeUp,
  NATIVE,
  open,
  packet,
  tagOf,
} from './harness.ts';

const join = (...parts: Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

describe('M-0601 and M-0604: lengths, next headers and addresses that do not fit', () => {
  test('every truncation, either way, is discarded by name, and nothing comes out', () => {
    const bench = Bench.connected();
    for (let length = 0; length < 60; length++) {
      const name = length === 0 ? 'empty' : 'ipv6Truncated';
      expect(bench.refusal(() => bench.fromClient(answer().subarray(0, length)))).toBe(name);
      expect(bench.refusal(() => bench.fromNative(packet().subarray(0, length)))).toBe(name);
    }
    expect(bench.delivered).toEqual([]);
    expect(bench.sent).toEqual([]);
  });

  test('versions, extension headers past the end, chains too long', () => {
    const bench = Bench.connected();
    const old = answer();
    old[0] = 0x45;
    expect(bench.refusal(() => bench.fromClient(old))).toBe('ipv6Version');
    const cut = answer();
    cut.set([PROTOCOL.hopByHop], 6);
    cut.set([PROTOCOL.udp, 200], 40);
    expect(bench.refusal(() => bench.fromClient(cut))).toBe('extensionTruncated');
    const chain = buildIp6Packet(
      { nextHeader: PROTOCOL.destinationOptions, hopLimit: 9, source: CLIENT, destination: NATIVE },
      new Uint8Array(20 * 8).map((_, i) => (i % 8 === 0 ? PROTOCOL.destinationOptions : 0)),
    );
    expect(bench.refusal(() => bench.fromClient(chain))).toBe('extensionChainTooLong');
    expect(bench.delivered).toEqual([]);
  });

  test('sources that are no client', () => {
    const bench = Bench.connected();
    for (const text of ['::', '::1', 'ff02::1', 'fe80::1', '2001:db8::7', '::ffff:1.2.3.4'])
      expect(bench.refusal(() => bench.fromClient(answer(0, ip6(text))))).toBe('sourceNotTeredo');
  });

  test('neighbour discovery, which was forwarded, and bubbles from the adapter', () => {
    const bench = Bench.connected();
    for (let type = 133; type <= 137; type++) {
      const fields = { type, code: 0, source: CLIENT, destination: NATIVE, hopLimit: 255 };
      const message = buildIcmp6(fields, new Uint8Array(36));
      expect(bench.refusal(() => bench.fromClient(message))).toBe('neighborDiscovery');
    }
    expect(bench.refusal(() => bench.fromNative(buildBubble(NATIVE, CLIENT)))).toBe(
      'adapterBubble',
    );
  });
});

describe('M-0701 and H-source-routing: routing headers', () => {
  const routed = (source: Ip6, destination: Ip6, type: number, left: number): Uint8Array =>
    buildIp6Packet(
      { nextHeader: PROTOCOL.destinationOptions, hopLimit: 64, source, destination },
      join(
        Uint8Array.of(PROTOCOL.routing, 0, 1, 4, 0, 0, 0, 0),
        Uint8Array.of(PROTOCOL.udp, 2, type, left),
        new Uint8Array(28),
      ),
    );

  test('with segments left are never carried, either way', () => {
    const bench = Bench.connected();
    for (const type of [0, 2, 3, 4]) {
      const inward = routed(CLIENT, NATIVE, type, 1);
      const outward = routed(NATIVE, CLIENT, type, 1);
      expect(bench.refusal(() => bench.fromClient(inward))).toBe('routingHeader');
      expect(bench.refusal(() => bench.fromNative(outward))).toBe('routingHeader');
    }
    expect(bench.delivered).toEqual([]);
    expect(bench.sent).toEqual([]);
    bench.fromClient(routed(CLIENT, NATIVE, 4, 0));
    expect(bench.delivered).toHaveLength(1);
  });
});

describe('M-0702: predictable bits', () => {
  test('the bubble has 60 random bits, the cone, universal and group bits 0, and no byte undefined', () => {
    const seen = new Set<Ip6>();
    const bench = new Bench();
    for (let n = 0; n < 40; n++) bench.fromNative(packet(0, NATIVE, madeUp(n)));
    for (const out of bench.takeSent()) {
      expect(out.bytes.length).toBe(40);
      const { source } = open(out).header;
      expect(source >> 64n).toBe(0xfe80_0000_0000_0000n);
      expect((source >> 48n) & 0xc300n).toBe(0n);
      seen.add(source);
    }
    expect(seen.size).toBe(40);
  });
});

describe('M-0703: private and other IPv4 addresses inside Teredo addresses', () => {
  const INSIDE = ['10.0.0.1', '127.0.0.1', '192.168.1.1', '172.16.0.1', '169.254.0.1', '0.0.0.0'];
  const NOBODY = ['224.0.0.1', '255.255.255.255', '240.0.0.1', '192.88.99.1', '100.64.0.1'];

  test('are sent nothing, and the native sender is told', () => {
    const bench = new Bench();
    // The last is the directed broadcast of the relay's own network.
    for (const ip of [...INSIDE, ...NOBODY, '203.0.113.255'])
      expect(bench.refusal(() => bench.fromNative(packet(0, NATIVE, clientAt(`${ip}:99`))))).toBe(
        'teredoClientNotGlobal',
      );
    expect(
      bench.refusal(() => bench.fromNative(packet(0, NATIVE, clientAt('198.51.100.7:0')))),
    ).toBe('teredoClientNotGlobal');
    for (const ip of [...INSIDE, ...NOBODY, '203.0.113.255']) {
      const client = clientAt('198.51.100.7:40000', ip);
      expect(bench.refusal(() => bench.fromNative(packet(0, NATIVE, client)))).toBe(
        'teredoServerNotGlobal',
      );
    }
    expect(bench.sent).toEqual([]);
    expect(bench.errors()).toEqual(Array(25).fill([1, 0, NATIVE]));
  });

  test('in a closed lab private ones are fine, the others are not', () => {
    const bench = new Bench({ allowPrivate: true });
    bench.fromNative(packet(0, NATIVE, clientAt('10.0.0.1:99', '192.168.0.1')));
    expect(bench.story()).toEqual(['indirect-bubble 192.168.0.1:3544']);
    for (const ip of ['127.0.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '203.0.113.255'])
      expect(bench.refusal(() => bench.fromNative(packet(0, NATIVE, clientAt(`${ip}:99`))))).toBe(
        'teredoClientNotGlobal',
      );
  });
});

describe('H-peer-spoof: one forged datagram', () => {
  test('from the endpoint inside the address does not cut off a client that is valid at another', () => {
    const bench = new Bench();
    bench.fromNative(packet());
    const elsewhere = at('198.51.100.7:51111');
    bench.fromClient(buildBubble(CLIENT, open(bench.takeSent()[0]!).header.source), elsewhere);
    bench.takeSent();
    bench.fromClient(buildBubble(CLIENT, NATIVE), CLIENT_AT);
    bench.fromNative(packet());
    expect(bench.story()).toEqual(['data 198.51.100.7:51111']);
    bench.fromClient(answer(6), elsewhere);
    expect(bench.takeDelivered().map((d) => tagOf(d.bytes))).toEqual([6]);
  });

  test('with a client as source from somewhere else is counted and dropped', () => {
    const bench = Bench.connected();
    expect(bench.refusal(() => bench.fromClient(answer(), at('192.0.2.77:40000')))).toBe(
      'clientMismatch',
    );
    expect(bench.refusal(() => bench.fromClient(answer(), at('10.0.0.1:40000')))).toBe(
      'endpointNotGlobal',
    );
    expect(bench.delivered).toEqual([]);
  });
});

describe('L-1…3: packets that would travel in circles', () => {
  test('a Teredo source from the native side, and a Teredo destination from a client', () => {
    const bench = Bench.connected();
    const other = clientAt('198.51.100.8:40000');
    expect(bench.refusal(() => bench.fromNative(packet(0, other)))).toBe('sourceNotServed');
    expect(bench.refusal(() => bench.fromClient(answer(0, CLIENT, other)))).toBe(
      'destinationNotServed',
    );
  });

  test('a client at one of our own IPv4 addresses', () => {
    const bench = Bench.connected();
    const us = clientAt('203.0.113.5:3545');
    expect(bench.refusal(() => bench.fromNative(packet(0, NATIVE, us)))).toBe('teredoClientIsUs');
    expect(bench.refusal(() => bench.fromClient(answer(0, us), at('203.0.113.5:3545')))).toBe(
      'teredoClientIsUs',
    );
    // A server beside the relay is fine: a rented machine has one address.
    bench.fromNative(packet(0, NATIVE, clientAt('198.51.100.9:1', '203.0.113.5')));
    expect(bench.story()).toEqual(['indirect-bubble 203.0.113.5:3544']);
  });

  test('6to4 and ISATAP addresses that embed us or nobody, as native source or destination', () => {
    const bench = Bench.connected();
    const addresses = [
      '2002:cb00:7105::1',
      '2002:a00:1::1',
      '2002:cb00:71ff::1',
      '2001:db8::5efe:cb00:7105',
      '2001:db8::200:5efe:a00:1',
    ];
    for (const text of addresses) {
      expect(bench.refusal(() => bench.fromNative(packet(0, ip6(text))))).toBe('sourceEmbedded');
      expect(bench.refusal(() => bench.fromClient(answer(0, CLIENT, ip6(text))))).toBe(
        'destinationEmbedded',
      );
    }
    bench.fromClient(answer(0, CLIENT, ip6('2002:c633:6409::1')));
    expect(bench.delivered).toHaveLength(1);
  });
});

describe('X-trailers and X-nested', () => {
  test('trailers by RFC 6081 §4.1, indicators of any kind refused, Teredo in Teredo not looked into', () => {
    const bench = Bench.connected();
    const refusal = (bytes: Uint8Array): string => bench.refusal(() => bench.fromClient(bytes));
    expect(refusal(join(answer(), Uint8Array.of(0x41, 0)))).toBe('trailerRefused');
    expect(refusal(join(originBytesOf(CLIENT_AT), answer()))).toBe('indicatorUnexpected');
    const nothing = new Uint8Array(0);
    const authentication = {
      clientId: nothing,
      value: nothing,
      nonce: new Uint8Array(8),
      confirmation: 0,
    };
    expect(refusal(buildDatagram({ authentication, packet: answer() }))).toBe(
      'indicatorUnexpected',
    );
    expect(bench.delivered).toEqual([]);
    bench.fromClient(
      join(answer(4), Uint8Array.of(0x81, 1, 0), new Uint8Array(1_000), Uint8Array.of(1, 9)),
    );
    expect(bench.takeDelivered().map((d) => tagOf(d.bytes))).toEqual([4]);
  });
});

describe('H-relay-dead: a relay that was restarted', () => {
  test("asks anew when the native host answers the client's test", () => {
    const bench = new Bench();
    expect(bench.refusal(() => bench.fromClient(answer()))).toBe('clientUnknown');
    bench.fromNative(packet(5));
    bench.takeSent();
    bench.fromClient(answer(6));
    expect(bench.takeSent().map((s) => tagOf(s.bytes))).toEqual([5]);
    expect(bench.takeDelivered().map((d) => tagOf(d.bytes))).toEqual([6]);
  });
});

describe('junk', () => {
  const seeds = [answer(), packet(), buildBubble(CLIENT, NATIVE), packet(0, NATIVE, CLIENT, 200)];
  const mutated = fc
    .tuple(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(100), fc.nat(255)), { maxLength: 4 }),
      fc.uint8Array({ maxLength: 6 }),
    )
    .map(([seed, edits, tail]) => {
      const bytes = join(seed, tail);
      for (const [where, value] of edits) if (where < bytes.length) bytes[where] = value;
      return bytes;
    });
  const junk = fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated);

  test('from outside: never throws, nothing to the sender, at most one packet, to a server no longer than what came or to the adapter from who proved it', () => {
    const bench = Bench.connected();
    fc.assert(
      fc.property(junk, fc.constantFrom(CLIENT_AT, at('192.0.2.9:5')), (bytes, from) => {
        bench.now += 5;
        bench.fromClient(bytes, from);
        const sent = bench.takeSent();
        const delivered = bench.takeDelivered();
        expect(sent.length + delivered.length).toBeLessThanOrEqual(1);
        for (const out of sent) {
          expect(out.why).toBe('indirect-bubble');
          expect(out.to.port).toBe(3544);
          expect(out.bytes.length).toBeLessThanOrEqual(bytes.length);
        }
        for (const { bytes: packet } of delivered)
          expect(decodeTeredo(readIp6(packet, 8))!.client).toEqual(from);
      }),
      { numRuns: 3_000 },
    );
  });

  test('from the adapter: never throws; at most one packet, no longer than what came unless it is an ICMPv6 error', () => {
    const bench = new Bench();
    fc.assert(
      fc.property(junk, (bytes) => {
        bench.pass(20_000);
        bench.takeSent();
        bench.takeDelivered();
        bench.fromNative(bytes);
        const sent = bench.takeSent();
        const delivered = bench.takeDelivered();
        expect(sent.length + delivered.length).toBeLessThanOrEqual(1);
        for (const out of sent) expect(out.bytes.length).toBeLessThanOrEqual(bytes.length);
        for (const out of delivered) expect(out.error).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});
