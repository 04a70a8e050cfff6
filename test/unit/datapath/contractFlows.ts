// Holds the datapath contract's tests of flows, extension headers and the probe identifier; `contract.ts` runs them.
import { describe, expect, it } from 'vitest';
import { PROTOCOL } from '../../../engine/wire/index.ts';
import { NOTHING, IN, OUT, DNS, datagram, packet } from './bench.ts';
import type { Bench } from './bench.ts';
import { OTHER, PEER, US, echo, extended, fragment, tcp, udp } from './packets.ts';

export function contractFlows(bench: Bench): void {
  describe('flows', () => {
    it('drops and counts what a flow says, both ways, and stamps nothing', async () => {
      bench.open();
      bench.datapath.setFlow(DNS, 'drop');
      const { droppedIn = 0, droppedOut = 0 } = bench.datapath.counters();
      const stamps = bench.datapath.readPeer(PEER);
      bench.harness.fromAdapter(udp(OUT, 4000, 53));
      bench.harness.fromSocket(bench.home, udp(IN, 53, 4000));
      expect(await bench.harness.take()).toEqual(NOTHING);
      expect(bench.datapath.counters()).toMatchObject({
        droppedIn: droppedIn + 1,
        droppedOut: droppedOut + 1,
      });
      expect(bench.datapath.readPeer(PEER)).toEqual(stamps);
    });

    it('asks again after removeFlow and clearFlows', async () => {
      bench.open();
      const bytes = udp(OUT, 4000, 53);
      bench.datapath.removeFlow({ ...DNS });
      bench.harness.fromAdapter(bytes);
      expect((await bench.harness.take()).upcalls).toEqual([packet(bytes)]);
      bench.datapath.setFlow(DNS, 'pass');
      bench.datapath.clearFlows();
      bench.harness.fromAdapter(bytes);
      expect((await bench.harness.take()).upcalls).toEqual([packet(bytes)]);
    });

    it('lets what has no entry through when the default is pass, and only that', async () => {
      bench.open();
      bench.datapath.clearFlows();
      bench.datapath.setDefaultVerdict('pass');
      const bytes = udp(OUT, 4000, 53);
      bench.harness.fromAdapter(bytes);
      expect((await bench.harness.take()).transmitted).toEqual([{ to: bench.home, bytes }]);
      bench.datapath.setFlow(DNS, 'drop');
      bench.harness.fromAdapter(bytes);
      expect(await bench.harness.take()).toEqual(NOTHING);
      bench.datapath.clearFlows();
      bench.datapath.setDefaultVerdict('ask');
      bench.harness.fromAdapter(bytes);
      expect((await bench.harness.take()).upcalls).toEqual([packet(bytes)]);
    });

    it('lets what comes in rest while a flow waits, and delivers it in order once it passes', async () => {
      bench.open();
      bench.datapath.setFlow(DNS, 'wait');
      const early = [1, 2, 3].map((size) => udp(IN, 53, 4000, size));
      for (const bytes of early) bench.harness.fromSocket(bench.home, bytes);
      expect(await bench.harness.take()).toEqual(NOTHING);
      expect(bench.datapath.readPeer(PEER)).toMatchObject({ packetsIn: 0, bytesIn: 0 });
      // Another flow's verdict is none for this one.
      bench.datapath.setFlow({ ...DNS, localPort: 1 }, 'pass');
      expect(await bench.harness.take()).toEqual(NOTHING);
      bench.datapath.setFlow(DNS, 'pass');
      const late = udp(IN, 53, 4000, 4);
      bench.harness.fromSocket(bench.home, late);
      expect(await bench.harness.take()).toEqual({ ...NOTHING, delivered: [...early, late] });
      expect(bench.datapath.readPeer(PEER)).toMatchObject({ packetsIn: 4 });
      expect(bench.datapath.counters()).toMatchObject({ restingDropped: 0 });
    });

    it.each([
      ['is to be dropped', () => bench.datapath.setFlow(DNS, 'drop')],
      ['is removed', () => bench.datapath.removeFlow({ ...DNS })],
      ['is cleared with all others', () => bench.datapath.clearFlows()],
    ])('drops and counts what rested when its flow %s', async (_, change) => {
      bench.open();
      bench.datapath.setFlow(DNS, 'wait');
      bench.harness.fromSocket(bench.home, udp(IN, 53, 4000));
      expect(await bench.harness.take()).toEqual(NOTHING);
      change();
      expect(await bench.harness.take()).toEqual(NOTHING);
      expect(bench.datapath.counters()).toMatchObject({ restingDropped: 1 });
      bench.datapath.setFlow(DNS, 'pass');
      expect(await bench.harness.take()).toEqual(NOTHING);
    });

    it('sends up what programs send while a flow waits, and what has no flow', async () => {
      bench.open();
      bench.datapath.setFlow(DNS, 'wait');
      bench.harness.fromAdapter(udp(OUT, 4000, 53));
      bench.harness.fromSocket(bench.home, udp(IN, 54, 4000));
      bench.harness.fromSocket(bench.elsewhere, udp(IN, 53, 4000));
      const taken = await bench.harness.take();
      expect(taken).toMatchObject({ transmitted: [], delivered: [] });
      expect(taken.upcalls).toHaveLength(3);
    });

    it('rests a bounded number of bytes, and counts what there is no room for', async () => {
      bench.open();
      bench.datapath.setFlow(DNS, 'wait');
      const counted = (): number => bench.datapath.counters()['restingDropped']!;
      const bytes = udp(IN, 53, 4000, 4_000);
      const room = 8 << 20;
      for (let batch = 0; batch < 25 && counted() === 0; batch++) {
        // It waits anew: however slow the machine is, this is no test of how long.
        bench.datapath.setFlow(DNS, 'wait');
        for (let i = 0; i < 100; i++) bench.harness.fromSocket(bench.home, bytes);
        await bench.harness.take();
      }
      expect(counted()).toBeGreaterThan(0);
      bench.datapath.setFlow(DNS, 'pass');
      await bench.harness.take();
      const { bytesIn } = bench.datapath.readPeer(PEER)!;
      expect(bytesIn).toBeGreaterThan(room * 0.9);
      expect(bytesIn).toBeLessThanOrEqual(room);
    });

    it('pass does not make up for an unknown peer or a foreign address', async () => {
      bench.open();
      bench.datapath.setDefaultVerdict('pass');
      bench.harness.fromAdapter(udp({ source: US, destination: OTHER }, 1, 2));
      bench.harness.fromAdapter(udp({ source: OTHER, destination: PEER }, 1, 2));
      bench.harness.fromSocket(bench.elsewhere, udp(IN, 1, 2));
      const taken = await bench.harness.take();
      expect(taken).toMatchObject({ transmitted: [], delivered: [] });
      expect(taken.upcalls).toHaveLength(3);
    });

    it('knows TCP by its ports as seen from us', async () => {
      bench.open();
      bench.datapath.setFlow(
        { ...DNS, protocol: PROTOCOL.tcp, localPort: 80, remotePort: 5000 },
        'pass',
      );
      const answer = tcp(OUT, 80, 5000);
      const question = tcp(IN, 5000, 80);
      bench.harness.fromSocket(bench.home, question);
      bench.harness.fromAdapter(answer);
      expect(await bench.harness.take()).toEqual({
        transmitted: [{ to: bench.home, bytes: answer }],
        delivered: [question],
        upcalls: [],
      });
      bench.harness.fromAdapter(tcp(OUT, 5000, 80));
      expect((await bench.harness.take()).upcalls).toHaveLength(1);
    });

    it('knows an ICMPv6 echo by its identifier, requests and replies alike', async () => {
      bench.open();
      bench.datapath.setFlow(
        { protocol: PROTOCOL.icmp6, local: US, localPort: 77, remote: PEER, remotePort: 0 },
        'pass',
      );
      bench.harness.fromAdapter(echo(OUT, false, 77));
      bench.harness.fromAdapter(echo(OUT, true, 77));
      bench.harness.fromSocket(bench.home, echo(IN, false, 77));
      bench.harness.fromSocket(bench.home, echo(IN, true, 77));
      const taken = await bench.harness.take();
      expect(taken.transmitted).toHaveLength(2);
      expect(taken.delivered).toHaveLength(2);
      bench.harness.fromAdapter(echo(OUT, false, 78));
      expect((await bench.harness.take()).upcalls).toHaveLength(1);
    });
  });

  describe('extension headers', () => {
    it.each([
      ['hop-by-hop options', PROTOCOL.hopByHop],
      ['destination options', PROTOCOL.destinationOptions],
      ['a routing header', PROTOCOL.routing],
    ])('sends a packet with %s up, even where everything passes', async (_, header) => {
      bench.open();
      bench.datapath.setDefaultVerdict('pass');
      bench.harness.fromAdapter(extended(OUT, header, PROTOCOL.udp));
      bench.harness.fromSocket(bench.home, extended(IN, header, PROTOCOL.udp));
      const taken = await bench.harness.take();
      expect(taken).toMatchObject({ transmitted: [], delivered: [] });
      expect(taken.upcalls).toHaveLength(2);
    });

    it('takes a fragment that is the whole packet for a part of its flow (RFC 6946)', async () => {
      bench.open();
      bench.harness.fromAdapter(fragment(OUT, 0, false));
      expect((await bench.harness.take()).transmitted).toHaveLength(1);
    });

    it.each([
      ['the first fragment', 0, true],
      ['a later one', 1232, false],
    ] as const)('leaves %s to the default', async (_, offset, more) => {
      bench.open();
      bench.harness.fromAdapter(fragment(OUT, offset, more));
      expect((await bench.harness.take()).upcalls).toHaveLength(1);
      bench.datapath.setDefaultVerdict('pass');
      bench.harness.fromAdapter(fragment(OUT, offset, more));
      expect((await bench.harness.take()).transmitted).toHaveLength(1);
    });
  });

  describe('probe identifier', () => {
    it('sends echo replies to it up, and nothing else', async () => {
      bench.open();
      bench.datapath.setDefaultVerdict('pass');
      bench.datapath.setProbeId(0xbeef);
      const reply = echo(IN, true, 0xbeef);
      bench.harness.fromSocket(bench.home, reply);
      expect(await bench.harness.take()).toEqual({
        ...NOTHING,
        upcalls: [datagram(bench.home, reply)],
      });
      bench.harness.fromSocket(bench.home, echo(IN, false, 0xbeef));
      bench.harness.fromSocket(bench.home, echo(IN, true, 0xbeee));
      bench.harness.fromAdapter(echo(OUT, true, 0xbeef));
      const taken = await bench.harness.take();
      expect(taken.upcalls).toEqual([]);
      expect(taken.delivered).toHaveLength(2);
      expect(taken.transmitted).toHaveLength(1);
    });
  });
}
