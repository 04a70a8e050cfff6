// Tests the native datapath at its edges: full rings and tables, errors of the system, ends of every kind.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nativeAddon } from '../../../engine/host/addon.ts';
import { HostError } from '../../../engine/host/types.ts';
import type { Upcall } from '../../../engine/datapath/types.ts';
import { openDatapath } from '../../../engine/host/linux-datapath.ts';
import {
  buildAddon,
  Line,
  LOOPBACK,
  OURS,
  PEER,
  STRANGER,
  udpPacket,
  until,
  watched,
} from './line.ts';

beforeAll(buildAddon, 120_000);

let line: Line;
beforeEach(() => {
  line = new Line();
});
afterEach(() => line.close());

/** Blocks the JavaScript thread, so that nobody drains the rings. */
const sleep = (ms: number): void =>
  void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
const threads = (): string[] =>
  readdirSync('/proc/self/task').map((id) =>
    readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim(),
  );
const descriptors = (): number => readdirSync('/proc/self/fd').length;

describe('rings', () => {
  test("junk from strangers fills its own ring only: the server's datagram and a local packet still come up", async () => {
    const server = watched(null, { ip: LOOPBACK, port: 0 });
    const stranger = watched(null, { ip: LOOPBACK, port: 0 });
    try {
      line.datapath.setServers([server.datapath.local]);
      const junk = new Uint8Array(1200).fill(0xee);
      for (let i = 0; i < 40; i++) {
        for (let j = 0; j < 50; j++) stranger.datapath.transmit(line.datapath.local, junk);
        sleep(2);
      }
      server.datapath.transmit(line.datapath.local, new Uint8Array([1]));
      line.fromAdapter(udpPacket(OURS, STRANGER));
      sleep(20);
      const counters = line.datapath.counters();
      expect(counters['lostOther']).toBeGreaterThan(1000);
      expect(counters['upcallsOther']! * (1200 + 16)).toBeLessThanOrEqual(512 * 1024);
      expect(counters).toMatchObject({
        upcallsServer: 1,
        upcallsAdapter: 1,
        lostServer: 0,
        lostAdapter: 0,
      });
      await until('everything', () => line.under.upcalls.length === counters['upcallsOther']! + 2);
      expect(line.under.upcalls[0]).toMatchObject({ kind: 'datagram', ring: 'server' });
      expect(
        line.under.upcalls.filter((u) => u.kind === 'datagram' && u.bytes.length === 1200),
      ).toHaveLength(counters['upcallsOther']!);
    } finally {
      server.datapath.close();
      stranger.datapath.close();
    }
  });

  test('a stranger that floods uses up its own budget, not that of the next one', async () => {
    const [flooder, other] = [LOOPBACK, LOOPBACK + 1].map((ip) => watched(null, { ip, port: 0 }));
    try {
      const begin = performance.now();
      for (let i = 0; i < 30; i++) {
        for (let j = 0; j < 100; j++)
          flooder!.datapath.transmit(line.datapath.local, new Uint8Array([0xee]));
        sleep(2);
      }
      other!.datapath.transmit(line.datapath.local, new Uint8Array([1]));
      const isOther = (upcall: Upcall): boolean =>
        upcall.kind === 'datagram' && upcall.from.ip === other!.datapath.local.ip;
      await until('the other', () => line.under.upcalls.find(isOther));
      const seconds = (performance.now() - begin) / 1000;
      // A thousand at once and 500 a second.
      expect(line.under.upcalls.length).toBeLessThanOrEqual(1_002 + 500 * seconds);
      expect(line.datapath.counters()['lostOther']).toBeGreaterThan(0);
    } finally {
      flooder!.datapath.close();
      other!.datapath.close();
    }
  });

  test('the ring is usable again and again, whatever the sizes', async () => {
    const from = await line.addNeighbour();
    let sent = 0;
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 40; i++, sent++)
        line.fromSocket(from, new Uint8Array(((sent * 397) % 2000) + 1).fill(sent & 0xff));
      await until('a round', () => line.under.upcalls.length === sent);
    }
    line.under.upcalls.forEach((upcall, i) => {
      const expected = new Uint8Array(((i * 397) % 2000) + 1).fill(i & 0xff);
      expect(upcall.kind === 'datagram' && Buffer.compare(upcall.bytes, expected)).toBe(0);
    });
    expect(line.datapath.counters()).toMatchObject({ upcallsOther: sent, lostOther: 0 });
  });
});

