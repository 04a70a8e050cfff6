// Module relay/floods.test tries to make the relay keep or send without end; each test is named by the attack's id.
import { describe, expect, test } from 'vitest';
import { buildBubble, buildEcho } from '../../../engine/wire/index.ts';
import type { Ip6 } from '../../../engine/wire/index.ts';
import {
  answer,
  at,
  Bench,
  CLIENT,
  clientAt,
  ip4,
  ip6,
  madeUp,
  NATIVE,
  open,
  packet,
  tagOf,
} from './harness.ts';

describe('B-relay-flood: one native host names 60,000 made-up clients in 2 s', () => {
  const flood = (bench: Bench, count: number, source: (n: number) => Ip6, servers = 1): void => {
    for (let n = 0; n < count; n++) {
      if (n % (count / 2_000) === 0) bench.pass(1);
      bench.fromNative(packet(0, source(n), madeUp(n, ip4('192.0.2.1') + (n % servers)), 1200));
    }
  };

  test('Miredo fault 10: the relay sends 50 bubbles a second, keeps a few packets, and loses all of it in seconds', () => {
    const bench = new Bench();
    flood(bench, 60_000, () => ip6('2001:db8:bad::1'));
    expect(bench.takeSent().length).toBeLessThanOrEqual(50 + 2 * 50);
    const { pending, queuedBytes } = bench.relay.status();
    expect(pending).toBeLessThanOrEqual(150);
    expect(queuedBytes).toBeLessThanOrEqual(150 * 1200);
    expect(bench.relay.discards['bubbleLimit']).toBeGreaterThan(59_000);
    bench.pass(10_000);
    expect(bench.relay.status()).toEqual({ clients: 0, pending: 0, queuedBytes: 0 });
    expect(bench.takeSent().length).toBeLessThanOrEqual(10 * 50);
    expect(bench.wake).toBe(Infinity);
  });

  test('and a real client of the same server is served meanwhile, for another native host', () => {
    const bench = new Bench();
    flood(bench, 60_000, () => ip6('2001:db8:bad::1'));
    bench.takeSent();
    bench.fromNative(packet(1));
    const [bubble] = bench.takeSent();
    expect(open(bubble!).header.destination).toBe(CLIENT);
    flood(bench, 2_000, () => ip6('2001:db8:bad::1'));
    bench.takeSent();
    bench.fromClient(buildBubble(CLIENT, open(bubble!).header.source));
    expect(bench.takeSent().map((s) => tagOf(s.bytes))).toEqual([1]);
  });

  test('new limits rule at once, and a known client keeps its way', () => {
    const bench = new Bench();
    bench.fromNative(packet(1));
    const [bubble] = bench.takeSent();
    bench.fromClient(buildBubble(CLIENT, open(bubble!).header.source));
    bench.takeSent();
    bench.pass(2_000);
    bench.relay.setLimits({ bubblesPerSecondPerSource: 3 });
    flood(bench, 2_000, () => ip6('2001:db8:bad::1'));
    expect(bench.takeSent().length).toBeLessThanOrEqual(3 + 2 * 3);
    bench.fromNative(packet(2));
    expect(bench.takeSent().map((s) => tagOf(s.bytes))).toEqual([2]);
    expect(bench.relay.status().clients).toBe(1);
  });

  test('echo replies have a limit of their own: a new client can test the way to a host that floods', () => {
    const bench = new Bench();
    for (let n = 0; n < 1_000; n++) bench.fromNative(packet(0, NATIVE, madeUp(n)));
    expect(bench.takeSent()).toHaveLength(50);
    const fields = { source: NATIVE, destination: CLIENT, identifier: 1, sequence: 1 };
    const data = new Uint8Array(8);
    bench.fromNative(buildEcho({ ...fields, reply: false, data }));
    expect(bench.takeSent()).toEqual([]);
    bench.fromNative(buildEcho({ ...fields, reply: true, data }));
    expect(bench.story()).toEqual(['indirect-bubble 192.0.2.1:3544']);
    for (let n = 1_000; n < 2_000; n++)
      bench.fromNative(buildEcho({ ...fields, destination: madeUp(n), reply: true, data }));
    expect(bench.takeSent()).toHaveLength(49);
  });

  test('a host that uses its whole /64 as sources gains nothing', () => {
    const bench = new Bench();
    flood(bench, 20_000, (n) => ip6('2001:db8:bad::') + BigInt(n) * 0x1_0000_0001n);
    expect(bench.takeSent().length).toBeLessThanOrEqual(150);
  });

  test('repetitions are paid for too: ten seconds of it are 50 bubbles a second and no more', () => {
    const bench = new Bench();
    for (let tenth = 0; tenth < 100; tenth++) {
      bench.pass(100);
      for (let n = 0; n < 20; n++)
        bench.fromNative(packet(0, ip6('2001:db8:bad::1'), madeUp(tenth * 20 + n)));
    }
    const sent = bench.takeSent().length;
    expect(sent).toBeGreaterThan(400);
    expect(sent).toBeLessThanOrEqual(50 + 10 * 50);
  });

  test('many hosts together make at most 200 bubbles a second for one server, 1,000 in all', () => {
    const many = (n: number): Ip6 => ip6('2001:db8:bad::') + (BigInt(n % 3_000) << 64n);
    const one = new Bench();
    flood(one, 20_000, many);
    const toOne = one.takeSent().length;
    expect(toOne).toBeGreaterThan(200);
    expect(toOne).toBeLessThanOrEqual(200 + 2 * 200);
    const all = new Bench();
    flood(all, 20_000, many, 250);
    const toAll = all.takeSent().length;
    expect(toAll).toBeGreaterThan(1_000);
    expect(toAll).toBeLessThanOrEqual(1_000 + 2 * 1_000);
  });

  test('a known client keeps its way however full the table of unknown ones is', () => {
    const limits = {
      maxPending: 50,
      maxPeers: 2,
      bubblesPerSecond: 1e6,
      bubblesPerSecondPerSource: 1e6,
      bubblesPerSecondPerServer: 1e6,
    };
    const bench = Bench.connected({ limits });
    for (let n = 0; n < 1_000; n++) bench.fromNative(packet(0, NATIVE, madeUp(n)));
    expect(bench.relay.status()).toMatchObject({ clients: 1, pending: 50 });
    expect(bench.relay.discards['peerEvicted']).toBe(950);
    bench.takeSent();
    bench.fromNative(packet());
    expect(bench.story()).toEqual(['data 198.51.100.7:40000']);
    // Known ones that are valid are not pushed out by further ones either.
    const other = clientAt('198.51.100.8:40000');
    const third = clientAt('198.51.100.9:40000');
    bench.fromNative(packet(0, NATIVE, other));
    bench.fromClient(answer(0, other), at('198.51.100.8:40000'));
    bench.fromNative(packet(0, NATIVE, third));
    expect(bench.refusal(() => bench.fromClient(answer(0, third), at('198.51.100.9:40000')))).toBe(
      'peersFull',
    );
    bench.pass(30_000);
    bench.fromNative(packet(0, NATIVE, third));
    bench.fromClient(answer(0, third), at('198.51.100.9:40000'));
    expect(bench.peerTable.has(third)).toBe(true);
    expect(bench.relay.status().clients).toBe(2);
  });
});

