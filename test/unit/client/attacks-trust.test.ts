// Module client/attacks-trust.test replays attacks on what a Teredo client believes and keeps; each test is named by the attack's id.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  buildBubble,
  buildDatagram,
  buildIcmp6,
  encodeTeredo,
  ICMP6,
} from '../../../engine/wire/index.ts';
import {
  advertisement,
  at,
  Bench,
  bubble,
  connected,
  data,
  ip6,
  joined,
  MAPPED,
  NATIVE,
  open,
  partsFor,
  PEER,
  PEER_ENDPOINT,
  PRIMARY,
  refusal,
  RELAY,
  SECONDARY,
  silent,
  story,
  STRANGER,
  tagOf,
  teredoAt,
  udp,
  errors,
} from './harness.ts';

describe('H-inducement: entries, bubbles and pings without end', () => {
  test('a thousand made-up addresses from a page: 200 a second are tried, the rest is told at once', () => {
    const bench = connected();
    for (let i = 1; i <= 1_000; i++) {
      const peer = teredoAt(`203.0.113.9:${1024 + i}`);
      bench.fromProgram(udp(bench.address, peer));
    }
    expect(bench.takeSent().filter((s) => s.why === 'direct-bubble').length).toBeLessThanOrEqual(
      200,
    );
    expect(bench.client.discards['newPeerLimit']).toBeGreaterThanOrEqual(800);
    expect(bench.peerTable.get(PEER)).toEqual(PEER_ENDPOINT);
    expect(bench.peerTable.get(NATIVE)).toEqual(RELAY);
  });

  test('bubbles by our server from ever new sources: 50 answers a second, and four in 300 s to one', () => {
    const bench = connected();
    for (let i = 0; i < 2_000; i++)
      bench.receive(
        PRIMARY,
        bubble(teredoAt(`203.0.113.77:${1024 + i}`), bench.address, at(`203.0.113.77:${1024 + i}`)),
      );
    expect(bench.takeSent().length).toBeLessThanOrEqual(50);
    bench.pass(10_000);
    bench.takeSent();
    for (let i = 0; i < 3_000; i++) {
      bench.receive(PRIMARY, bubble(PEER, bench.address, PEER_ENDPOINT));
      bench.pass(100);
    }
    expect(bench.takeSent().filter((s) => s.why === 'bubble-reply').length).toBeLessThanOrEqual(4);
  });
});

describe('H-cache: packets to many dead addresses', () => {
  test('Miredo fault 24: entries and queued bytes are bounded, the oldest untrusted go, and all memory is given back', () => {
    const bench = Bench.qualified({
      limits: { maxPeers: 64, queueBytesTotal: 50_000, newPeersPerSecondOut: 1_000_000 },
    });
    bench.receive(PEER_ENDPOINT, bubble(PEER, bench.address));
    for (let i = 0; i < 5_000; i++)
      bench.fromProgram(udp(bench.address, NATIVE + BigInt(i + 1), 0, 1_280));
    const rows = bench.client.peers(bench.now);
    expect(rows.length).toBeLessThanOrEqual(64);
    expect(rows.some((row) => row.address === PEER && row.trusted)).toBe(true);
    expect(rows.some((row) => row.address === NATIVE + 5_000n)).toBe(true);
    expect(rows.some((row) => row.address === NATIVE + 1n)).toBe(false);
    // Whoever waited for an entry that went is told (address unreachable), as many of them as the limit lets through.
    const told = errors(bench);
    expect(told.length).toBeGreaterThan(60);
    expect(new Set(told.map(String))).toEqual(new Set(['1,3']));
    bench.pass(400_000);
    expect(bench.client.peers(bench.now)).toEqual([]);
  });

  test('a list full of what programs asked for in vain lets in who comes from outside, and what is waited for stays', () => {
    const bench = Bench.qualified({ limits: { maxPeers: 16, newPeersPerSecondOut: 1_000_000 } });
    for (let i = 1; i <= 16; i++) bench.fromProgram(udp(bench.address, NATIVE + BigInt(i)));
    const ask = (): boolean => {
      bench.receive(PEER_ENDPOINT, bubble(PEER, bench.address));
      return bench.client.peers(bench.now).some(({ address }) => address === PEER);
    };
    expect(ask()).toBe(false);
    bench.pass(15_000);
    bench.fromProgram(udp(bench.address, NATIVE + 1n));
    expect(ask()).toBe(true);
    const kept = bench.client.peers(bench.now).map(({ address }) => address);
    expect(kept).toContain(NATIVE + 1n);
    expect(kept).not.toContain(NATIVE + 2n);
  });

  test('they are forgotten 310 s after their last use, half a minute more at most, whenever others came', () => {
    const bench = Bench.qualified();
    bench.fromProgram(udp(bench.address, NATIVE + 1n));
    bench.pass(100_000);
    bench.fromProgram(udp(bench.address, NATIVE + 2n));
    const kept = (): number => bench.client.peers(bench.now).length;
    bench.pass(200_000);
    expect(kept()).toBe(2);
    bench.pass(40_000);
    expect(kept()).toBe(1);
    bench.pass(100_000);
    expect(kept()).toBe(0);
  });
});

