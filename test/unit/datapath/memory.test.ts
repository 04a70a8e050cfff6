// The datapath in pure TypeScript: the contract, and what is its own: hold and release, order of rings, no throw on random bytes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryDatapath, RING_BYTES, RING_PACKETS } from '../../../engine/datapath/memory.ts';
import type { Upcall } from '../../../engine/datapath/types.ts';
import type { Endpoint } from '../../../engine/wire/index.ts';
import { datapathContract } from './contract.ts';
import type { DatapathHarness } from './contract.ts';
import { PEER, US, udp } from './packets.ts';

const HOME: Endpoint = { ip: 0xc6336401, port: 40000 };
const SAME_HOST: Endpoint = { ip: 0xc6336401, port: 3544 };
const ELSEWHERE: Endpoint = { ip: 0xcb007105, port: 50000 };

interface World {
  clock: number;
  transmitted: { to: Endpoint; bytes: Uint8Array }[];
  delivered: Uint8Array[];
  batches: Upcall[][];
}

function world(onBatch?: (batch: readonly Upcall[], datapath: MemoryDatapath) => void) {
  const state: World = { clock: 1000, transmitted: [], delivered: [], batches: [] };
  const datapath: MemoryDatapath = new MemoryDatapath({
    validMs: 300,
    now: () => state.clock,
    transmit: (to, bytes) => void state.transmitted.push({ to, bytes }),
    deliver: (packet) => void state.delivered.push(packet),
    upcall: (batch) => {
      state.batches.push([...batch]);
      onBatch?.(batch, datapath);
    },
  });
  return { state, datapath };
}

datapathContract('memory', ({ validMs }) => {
  let clock = 1000;
  let transmitted: { to: Endpoint; bytes: Uint8Array }[] = [];
  let delivered: Uint8Array[] = [];
  let upcalls: Upcall[] = [];
  const datapath = new MemoryDatapath({
    validMs,
    now: () => clock,
    transmit: (to, bytes) => void transmitted.push({ to, bytes }),
    deliver: (packet) => void delivered.push(packet),
    upcall: (batch) => void upcalls.push(...batch),
  });
  const harness: DatapathHarness = {
    datapath,
    endpoints: [HOME, SAME_HOST, ELSEWHERE],
    now: () => clock,
    advance: (ms) => {
      clock += ms;
      return Promise.resolve();
    },
    fromAdapter: (packet) => datapath.fromAdapter(packet),
    fromSocket: (from, bytes) => datapath.fromSocket(from, bytes),
    fromSocketError: (to, type, code) => datapath.fromSocketError(to, type, code),
    whileBusy: (play) => {
      datapath.hold();
      play();
      datapath.release();
      return Promise.resolve();
    },
    take: () => {
      const taken = { transmitted, delivered, upcalls };
      transmitted = [];
      delivered = [];
      upcalls = [];
      return Promise.resolve(taken);
    },
    close: () => {
      datapath.close();
      return Promise.resolve();
    },
  };
  return Promise.resolve(harness);
});

describe('MemoryDatapath', () => {
  it('is valid for less than validMs, to the millisecond (RFC 4380 §5.2.4)', () => {
    const { state, datapath } = world();
    datapath.setAddresses([US]);
    datapath.setDefaultVerdict('pass');
    datapath.setPeer(PEER, HOME, 1000);
    const bytes = udp({ source: US, destination: PEER }, 1, 2);
    state.clock = 1299;
    datapath.fromAdapter(bytes);
    expect(state.transmitted).toHaveLength(1);
    state.clock = 1300;
    datapath.fromAdapter(bytes);
    expect(state.transmitted).toHaveLength(1);
  });

  it('takes 0 for never, even in the first moments of its clock', () => {
    const { state, datapath } = world();
    state.clock = 100;
    datapath.setAddresses([US]);
    datapath.setDefaultVerdict('pass');
    datapath.setPeer(PEER, HOME, 0);
    datapath.fromAdapter(udp({ source: US, destination: PEER }, 1, 2));
    expect(state.transmitted).toEqual([]);
    expect(state.batches).toHaveLength(1);
  });

  it('hands over the server ring first', () => {
    const { state, datapath } = world();
    datapath.setServers([SAME_HOST]);
    datapath.hold();
    datapath.fromSocket(ELSEWHERE, new Uint8Array([1]));
    datapath.fromAdapter(new Uint8Array([2]));
    datapath.fromSocket(SAME_HOST, new Uint8Array([3]));
    expect(state.batches).toEqual([]);
    datapath.release();
    expect(state.batches).toHaveLength(1);
    expect(state.batches[0]!.map((u) => (u.kind === 'icmp4' ? -1 : u.bytes[0]))).toEqual([3, 2, 1]);
  });

  it('bounds each ring in packets and in bytes', () => {
    const { state, datapath } = world();
    datapath.hold();
    for (let i = 0; i < RING_PACKETS + 5; i++) datapath.fromSocket(HOME, new Uint8Array([1]));
    for (let i = 0; i < 30; i++) datapath.fromAdapter(new Uint8Array(RING_BYTES / 16));
    datapath.release();
    expect(state.batches[0]!.filter((u) => u.kind === 'datagram')).toHaveLength(RING_PACKETS);
    expect(state.batches[0]!.filter((u) => u.kind === 'packet')).toHaveLength(16);
    expect(datapath.counters()).toMatchObject({ lostOther: 5, lostAdapter: 14, lostServer: 0 });
  });

  it('does not call the receiver while it is still busy', () => {
    let depth = 0;
    let deepest = 0;
    let left = 3;
    const { state, datapath } = world((_, inner) => {
      deepest = Math.max(deepest, ++depth);
      if (left-- > 0) inner.fromSocket(HOME, new Uint8Array([left]));
      depth--;
    });
    datapath.fromSocket(HOME, new Uint8Array([9]));
    expect(deepest).toBe(1);
    expect(state.batches).toHaveLength(4);
  });

  it('gives the receiver bytes of its own', () => {
    const { state, datapath } = world();
    const bytes = new Uint8Array([1, 2, 3]);
    datapath.fromSocket(HOME, bytes);
    bytes.fill(0);
    expect(state.batches[0]).toMatchObject([{ bytes: new Uint8Array([1, 2, 3]) }]);
  });

  it('accounts for every random packet and throws at none', () => {
    const ends = [
      { source: US, destination: PEER },
      { source: PEER, destination: US },
    ];
    const mutated = fc
      .tuple(
        fc.constantFrom(...ends),
        fc.array(fc.tuple(fc.nat(67), fc.nat(255)), { maxLength: 4 }),
        fc.nat(68),
      )
      .map(([pair, changes, length]) => {
        const bytes = udp(pair, 4000, 53);
        for (const [at, value] of changes) bytes[at] = value;
        return bytes.slice(0, length);
      });
    const input = fc.oneof(mutated, fc.uint8Array({ maxLength: 100 }));
    fc.assert(
      fc.property(
        input,
        fc.boolean(),
        fc.constantFrom('ask' as const, 'pass' as const),
        (bytes, isOut, verdict) => {
          const { state, datapath } = world();
          datapath.setAddresses([US]);
          datapath.setPeer(PEER, HOME, 1000);
          datapath.setDefaultVerdict(verdict);
          if (isOut) datapath.fromAdapter(bytes);
          else datapath.fromSocket(HOME, bytes);
          const { transmitted, delivered, batches } = state;
          expect(transmitted.length + delivered.length + batches.flat().length).toBe(1);
        },
      ),
      { numRuns: 500 },
    );
  });
});
