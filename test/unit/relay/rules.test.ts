// Module relay/rules.test checks the relay's rules one by one (RFC 4380 §5.4, RFC 4443).
import { describe, expect, test } from 'vitest';
import { relayConfig } from '../../../engine/relay/config.ts';
import {
  buildBubble,
  encodeTeredo,
  isBubble,
  isLinkLocal6,
  parseIcmp6,
} from '../../../engine/wire/index.ts';
import {
  answer,
  at,
  Bench,
  CLIENT,
  CLIENT_AT,
  clientAt,
  ip6,
  NATIVE,
  open,
  packet,
  ROUTER,
  SERVER,
  tagOf,
} from './harness.ts';

const ASKED = 'indirect-bubble 192.0.2.1:3544';

describe('transmission to clients (§5.4.1)', () => {
  test('case 3: an unknown client is asked for through its server, from a link-local source; the packet waits', () => {
    const bench = new Bench();
    bench.fromNative(packet());
    const [bubble, ...more] = bench.takeSent();
    expect(more).toEqual([]);
    expect(bubble).toMatchObject({ to: SERVER, why: 'indirect-bubble' });
    const { header, origin, authentication, trailers } = open(bubble!);
    expect(isBubble(header)).toBe(true);
    expect(header.destination).toBe(CLIENT);
    expect(isLinkLocal6(header.source)).toBe(true);
    expect([origin, authentication, trailers]).toEqual([null, null, []]);
    expect(bench.relay.status()).toEqual({ clients: 0, pending: 1, queuedBytes: 60 });
  });

  test('its bubble opens the way: what waited goes in order, then the datapath is told', () => {
    const bench = new Bench();
    for (let tag = 1; tag <= 5; tag++) bench.fromNative(packet(tag));
    const nonce = open(bench.takeSent()[0]!).header.source;
    bench.order = [];
    bench.fromClient(buildBubble(CLIENT, nonce));
    const sent = bench.takeSent();
    expect(sent.map((s) => tagOf(s.bytes))).toEqual([1, 2, 3, 4, 5]);
    expect(sent.every((s) => s.why === 'data' && s.to.port === CLIENT_AT.port)).toBe(true);
    expect(bench.order.slice(0, 6)).toEqual([...Array<string>(5).fill('transmit'), 'peer']);
    expect(bench.peerTable.get(CLIENT)).toEqual(CLIENT_AT);
    expect(bench.delivered).toEqual([]);
    expect(bench.relay.status()).toEqual({ clients: 1, pending: 0, queuedBytes: 0 });
  });

  test('case 1: a trusted client is sent to at once, and the packet is not changed', () => {
    const bench = Bench.connected();
    const bytes = packet(9);
    bench.fromNative(bytes);
    const [out] = bench.takeSent();
    expect(out).toMatchObject({ why: 'data', to: CLIENT_AT });
    expect(out?.bytes).toEqual(bytes);
  });

  test('the cone bit changes nothing: the client is asked all the same', () => {
    const cone = encodeTeredo({ server: SERVER.ip, flags: 0x8000, client: CLIENT_AT });
    const bench = new Bench();
    bench.fromNative(packet(0, NATIVE, cone));
    expect(bench.story()).toEqual([ASKED]);
  });

  test('behind a NAT a direct bubble goes with each indirect one', () => {
    for (const settings of [{ behindNat: true }, { hostSpecific: true }]) {
      const bench = new Bench(settings, [{ address: NATIVE, prefix: 128 }]);
      bench.fromNative(packet());
      expect(bench.story()).toEqual([ASKED, 'direct-bubble 198.51.100.7:40000']);
    }
  });

  test('the bubble is repeated each 2 s up to three times, then the client is given up and the senders are told', () => {
    const bench = new Bench();
    for (let tag = 1; tag <= 3; tag++) bench.fromNative(packet(tag));
    expect(bench.story()).toEqual([ASKED]);
    bench.pass(1_999);
    expect(bench.story()).toEqual([]);
    for (let i = 0; i < 3; i++) {
      bench.pass(2_000);
      expect(bench.story()).toEqual([ASKED]);
    }
    expect(bench.errors()).toEqual([]);
    bench.pass(2_000);
    expect(bench.story()).toEqual([]);
    expect(bench.errors()).toEqual(Array(3).fill([1, 3, NATIVE]));
    expect(bench.relay.status()).toEqual({ clients: 0, pending: 0, queuedBytes: 0 });
    expect(bench.relay.discards).toEqual({ clientSilent: 3 });
    bench.pass(60_000);
    expect(bench.story()).toEqual([]);
    expect(bench.wake).toBe(Infinity);
  });

  test('an answer after a repetition counts', () => {
    const bench = new Bench();
    bench.fromNative(packet(7));
    const nonce = open(bench.takeSent()[0]!).header.source;
    bench.pass(5_000);
    bench.takeSent();
    bench.fromClient(buildBubble(CLIENT, nonce));
    expect(bench.takeSent().map((s) => tagOf(s.bytes))).toEqual([7]);
  });

  test('after 30 s without a word the client is asked anew, and packets wait', () => {
    const bench = Bench.connected();
    bench.pass(29_999);
    bench.fromNative(packet());
    expect(bench.story()).toEqual(['data 198.51.100.7:40000']);
    bench.pass(1);
    bench.fromNative(packet(4));
    expect(bench.story()).toEqual([ASKED]);
    expect(bench.peerTable.has(CLIENT)).toBe(false);
    bench.fromClient(answer());
    expect(bench.takeSent().map((s) => tagOf(s.bytes))).toEqual([4]);
    expect(bench.peerTable.get(CLIENT)).toEqual(CLIENT_AT);
  });

  test('what the datapath heard by itself keeps the client valid', () => {
    const bench = Bench.connected();
    bench.pass(29_000);
    const nothing = { lastSentMs: 0, bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 };
    bench.stamps.set(CLIENT, { ...nothing, lastReceivedMs: bench.now });
    bench.pass(20_000);
    bench.fromNative(packet());
    expect(bench.story()).toEqual(['data 198.51.100.7:40000']);
  });

  test('a client that nobody talks with is forgotten after five minutes, and nothing ticks any more', () => {
    const bench = Bench.connected();
    bench.pass(299_000);
    expect(bench.relay.status().clients).toBe(1);
    bench.pass(40_000);
    expect(bench.relay.status().clients).toBe(0);
    expect(bench.peerTable.size).toBe(0);
    expect(bench.wake).toBe(Infinity);
  });
});

