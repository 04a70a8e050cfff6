// Tests of client/paths: how a packet finds its way to a Teredo peer and to a native host (RFC 4380 §5.2.4, §5.2.6, §5.2.9).
import { describe, expect, test } from 'vitest';
import { formatEndpoint, isBubble, parseEcho } from '../../../engine/wire/index.ts';
import {
  at,
  Bench,
  bubble,
  echoReply,
  NATIVE,
  open,
  PEER,
  PEER_ENDPOINT,
  PRIMARY,
  RELAY,
  tagOf,
  udp,
  data,
  errors,
  story,
} from './harness.ts';

describe('to a Teredo peer (§5.2.4 case 5, §5.2.6)', () => {
  test('a direct bubble to the mapped endpoint and an indirect one to its server, then the queue in order', () => {
    const bench = Bench.qualified();
    for (const tag of [1, 2, 3]) bench.fromProgram(udp(bench.address, PEER, tag));
    const sent = bench.takeSent();
    expect(sent.map((s) => [s.why, formatEndpoint(s.to)])).toEqual([
      ['direct-bubble', '203.0.113.9:50000'],
      ['indirect-bubble', '192.0.2.129:3544'],
    ]);
    for (const d of sent.map(open)) {
      expect(isBubble(d.header)).toBe(true);
      expect([d.header.source, d.header.destination]).toEqual([bench.address, PEER]);
    }
    bench.order = [];
    bench.receive(PEER_ENDPOINT, bubble(PEER, bench.address));
    expect(bench.takeSent().map((s) => tagOf(open(s).packet))).toEqual([1, 2, 3]);
    expect(bench.order.indexOf('peer')).toBeGreaterThan(bench.order.lastIndexOf('transmit'));
    expect(bench.peerTable.get(PEER)).toEqual(PEER_ENDPOINT);
    expect(bench.delivered).toHaveLength(0);
    bench.fromProgram(udp(bench.address, PEER, 4));
    expect(story(bench)).toEqual(['data 203.0.113.9:50000']);
  });

  test('bubbles are repeated by timer every 2 s, 4 in all; then each queued sender gets ICMPv6 unreachable within 9 s', () => {
    const bench = Bench.qualified();
    bench.fromProgram(udp(bench.address, PEER, 1));
    bench.fromProgram(udp(bench.address, PEER, 2));
    const times: number[] = [];
    const start = bench.now;
    for (let t = 0; t <= 9_000; t += 100) {
      if (bench.takeSent().some((s) => s.why === 'direct-bubble')) times.push(bench.now - start);
      if (t < 7_000) expect(errors(bench)).toEqual([]);
      bench.pass(100);
    }
    expect(times).toEqual([0, 2_000, 4_000, 6_000]);
    expect(errors(bench)).toEqual([
      [1, 3],
      [1, 3],
    ]);
    bench.delivered = [];
    bench.fromProgram(udp(bench.address, PEER, 3));
    expect(story(bench)).toEqual([]);
    expect(errors(bench)).toEqual([[1, 3]]);
    bench.pass(300_000);
    bench.takeSent();
    bench.fromProgram(udp(bench.address, PEER, 4));
    expect(story(bench)).toEqual([
      'direct-bubble 203.0.113.9:50000',
      'indirect-bubble 192.0.2.129:3544',
    ]);
  });

  test('never more than 4 bubbles in any 300 s, nor two within 2 s, whatever programs and strangers do', () => {
    const bench = Bench.qualified();
    const times: number[] = [];
    for (let t = 0; t < 900_000; t += 500) {
      bench.fromProgram(udp(bench.address, PEER));
      if (t % 1_500 === 0) bench.receive(PRIMARY, bubble(PEER, bench.address, PEER_ENDPOINT));
      if (bench.takeSent().some((s) => s.why.endsWith('bubble') || s.why === 'bubble-reply'))
        times.push(bench.now);
      bench.pass(500);
    }
    expect(times.length).toBeGreaterThan(8);
    times.forEach((time, i) => {
      if (i > 0) expect(time - times[i - 1]!).toBeGreaterThanOrEqual(2_000);
      if (i > 3) expect(time - times[i - 4]!).toBeGreaterThanOrEqual(300_000);
    });
  });

  test('up to 64 KB wait for one peer; what does not fit is counted', () => {
    const bench = Bench.qualified();
    for (let i = 0; i < 60; i++) bench.fromProgram(udp(bench.address, PEER, i, 1_280));
    expect(bench.client.discards).toEqual({ queueFull: 9 });
    bench.takeSent();
    bench.receive(PEER_ENDPOINT, bubble(PEER, bench.address));
    expect(bench.takeSent().map((s) => tagOf(open(s).packet))).toEqual([...Array(51).keys()]);
  });

  test('30 s after the last reception the way is opened anew; what the datapath heard counts', () => {
    const bench = Bench.qualified();
    bench.receive(PEER_ENDPOINT, bubble(PEER, bench.address));
    bench.pass(29_000);
    bench.takeSent();
    const stamps = { lastSentMs: 0, bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 };
    bench.stamps.set(PEER, { ...stamps, lastReceivedMs: bench.now });
    bench.pass(20_000);
    bench.takeSent();
    bench.fromProgram(udp(bench.address, PEER));
    expect(story(bench)).toEqual(['data 203.0.113.9:50000']);
    bench.pass(15_000);
    bench.takeSent();
    expect(bench.peerTable.has(PEER)).toBe(false);
    bench.fromProgram(udp(bench.address, PEER));
    expect(story(bench)).toEqual([
      'direct-bubble 203.0.113.9:50000',
      'indirect-bubble 192.0.2.129:3544',
    ]);
  });

  test('a trusted peer that stops answering is asked again after 3 s of sending, by one bubble each way', () => {
    const bench = Bench.qualified();
    bench.receive(PEER_ENDPOINT, bubble(PEER, bench.address));
    const heard = bench.now;
    const stamps = { bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 };
    bench.stamps.set(PEER, { ...stamps, lastReceivedMs: heard, lastSentMs: heard + 100 });
    bench.pass(9_000);
    expect(story(bench).filter((s) => s.includes('bubble'))).toEqual([
      'direct-bubble 203.0.113.9:50000',
      'indirect-bubble 192.0.2.129:3544',
    ]);
    expect(bench.client.peers(bench.now)[0]!.trusted).toBe(true);
  });
});

