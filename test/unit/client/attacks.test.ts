// Module client/attacks.test replays malformed and looping packets that hit Teredo clients; each test is named by the attack's id.
import { describe, expect, test } from 'vitest';
import {
  buildDatagram,
  buildIp6Packet,
  encodeTeredo,
  ICMP6,
  originBytesOf,
  parseEcho,
  PROTOCOL,
} from '../../../engine/wire/index.ts';
import type { Endpoint, Ip6 } from '../../../engine/wire/index.ts';
import {
  at,
  Bench,
  bubble,
  connected,
  data,
  errors,
  ip4,
  ip6,
  joined,
  MAPPED,
  NATIVE,
  open,
  PEER,
  PEER_ENDPOINT,
  PRIMARY,
  refusal,
  RELAY,
  SECONDARY,
  silent,
  STRANGER,
  teredoAt,
  udp,
} from './harness.ts';

describe('M-0401 and M-0601: lengths, next headers and addresses that do not fit', () => {
  test('every truncation of what a trusted peer or the server sends is discarded by name', () => {
    const bench = connected();
    const fromServer = bubble(PEER, bench.address, PEER_ENDPOINT);
    const names = new Set<string>();
    for (const [from, bytes] of [
      [PEER_ENDPOINT, data(udp(PEER, bench.address, 1, 80))],
      [PRIMARY, fromServer],
    ] as const)
      for (let length = 0; length < bytes.length; length++)
        names.add(refusal(bench, () => bench.receive(from, bytes.subarray(0, length))));
    expect([...names].sort()).toEqual([
      'empty',
      'indicatorUnknown',
      'ipv6Truncated',
      'originTruncated',
    ]);
    silent(bench);
  });

  test('a length field past the end, other versions, extension headers that go too far or never end', () => {
    const bench = connected();
    const sent = (change: (bytes: Uint8Array) => void): string => {
      const bytes = data(udp(PEER, bench.address, 1, 80));
      change(bytes);
      return refusal(bench, () => bench.receive(PEER_ENDPOINT, bytes));
    };
    expect(sent((b) => (b[5] = 41))).toBe('ipv6Truncated');
    expect(sent((b) => (b[4] = 255))).toBe('ipv6Truncated');
    for (const version of [1, 4, 5, 7, 15])
      expect(sent((b) => (b[0] = version << 4))).toBe('ipv6Version');
    for (const header of [PROTOCOL.hopByHop, PROTOCOL.destinationOptions, PROTOCOL.authentication])
      expect(
        sent((b) => {
          b[6] = header;
          b[41] = 200;
        }),
      ).toBe('extensionTruncated');
    const chain = buildIp6Packet(
      { nextHeader: PROTOCOL.destinationOptions, hopLimit: 9, source: PEER, destination: 1n },
      new Uint8Array(20 * 8).map((_, i) => (i % 8 === 0 ? PROTOCOL.destinationOptions : 0)),
    );
    chain.set(data(udp(PEER, bench.address)).subarray(24, 40), 24);
    expect(refusal(bench, () => bench.receive(PEER_ENDPOINT, chain))).toBe('extensionChainTooLong');
    silent(bench);
  });

  test('sources and destinations that are nobody’s, from the very endpoint of a peer', () => {
    const bench = connected();
    const from = (source: Ip6, destination = bench.address): string =>
      refusal(bench, () => bench.receive(PEER_ENDPOINT, data(udp(source, destination))));
    for (const text of ['::', '::1', '::ffff:192.0.2.4', '::192.0.2.4', 'fec0::1', 'fe80::1'])
      expect(from(ip6(text))).toBe('addressNotUnicast');
    expect(from(ip6('ff02::1'))).toBe('sourceNotUnicast');
    for (const text of ['ff02::1', 'fe80::1', '::1', '2001:db8::1', 'fe80::ffff:ffff:ffff'])
      expect(from(PEER, ip6(text))).toBe('destinationNotUs');
    silent(bench);
  });
});

