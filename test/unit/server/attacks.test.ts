// Module server/attacks.test replays what has been done to Teredo servers; each test is named by the attack's id.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  buildDatagram,
  buildIp6Packet,
  buildTrailers,
  encodeTeredo,
  originBytesOf,
  PROTOCOL,
  TRAILER,
} from '../../../engine/wire/index.ts';
import type { Endpoint } from '../../../engine/wire/index.ts';
import {
  A,
  A_AT,
  at,
  B,
  Bench,
  bubble,
  bytesOf,
  clientAt,
  echo,
  hexOf,
  ip4,
  ip6,
  LINK_LOCAL,
  MIREDO,
  NATIVE,
  PRIMARY,
  SECONDARY,
  solicitation,
} from './harness.ts';

const join = (...parts: Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

describe('M-0401 a datagram with no or a cut IPv6 header', () => {
  test('every truncation of every kind of datagram is discarded by name', () => {
    const bench = new Bench();
    const whole = [bytesOf(MIREDO.solicitation), bubble(A, B), echo(A, B), echo(A, NATIVE)];
    const names = new Set<unknown>();
    for (const bytes of whole)
      for (let length = 0; length < bytes.length; length++)
        names.add(bench.refusal(bytes.subarray(0, length)));
    expect([...names].sort()).toEqual([
      'authenticationTruncated',
      'empty',
      'indicatorUnknown',
      'ipv6Truncated',
    ]);
  });

  test('an indicator with nothing after it, and other versions', () => {
    const bench = new Bench();
    expect(bench.refusal(bytesOf(MIREDO.solicitation).subarray(0, 13))).toBe('ipv6Truncated');
    expect(bench.refusal(originBytesOf(A_AT))).toBe('ipv6Truncated');
    for (const version of [1, 4, 5, 7, 15]) {
      const bytes = bubble(A, B);
      bytes[0] = version << 4;
      expect(bench.refusal(bytes)).toBe('ipv6Version');
    }
  });
});

describe('M-0501 no packet makes more than one, and none its own sender', () => {
  test('a bubble from an address to itself', () => {
    expect(new Bench().refusal(bubble(A, A))).toBe('destinationIsSource');
  });

  test('an advertisement or a forwarded bubble that comes back is not answered', () => {
    const bench = new Bench();
    const other = at('203.0.113.9:3544');
    for (const bytes of [bytesOf(MIREDO.advertisement), bytesOf(MIREDO.forwarded)]) {
      expect(bench.refusal(bytes, other)).toBe('originUnexpected');
      expect(bench.refusal(bytes, A_AT)).toBe('originUnexpected');
    }
  });
});

describe('M-0601 lengths, next headers and addresses that do not fit', () => {
  test('a length field past the end, an unknown next header, an echo with a wrong checksum', () => {
    const bench = new Bench();
    const long = bubble(A, B);
    long[5] = 1;
    expect(bench.refusal(long)).toBe('ipv6Truncated');
    const unknown = bubble(A, B);
    unknown[6] = 200;
    expect(bench.refusal(unknown)).toBe('notRelayed');
    const damaged = echo(A, B);
    damaged[50]! ^= 0xff;
    expect(bench.refusal(damaged)).toBe('icmpChecksum');
  });

  test('sources that nobody has', () => {
    const bench = new Bench();
    for (const text of ['::', '::1', 'ff02::1', '::ffff:192.0.2.3', 'fec0::1'])
      expect(bench.refusal(bubble(ip6(text), B))).toBe('sourceNotUnicast');
  });
});

describe('M-0603 asked to forward to itself, its secondary, a broadcast', () => {
  test('no forwarding to its own addresses at any port', () => {
    const bench = new Bench();
    for (const ip of ['192.0.2.1', '192.0.2.2'])
      for (const port of [3544, 3545, 40_000])
        expect(bench.refusal(bubble(A, clientAt(`${ip}:${port}`)))).toBe('destinationIsServer');
  });

  test('nor to broadcasts, limited or of its own links, multicast, port 0', () => {
    const bench = new Bench({ broadcasts: [ip4('192.0.2.255')] });
    for (const client of [
      '255.255.255.255:3544',
      '192.0.2.255:3544',
      '224.0.0.253:3544',
      '198.51.100.8:0',
    ])
      expect(bench.refusal(bubble(A, clientAt(client)))).toBe('clientNotGlobal');
  });

  test('a datagram that seems to come from itself is discarded, one of a relay beside it is not', () => {
    const bench = new Bench();
    for (const ip of [PRIMARY, SECONDARY]) {
      expect(bench.refusal(solicitation(), { ip, port: 3544 })).toBe('sourceIsServer');
      expect(bench.ask(bubble(LINK_LOCAL, B), { ip, port: 3545 })).toHaveLength(1);
    }
  });
});

describe('M-0701 and H-source-routing: routing headers', () => {
  const withRouting = (next: number, type: number, before: Uint8Array): Uint8Array =>
    buildIp6Packet(
      {
        nextHeader: before.length > 0 ? PROTOCOL.destinationOptions : PROTOCOL.routing,
        hopLimit: 64,
        source: A,
        destination: NATIVE,
      },
      join(before, Uint8Array.of(next, 2, type, 1), new Uint8Array(20), new Uint8Array(8)),
    );

  test('are discarded in any position and of any type, to clients and to native hosts', () => {
    const bench = new Bench();
    const options = Uint8Array.of(PROTOCOL.routing, 0, 1, 4, 0, 0, 0, 0);
    for (const type of [0, 2, 3, 4, 253])
      for (const before of [new Uint8Array(0), options])
        expect(bench.refusal(withRouting(PROTOCOL.icmp6, type, before))).toBe('routingHeader');
  });

  test('so is every other extension header', () => {
    const bench = new Bench();
    const ping = echo(A, NATIVE);
    const packet = buildIp6Packet(
      { nextHeader: PROTOCOL.destinationOptions, hopLimit: 64, source: A, destination: NATIVE },
      join(Uint8Array.of(PROTOCOL.icmp6, 0, 1, 4, 0, 0, 0, 0), ping.subarray(40)),
    );
    expect(bench.refusal(packet)).toBe('notRelayed');
  });
});

describe('M-0702 bits that leak', () => {
  test("an answer holds nothing of another client's packets", () => {
    const bench = new Bench();
    bench.ask(bytesOf(MIREDO.solicitation));
    const after = bench.sent(solicitation(), at('203.0.113.4:40000'));
    // Miredo answers a solicitation without nonce with the nonce of the one before it.
    const alone = new Bench().sent(solicitation(), at('203.0.113.4:40000'));
    expect(hexOf(after.bytes)).toBe(hexOf(alone.bytes));
  });
});

describe('M-0703 Teredo addresses with an IPv4 address that is nobody', () => {
  test('as a destination', () => {
    const bench = new Bench();
    const inside = ['10.0.0.1', '127.0.0.1', '192.168.0.1', '172.31.0.1', '169.254.0.1', '0.0.0.0'];
    const outside = ['224.0.0.253', '255.255.255.255', '192.88.99.1', '100.64.0.1', '240.0.0.1'];
    for (const ip of [...inside, ...outside])
      expect(bench.refusal(bubble(A, clientAt(`${ip}:4000`)))).toBe('clientNotGlobal');
  });
});

describe('R-reflection: traffic to a third party', () => {
  test('at most 20 advertisements a second and source, whatever the port, and it is settable', () => {
    const count = (bench: Bench): number => {
      let answered = 0;
      for (let port = 1024; port < 1324; port++)
        answered += bench.ask(solicitation(), { ip: A_AT.ip, port }).length;
      return answered;
    };
    const bench = new Bench();
    expect(count(bench)).toBe(20);
    expect(bench.refusal(solicitation())).toBe('solicitationLimit');
    expect(bench.sent(solicitation(), at('203.0.113.4:40000')).why).toBe('advertisement');
    bench.now += 500;
    expect(count(bench)).toBe(10);
    expect(count(new Bench({ limits: { solicitationsPerSecondPerSource: 3 } }))).toBe(3);
  });

  test('bubbles and pings are limited by source too, and a limited source hurts no other', () => {
    const bench = new Bench({ limits: { forwardedPerSecondPerSource: 5 } });
    let forwarded = 0;
    for (let i = 0; i < 50; i++)
      forwarded += bench.ask(i % 2 ? bubble(A, B) : echo(A, NATIVE)).length;
    expect(forwarded).toBe(5);
    expect(bench.refusal(bubble(A, B))).toBe('forwardLimit');
    expect(bench.sent(bubble(LINK_LOCAL, B), at('203.0.113.4:40000')).why).toBe('forward');
  });

  test('what was refused takes nothing from the limit', () => {
    const bench = new Bench({ limits: { forwardedPerSecondPerSource: 1 } });
    for (let i = 0; i < 10; i++) bench.ask(bubble(A, clientAt('10.0.0.1:1')));
    expect(bench.ask(bubble(A, B))).toHaveLength(1);
  });

  test('the sizes: an advertisement 1.9 times, a forwarded packet as long as it came and 8 bytes of origin', () => {
    const bench = new Bench();
    const asked = bytesOf(MIREDO.solicitation);
    expect(bench.sent(asked).bytes.length / asked.length).toBeLessThan(1.92);
    for (const bytes of [bubble(A, B), echo(A, B, 40)])
      expect(bench.sent(bytes).bytes.length).toBe(bytes.length + 8);
  });
});

describe('H-queue: bounded memory', () => {
  test('60,000 sources leave no more than the bound, and the newest keep their limits', () => {
    const bench = new Bench({ limits: { maxSources: 100, solicitationsPerSecondPerSource: 1 } });
    const from = (i: number): Endpoint => ({ ip: ip4('203.0.112.0') + (i % 65_536), port: 4000 });
    for (let i = 0; i < 60_000; i++) bench.ask(solicitation(), from(i));
    // A source among the last 100 is still remembered, one before them is forgotten.
    expect(bench.refusal(solicitation(), from(59_950))).toBe('solicitationLimit');
    expect(bench.sent(solicitation(), from(100)).why).toBe('advertisement');
  });
});

describe('L-1…3: packets that would travel in circles', () => {
  test('6to4 and ISATAP embeddings of the server itself or of nobody, either way', () => {
    const bench = new Bench();
    const addresses = [
      '2002:c000:201::1',
      '2002:c000:202::1',
      '2002:a00:1::1',
      '2002:c058:6301::1',
      '2001:db8::5efe:c000:201',
      '2001:db8::200:5efe:a00:1',
    ];
    for (const text of addresses) {
      expect(bench.refusal(echo(A, ip6(text)))).toBe('destinationEmbedded');
      expect(bench.refusal(bubble(ip6(text), B))).toBe('sourceEmbedded');
    }
    expect(bench.ask(echo(A, ip6('2002:cb00:7109::1')))).toHaveLength(1);
  });

  test('a Teredo address of the server itself as source', () => {
    const own = encodeTeredo({ server: PRIMARY, flags: 0, client: { ip: PRIMARY, port: 3544 } });
    expect(new Bench().refusal(echo(own, NATIVE), A_AT)).toBe('sourceMismatch');
    expect(new Bench().refusal(echo(own, NATIVE), { ip: PRIMARY, port: 3544 })).toBe(
      'sourceIsServer',
    );
  });
});

describe('X-trailers', () => {
  const after = (trailers: Uint8Array): Uint8Array => join(bubble(A, B), trailers);
  test('known and skippable ones are passed on as they came', () => {
    const bench = new Bench();
    const trailers = join(
      buildTrailers([{ type: TRAILER.nonce, value: Uint8Array.of(1, 2, 3, 4) }]),
      Uint8Array.of(0x81, 1, 9, 0xc1, 0),
    );
    expect(hexOf(bench.sent(after(trailers)).bytes.slice(48))).toBe(hexOf(trailers));
  });

  test('cut ones end the sequence and harm nobody, types of the discarding class and thousands are refused', () => {
    const bench = new Bench();
    for (const cut of [Uint8Array.of(1), Uint8Array.of(1, 4, 0)])
      expect(bench.sent(after(cut)).bytes.length).toBe(48 + cut.length);
    expect(bench.refusal(after(Uint8Array.of(0x41, 0)))).toBe('trailerRefused');
    expect(bench.refusal(after(new Uint8Array(4000).fill(0)))).toBe('trailersTooLong');
    expect(bench.refusal(after(new Uint8Array(65).fill(0)))).toBe('trailersTooLong');
    expect(bench.sent(after(new Uint8Array(64).fill(0))).bytes.length).toBe(48 + 64);
  });

  test('none follow a ping to a native host', () => {
    const [output] = new Bench().ask(join(echo(A, NATIVE), Uint8Array.of(1, 0)));
    expect(output?.bytes.length).toBe(64);
  });
});

describe('X-nested', () => {
  test('repeated, reversed and unknown indicators, Teredo in Teredo', () => {
    const bench = new Bench();
    const authentication = bytesOf(MIREDO.solicitation).subarray(0, 13);
    const origin = originBytesOf(A_AT);
    expect(bench.refusal(join(authentication, authentication, bubble(A, B)))).toBe(
      'indicatorRepeated',
    );
    expect(bench.refusal(join(origin, origin, bubble(A, B)))).toBe('indicatorRepeated');
    expect(bench.refusal(join(origin, authentication, bubble(A, B)))).toBe('indicatorOrder');
    expect(bench.refusal(join(Uint8Array.of(0, 2), bubble(A, B)))).toBe('indicatorUnknown');
    expect(bench.refusal(buildDatagram({ origin: A_AT, packet: bubble(A, B) }))).toBe(
      'originUnexpected',
    );
    const inner = bubble(A, B);
    const nested = buildIp6Packet(
      { nextHeader: 41, hopLimit: 64, source: A, destination: B },
      inner,
    );
    expect(bench.refusal(nested)).toBe('notRelayed');
  });
});

describe('H-scan: silence to strangers', () => {
  test('an echo request to the server itself has no answer', () => {
    const bench = new Bench();
    const self = ip6('fe80::8000:f227:3fff:fdfe');
    expect(bench.refusal(echo(A, self))).toBe('destinationNotGlobal');
    expect(bench.refusal(echo(LINK_LOCAL, self))).toBe('sourceMismatch');
    expect(bench.refusal(echo(LINK_LOCAL, ip6('ff02::2')))).toBe('icmpNotSolicitation');
  });
});

describe('junk', () => {
  const seeds = [
    bytesOf(MIREDO.solicitation),
    bytesOf(MIREDO.bubble),
    bytesOf(MIREDO.bubbleWithTrailer),
    echo(A, B),
    echo(A, NATIVE),
  ];
  const mutated = fc
    .tuple(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(140), fc.nat(255)), { maxLength: 4 }),
      fc.uint8Array({ maxLength: 6 }),
      fc.nat(8),
    )
    .map(([seed, edits, tail, cut]) => {
      const bytes = join(seed.subarray(0, Math.max(0, seed.length - (cut > 5 ? cut : 0))), tail);
      for (const [where, value] of edits) if (where < bytes.length) bytes[where] = value;
      return bytes;
    });

  test('never throws; at most one packet, no longer than the question and an origin, but for the advertisement', () => {
    const bench = new Bench();
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated),
        fc.constantFrom(A_AT, at('203.0.113.5:3545')),
        fc.constantFrom('primary' as const, 'secondary' as const),
        (bytes, from, side) => {
          bench.now += 50;
          const before = Object.values(bench.server.discards).reduce((a, b) => a + b, 0);
          const outputs = bench.ask(bytes, from, side);
          const after = Object.values(bench.server.discards).reduce((a, b) => a + b, 0);
          expect(outputs.length + after - before).toBe(1);
          for (const output of outputs) {
            if (output.kind === 'native') expect(output.bytes.length).toBeLessThanOrEqual(128);
            else if (output.why === 'advertisement') expect(output.to).toEqual(from);
            else expect(output.bytes.length).toBeLessThanOrEqual(bytes.length + 8);
          }
        },
      ),
      { numRuns: 4000 },
    );
  });
});