describe('ICMPv6 errors as a router (RFC 4443)', () => {
  test('a packet over 1280 bytes: packet too big, MTU 1280 (§3.2)', () => {
    const bench = new Bench();
    bench.fromNative(packet(0, NATIVE, CLIENT, 1281));
    const [error] = bench.delivered;
    const icmp = parseIcmp6(error!.bytes);
    expect(icmp).toMatchObject({
      ok: true,
      value: { type: 2, code: 0, header: { source: ROUTER, destination: NATIVE } },
    });
    if (icmp.ok) expect([...icmp.value.body.subarray(0, 4)]).toEqual([0, 0, 5, 0]);
    expect(error!.bytes.length).toBe(1280);
    expect(bench.story()).toEqual([]);
    bench.fromNative(packet(0, NATIVE, CLIENT, 1280));
    expect(bench.story()).toEqual([ASKED]);
  });

  test('bytes behind the end of a packet never leave: the client would read them as trailers (RFC 6081 §4.1)', () => {
    const bench = Bench.connected();
    const longer = Uint8Array.from([...packet(), 1, 4, 1, 2, 3, 4]);
    expect(bench.refusal(() => bench.fromNative(longer))).toBe('adapterLength');
    expect(bench.takeSent()).toEqual([]);
  });

  test('a hop limit of 0: time exceeded (§3.3)', () => {
    const bench = Bench.connected();
    const bytes = packet();
    bytes[7] = 0;
    bench.fromNative(bytes);
    expect(bench.errors()).toEqual([[3, 0, NATIVE]]);
    expect(bench.story()).toEqual([]);
    expect(
      bench.refusal(() => bench.fromClient(Uint8Array.from(answer(), (b, i) => (i === 7 ? 0 : b)))),
    ).toBe('hopLimit');
  });

  test('what is no Teredo client: no route (§3.1)', () => {
    const bench = new Bench();
    bench.fromNative(packet(0, NATIVE, ip6('2001:db8:1::1')));
    expect(bench.errors()).toEqual([[1, 0, NATIVE]]);
    expect(bench.relay.discards).toEqual({ destinationNotTeredo: 1 });
  });

  test('errors are limited in rate, and none answers an error (§2.4)', () => {
    const bench = new Bench({ limits: { icmpPerSecond: 5 } });
    const big = packet(0, NATIVE, CLIENT, 1281);
    for (let i = 0; i < 20; i++) bench.fromNative(big);
    expect(bench.errors()).toHaveLength(5);
    expect(bench.relay.discards['errorLimit']).toBe(15);
    bench.pass(1_000);
    const error = big.slice();
    error[6] = 58;
    error[40] = 1;
    bench.fromNative(error);
    expect(bench.errors()).toEqual([]);
    bench.fromNative(big);
    expect(bench.errors()).toHaveLength(1);
  });
});