describe('M-0501: own and looping packets', () => {
  test('our own datagram that comes back, by any way, is discarded and answered by nothing', () => {
    const bench = connected();
    const ways: Endpoint[] = [MAPPED, PEER_ENDPOINT, STRANGER];
    for (const from of ways) {
      const own = data(udp(bench.address, bench.address));
      expect(refusal(bench, () => bench.receive(from, own))).toBe('sourceIsUs');
      const forward = data(udp(bench.address, PEER));
      expect(refusal(bench, () => bench.receive(from, forward))).toBe('destinationNotUs');
    }
    const twin = encodeTeredo({ server: PRIMARY.ip, flags: 5, client: MAPPED });
    expect(refusal(bench, () => bench.receive(MAPPED, data(udp(twin, bench.address))))).toBe(
      'teredoClientIsUs',
    );
    silent(bench);
  });

  test('a bubble that names us, our server or the other one as its origin starts no circle', () => {
    const bench = connected();
    for (const origin of [MAPPED, PRIMARY, SECONDARY]) {
      const bytes = bubble(PEER, bench.address, origin);
      expect(refusal(bench, () => bench.receive(PRIMARY, bytes))).toBe(
        origin === MAPPED ? 'sourceIsUs' : 'originNotGlobal',
      );
    }
    silent(bench);
  });

  test('a local program that sends to ourselves, by this address or another with our endpoint inside', () => {
    const bench = connected();
    const twin = encodeTeredo({ server: PRIMARY.ip, flags: 5, client: MAPPED });
    for (const destination of [bench.address, twin])
      expect(refusal(bench, () => bench.fromProgram(udp(bench.address, destination)))).toBe(
        'teredoClientIsUs',
      );
    expect(bench.takeSent()).toEqual([]);
  });
});

describe('M-0701 and H-source-routing: routing headers', () => {
  const routed = (source: Ip6, destination: Ip6, headers: number[][]): Uint8Array =>
    buildIp6Packet(
      { nextHeader: headers[0]![0]!, hopLimit: 64, source, destination },
      joined(
        ...headers.map(([kind, type, left], i) => {
          const next = headers[i + 1]?.[0] ?? PROTOCOL.udp;
          if (kind === PROTOCOL.routing)
            return Uint8Array.of(next, 2, type!, left!, ...new Uint8Array(20));
          return kind === PROTOCOL.fragment
            ? Uint8Array.of(next, 0, 0, 1, 1, 2, 3, 4)
            : Uint8Array.of(next, 0, 1, 4, 0, 0, 0, 0);
        }),
        new Uint8Array(16),
      ),
    );
  const { routing, fragment, destinationOptions, hopByHop } = PROTOCOL;
  const refused: [string, number[][]][] = [
    ['type 0', [[routing, 0, 1]]],
    ['type 0 without segments left', [[routing, 0, 0]]],
    ['type 2', [[routing, 2, 1]]],
    ['segment routing', [[routing, 4, 3]]],
    ['an unknown type', [[routing, 253, 1]]],
    ['type 0 after options', [[hopByHop], [destinationOptions], [routing, 0, 1]]],
    ['type 0 in a first fragment', [[fragment], [routing, 0, 1]]],
    [
      'type 0 after a harmless one',
      [
        [routing, 4, 0],
        [routing, 0, 2],
      ],
    ],
  ];
  test.each(refused)('%s is discarded, either way', (_, headers) => {
    const bench = connected();
    const inward = routed(PEER, bench.address, headers);
    expect(refusal(bench, () => bench.receive(PEER_ENDPOINT, data(inward)))).toBe('routingHeader');
    for (const destination of [PEER, NATIVE]) {
      const outward = routed(bench.address, destination, headers);
      expect(refusal(bench, () => bench.fromProgram(outward))).toBe('routingHeader');
    }
    silent(bench);
  });

  test('one that nothing is left of passes', () => {
    const bench = connected();
    bench.receive(PEER_ENDPOINT, data(routed(PEER, bench.address, [[routing, 4, 0]])));
    expect(bench.delivered).toHaveLength(1);
  });
});

