// The contract of engine/datapath/types.ts as a test suite that every datapath runs through.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Datapath, FlowKey, Upcall } from '../../../engine/datapath/types.ts';
import { PROTOCOL, buildBubble, buildDatagram } from '../../../engine/wire/index.ts';
import type { Endpoint } from '../../../engine/wire/index.ts';
import { OTHER, PEER, US, US_BEFORE, echo, extended, fragment, sctp, tcp, udp } from './packets.ts';

/** What came out of a datapath since the last `take`. */
export interface Taken {
  readonly transmitted: readonly { readonly to: Endpoint; readonly bytes: Uint8Array }[];
  readonly delivered: readonly Uint8Array[];
  readonly upcalls: readonly Upcall[];
}

/** A datapath with a world around it that the suite can play. */
export interface DatapathHarness {
  readonly datapath: Datapath;
  /** Three distinct endpoints that datagrams can come from and go to; the first two share their IPv4 address. */
  readonly endpoints: readonly [Endpoint, Endpoint, Endpoint];
  /** Milliseconds of the clock that the datapath stamps with. */
  now(): number;
  /** Lets `ms` pass on that clock. */
  advance(ms: number): Promise<void>;
  /** A local program sends `packet`. */
  fromAdapter(packet: Uint8Array): void;
  /** `bytes` are sent to our socket from one of `endpoints`. */
  fromSocket(from: Endpoint, bytes: Uint8Array): void;
  /** An ICMPv4 error comes back for a datagram of ours; absent where the platform can't be made to. */
  fromSocketError?(to: Endpoint, type: number, code: number): void;
  /** Runs `play` while nobody takes upcalls. */
  whileBusy(play: () => void): Promise<void>;
  /** Waits until everything given in has come out, and empties the record. */
  take(): Promise<Taken>;
  close(): Promise<void>;
}

const OUT = { source: US, destination: PEER };
const IN = { source: PEER, destination: US };
const DNS: FlowKey = {
  protocol: PROTOCOL.udp,
  local: US,
  localPort: 4000,
  remote: PEER,
  remotePort: 53,
};
const NOTHING: Taken = { transmitted: [], delivered: [], upcalls: [] };

/**
 * Declares the suite. `makeDatapath` gives a fresh datapath whose peers stay valid for `validMs`; on a real clock
 * the suite waits for about that long in a few tests.
 */