describe('reception from clients (§5.4.2)', () => {
  test('what a known client sends from the endpoint inside its address goes to the native host', () => {
    const bench = Bench.connected();
    const bytes = answer(3);
    bench.fromClient(bytes);
    expect(bench.takeDelivered()).toEqual([{ kind: 'deliver', bytes, error: false }]);
  });

  test('any packet of the client opens the way, not only a bubble', () => {
    const bench = new Bench();
    bench.fromNative(packet(1));
    bench.takeSent();
    bench.fromClient(answer(2));
    expect(bench.takeSent().map((s) => tagOf(s.bytes))).toEqual([1]);
    expect(bench.takeDelivered().map((d) => tagOf(d.bytes))).toEqual([2]);
  });

  test('a client that nobody sent to is discarded', () => {
    const bench = new Bench();
    expect(bench.refusal(() => bench.fromClient(buildBubble(CLIENT, ROUTER)))).toBe(
      'clientUnknown',
    );
    expect(bench.refusal(() => bench.fromClient(answer()))).toBe('clientUnknown');
    expect(bench.delivered).toEqual([]);
  });

  test('but asked, once, if its packet could have passed: after a restart it may be the only one with something to send', () => {
    const bench = new Bench();
    bench.fromClient(answer(1));
    expect(bench.story()).toEqual(['indirect-bubble 192.0.2.1:3544']);
    bench.pass(60_000);
    expect(bench.story()).toEqual([]);
    expect(bench.relay.status()).toMatchObject({ clients: 0, pending: 0 });
    bench.fromClient(answer(2));
    const { source } = open(bench.takeSent()[0]!).header;
    bench.fromClient(buildBubble(CLIENT, source));
    bench.fromClient(answer(3));
    expect(bench.takeDelivered().map((d) => tagOf(d.bytes))).toEqual([3]);
  });

  test('a native host’s wish makes of that asking a full one', () => {
    const bench = new Bench();
    bench.fromClient(answer());
    bench.fromNative(packet());
    bench.pass(60_000);
    expect(bench.story()).toEqual(Array<string>(4).fill('indirect-bubble 192.0.2.1:3544'));
    expect(bench.takeDelivered().map((d) => d.error)).toEqual([true]);
  });

  test('nobody is asked whose packet could not have passed', () => {
    const bench = new Bench({}, [{ address: ip6('2001:db8:7::'), prefix: 48 }]);
    bench.fromClient(answer());
    bench.fromClient(packet(0, CLIENT, ip6('2001:db8:7::1')), at('198.51.100.8:40000'));
    expect(bench.story()).toEqual([]);
  });

  test('another endpoint than the one inside is discarded', () => {
    const bench = Bench.connected();
    for (const from of ['198.51.100.7:40001', '198.51.100.8:40000', '203.0.113.99:40000'])
      expect(bench.refusal(() => bench.fromClient(answer(), at(from)))).toBe('clientMismatch');
    expect(bench.delivered).toEqual([]);
  });

  test('trailers and what a bubble carries never reach the adapter', () => {
    const bench = Bench.connected();
    bench.fromClient(Uint8Array.from([...answer(5), 1, 4, 9, 9, 9, 9]));
    expect(bench.takeDelivered().map((d) => d.bytes.length)).toEqual([60]);
    bench.fromClient(buildBubble(CLIENT, NATIVE));
    expect(bench.delivered).toEqual([]);
  });

  test('Miredo fault 22: only served ranges are reached; a relay without any serves the native Internet', () => {
    const open = Bench.connected();
    open.fromClient(answer(0, CLIENT, ip6('2a00::1')));
    expect(open.delivered).toHaveLength(1);
    const site = [{ address: ip6('2001:db8::'), prefix: 48 }];
    const narrow = Bench.connected({}, site);
    narrow.fromClient(answer(0, CLIENT, ip6('2001:db8:0:ffff::1')));
    expect(narrow.delivered).toHaveLength(1);
    const refused = (destination: string): string =>
      narrow.refusal(() => narrow.fromClient(answer(0, CLIENT, ip6(destination))));
    for (const destination of ['2001:db8:1::1', '2a00::1', 'fe80::1', 'ff02::1', 'fd00::1', '::1'])
      expect(refused(destination)).toBe('destinationNotServed');
    expect(narrow.refusal(() => narrow.fromNative(packet(0, ip6('2a00::1'))))).toBe(
      'sourceNotServed',
    );
  });

  test('a host-specific relay serves the addresses it was told, and before that nobody', () => {
    const bench = new Bench({ hostSpecific: true });
    expect(bench.refusal(() => bench.fromNative(packet()))).toBe('sourceNotServed');
    const mine = Bench.connected({ hostSpecific: true }, [{ address: NATIVE, prefix: 128 }]);
    mine.fromClient(answer());
    expect(mine.delivered).toHaveLength(1);
    expect(mine.refusal(() => mine.fromClient(answer(0, CLIENT, ip6('2001:db8::81'))))).toBe(
      'destinationNotServed',
    );
    mine.relay.handleInput({ kind: 'network', networks: [], served: [] }, mine.now);
    expect(mine.refusal(() => mine.fromClient(answer()))).toBe('destinationNotServed');
  });
});