describe('M-0702: bits that leak or can be guessed', () => {
  test('every byte of a solicitation is defined; nonce, link-local source and flags come from the generator', () => {
    const [first, second] = [new Bench(), new Bench()];
    const normal = first.takeSent().map((s) => s.bytes);
    // The same generator gives the same bytes: nothing comes from memory, clocks or counters.
    expect(second.takeSent().map((s) => s.bytes)).toEqual(normal);
    for (const bytes of normal) {
      expect(bytes.length).toBe(61);
      const { authentication, header, packet } = open({ bytes });
      expect([...packet.subarray(44)]).toEqual([0, 0, 0, 0]);
      expect(authentication!.confirmation).toBe(0);
      expect(header.source >> 64n).toBe(0xfe80_0000_0000_0000n);
    }
    const nonces = normal.map((bytes) => open({ bytes }).authentication!.nonce.toString());
    expect(new Set(nonces).size).toBe(normal.length);
  });

  test('a new mapping draws new flags, and of 16 only the 12 random bits are ever set', () => {
    const bench = Bench.qualified();
    const seen = new Set<bigint>();
    for (let port = 41_000; port < 41_040; port++) {
      bench.pass(30_000);
      bench.answerSolicitations({ primary: { ...MAPPED, port } });
      const flags = (bench.address >> 48n) & 0xffffn;
      expect(flags & 0xc300n).toBe(0n);
      seen.add(flags);
    }
    expect(seen.size).toBeGreaterThan(35);
  });

  test('two connectivity tests have nothing in common that the first one’s reader could use', () => {
    const payload = (bench: Bench): string => {
      const echo = parseEcho(open(bench.takeSent()[0]!).packet);
      if (!echo.ok) throw new Error(echo.reason);
      expect(echo.value.data.length).toBe(16);
      return echo.value.data.toString();
    };
    const bench = Bench.qualified();
    const seen = new Set<string>();
    for (let i = 0n; i < 30n; i++) {
      bench.fromProgram(udp(bench.address, NATIVE + i));
      seen.add(payload(bench));
    }
    expect(seen.size).toBe(30);
  });
});

describe('M-0703: IPv4 addresses inside Teredo addresses that are nobody’s', () => {
  const NOBODY = [
    ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '169.254.0.1', '172.16.0.1'],
    ...['192.168.0.1', '192.88.99.1', '224.0.0.253', '240.0.0.1', '255.255.255.255'],
  ];
  test('are sent nothing, as client or as server, and the program is told', () => {
    const bench = Bench.qualified();
    const to = (destination: Ip6): string =>
      refusal(bench, () => bench.fromProgram(udp(bench.address, destination)));
    for (const ip of NOBODY) {
      expect(to(teredoAt(`${ip}:4000`))).toBe('teredoClientNotGlobal');
      expect(to(teredoAt('203.0.113.9:4000', ip))).toBe('teredoServerNotGlobal');
    }
    expect(bench.takeSent()).toEqual([]);
    expect(errors(bench)).toEqual(Array(NOBODY.length * 2).fill([ICMP6.unreachable, 0]));
  });

  test('are answered nothing when a bubble through our server has them, as source or as origin', () => {
    const bench = Bench.qualified();
    for (const ip of NOBODY) {
      const source = teredoAt(`${ip}:4000`);
      for (const [from, origin] of [
        [source, PEER_ENDPOINT],
        [PEER, at(`${ip}:4000`)],
      ] as const)
        expect(
          refusal(bench, () => bench.receive(PRIMARY, bubble(from, bench.address, origin))),
        ).toMatch(/^(teredoClientNotGlobal|originNotGlobal)$/);
    }
    silent(bench);
  });

  test('the directed broadcasts of our own networks are nobody’s either', () => {
    const bench = Bench.qualified({ allowPrivate: true });
    const packet = udp(bench.address, teredoAt('192.168.1.255:4000'));
    expect(refusal(bench, () => bench.fromProgram(packet))).toBe('teredoClientNotGlobal');
    expect(bench.takeSent()).toEqual([]);
  });
});

describe('H-ingress-bypass: a forged source on one of our own networks', () => {
  test('is not answered, known, or sent to, whatever brings it', () => {
    const bench = Bench.qualified();
    const networks = [{ address: ip4('198.51.100.20'), prefix: 24 }];
    bench.client.handleInput({ kind: 'network', networks }, bench.now);
    bench.drain();
    bench.answerSolicitations();
    bench.takeSent();
    const inside = teredoAt('198.51.100.33:4000');
    const ways: [string, () => void][] = [
      ['directly', () => bench.receive(at('198.51.100.33:4000'), data(udp(inside, bench.address)))],
      ['by a stranger', () => bench.receive(STRANGER, bubble(inside, bench.address))],
      ['by the server', () => bench.receive(PRIMARY, bubble(inside, bench.address, RELAY))],
      ['from a program', () => bench.fromProgram(udp(bench.address, inside))],
    ];
    for (const [way, act] of ways)
      expect([way, refusal(bench, act)]).toEqual([way, 'teredoClientInside']);
    expect(bench.takeSent()).toEqual([]);
    expect(bench.client.peers(bench.now)).toEqual([]);
  });
});

