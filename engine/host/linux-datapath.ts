// Module host/linux-datapath makes the native datapath a SocketDatapath: decodes its upcalls and words its failures.
import type {
  AddressRange,
  DatapathCounters,
  DefaultVerdict,
  FlowKey,
  PeerStamps,
  Upcall,
  Verdict,
} from '../datapath/types.ts';
import type { TapRead } from '../datapath/tap.ts';
import type { Endpoint, Ip6 } from '../wire/types.ts';
import { nativeAddon } from './addon.ts';
import type { NativeDatapath, SystemError } from './addon.ts';
import { forEachRecord, tappedRecords } from './records.ts';
import { onceATurn } from './turns.ts';
import { HostError } from './types.ts';
import type { DatapathOptions, SocketDatapath } from './types.ts';

/** Bounds of the native tables; the engine keeps its own below them. What is not used takes no memory, and what was removed rests for a moment. */
const MAX_PEERS = 1_048_576 + 65_536;
const MAX_FLOWS = 131_072;

/** What the kernel calls 8 MB, twice that (socket(7)); native/datapath and the helper ask for it. */
const BUFFER_BYTES = 2 * (8 << 20);
/** The helper has a copy of a socket that it was shown for a moment, in which its port can't be had again: milliseconds, and how often. */
const COPY_WAIT_MS = 5;
const COPY_TRIES = 40;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** In the order of native/datapath/tables.h. */
const VERDICTS: readonly Verdict[] = ['pass', 'drop', 'wait'];

/** Upcalls taken at once; more are announced by another wake-up, so that timers and other I/O get their turn. */
const DRAIN_BYTES = 256 * 1024;

/** All that the native tap keeps fits. */
const TAP_BYTES = 4 * 1024 * 1024;

/** Decodes what `NativeDatapath.drain` left in the first `used` bytes; each upcall gets bytes of its own unless they are `lent`. */
function decodeUpcalls(buffer: Uint8Array, used: number, lent: boolean): Upcall[] {
  const batch: Upcall[] = [];
  forEachRecord(buffer, used, ({ kind, type, code, endpoint, bytes: borrowed }) => {
    const bytes = lent ? borrowed : borrowed.slice();
    if (kind === 2) batch.push({ kind: 'packet', bytes });
    else if (kind === 3) batch.push({ kind: 'icmp4', to: endpoint, type, code });
    else {
      const ring = kind === 0 ? 'server' : 'other';
      batch.push({ kind: 'datagram', ring, from: endpoint, bytes });
    }
  });
  return batch;
}

/** What a failed opening means to a person. */
function openError(error: SystemError, bind: Endpoint): HostError {
  const port = bind.port === 0 ? 'a UDP port' : `UDP port ${bind.port}`;
  if (error.code === 'EADDRINUSE')
    return new HostError(
      'port-taken',
      `UDP port ${bind.port} is already in use by another program; choose another with --port.`,
    );
  if (error.code === 'EACCES' || error.code === 'EPERM')
    return new HostError(
      'bind-failed',
      `This user may not use ${port}; choose one above 1023 with --port.`,
    );
  if (error.code === 'EADDRNOTAVAIL')
    return new HostError(
      'bind-failed',
      'The IPv4 address to bind to is not an address of this machine; choose one that is.',
    );
  if (error.syscall === 'getrandom')
    return new HostError(
      'no-randomness',
      'This system gives no random numbers (getrandom fails), without which nothing here is safe; allow this program that call, then start again.',
    );
  return new HostError(
    'bind-failed',
    `The datapath on ${port} can't be opened (${error.message}); mend that and start again.`,
  );
}

class LinuxDatapath implements SocketDatapath {
  local: Endpoint;
  readonly offloads: readonly string[];
  readonly #native: NativeDatapath;
  readonly #options: DatapathOptions;
  readonly #buffer = new Uint8Array(DRAIN_BYTES);
  readonly #stamps = new Float64Array(6);
  #tapBuffer: Uint8Array | null = null;
  #closed = false;
  #shown = 0;
  #peersRefused = 0;
  #flowsRefused = 0;