describe('clients behind a symmetric NAT', () => {
  const ELSEWHERE = at('198.51.100.7:51111');
  const asked = (): { bench: Bench; nonce: bigint } => {
    const bench = new Bench();
    bench.fromNative(packet(1));
    return { bench, nonce: open(bench.takeSent()[0]!).header.source };
  };

  test('a direct bubble that repeats the nonce opens the way from any port', () => {
    const { bench, nonce } = asked();
    bench.fromClient(buildBubble(CLIENT, nonce), ELSEWHERE);
    expect(bench.takeSent()).toMatchObject([{ why: 'data', to: ELSEWHERE }]);
    expect(bench.peerTable.get(CLIENT)).toEqual(ELSEWHERE);
    bench.fromClient(answer(8), ELSEWHERE);
    expect(bench.takeDelivered().map((d) => tagOf(d.bytes))).toEqual([8]);
  });

  test('without the nonce, from another IPv4 address, or in anything but a bubble it opens nothing', () => {
    const { bench, nonce } = asked();
    const tries: [Uint8Array, string][] = [
      [buildBubble(CLIENT, nonce ^ 1n), '198.51.100.7:51111'],
      [buildBubble(CLIENT, ROUTER), '198.51.100.7:51111'],
      [buildBubble(CLIENT, nonce), '198.51.100.99:51111'],
      [packet(0, CLIENT, nonce), '198.51.100.7:51111'],
      [answer(), '198.51.100.7:51111'],
    ];
    for (const [bytes, from] of tries)
      expect(bench.refusal(() => bench.fromClient(bytes, at(from)))).toBe('clientMismatch');
    expect(bench.relay.status()).toMatchObject({ clients: 0, pending: 1 });
  });

  test("the nonce expires with the asking, is another one each time, and no other client's", () => {
    const { bench, nonce } = asked();
    bench.pass(9_000);
    expect(bench.refusal(() => bench.fromClient(buildBubble(CLIENT, nonce), ELSEWHERE))).toBe(
      'clientUnknown',
    );
    bench.takeSent();
    bench.fromNative(packet());
    expect(bench.refusal(() => bench.fromClient(buildBubble(CLIENT, nonce), ELSEWHERE))).toBe(
      'clientMismatch',
    );
    const fresh = open(bench.takeSent()[0]!).header.source;
    expect(fresh).not.toBe(nonce);
    const other = clientAt('198.51.100.7:40009');
    bench.fromNative(packet(0, NATIVE, other));
    expect(bench.refusal(() => bench.fromClient(buildBubble(other, fresh), ELSEWHERE))).toBe(
      'clientMismatch',
    );
  });

  test('after 30 s of silence its port counts no more until the nonce was repeated again', () => {
    const { bench, nonce } = asked();
    bench.fromClient(buildBubble(CLIENT, nonce), ELSEWHERE);
    bench.pass(30_000);
    expect(bench.refusal(() => bench.fromClient(answer(), ELSEWHERE))).toBe('clientMismatch');
    bench.takeSent();
    bench.fromNative(packet());
    const fresh = open(bench.takeSent()[0]!).header.source;
    bench.fromClient(buildBubble(CLIENT, fresh), ELSEWHERE);
    expect(bench.story()).toEqual(['data 198.51.100.7:51111']);
  });
});

describe('settings', () => {
  test('a Teredo address is no address for a relay (RFC 6324)', () => {
    expect(() => relayConfig({ address: CLIENT })).toThrow(RangeError);
  });
});