describe('H-queue: large packets for clients that do not answer', () => {
  test('one queue is bounded by bytes and packets', () => {
    const bench = new Bench({ limits: { queueBytesPerPeer: 5_000, queuePacketsPerPeer: 8 } });
    for (let i = 0; i < 20; i++) bench.fromNative(packet(0, NATIVE, CLIENT, 1280));
    expect(bench.relay.status().queuedBytes).toBe(3 * 1280);
    const small = new Bench({ limits: { queueBytesPerPeer: 5_000, queuePacketsPerPeer: 8 } });
    for (let i = 0; i < 20; i++) small.fromNative(packet());
    expect(small.relay.status().queuedBytes).toBe(8 * 60);
    expect(small.relay.discards).toEqual({ queueFull: 12 });
  });

  test('all queues together are bounded, and the oldest makes room for the newest', () => {
    const bench = new Bench({ limits: { queueBytesTotal: 10 * 1280 } });
    for (let n = 0; n < 30; n++) {
      bench.fromNative(packet(0, NATIVE, madeUp(n), 1280));
      expect(bench.relay.status().queuedBytes).toBeLessThanOrEqual(10 * 1280);
    }
    bench.fromNative(packet(1, NATIVE, CLIENT, 1280));
    expect(bench.relay.discards).toEqual({ queueEvicted: 21 });
    bench.takeSent();
    bench.fromClient(answer());
    expect(bench.takeSent().map((s) => tagOf(s.bytes))).toEqual([1]);
  });

  test('queued packets are copies: what the caller does with its buffer is of no matter', () => {
    const bench = new Bench();
    const buffer = packet(1);
    bench.fromNative(buffer);
    buffer.fill(0xff);
    bench.takeSent();
    bench.fromClient(answer());
    expect(bench.takeSent()[0]?.bytes).toEqual(packet(1));
  });
});

describe('H-inducement and R-reflection: what outsiders make us send', () => {
  test('packets from ever new sources outside get nothing through; few make a bubble, and for a moment an entry', () => {
    const bench = Bench.connected();
    const before = bench.relay.status();
    for (let n = 0; n < 5_000; n++) {
      const port = 1024 + n;
      bench.fromClient(answer(0, clientAt(`198.51.100.20:${port}`)), at(`198.51.100.20:${port}`));
      bench.fromClient(
        buildBubble(clientAt(`198.51.100.21:${port}`), NATIVE),
        at('198.51.100.21:1'),
      );
    }
    // 100 a second to those who say where they are; never to who doesn't.
    expect(bench.sent).toHaveLength(100);
    expect(new Set(bench.story())).toEqual(new Set(['indirect-bubble 192.0.2.1:3544']));
    bench.pass(2_000);
    expect(bench.delivered).toEqual([]);
    expect(bench.sent).toEqual([]);
    expect(bench.relay.status()).toEqual(before);
  });

  test('a native packet makes one bubble, no longer than itself; a second packet makes none', () => {
    const bench = new Bench();
    const bytes = packet(0, NATIVE, CLIENT, 48);
    bench.fromNative(bytes);
    const sent = bench.takeSent();
    expect(sent).toHaveLength(1);
    expect(sent[0]!.bytes.length).toBeLessThanOrEqual(bytes.length);
    bench.fromNative(bytes);
    expect(bench.sent).toEqual([]);
  });
});