describe('R-spoofed-server: advertisements that nobody may believe', () => {
  test('outside qualification, replayed, or for another nonce, they change nothing', () => {
    const bench = new Bench();
    const solicitation = open(bench.sent[0]!);
    bench.answerSolicitations();
    const { address } = bench;
    const before = bench.client.status();
    const lie = advertisement(partsFor(solicitation, at('203.0.113.200:1')));
    for (const from of [PRIMARY, SECONDARY]) bench.receive(from, lie);
    expect(bench.client.status()).toEqual(before);
    expect(bench.address).toBe(address);
    expect(Object.keys(bench.client.discards)).toEqual(['advertisementUnsolicited']);
  });

  test('with two prefix options, or one of another length', () => {
    const bench = new Bench();
    const [out] = bench.takeSent();
    const parts = partsFor(open(out!), MAPPED);
    const whole = open({ bytes: advertisement(parts) }).packet;
    const body = whole.subarray(44);
    const prefix = body.subarray(12, 44);
    const short = Uint8Array.from(prefix);
    short[2] = 63;
    for (const [options, count] of [
      [joined(prefix, prefix), 1],
      [short, 2],
      [new Uint8Array(0), 3],
    ] as const) {
      const packet = buildIcmp6(
        {
          type: ICMP6.routerAdvertisement,
          code: 0,
          source: parts.source,
          destination: parts.destination,
          hopLimit: 255,
        },
        joined(body.subarray(0, 12), options),
      );
      bench.receive(
        PRIMARY,
        buildDatagram({ authentication: parts.authentication!, origin: MAPPED, packet }),
      );
      expect(bench.client.discards).toEqual({ advertisementInvalid: count });
    }
    expect(bench.client.status()).toMatchObject({ state: 'qualifying', address: null });
  });
});

describe('R-reflection: what outsiders make us send', () => {
  const ourAddress = Bench.qualified().address;
  const seeds = [
    bubble(PEER, ourAddress, PEER_ENDPOINT),
    bubble(ip6('fe80::1'), ourAddress, RELAY),
    bubble(NATIVE, ourAddress, RELAY),
    data(udp(PEER, ourAddress)),
    data(udp(NATIVE, ourAddress, 0, 48)),
    data(udp(NATIVE, ourAddress, 0, 100)),
    data(buildBubble(NATIVE, ourAddress)),
  ];
  const mutated = fc
    .tuple(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 3 }),
      fc.uint8Array({ maxLength: 6 }),
    )
    .map(([seed, edits, tail]) => {
      const bytes = joined(seed, tail);
      for (const [where, value] of edits) if (where < bytes.length) bytes[where] = value;
      return bytes;
    });

  test('a random port without a nonce (RFC 6081 §4.5) does not make two bubbles of one', () => {
    const bench = Bench.qualified();
    const trailer = Uint8Array.of(5, 2, 0xc0, 0x01);
    bench.receive(PRIMARY, joined(bubble(PEER, ourAddress, PEER_ENDPOINT), trailer));
    bench.pass(20_000);
    expect(bench.takeSent().filter((s) => s.why !== 'refresh').length).toBe(1);
  });

  test('one datagram makes at most one, ever, and none longer than itself', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 150 }), mutated),
        fc.constantFrom(PRIMARY, SECONDARY, PEER_ENDPOINT, RELAY, STRANGER),
        (bytes, from) => {
          const bench = Bench.qualified();
          bench.receive(from, bytes);
          // Whatever it started runs to its end; our own refresh is nobody's doing.
          bench.pass(20_000);
          const sent = bench.takeSent().filter((s) => s.why !== 'refresh');
          expect(sent.length).toBeLessThanOrEqual(1);
          for (const out of sent) expect(out.bytes.length).toBeLessThanOrEqual(bytes.length);
        },
      ),
      { numRuns: 1_500 },
    );
  });
});

