// Holds the datapath contract's tests of handing back, of the rings and of the end; `contract.ts` runs them.
import { describe, expect, it } from 'vitest';
import { buildBubble } from '../../../engine/wire/index.ts';
import { NOTHING, IN, OUT, datagram, packet } from './bench.ts';
import type { Bench } from './bench.ts';
import { PEER, US, udp } from './packets.ts';

export function contractRings(bench: Bench): void {
  describe('handing back', () => {
    it('transmits and delivers as they are, unstamped, whatever the tables say', async () => {
      bench.open();
      const stamps = bench.datapath.readPeer(PEER);
      const bytes = udp(OUT, 9, 9);
      const bubble = buildBubble(PEER, US);
      bench.datapath.transmit(bench.home, bytes);
      bench.datapath.transmit(bench.sameHost, bubble);
      bench.datapath.deliver(udp(IN, 9, 9));
      expect(await bench.harness.take()).toEqual({
        transmitted: [
          { to: bench.home, bytes },
          { to: bench.sameHost, bytes: bubble },
        ],
        delivered: [udp(IN, 9, 9)],
        upcalls: [],
      });
      expect(bench.datapath.readPeer(PEER)).toEqual(stamps);
    });

    it('counts what can not be sent or delivered and goes on', async () => {
      const before = bench.datapath.counters();
      bench.datapath.transmit({ ...bench.home, port: 0 }, new Uint8Array(8));
      bench.datapath.transmit(bench.home, new Uint8Array(65_508));
      bench.datapath.deliver(new Uint8Array(0));
      bench.datapath.deliver(new Uint8Array([0xf0, 1, 2, 3]));
      expect(await bench.harness.take()).toEqual(NOTHING);
      const after = bench.datapath.counters();
      expect(after['transmitErrors']! - (before['transmitErrors'] ?? 0)).toBe(2);
      expect(after['deliverErrors']! - (before['deliverErrors'] ?? 0)).toBe(2);
      bench.datapath.transmit(bench.home, new Uint8Array([1]));
      expect((await bench.harness.take()).transmitted).toHaveLength(1);
    });

    it('gives every call its turn: a new entry holds for what comes next', async () => {
      bench.open();
      const bytes = udp(OUT, 4000, 53);
      bench.datapath.setPeer(PEER, bench.elsewhere, bench.harness.now());
      bench.datapath.transmit(bench.sameHost, new Uint8Array([1]));
      bench.harness.fromAdapter(bytes);
      expect((await bench.harness.take()).transmitted.map((t) => t.to)).toEqual(
        expect.arrayContaining([bench.sameHost, bench.elsewhere]),
      );
    });
  });

  describe('rings', () => {
    it('marks what comes from the servers, and only while they are servers', async () => {
      bench.datapath.setServers([bench.home]);
      bench.harness.fromSocket(bench.home, new Uint8Array([1]));
      bench.harness.fromSocket(bench.sameHost, new Uint8Array([2]));
      expect((await bench.harness.take()).upcalls).toEqual(
        expect.arrayContaining([
          datagram(bench.home, new Uint8Array([1]), 'server'),
          datagram(bench.sameHost, new Uint8Array([2]), 'other'),
        ]),
      );
      bench.datapath.setServers([]);
      bench.harness.fromSocket(bench.home, new Uint8Array([3]));
      expect((await bench.harness.take()).upcalls).toEqual([
        datagram(bench.home, new Uint8Array([3]), 'other'),
      ]);
    });

    it('are bounded: a flood of one kind is cut, counted, and crowds out no other kind', async () => {
      bench.open();
      bench.datapath.setServers([bench.sameHost]);
      const flood = 20_000;
      const before = bench.datapath.counters();
      const advertisement = new Uint8Array([1, 2, 3]);
      const local = udp(OUT, 1, 1);
      await bench.harness.whileBusy(() => {
        for (let i = 0; i < flood; i++) bench.harness.fromAdapter(udp(OUT, 1 + (i & 0xff), 7, 100));
        bench.harness.fromSocket(bench.sameHost, advertisement);
      });
      const { upcalls } = await bench.harness.take();
      const packets = upcalls.filter((u) => u.kind === 'packet').length;
      expect(upcalls).toContainEqual(datagram(bench.sameHost, advertisement, 'server'));
      expect(packets).toBeGreaterThan(0);
      expect(packets).toBeLessThan(flood);
      const after = bench.datapath.counters();
      expect(after['lostAdapter']! - (before['lostAdapter'] ?? 0)).toBe(flood - packets);
      expect(after['lostServer'] ?? 0).toBe(before['lostServer'] ?? 0);
      bench.harness.fromAdapter(local);
      expect((await bench.harness.take()).upcalls).toEqual([packet(local)]);
    });

    it('keep room for the server and the adapter under a flood from the network', async () => {
      bench.datapath.setServers([bench.sameHost]);
      const local = udp(OUT, 1, 1);
      await bench.harness.whileBusy(() => {
        for (let i = 0; i < 2000; i++)
          bench.harness.fromSocket(bench.elsewhere, new Uint8Array(1200));
        bench.harness.fromAdapter(local);
      });
      bench.harness.fromSocket(bench.sameHost, new Uint8Array([9]));
      const { upcalls } = await bench.harness.take();
      const junk = upcalls.filter((u) => u.kind === 'datagram' && u.ring === 'other').length;
      expect(junk).toBeGreaterThan(0);
      expect(junk).toBeLessThan(2000);
      expect(upcalls).toContainEqual(packet(local));
      expect(upcalls).toContainEqual(datagram(bench.sameHost, new Uint8Array([9]), 'server'));
    });

    it('carry ICMPv4 errors with the endpoint of our datagram', async ({ skip }) => {
      if (!bench.harness.fromSocketError) skip();
      bench.harness.fromSocketError!(bench.home, 3, 3);
      expect((await bench.harness.take()).upcalls).toEqual([
        { kind: 'icmp4', to: bench.home, type: 3, code: 3 },
      ]);
    });
  });

  it('does nothing after close, which may be called twice; counters stay readable', async () => {
    bench.open();
    bench.harness.fromAdapter(udp(OUT, 4000, 53));
    await bench.harness.take();
    bench.datapath.close();
    // Its threads count until then.
    const before = bench.datapath.counters();
    expect(before['packetsOut']).toBe(1);
    bench.datapath.close();
    bench.datapath.transmit(bench.home, new Uint8Array([1]));
    bench.datapath.deliver(udp(IN, 53, 4000));
    bench.datapath.setPeer(PEER, bench.home, bench.harness.now());
    expect(await bench.harness.take()).toEqual(NOTHING);
    expect(bench.datapath.counters()).toEqual(before);
  });
}
