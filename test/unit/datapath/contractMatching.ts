// Holds the datapath contract's tests of addresses, peers and validity; `contract.ts` runs them.
import { describe, expect, it } from 'vitest';
import { buildBubble, buildDatagram, parseIp6 } from '../../../engine/wire/index.ts';
import { NOTHING, IN, OUT, datagram, packet } from './bench.ts';
import type { Bench } from './bench.ts';
import { OTHER, PEER, US, US_BEFORE, echo, sctp, shortFragment, tcp, udp } from './packets.ts';

export function contractMatching(bench: Bench): void {
  describe('with empty tables', () => {
    it('sends every packet and datagram up, each kind in order', async () => {
      const packets = [1, 2, 3].map((port) => udp(OUT, port, 53));
      const datagrams = [1, 2, 3].map((port) => udp(IN, port, 53));
      for (const bytes of packets) bench.harness.fromAdapter(bytes);
      for (const bytes of datagrams) bench.harness.fromSocket(bench.home, bytes);
      const { transmitted, delivered, upcalls } = await bench.harness.take();
      expect(transmitted).toEqual([]);
      expect(delivered).toEqual([]);
      expect(upcalls.filter((u) => u.kind === 'packet')).toEqual(packets.map(packet));
      expect(upcalls.filter((u) => u.kind === 'datagram')).toEqual(
        datagrams.map((bytes) => datagram(bench.home, bytes)),
      );
    });

    it('knows no peer', () => {
      expect(bench.datapath.readPeer(PEER)).toBeUndefined();
    });
  });

  describe('outbound', () => {
    it('sends a packet of ours to a fresh peer in a passing flow as it is, and stamps it', async () => {
      bench.open();
      const receivedMs = bench.harness.now();
      bench.datapath.setPeer(PEER, bench.home, receivedMs);
      const bytes = udp(OUT, 4000, 53);
      bench.harness.fromAdapter(bytes);
      expect(await bench.harness.take()).toEqual({
        ...NOTHING,
        transmitted: [{ to: bench.home, bytes }],
      });
      const stamps = bench.datapath.readPeer(PEER)!;
      expect(stamps).toMatchObject({
        packetsOut: 1,
        bytesOut: bytes.length,
        packetsIn: 0,
        bytesIn: 0,
        lastReceivedMs: receivedMs,
      });
      expect(stamps.lastSentMs).toBeGreaterThanOrEqual(receivedMs);
      expect(stamps.lastSentMs).toBeLessThanOrEqual(bench.harness.now());
    });

    it.each([
      ['whose source is not ours', () => udp({ source: OTHER, destination: PEER }, 4000, 53)],
      ['whose destination is no peer', () => udp({ source: US, destination: OTHER }, 4000, 53)],
      ['of another flow', () => udp(OUT, 4001, 53)],
      ['of another protocol', () => tcp(OUT, 4000, 53)],
      ['that is a bubble', () => buildBubble(US, PEER)],
      ['that is neither TCP, UDP nor ICMPv6', () => sctp(OUT)],
      ['that is longer than it says', () => new Uint8Array([...udp(OUT, 4000, 53), 1, 0])],
    ])('sends a packet up %s', async (_, build) => {
      bench.open();
      bench.harness.fromAdapter(build());
      expect(await bench.harness.take()).toEqual({ ...NOTHING, upcalls: [packet(build())] });
      expect(bench.datapath.readPeer(PEER)!.packetsOut).toBe(0);
    });

    it('takes each of our addresses, preferred or not', async () => {
      bench.open();
      bench.datapath.setAddresses([US_BEFORE, US]);
      const bytes = udp(OUT, 4000, 53);
      bench.harness.fromAdapter(bytes);
      expect((await bench.harness.take()).transmitted).toEqual([{ to: bench.home, bytes }]);
      bench.datapath.setAddresses([US_BEFORE]);
      bench.harness.fromAdapter(bytes);
      expect((await bench.harness.take()).upcalls).toEqual([packet(bytes)]);
    });
  });

  describe('inbound', () => {
    it('delivers what a peer sends us from its endpoint in a passing flow, and stamps it', async () => {
      bench.open();
      await bench.harness.advance(50);
      const before = bench.harness.now();
      const bytes = udp(IN, 53, 4000);
      bench.harness.fromSocket(bench.home, bytes);
      expect(await bench.harness.take()).toEqual({ ...NOTHING, delivered: [bytes] });
      const stamps = bench.datapath.readPeer(PEER)!;
      expect(stamps).toMatchObject({
        packetsIn: 1,
        bytesIn: bytes.length,
        packetsOut: 0,
        bytesOut: 0,
        lastSentMs: 0,
      });
      expect(stamps.lastReceivedMs).toBeGreaterThanOrEqual(before);
      expect(stamps.lastReceivedMs).toBeLessThanOrEqual(bench.harness.now());
    });

    it.each([
      ['from another port of the peer', 1, () => udp(IN, 53, 4000)],
      ['from another address', 2, () => udp(IN, 53, 4000)],
      [
        'in the name of an unknown peer',
        0,
        () => udp({ source: OTHER, destination: US }, 53, 4000),
      ],
      ['for somebody else', 0, () => udp({ source: PEER, destination: OTHER }, 53, 4000)],
      ['of another flow', 0, () => udp(IN, 53, 4001)],
      ['that is a bubble', 0, () => buildBubble(PEER, US)],
      ['with a trailer', 0, () => new Uint8Array([...udp(IN, 53, 4000), 4, 4, 0, 0, 0, 0])],
      ['that is shorter than it says', 0, () => udp(IN, 53, 4000).subarray(0, 60)],
      [
        'with an origin indication',
        0,
        () => buildDatagram({ origin: { ip: 0xc0000202, port: 4096 }, packet: udp(IN, 53, 4000) }),
      ],
      ['that is empty', 0, () => new Uint8Array(0)],
    ] as const)('sends a datagram up %s', async (_, endpoint, build) => {
      bench.open();
      const from = bench.harness.endpoints[endpoint];
      bench.harness.fromSocket(from, build());
      const taken = await bench.harness.take();
      expect(taken.delivered).toEqual([]);
      expect(taken.upcalls.map((u) => (u.kind === 'datagram' ? [...u.bytes] : u))).toEqual([
        [...build()],
      ]);
      expect(taken.upcalls).toMatchObject([{ from, ring: 'other' }]);
      expect(bench.datapath.readPeer(PEER)!.packetsIn).toBe(0);
    });
  });

  describe('ranges', () => {
    /** 2001:db8::/32 but for 2001:db8:5::/48, and one address of it. */
    const open = (): void => {
      const mask = (length: number): bigint =>
        ((1n << BigInt(length)) - 1n) << BigInt(128 - length);
      const net = parseIp6('2001:db8::')!;
      bench.datapath.setRanges(
        [{ value: net, mask: mask(32) }],
        [{ value: parseIp6('2001:db8:5::')!, mask: mask(48) }],
      );
      bench.datapath.setPeer(PEER, bench.home, bench.harness.now());
      bench.datapath.setDefaultVerdict('pass');
    };
    const ends = (text: string) => ({ source: parseIp6(text)!, destination: PEER });

    it('count as ours, both ways, but for what is excepted', async () => {
      open();
      const inside = udp(ends('2001:db8:4:ffff::7'), 4000, 53);
      const excepted = udp(ends('2001:db8:5::7'), 4000, 53);
      const outside = udp(ends('2001:db9::7'), 4000, 53);
      for (const bytes of [inside, excepted, outside]) bench.harness.fromAdapter(bytes);
      expect(await bench.harness.take()).toEqual({
        ...NOTHING,
        transmitted: [{ to: bench.home, bytes: inside }],
        upcalls: [packet(excepted), packet(outside)],
      });
      const back = (text: string): Uint8Array =>
        udp({ source: PEER, destination: parseIp6(text)! }, 53, 4000);
      bench.harness.fromSocket(bench.home, back('2001:db8::1'));
      bench.harness.fromSocket(bench.home, back('2001:db8:5:1::1'));
      const taken = await bench.harness.take();
      expect(taken.delivered).toEqual([back('2001:db8::1')]);
      expect(taken.upcalls).toEqual([datagram(bench.home, back('2001:db8:5:1::1'))]);
    });

    it('leave the exact addresses as they are, and go when they are taken back', async () => {
      open();
      bench.datapath.setAddresses([US]);
      bench.datapath.setRanges([], []);
      const inside = udp(ends('2001:db8::7'), 4000, 53);
      bench.harness.fromAdapter(inside);
      bench.harness.fromAdapter(udp(OUT, 4000, 53));
      expect(await bench.harness.take()).toEqual({
        ...NOTHING,
        transmitted: [{ to: bench.home, bytes: udp(OUT, 4000, 53) }],
        upcalls: [packet(inside)],
      });
    });
  });

  describe('what no table settles, whatever the default', () => {
    const neighbour = (type: number): Uint8Array => {
      const bytes = echo(OUT, false, 7);
      bytes[40] = type;
      return bytes;
    };
    const hopless = (): Uint8Array => {
      const bytes = udp(OUT, 4000, 53);
      bytes[7] = 0;
      return bytes;
    };
    it.each([
      ['a router solicitation', neighbour(133)],
      ['a router advertisement', neighbour(134)],
      ['a neighbour solicitation', neighbour(135)],
      ['a neighbour advertisement', neighbour(136)],
      ['a redirect', neighbour(137)],
      ['a packet whose hops are used up', hopless()],
      ['a first fragment without the whole upper-layer header', shortFragment(OUT)],
    ])('%s', async (_, bytes) => {
      bench.open();
      bench.datapath.setDefaultVerdict('pass');
      bench.harness.fromAdapter(bytes);
      expect(await bench.harness.take()).toEqual({ ...NOTHING, upcalls: [packet(bytes)] });
    });
  });

  describe('validity', () => {
    it('ends for sending when the last reception is validMs ago, and not before', async () => {
      bench.open();
      const bytes = udp(OUT, 4000, 53);
      await bench.harness.advance(bench.validMs / 3);
      bench.harness.fromAdapter(bytes);
      expect((await bench.harness.take()).transmitted).toHaveLength(1);
      await bench.harness.advance(bench.validMs);
      bench.harness.fromAdapter(bytes);
      expect(await bench.harness.take()).toEqual({ ...NOTHING, upcalls: [packet(bytes)] });
    });

    it('is renewed by what the peer sends, also after it has ended (RFC 4380 §5.2.3 case 1)', async () => {
      bench.open();
      await bench.harness.advance(bench.validMs + 10);
      const bytes = udp(IN, 53, 4000);
      bench.harness.fromSocket(bench.home, bytes);
      expect((await bench.harness.take()).delivered).toEqual([bytes]);
      bench.harness.fromAdapter(udp(OUT, 4000, 53));
      expect((await bench.harness.take()).transmitted).toHaveLength(1);
    });

    it('is not renewed by sending', async () => {
      bench.open();
      const { lastReceivedMs } = bench.datapath.readPeer(PEER)!;
      await bench.harness.advance(bench.validMs / 3);
      bench.harness.fromAdapter(udp(OUT, 4000, 53));
      await bench.harness.take();
      expect(bench.datapath.readPeer(PEER)!.lastReceivedMs).toBe(lastReceivedMs);
    });

    it('starts with the time given to setPeer; 0 is never', async () => {
      bench.open();
      bench.datapath.setPeer(PEER, bench.home, 0);
      const bytes = udp(OUT, 4000, 53);
      bench.harness.fromAdapter(bytes);
      expect(await bench.harness.take()).toEqual({ ...NOTHING, upcalls: [packet(bytes)] });
      bench.datapath.setPeer(PEER, bench.home, bench.harness.now());
      bench.harness.fromAdapter(bytes);
      expect((await bench.harness.take()).transmitted).toHaveLength(1);
    });
  });

  describe('peer table', () => {
    it('keeps the counters of an entry that moves to another endpoint', async () => {
      bench.open();
      bench.harness.fromAdapter(udp(OUT, 4000, 53));
      bench.harness.fromSocket(bench.home, udp(IN, 53, 4000));
      await bench.harness.take();
      bench.datapath.setPeer(PEER, bench.elsewhere, bench.harness.now());
      const bytes = udp(OUT, 4000, 53);
      bench.harness.fromAdapter(bytes);
      bench.harness.fromSocket(bench.home, udp(IN, 53, 4000));
      const { transmitted, delivered } = await bench.harness.take();
      expect(transmitted).toEqual([{ to: bench.elsewhere, bytes }]);
      expect(delivered).toEqual([]);
      expect(bench.datapath.readPeer(PEER)).toMatchObject({ packetsOut: 2, packetsIn: 1 });
      const { bytesIn, bytesOut } = bench.datapath.readPeer(PEER)!;
      expect(bench.datapath.counters()).toMatchObject({ bytesIn, bytesOut });
    });

    it('forgets a removed peer', async () => {
      bench.open();
      bench.harness.fromAdapter(udp(OUT, 4000, 53));
      await bench.harness.take();
      bench.datapath.removePeer(PEER);
      bench.datapath.removePeer(OTHER);
      expect(bench.datapath.readPeer(PEER)).toBeUndefined();
      bench.harness.fromAdapter(udp(OUT, 4000, 53));
      bench.harness.fromSocket(bench.home, udp(IN, 53, 4000));
      const taken = await bench.harness.take();
      expect(taken.transmitted).toEqual([]);
      expect(taken.delivered).toEqual([]);
      expect(taken.upcalls).toHaveLength(2);
      bench.datapath.setPeer(PEER, bench.home, bench.harness.now());
      expect(bench.datapath.readPeer(PEER)).toMatchObject({ packetsOut: 0, lastSentMs: 0 });
    });
  });
}