describe('H-scan: found by guessing', () => {
  test('whoever guesses the port by which the interval is searched is refused by name', () => {
    const bench = Bench.qualified({ intervalSearch: true });
    const [port] = bench.listening;
    const guess = data(udp(PEER, bench.address));
    for (const from of [PRIMARY, STRANGER, PEER_ENDPOINT])
      expect(refusal(bench, () => bench.receive(from, guess, port))).toBe('sidePort');
  });

  test('strangers who guess everything but the flags hear nothing, and flags are 12 random bits', () => {
    const bench = Bench.qualified();
    const server = PRIMARY.ip;
    const flags = (bench.address >> 48n) & 0xffffn;
    let answered = 0;
    for (let guess = 0; guess < 0x4000; guess++) {
      if ((guess & 0xc300) !== 0 || BigInt(guess) === flags) continue;
      const address = encodeTeredo({ server, flags: guess, client: MAPPED });
      bench.receive(PRIMARY, bubble(PEER, address, PEER_ENDPOINT));
      bench.receive(STRANGER, data(udp(PEER, address)));
      answered += bench.takeSent().length;
    }
    expect(answered).toBe(0);
    expect(bench.delivered).toEqual([]);
    expect(Object.keys(bench.client.discards)).toEqual(['destinationNotUs']);
  });
});

describe('H-discovery: local discovery bubbles', () => {
  test('from inside or outside make no peer and no answer where local discovery is off, as it is unless set', () => {
    const bench = Bench.qualified();
    const all = ip6('ff02::1');
    for (const from of ['192.168.1.20:40000', '203.0.113.66:3544', '192.168.1.255:3544'])
      for (const [source, destination] of [
        [PEER, all],
        [PEER, bench.address],
        [teredoAt('198.51.100.7:50000'), all],
      ] as const)
        bench.receive(at(from), bubble(source, destination));
    silent(bench);
    expect([...bench.peerTable]).toEqual([]);
    expect(bench.client.peers(bench.now)).toEqual([]);
  });
});

describe('H-peer-spoof: a known peer’s address from elsewhere', () => {
  test('moves nothing, cuts nothing, and is counted', () => {
    const bench = connected();
    for (const from of ['203.0.113.9:50001', '203.0.113.10:50000', '198.51.100.7:40001'])
      expect(refusal(bench, () => bench.receive(at(from), data(udp(PEER, bench.address))))).toBe(
        'peerEndpointMismatch',
      );
    bench.pass(2_000);
    bench.receive(STRANGER, data(udp(NATIVE, bench.address, 7, 100)));
    expect(story(bench)).toEqual(['ping-test 192.0.2.1:3544']);
    bench.pass(10_000);
    expect(bench.delivered).toEqual([]);
    expect(bench.peerTable.get(PEER)).toEqual(PEER_ENDPOINT);
    expect(bench.peerTable.get(NATIVE)).toEqual(RELAY);
    bench.receive(RELAY, data(udp(NATIVE, bench.address, 8)));
    expect(bench.delivered.map((d) => tagOf(d.bytes))).toEqual([8]);
  });
});