describe('tables', () => {
  test('hold what they were opened for, say when they are full, and take new entries for removed ones', () => {
    const [near, far] = nativeAddon().socketpair();
    const native = nativeAddon().openDatapath({
      tun: [near],
      vnetHeader: false,
      bind: { ip: LOOPBACK, port: 0 },
      validMs: 30_000,
      offloads: true,
      maxPeers: 1000,
      maxFlows: 10,
      onWake: () => undefined,
    });
    try {
      const stamps = new Float64Array(6);
      for (let i = 0n; i < 1000n; i++) expect(native.setPeer(i, 1, 1, Number(i) + 1)).toBe(true);
      expect(native.setPeer(1000n, 1, 1, 1)).toBe(false);
      expect(native.setPeer(999n, 1, 2, 5)).toBe(true);
      for (let round = 0n; round < 50n; round++) {
        for (let i = 0n; i < 1000n; i++) {
          native.removePeer(round * 1000n + i);
          expect(native.setPeer((round + 1n) * 1000n + i, 7, 7, Number(i) + 1)).toBe(true);
        }
        for (let i = 0n; i < 1000n; i += 37n) {
          expect(native.readPeer(round * 1000n + i, stamps)).toBe(false);
          expect(native.readPeer((round + 1n) * 1000n + i, stamps)).toBe(true);
          expect([...stamps]).toEqual([Number(i) + 1, 0, 0, 0, 0, 0]);
        }
      }
      for (let i = 0; i < 10; i++) expect(native.setFlow(17, 1n, i, 2n, 2, 0)).toBe(true);
      expect(native.setFlow(17, 1n, 10, 2n, 2, 0)).toBe(false);
      native.clearFlows();
      expect(native.setFlow(17, 1n, 10, 2n, 2, 0)).toBe(true);
    } finally {
      native.close();
      nativeAddon().closeFd(far);
    }
  });

  test('changes under traffic lose nothing for the peer that stays, and bring nothing to a stranger', async () => {
    const peer = await line.addNeighbour();
    line.datapath.setAddresses([OURS]);
    line.datapath.setDefaultVerdict('pass');
    line.datapath.setPeer(PEER, peer.endpoint, nativeAddon().now());
    const packet = udpPacket(OURS, PEER);
    for (let i = 0; i < 200; i++) {
      line.fromAdapter(packet);
      for (let j = 0n; j < 100n; j++) line.datapath.setPeer(STRANGER + j, peer.endpoint, 1);
      for (let j = 0n; j < 100n; j++) line.datapath.removePeer(STRANGER + j);
      line.datapath.setAddresses([OURS]);
      if (i % 50 === 49) await until('the packets', () => peer.received.length === i + 1);
    }
    expect(line.datapath.readPeer(PEER)).toMatchObject({ packetsOut: 200 });
    line.datapath.setPeer(STRANGER, peer.endpoint, 1);
    expect(line.datapath.readPeer(STRANGER)).toMatchObject({
      packetsOut: 0,
      packetsIn: 0,
      lastSentMs: 0,
    });
    expect(line.datapath.counters()).toMatchObject({ packetsOut: 200, upcallsAdapter: 0 });
  });
});