  constructor(options: DatapathOptions) {
    this.#options = options;
    try {
      this.#native = nativeAddon().openDatapath({
        tun: options.adapter?.queues ?? [],
        vnetHeader: options.adapter?.vnetHeader ?? false,
        offloads: options.offloads,
        bind: options.bind,
        validMs: options.validMs,
        maxPeers: MAX_PEERS,
        maxFlows: MAX_FLOWS,
        onWake: onceATurn(() => this.#onWake()),
      });
    } catch (error) {
      throw error instanceof HostError ? error : openError(error as SystemError, options.bind);
    }
    this.local = this.#native.local;
    this.offloads = this.#native.offloads;
    this.#growBuffers();
  }

  setAddresses(addresses: readonly Ip6[]): void {
    this.#native.setAddresses(addresses);
  }

  setRanges(accept: readonly AddressRange[], except: readonly AddressRange[]): void {
    this.#native.setRanges(accept, except);
  }

  setServers(endpoints: readonly Endpoint[]): void {
    this.#native.setServers(endpoints);
  }

  setPeer(address: Ip6, endpoint: Endpoint, receivedMs: number): void {
    if (!this.#native.setPeer(address, endpoint.ip, endpoint.port, receivedMs))
      this.#peersRefused++;
  }

  removePeer(address: Ip6): void {
    this.#native.removePeer(address);
  }

  readPeer(address: Ip6): PeerStamps | undefined {
    const stamps = this.#stamps;
    if (!this.#native.readPeer(address, stamps)) return undefined;
    return {
      lastReceivedMs: stamps[0]!,
      lastSentMs: stamps[1]!,
      bytesIn: stamps[2]!,
      bytesOut: stamps[3]!,
      packetsIn: stamps[4]!,
      packetsOut: stamps[5]!,
    };
  }

  setFlow(key: FlowKey, verdict: Verdict): void {
    const { protocol, local, localPort, remote, remotePort } = key;
    const number = VERDICTS.indexOf(verdict);
    if (!this.#native.setFlow(protocol, local, localPort, remote, remotePort, number))
      this.#flowsRefused++;
  }

  removeFlow(key: FlowKey): void {
    const { protocol, local, localPort, remote, remotePort } = key;
    this.#native.removeFlow(protocol, local, localPort, remote, remotePort);
  }

  clearFlows(): void {
    this.#native.clearFlows();
  }

  setDefaultVerdict(verdict: DefaultVerdict): void {
    this.#native.setDefaultPass(verdict === 'pass');
  }

  setProbeId(identifier: number): void {
    this.#native.setProbeId(identifier);
  }

  sleep(): void {
    this.#native.sleep();
  }

  wake(port: number = this.local.port): void {
    const bind = { ip: this.#options.bind.ip, port };
    for (let tries = 0; ; tries++)
      try {
        this.#native.wake(bind.ip, bind.port);
        break;
      } catch (error) {
        const copied = this.#shown > 0 && (error as SystemError).code === 'EADDRINUSE';
        if (!copied || tries >= COPY_TRIES) throw openError(error as SystemError, bind);
        Atomics.wait(pause, 0, 0, COPY_WAIT_MS);
      }
    this.local = bind;
    this.#growBuffers();
  }

  transmit(to: Endpoint, datagram: Uint8Array): void {
    this.#native.transmit(to.ip, to.port, datagram);
  }

  deliver(packet: Uint8Array): void {
    this.#native.deliver(packet);
  }

  setTap(on: boolean): void {
    this.#native.setTap(on);
    this.#tapBuffer = on ? new Uint8Array(TAP_BYTES) : null;
  }

  readTap(): TapRead {
    const buffer = this.#tapBuffer;
    const datagrams = buffer ? tappedRecords(buffer, this.#native.drainTap(buffer)) : [];
    return { datagrams, lost: this.#native.tapLost() };
  }

  counters(): DatapathCounters {
    const [receiveBufferBytes, sendBufferBytes] = this.#native.bufferBytes();
    return {
      ...this.#native.counters(),
      peersRefused: this.#peersRefused,
      flowsRefused: this.#flowsRefused,
      receiveBufferBytes,
      sendBufferBytes,
    };
  }

  close(): void {
    this.#closed = true;
    this.#native.close();
  }

  /** An ordinary user gets what net.core.rmem_max and wmem_max say; the helper may give more. Where it can't, `counters` show what there is. */
  #growBuffers(): void {
    const { adapter } = this.#options;
    if (!adapter?.growBuffers || Math.min(...this.#native.bufferBytes()) >= BUFFER_BYTES) return;
    this.#shown += 1;
    const done = (): void => void (this.#shown -= 1);
    adapter.growBuffers(() => this.#native.sockets()).then(done, done);
  }

  #onWake(): void {
    const used = this.#native.drain(this.#buffer);
    if (used > 0)
      this.#options.onUpcalls(decodeUpcalls(this.#buffer, used, this.#options.lend ?? false));
    // The receiver may have closed us; then nothing failed that anybody waits to hear of.
    if (this.#closed) return;
    const failure = this.#native.failure();
    if (failure === null) return;
    this.close();
    this.#options.onFailed(new HostError('helper-lost', failure));
  }
}

/**
 * Opens the native datapath on the adapter's queues (none without an adapter) and one UDP socket. Owns the queues from here on,
 * also when it throws: HostError 'port-taken', 'bind-failed' or 'native-missing'.
 */
export function openDatapath(options: DatapathOptions): SocketDatapath {
  return new LinuxDatapath(options);
}