describe('to a native host (§5.2.4 case 2, §5.2.9)', () => {
  test('an echo request with 128 unguessable bits through our server; the relay is where the answer came from', () => {
    const bench = Bench.qualified();
    bench.fromProgram(udp(bench.address, NATIVE, 7));
    const [test] = bench.takeSent();
    expect(test).toMatchObject({ why: 'ping-test', to: PRIMARY });
    const echo = parseEcho(open(test!).packet);
    expect(echo.ok && [echo.value.source, echo.value.destination, echo.value.data.length]).toEqual([
      bench.address,
      NATIVE,
      16,
    ]);
    bench.receive(RELAY, echoReply(test!));
    expect(bench.takeSent().map((s) => [s.to, tagOf(open(s).packet)])).toEqual([[RELAY, 7]]);
    expect(bench.client.peers(bench.now)).toMatchObject([
      { address: NATIVE, kind: 'native', path: 'relay', trusted: true, endpoint: RELAY },
    ]);
    expect(bench.delivered).toHaveLength(0);
  });

  test('the test is repeated every 2 s, up to 3 times more, then the sender is told within 9 s', () => {
    const bench = Bench.qualified();
    bench.fromProgram(udp(bench.address, NATIVE));
    bench.pass(7_999);
    expect(bench.sent.filter((s) => s.why === 'ping-test')).toHaveLength(4);
    expect(errors(bench)).toEqual([]);
    bench.pass(1);
    expect(errors(bench)).toEqual([[1, 3]]);
  });

  test('H-ping-guess: another payload proves nothing, and an answer counts once', () => {
    const bench = Bench.qualified();
    bench.fromProgram(udp(bench.address, NATIVE));
    const [test] = bench.takeSent();
    const forged = echoReply(test!);
    forged[forged.length - 1]! ^= 1;
    bench.receive(at('203.0.113.66:5'), forged);
    expect(bench.client.peers(bench.now)[0]!.trusted).toBe(false);
    bench.receive(RELAY, echoReply(test!));
    bench.takeSent();
    bench.receive(at('203.0.113.66:5'), echoReply(test!));
    expect(bench.peerTable.get(NATIVE)).toEqual(RELAY);
  });

  test('what a native source sends before it is proven waits for the test, and goes in only from the proven endpoint', () => {
    const bench = Bench.qualified();
    bench.receive(RELAY, data(udp(NATIVE, bench.address, 1, 64)));
    bench.receive(at('203.0.113.66:5'), data(udp(NATIVE, bench.address, 2, 64)));
    expect(bench.delivered).toHaveLength(0);
    const [test] = bench.takeSent();
    expect(test!.why).toBe('ping-test');
    bench.receive(RELAY, echoReply(test!));
    expect(bench.delivered.map((d) => tagOf(d.bytes))).toEqual([1]);
    bench.receive(RELAY, data(udp(NATIVE, bench.address, 3)));
    expect(bench.delivered.map((d) => tagOf(d.bytes))).toEqual([1, 3]);
  });

  test('H-relay-dead: a relay that moved is taken after proof; until then the old one stays', () => {
    const bench = Bench.qualified();
    bench.fromProgram(udp(bench.address, NATIVE));
    bench.receive(RELAY, echoReply(bench.takeSent()[0]!));
    bench.pass(3_000);
    bench.takeSent();
    const moved = at('203.0.113.78:3545');
    bench.receive(moved, data(udp(NATIVE, bench.address, 9, 64)));
    expect(bench.peerTable.get(NATIVE)).toEqual(RELAY);
    const [test] = bench.takeSent();
    expect(test!.why).toBe('ping-test');
    bench.receive(moved, echoReply(test!));
    expect(bench.peerTable.get(NATIVE)).toEqual(moved);
    expect(bench.delivered.map((d) => tagOf(d.bytes))).toEqual([9]);
  });
});