describe('L-1…3: packets that would travel in circles', () => {
  test('6to4 and ISATAP addresses that embed us or nobody, either way', () => {
    const bench = connected();
    const addresses = [
      '2002:c633:6407::1',
      '2002:a00:1::1',
      '2002:7f00:1::1',
      '2002:c058:6301::1',
      '2001:db8::5efe:c633:6407',
      '2001:db8::200:5efe:a00:1',
    ];
    for (const text of addresses) {
      const inward = data(udp(ip6(text), bench.address));
      expect(refusal(bench, () => bench.receive(STRANGER, inward))).toBe('embeddedNotGlobal');
      const outward = udp(bench.address, ip6(text));
      expect(refusal(bench, () => bench.fromProgram(outward))).toBe('embeddedNotGlobal');
      const asked = bubble(ip6(text), bench.address, RELAY);
      expect(refusal(bench, () => bench.receive(PRIMARY, asked))).toBe('embeddedNotGlobal');
    }
    expect(bench.takeSent()).toEqual([]);
  });
});

describe('X-trailers', () => {
  const cases: [string, Uint8Array, string][] = [
    ['a type that asks for it refuses the packet', Uint8Array.of(0x41, 0), 'trailerRefused'],
    ['so it does behind known ones', Uint8Array.of(1, 4, 1, 2, 3, 4, 0x7f, 0), 'trailerRefused'],
    ['unknown types of the other classes are skipped', Uint8Array.of(0x80, 1, 9, 0xc0, 0), 'none'],
    ['lengths past the end end the sequence', Uint8Array.of(4, 200, 0), 'none'],
    ['thousands are nothing special', new Uint8Array(2_000).fill(0), 'none'],
    ['none', new Uint8Array(0), 'none'],
  ];
  test.each(cases)('%s', (_, trailers, name) => {
    const bench = connected();
    const packet = udp(PEER, bench.address, 3);
    const bytes = joined(packet, trailers);
    expect(refusal(bench, () => bench.receive(PEER_ENDPOINT, bytes))).toBe(name);
    // The adapter gets the packet alone.
    expect(bench.delivered.map((d) => d.bytes)).toEqual(name === 'none' ? [packet] : []);
    expect(bench.takeSent()).toEqual([]);
  });
});

describe('X-nested', () => {
  test('repeated, reversed and unknown indicators; any from who is not our server; Teredo in Teredo is not looked into', () => {
    const bench = connected();
    const authentication = buildDatagram({
      authentication: {
        clientId: new Uint8Array(0),
        value: new Uint8Array(0),
        nonce: new Uint8Array(8),
        confirmation: 0,
      },
      packet: new Uint8Array(0),
    });
    const origin = originBytesOf(PEER_ENDPOINT);
    const inner = data(udp(PEER, bench.address));
    const from = (sender: Endpoint, ...parts: Uint8Array[]): string =>
      refusal(bench, () => bench.receive(sender, joined(...parts)));
    for (const sender of [PRIMARY, PEER_ENDPOINT]) {
      expect(from(sender, authentication, authentication, inner)).toBe('indicatorRepeated');
      expect(from(sender, origin, origin, inner)).toBe('indicatorRepeated');
      expect(from(sender, origin, authentication, inner)).toBe('indicatorOrder');
      expect(from(sender, Uint8Array.of(0, 2), inner)).toBe('indicatorUnknown');
    }
    expect(from(PEER_ENDPOINT, origin, inner)).toBe('indicatorNotFromServer');
    expect(from(STRANGER, authentication, inner)).toBe('indicatorNotFromServer');
    expect(from(PRIMARY, origin, inner)).toBe('serverPacket');
    silent(bench);
    const nested = buildIp6Packet(
      { nextHeader: 41, hopLimit: 64, source: PEER, destination: bench.address },
      udp(NATIVE, bench.address),
    );
    bench.receive(PEER_ENDPOINT, data(nested));
    expect(bench.delivered.map((d) => d.bytes)).toEqual([nested]);
    expect(bench.client.peers(bench.now)).toHaveLength(2);
  });
});