describe('M-0602 errors of the system', () => {
  test('an ICMP error about a datagram of ours comes up, and the next datagram is not lost to it', async () => {
    const closed = await line.addNeighbour();
    const open = await line.addNeighbour();
    const gone = closed.endpoint;
    closed.socket.close();
    line.neighbours.shift();
    for (let i = 0; i < 5; i++) {
      line.datapath.transmit(gone, new Uint8Array([1]));
      line.datapath.transmit(open.endpoint, new Uint8Array([i]));
    }
    await until('the errors', () => line.under.upcalls.length === 5);
    expect(line.under.upcalls[0]).toEqual({ kind: 'icmp4', to: gone, type: 3, code: 3 });
    await until('the others', () => open.received.length === 5);
    expect(line.datapath.counters()).toMatchObject({ transmitted: 10, transmitErrors: 0 });
  });

  test('a datagram that cannot be sent is counted by its cause', () => {
    line.datapath.transmit({ ip: LOOPBACK, port: 0 }, new Uint8Array(1));
    line.datapath.transmit({ ip: LOOPBACK, port: 9 }, new Uint8Array(65_508));
    line.datapath.transmit({ ip: 0xffffffff, port: 9 }, new Uint8Array(1)); // no SO_BROADCAST: EACCES
    expect(line.datapath.counters()).toMatchObject({
      transmitted: 0,
      transmitErrors: 3,
      sendInvalid: 2,
      sendRefused: 1,
    });
  });

  test('what is no IPv6 packet is not written to the adapter, and nothing is without an adapter', () => {
    line.datapath.deliver(new Uint8Array(39).fill(0x60));
    line.datapath.deliver(new Uint8Array(60).fill(0x45));
    expect(line.datapath.counters()).toMatchObject({
      delivered: 0,
      deliverErrors: 2,
      writeInvalid: 2,
    });
    const bare = watched(null, { ip: LOOPBACK, port: 0 });
    bare.datapath.deliver(udpPacket(PEER, OURS));
    expect(bare.datapath.counters()).toMatchObject({ delivered: 0, deliverErrors: 1 });
    bare.datapath.close();
  });

  test('a datagram longer than any of Teredo is counted and dropped', async () => {
    const from = await line.addNeighbour();
    line.fromSocket(from, new Uint8Array(5000).fill(0x60));
    await until('the count', () => line.datapath.counters()['receivedTooBig'] === 1);
    expect(line.under.upcalls).toEqual([]);
  });

  test('a port in use and an address that is not ours are one sentence each', () => {
    const open = (ip: number, port: number) => (): unknown =>
      openDatapath({
        adapter: null,
        bind: { ip, port },
        validMs: 1,
        offloads: true,
        onUpcalls: () => undefined,
        onFailed: () => undefined,
      });
    const { port } = line.datapath.local;
    expect(open(LOOPBACK, port)).toThrow(
      new HostError(
        'port-taken',
        `UDP port ${port} is already in use by another program; choose another with --port.`,
      ),
    );
    expect(open(0xc0000201, 0)).toThrow(
      new HostError(
        'bind-failed',
        'The IPv4 address to bind to is not an address of this machine; choose one that is.',
      ),
    );
  });
});

describe('the end', () => {
  const isLane = (name: string): boolean => /^shipworm-(in|out)$/.test(name);

  test('an adapter that vanishes is told once, and the datapath is closed by then', async () => {
    line.far.datapath.close();
    const error = await until('the failure', () => line.under.failures[0]);
    expect(error).toBeInstanceOf(HostError);
    expect(error.code).toBe('helper-lost');
    line.datapath.transmit({ ip: LOOPBACK, port: 9 }, new Uint8Array(1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(line.under.failures).toHaveLength(1);
    expect(line.datapath.counters()).toMatchObject({ transmitted: 0 });
  });

  test('close ends the thread and every descriptor, twice is no error, and no upcall comes after it', async () => {
    const openBefore = descriptors();
    const extra = new Line();
    const from = await extra.addNeighbour();
    // Two lines of two datapaths each, with a thread for each way.
    expect(threads().filter(isLane)).toHaveLength(8);
    for (let i = 0; i < 50; i++) extra.fromSocket(from, new Uint8Array([1]));
    await until('the first', () => extra.under.upcalls[0]);
    extra.close();
    const seen = extra.under.upcalls.length;
    extra.datapath.close();
    extra.datapath.setPeer(PEER, { ip: 1, port: 1 }, 1);
    expect(extra.datapath.readPeer(PEER)).toBeUndefined();
    await until('the descriptors', () => descriptors() === openBefore);
    expect(threads().filter(isLane)).toHaveLength(4);
    expect(extra.under.upcalls).toHaveLength(seen);
  });

  test('a process that ends with an open datapath ends at once and well', () => {
    const script = `
import { openDatapath } from './engine/host/linux-datapath.ts';
      import { nativeAddon } from './engine/host/addon.ts';
      const options = { adapter: null, bind: { ip: ${LOOPBACK}, port: 0 }, validMs: 1, offloads: true, onUpcalls() {}, onFailed() {} };
      nativeAddon().openNetlink(() => {});
      for (let i = 0; i < 3; i++) openDatapath(options).transmit({ ip: ${LOOPBACK}, port: 9 }, new Uint8Array(1));
      setTimeout(() => process.exit(7), 50);`;
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      timeout: 10_000,
    });
    expect(ended.stderr.toString()).toBe('');
    expect([ended.status, ended.signal]).toEqual([7, null]);
  });

  test('a missing add-on is one sentence that says what to do', () => {
    const script = `
      import { nativeAddon } from './engine/host/addon.ts';
      try { nativeAddon(); } catch (error) { console.log(error.code + ': ' + error.message); }`;
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, SHIPWORM_NATIVE: '/nowhere/shipworm.node' },
    });
    expect(ended.stdout.toString()).toBe(
      'native-missing: The native part /nowhere/shipworm.node is missing; build it with "make -C native".\n',
    );
  });
});