export function datapathContract(
  name: string,
  makeDatapath: (options: { validMs: number }) => Promise<DatapathHarness>,
): void {
  const validMs = 300;

  describe(`datapath contract: ${name}`, () => {
    let harness: DatapathHarness;
    let datapath: Datapath;
    let home: Endpoint;
    let sameHost: Endpoint;
    let elsewhere: Endpoint;

    /** Our address, a fresh peer at `home`, its DNS flow. */
    function open(): void {
      datapath.setAddresses([US]);
      datapath.setPeer(PEER, home, harness.now());
      datapath.setFlow(DNS, 'pass');
    }
    const datagram = (from: Endpoint, bytes: Uint8Array, ring: 'server' | 'other' = 'other') => ({
      kind: 'datagram',
      ring,
      from,
      bytes,
    });
    const packet = (bytes: Uint8Array) => ({ kind: 'packet', bytes });

    beforeEach(async () => {
      harness = await makeDatapath({ validMs });
      datapath = harness.datapath;
      [home, sameHost, elsewhere] = harness.endpoints;
    });
    afterEach(() => harness.close());

    describe('with empty tables', () => {
      it('sends every packet and datagram up, each kind in order', async () => {
        const packets = [1, 2, 3].map((port) => udp(OUT, port, 53));
        const datagrams = [1, 2, 3].map((port) => udp(IN, port, 53));
        for (const bytes of packets) harness.fromAdapter(bytes);
        for (const bytes of datagrams) harness.fromSocket(home, bytes);
        const { transmitted, delivered, upcalls } = await harness.take();
        expect(transmitted).toEqual([]);
        expect(delivered).toEqual([]);
        expect(upcalls.filter((u) => u.kind === 'packet')).toEqual(packets.map(packet));
        expect(upcalls.filter((u) => u.kind === 'datagram')).toEqual(
          datagrams.map((bytes) => datagram(home, bytes)),
        );
      });

      it('knows no peer', () => {
        expect(datapath.readPeer(PEER)).toBeUndefined();
      });
    });

    describe('outbound', () => {
      it('sends a packet of ours to a fresh peer in a passing flow as it is, and stamps it', async () => {
        open();
        const receivedMs = harness.now();
        datapath.setPeer(PEER, home, receivedMs);
        const bytes = udp(OUT, 4000, 53);
        harness.fromAdapter(bytes);
        expect(await harness.take()).toEqual({ ...NOTHING, transmitted: [{ to: home, bytes }] });
        const stamps = datapath.readPeer(PEER)!;
        expect(stamps).toMatchObject({
          packetsOut: 1,
          bytesOut: bytes.length,
          packetsIn: 0,
          bytesIn: 0,
          lastReceivedMs: receivedMs,
        });
        expect(stamps.lastSentMs).toBeGreaterThanOrEqual(receivedMs);
        expect(stamps.lastSentMs).toBeLessThanOrEqual(harness.now());
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
        open();
        harness.fromAdapter(build());
        expect(await harness.take()).toEqual({ ...NOTHING, upcalls: [packet(build())] });
        expect(datapath.readPeer(PEER)!.packetsOut).toBe(0);
      });

      it('takes each of our addresses, preferred or not', async () => {
        open();
        datapath.setAddresses([US_BEFORE, US]);
        const bytes = udp(OUT, 4000, 53);
        harness.fromAdapter(bytes);
        expect((await harness.take()).transmitted).toEqual([{ to: home, bytes }]);
        datapath.setAddresses([US_BEFORE]);
        harness.fromAdapter(bytes);
        expect((await harness.take()).upcalls).toEqual([packet(bytes)]);
      });
    });

    describe('inbound', () => {
      it('delivers what a peer sends us from its endpoint in a passing flow, and stamps it', async () => {
        open();
        await harness.advance(50);
        const before = harness.now();
        const bytes = udp(IN, 53, 4000);
        harness.fromSocket(home, bytes);
        expect(await harness.take()).toEqual({ ...NOTHING, delivered: [bytes] });
        const stamps = datapath.readPeer(PEER)!;
        expect(stamps).toMatchObject({
          packetsIn: 1,
          bytesIn: bytes.length,
          packetsOut: 0,
          bytesOut: 0,
          lastSentMs: 0,
        });
        expect(stamps.lastReceivedMs).toBeGreaterThanOrEqual(before);
        expect(stamps.lastReceivedMs).toBeLessThanOrEqual(harness.now());
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
          () =>
            buildDatagram({ origin: { ip: 0xc0000202, port: 4096 }, packet: udp(IN, 53, 4000) }),
        ],
        ['that is empty', 0, () => new Uint8Array(0)],
      ] as const)('sends a datagram up %s', async (_, endpoint, build) => {
        open();
        const from = harness.endpoints[endpoint];
        harness.fromSocket(from, build());
        const taken = await harness.take();
        expect(taken.delivered).toEqual([]);
        expect(taken.upcalls.map((u) => (u.kind === 'datagram' ? [...u.bytes] : u))).toEqual([
          [...build()],
        ]);
        expect(taken.upcalls).toMatchObject([{ from, ring: 'other' }]);
        expect(datapath.readPeer(PEER)!.packetsIn).toBe(0);
      });
    });

    describe('validity', () => {
      it('ends for sending when the last reception is validMs ago, and not before', async () => {
        open();
        const bytes = udp(OUT, 4000, 53);
        await harness.advance(validMs / 3);
        harness.fromAdapter(bytes);
        expect((await harness.take()).transmitted).toHaveLength(1);
        await harness.advance(validMs);
        harness.fromAdapter(bytes);
        expect(await harness.take()).toEqual({ ...NOTHING, upcalls: [packet(bytes)] });
      });

      it('is renewed by what the peer sends, also after it has ended (RFC 4380 §5.2.3 case 1)', async () => {
        open();
        await harness.advance(validMs + 10);
        const bytes = udp(IN, 53, 4000);
        harness.fromSocket(home, bytes);
        expect((await harness.take()).delivered).toEqual([bytes]);
        harness.fromAdapter(udp(OUT, 4000, 53));
        expect((await harness.take()).transmitted).toHaveLength(1);
      });

      it('is not renewed by sending', async () => {
        open();
        const { lastReceivedMs } = datapath.readPeer(PEER)!;
        await harness.advance(validMs / 3);
        harness.fromAdapter(udp(OUT, 4000, 53));
        await harness.take();
        expect(datapath.readPeer(PEER)!.lastReceivedMs).toBe(lastReceivedMs);
      });

      it('starts with the time given to setPeer; 0 is never', async () => {
        open();
        datapath.setPeer(PEER, home, 0);
        const bytes = udp(OUT, 4000, 53);
        harness.fromAdapter(bytes);
        expect(await harness.take()).toEqual({ ...NOTHING, upcalls: [packet(bytes)] });
        datapath.setPeer(PEER, home, harness.now());
        harness.fromAdapter(bytes);
        expect((await harness.take()).transmitted).toHaveLength(1);
      });
    });

    describe('peer table', () => {
      it('keeps the counters of an entry that moves to another endpoint', async () => {
        open();
        harness.fromAdapter(udp(OUT, 4000, 53));
        harness.fromSocket(home, udp(IN, 53, 4000));
        await harness.take();
        datapath.setPeer(PEER, elsewhere, harness.now());
        const bytes = udp(OUT, 4000, 53);
        harness.fromAdapter(bytes);
        harness.fromSocket(home, udp(IN, 53, 4000));
        const { transmitted, delivered } = await harness.take();
        expect(transmitted).toEqual([{ to: elsewhere, bytes }]);
        expect(delivered).toEqual([]);
        expect(datapath.readPeer(PEER)).toMatchObject({ packetsOut: 2, packetsIn: 1 });
      });

      it('forgets a removed peer', async () => {
        open();
        harness.fromAdapter(udp(OUT, 4000, 53));
        await harness.take();
        datapath.removePeer(PEER);
        datapath.removePeer(OTHER);
        expect(datapath.readPeer(PEER)).toBeUndefined();
        harness.fromAdapter(udp(OUT, 4000, 53));
        harness.fromSocket(home, udp(IN, 53, 4000));
        const taken = await harness.take();
        expect(taken.transmitted).toEqual([]);
        expect(taken.delivered).toEqual([]);
        expect(taken.upcalls).toHaveLength(2);
        datapath.setPeer(PEER, home, harness.now());
        expect(datapath.readPeer(PEER)).toMatchObject({ packetsOut: 0, lastSentMs: 0 });
      });
    });

    describe('flows', () => {
      it('drops and counts what a flow says, both ways, and stamps nothing', async () => {
        open();
        datapath.setFlow(DNS, 'drop');
        const { droppedIn = 0, droppedOut = 0 } = datapath.counters();
        const stamps = datapath.readPeer(PEER);
        harness.fromAdapter(udp(OUT, 4000, 53));
        harness.fromSocket(home, udp(IN, 53, 4000));
        expect(await harness.take()).toEqual(NOTHING);
        expect(datapath.counters()).toMatchObject({
          droppedIn: droppedIn + 1,
          droppedOut: droppedOut + 1,
        });
        expect(datapath.readPeer(PEER)).toEqual(stamps);
      });

      it('asks again after removeFlow and clearFlows', async () => {
        open();
        const bytes = udp(OUT, 4000, 53);
        datapath.removeFlow({ ...DNS });
        harness.fromAdapter(bytes);
        expect((await harness.take()).upcalls).toEqual([packet(bytes)]);
        datapath.setFlow(DNS, 'pass');
        datapath.clearFlows();
        harness.fromAdapter(bytes);
        expect((await harness.take()).upcalls).toEqual([packet(bytes)]);
      });

      it('lets what has no entry through when the default is pass, and only that', async () => {
        open();
        datapath.clearFlows();
        datapath.setDefaultVerdict('pass');
        const bytes = udp(OUT, 4000, 53);
        harness.fromAdapter(bytes);
        expect((await harness.take()).transmitted).toEqual([{ to: home, bytes }]);
        datapath.setFlow(DNS, 'drop');
        harness.fromAdapter(bytes);
        expect(await harness.take()).toEqual(NOTHING);
        datapath.clearFlows();
        datapath.setDefaultVerdict('ask');
        harness.fromAdapter(bytes);
        expect((await harness.take()).upcalls).toEqual([packet(bytes)]);
      });

      it('pass does not make up for an unknown peer or a foreign address', async () => {
        open();
        datapath.setDefaultVerdict('pass');
        harness.fromAdapter(udp({ source: US, destination: OTHER }, 1, 2));
        harness.fromAdapter(udp({ source: OTHER, destination: PEER }, 1, 2));
        harness.fromSocket(elsewhere, udp(IN, 1, 2));
        const taken = await harness.take();
        expect(taken).toMatchObject({ transmitted: [], delivered: [] });
        expect(taken.upcalls).toHaveLength(3);
      });

      it('knows TCP by its ports as seen from us', async () => {
        open();
        datapath.setFlow(
          { ...DNS, protocol: PROTOCOL.tcp, localPort: 80, remotePort: 5000 },
          'pass',
        );
        const answer = tcp(OUT, 80, 5000);
        const question = tcp(IN, 5000, 80);
        harness.fromSocket(home, question);
        harness.fromAdapter(answer);
        expect(await harness.take()).toEqual({
          transmitted: [{ to: home, bytes: answer }],
          delivered: [question],
          upcalls: [],
        });
        harness.fromAdapter(tcp(OUT, 5000, 80));
        expect((await harness.take()).upcalls).toHaveLength(1);
      });

      it('knows an ICMPv6 echo by its identifier, requests and replies alike', async () => {
        open();
        datapath.setFlow(
          { protocol: PROTOCOL.icmp6, local: US, localPort: 77, remote: PEER, remotePort: 0 },
          'pass',
        );
        harness.fromAdapter(echo(OUT, false, 77));
        harness.fromAdapter(echo(OUT, true, 77));
        harness.fromSocket(home, echo(IN, false, 77));
        harness.fromSocket(home, echo(IN, true, 77));
        const taken = await harness.take();
        expect(taken.transmitted).toHaveLength(2);
        expect(taken.delivered).toHaveLength(2);
        harness.fromAdapter(echo(OUT, false, 78));
        expect((await harness.take()).upcalls).toHaveLength(1);
      });
    });

    describe('extension headers', () => {
      it.each([
        ['hop-by-hop options', PROTOCOL.hopByHop],
        ['destination options', PROTOCOL.destinationOptions],
        ['a routing header', PROTOCOL.routing],
      ])('sends a packet with %s up, even where everything passes', async (_, header) => {
        open();
        datapath.setDefaultVerdict('pass');
        harness.fromAdapter(extended(OUT, header, PROTOCOL.udp));
        harness.fromSocket(home, extended(IN, header, PROTOCOL.udp));
        const taken = await harness.take();
        expect(taken).toMatchObject({ transmitted: [], delivered: [] });
        expect(taken.upcalls).toHaveLength(2);
      });

      it('takes a first fragment for a part of its flow', async () => {
        open();
        harness.fromAdapter(fragment(OUT, 0, true));
        expect((await harness.take()).transmitted).toHaveLength(1);
      });

      it('leaves a later fragment, which has no ports, to the default', async () => {
        open();
        harness.fromAdapter(fragment(OUT, 1232, false));
        expect((await harness.take()).upcalls).toHaveLength(1);
        datapath.setDefaultVerdict('pass');
        harness.fromAdapter(fragment(OUT, 1232, false));
        expect((await harness.take()).transmitted).toHaveLength(1);
      });
    });

    describe('probe identifier', () => {
      it('sends echo replies to it up, and nothing else', async () => {
        open();
        datapath.setDefaultVerdict('pass');
        datapath.setProbeId(0xbeef);
        const reply = echo(IN, true, 0xbeef);
        harness.fromSocket(home, reply);
        expect(await harness.take()).toEqual({ ...NOTHING, upcalls: [datagram(home, reply)] });
        harness.fromSocket(home, echo(IN, false, 0xbeef));
        harness.fromSocket(home, echo(IN, true, 0xbeee));
        harness.fromAdapter(echo(OUT, true, 0xbeef));
        const taken = await harness.take();
        expect(taken.upcalls).toEqual([]);
        expect(taken.delivered).toHaveLength(2);
        expect(taken.transmitted).toHaveLength(1);
      });
    });

    describe('handing back', () => {
      it('transmits and delivers as they are, unstamped, whatever the tables say', async () => {
        open();
        const stamps = datapath.readPeer(PEER);
        const bytes = udp(OUT, 9, 9);
        const bubble = buildBubble(PEER, US);
        datapath.transmit(home, bytes);
        datapath.transmit(sameHost, bubble);
        datapath.deliver(udp(IN, 9, 9));
        expect(await harness.take()).toEqual({
          transmitted: [
            { to: home, bytes },
            { to: sameHost, bytes: bubble },
          ],
          delivered: [udp(IN, 9, 9)],
          upcalls: [],
        });
        expect(datapath.readPeer(PEER)).toEqual(stamps);
      });

      it('counts what can not be sent or delivered and goes on', async () => {
        const before = datapath.counters();
        datapath.transmit({ ...home, port: 0 }, new Uint8Array(8));
        datapath.transmit(home, new Uint8Array(65_508));
        datapath.deliver(new Uint8Array(0));
        datapath.deliver(new Uint8Array([0xf0, 1, 2, 3]));
        expect(await harness.take()).toEqual(NOTHING);
        const after = datapath.counters();
        expect(after['transmitErrors']! - (before['transmitErrors'] ?? 0)).toBe(2);
        expect(after['deliverErrors']! - (before['deliverErrors'] ?? 0)).toBe(2);
        datapath.transmit(home, new Uint8Array([1]));
        expect((await harness.take()).transmitted).toHaveLength(1);
      });

      it('gives every call its turn: a new entry holds for what comes next', async () => {
        open();
        const bytes = udp(OUT, 4000, 53);
        datapath.setPeer(PEER, elsewhere, harness.now());
        datapath.transmit(sameHost, new Uint8Array([1]));
        harness.fromAdapter(bytes);
        expect((await harness.take()).transmitted.map((t) => t.to)).toEqual(
          expect.arrayContaining([sameHost, elsewhere]),
        );
      });
    });

    describe('rings', () => {
      it('marks what comes from the servers, and only while they are servers', async () => {
        datapath.setServers([home]);
        harness.fromSocket(home, new Uint8Array([1]));
        harness.fromSocket(sameHost, new Uint8Array([2]));
        expect((await harness.take()).upcalls).toEqual(
          expect.arrayContaining([
            datagram(home, new Uint8Array([1]), 'server'),
            datagram(sameHost, new Uint8Array([2]), 'other'),
          ]),
        );
        datapath.setServers([]);
        harness.fromSocket(home, new Uint8Array([3]));
        expect((await harness.take()).upcalls).toEqual([
          datagram(home, new Uint8Array([3]), 'other'),
        ]);
      });

      it('are bounded: a flood of one kind is cut, counted, and crowds out no other kind', async () => {
        open();
        datapath.setServers([sameHost]);
        const flood = 20_000;
        const before = datapath.counters();
        const advertisement = new Uint8Array([1, 2, 3]);
        const local = udp(OUT, 1, 1);
        await harness.whileBusy(() => {
          for (let i = 0; i < flood; i++) harness.fromAdapter(udp(OUT, 1 + (i & 0xff), 7, 100));
          harness.fromSocket(sameHost, advertisement);
        });
        const { upcalls } = await harness.take();
        const packets = upcalls.filter((u) => u.kind === 'packet').length;
        expect(upcalls).toContainEqual(datagram(sameHost, advertisement, 'server'));
        expect(packets).toBeGreaterThan(0);
        expect(packets).toBeLessThan(flood);
        const after = datapath.counters();
        expect(after['lostAdapter']! - (before['lostAdapter'] ?? 0)).toBe(flood - packets);
        expect(after['lostServer'] ?? 0).toBe(before['lostServer'] ?? 0);
        harness.fromAdapter(local);
        expect((await harness.take()).upcalls).toEqual([packet(local)]);
      });

      it('keep room for the server and the adapter under a flood from the network', async () => {
        datapath.setServers([sameHost]);
        const local = udp(OUT, 1, 1);
        await harness.whileBusy(() => {
          for (let i = 0; i < 2000; i++) harness.fromSocket(elsewhere, new Uint8Array(1200));
          harness.fromAdapter(local);
        });
        harness.fromSocket(sameHost, new Uint8Array([9]));
        const { upcalls } = await harness.take();
        const junk = upcalls.filter((u) => u.kind === 'datagram' && u.ring === 'other').length;
        expect(junk).toBeGreaterThan(0);
        expect(junk).toBeLessThan(2000);
        expect(upcalls).toContainEqual(packet(local));
        expect(upcalls).toContainEqual(datagram(sameHost, new Uint8Array([9]), 'server'));
      });

      it('carry ICMPv4 errors with the endpoint of our datagram', async ({ skip }) => {
        if (!harness.fromSocketError) skip();
        harness.fromSocketError!(home, 3, 3);
        expect((await harness.take()).upcalls).toEqual([
          { kind: 'icmp4', to: home, type: 3, code: 3 },
        ]);
      });
    });

    it('does nothing after close, which may be called twice; counters stay readable', async () => {
      open();
      harness.fromAdapter(udp(OUT, 4000, 53));
      await harness.take();
      const before = datapath.counters();
      datapath.close();
      datapath.close();
      datapath.transmit(home, new Uint8Array([1]));
      datapath.deliver(udp(IN, 53, 4000));
      datapath.setPeer(PEER, home, harness.now());
      expect(await harness.take()).toEqual(NOTHING);
      expect(datapath.counters()).toEqual(before);
    });
  });
}
