// Tests that a relay that slept does at once what was due: its timers go by the clock that counts sleep.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MemoryDatapath } from '../../../engine/datapath/memory.ts';
import { BootTimers } from '../../../engine/host/boot-timers.ts';
import type { RelayAdapter, RelayHost, SocketDatapath } from '../../../engine/host/types.ts';
import { readRelaySettings } from '../../../engine/service/relay-config.ts';
import { RelayService } from '../../../engine/service/relay-service.ts';
import {
  buildIp6Packet,
  encodeTeredo,
  parseIp4,
  parseIp6,
  PROTOCOL,
} from '../../../engine/wire/index.ts';
import { countedRandom } from '../machine.ts';

const ADDRESS = parseIp6('2001:db8::1')!;
const NETWORK = { interface: 'eth0', address: parseIp4('203.0.113.20')!, prefix: 24 };
const HOUR_MS = 3_600_000;
/** A native host's packet for a client that never answers. */
const PACKET = buildIp6Packet(
  {
    nextHeader: PROTOCOL.udp,
    hopLimit: 64,
    source: parseIp6('2001:db8::80')!,
    destination: encodeTeredo({
      server: parseIp4('192.0.2.1')!,
      flags: 0,
      client: { ip: parseIp4('198.51.100.7')!, port: 40_000 },
    }),
  },
  new Uint8Array(20),
);

/** A machine that can sleep: its clock goes on then, its timers don't. */
class Machine implements RelayHost {
  private slept = 0;
  private woken = (): void => undefined;
  socket: MemoryDatapath | null = null;
  /** Bubbles that left, by the clock. */
  readonly bubbles: number[] = [];
  readonly random = countedRandom();
  private readonly timers = new BootTimers({
    now: () => this.now(),
    watchClock: (callback) => {
      this.woken = callback;
      return () => undefined;
    },
  });

  now = (): number => performance.now() + this.slept + 1_000;
  after = (ms: number, run: () => void): (() => void) => this.timers.after(ms, run);
  networkState = () =>
    Promise.resolve({
      networks: [NETWORK],
      nativeIpv6: true,
      ipv4: true,
      route: '',
      routers: [],
      suffixes: [],
    });
  watchNetwork = () => () => undefined;
  openRelayAdapter = (): Promise<RelayAdapter> => Promise.resolve(ADAPTER);
  releaseMemory = (): void => undefined;
  native6 = () => ({
    addresses: [{ interface: 'eth0', address: ADDRESS, prefix: 64, passing: false }],
    defaultInterface: 'eth0',
  });

  openDatapath: RelayHost['openDatapath'] = ({ bind, validMs, onUpcalls }) => {
    const socket = new MemoryDatapath({
      now: this.now,
      validMs,
      upcall: onUpcalls,
      transmit: () => void this.bubbles.push(this.now()),
      deliver: () => undefined,
    });
    this.socket = socket;
    return Object.assign(socket, {
      local: bind,
      offloads: [],
      setTap: () => undefined,
      readTap: () => ({ datagrams: [], lost: 0 }),
      sleep: () => undefined,
      wake: () => undefined,
    }) satisfies SocketDatapath;
  };

  sleep(ms: number): void {
    this.slept += ms;
    this.woken();
  }
}

const ADAPTER: RelayAdapter = {
  name: 'teredo',
  index: 7,
  queues: [],
  vnetHeader: false,
  onLost: () => undefined,
  close: () => Promise.resolve(),
  startRelay: () => Promise.resolve('two'),
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('tries again at once what was due in its sleep, and goes on at its pace', async () => {
  const machine = new Machine();
  const settings = readRelaySettings(undefined, {});
  const place = { address: ADDRESS, native: 'eth0' };
  const relay = new RelayService(machine, settings, place, ADAPTER, {
    log: () => undefined,
    onFailed: (error) => {
      throw error;
    },
  });
  await relay.start();
  machine.socket!.fromAdapter(PACKET);
  expect(machine.bubbles).toHaveLength(1);
  // RFC 4380 §5.4.1: again after 2 s.
  await vi.advanceTimersByTimeAsync(500);
  machine.sleep(HOUR_MS);
  await vi.advanceTimersByTimeAsync(1);
  expect(machine.bubbles).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1_900);
  expect(machine.bubbles).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(200);
  expect(machine.bubbles).toHaveLength(3);
  await relay.close();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(machine.bubbles).toHaveLength(3);
});
