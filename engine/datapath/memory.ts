// Module datapath/memory is the datapath in pure TypeScript: the same tables and rules as the native one, for simulation and tests.
import { IP6_HEADER_LENGTH, endpointKey } from '../wire/index.ts';
import type { Endpoint, Ip6 } from '../wire/index.ts';
import { flowText, readParts } from './parts.ts';
import type { Parts } from './parts.ts';
import type {
  AddressRange,
  Datapath,
  DatapathCounters,
  DefaultVerdict,
  FlowKey,
  PeerStamps,
  Upcall,
  Verdict,
} from './types.ts';

export interface MemoryDatapathOptions {
  /** Milliseconds of the clock that stamps are taken from; never steps back. */
  readonly now: () => number;
  /** Sends one UDP payload. */
  readonly transmit: (to: Endpoint, datagram: Uint8Array) => void;
  /** Hands one IPv6 packet to the local programs. */
  readonly deliver: (packet: Uint8Array) => void;
  /** Takes what the tables did not settle. Never called while an earlier call of it is still running. */
  readonly upcall: (batch: readonly Upcall[]) => void;
  /** Peer validity in milliseconds (RFC 4380 §5.2.4: 30,000). */
  readonly validMs: number;
}

/** Upcalls that one ring holds, and their bytes in all, until the receiver takes them; more are counted and dropped. */
export const RING_PACKETS = 1024;
export const RING_BYTES = 1 << 20;

/** What rests until it is known whether its flow passes: its bytes in all, and for how long, ms. */
const RESTING_BYTES = 8 << 20;
const RESTING_MS = 2_000;

/** Largest UDP payload that fits in one IPv4 packet. */
const MAX_DATAGRAM = 65_507;

interface Peer {
  endpoint: Endpoint;
  lastReceivedMs: number;
  lastSentMs: number;
  bytesIn: number;
  bytesOut: number;
  packetsIn: number;
  packetsOut: number;
}

type RingName = 'server' | 'adapter' | 'other';

interface FlowEntry {
  readonly verdict: Verdict;
  readonly since: number;
}

interface Resting {
  readonly from: Endpoint;
  readonly bytes: Uint8Array;
}

interface Ring {
  upcalls: Upcall[];
  bytes: number;
}

/**
 * A datapath without threads. Packets come in by `fromAdapter`, `fromSocket` and `fromSocketError`; upcalls go out at
 * once, one batch for each call, unless the receiver is still busy with an earlier batch or `hold` was called: then they wait
 * in their rings.
 */
export class MemoryDatapath implements Datapath {
  readonly #options: MemoryDatapathOptions;
  #addresses: ReadonlySet<Ip6> = new Set();
  #accept: readonly AddressRange[] = [];
  #except: readonly AddressRange[] = [];
  #servers: ReadonlySet<number> = new Set();
  readonly #peers = new Map<Ip6, Peer>();
  readonly #flows = new Map<string, FlowEntry>();
  #resting: Resting[] = [];
  #restingBytes = 0;
  #defaultVerdict: DefaultVerdict = 'ask';
  #probeId: number | undefined;
  #closed = false;
  #held = false;
  #handing = false;
  readonly #rings: Record<RingName, Ring> = {
    server: { upcalls: [], bytes: 0 },
    adapter: { upcalls: [], bytes: 0 },
    other: { upcalls: [], bytes: 0 },
  };
  readonly #counters = {
    packetsIn: 0,
    packetsOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    droppedIn: 0,
    droppedOut: 0,
    upcallsServer: 0,
    upcallsAdapter: 0,
    upcallsOther: 0,
    lostServer: 0,
    lostAdapter: 0,
    lostOther: 0,
    restingDropped: 0,
    transmitted: 0,
    delivered: 0,
    transmitErrors: 0,
    deliverErrors: 0,
  };

  constructor(options: MemoryDatapathOptions) {
    this.#options = options;
  }

  setAddresses(addresses: readonly Ip6[]): void {
    this.#addresses = new Set(addresses);
  }

  setRanges(accept: readonly AddressRange[], except: readonly AddressRange[]): void {
    this.#accept = [...accept];
    this.#except = [...except];
  }

  setServers(endpoints: readonly Endpoint[]): void {
    this.#servers = new Set(endpoints.map(endpointKey));
  }

  setPeer(address: Ip6, endpoint: Endpoint, receivedMs: number): void {
    const peer = this.#peers.get(address);
    if (peer) {
      peer.endpoint = endpoint;
      peer.lastReceivedMs = receivedMs;
      return;
    }
    this.#peers.set(address, {
      endpoint,
      lastReceivedMs: receivedMs,
      lastSentMs: 0,
      bytesIn: 0,
      bytesOut: 0,
      packetsIn: 0,
      packetsOut: 0,
    });
  }

  removePeer(address: Ip6): void {
    this.#peers.delete(address);
  }

  readPeer(address: Ip6): PeerStamps | undefined {
    const peer = this.#peers.get(address);
    if (!peer) return undefined;
    const { lastReceivedMs, lastSentMs, bytesIn, bytesOut, packetsIn, packetsOut } = peer;
    return { lastReceivedMs, lastSentMs, bytesIn, bytesOut, packetsIn, packetsOut };
  }

  setFlow(key: FlowKey, verdict: Verdict): void {
    this.#flows.set(flowText(key), { verdict, since: this.#options.now() });
    this.#judgeResting();
  }

  removeFlow(key: FlowKey): void {
    this.#flows.delete(flowText(key));
    this.#judgeResting();
  }

  clearFlows(): void {
    this.#flows.clear();
    this.#judgeResting();
  }

  setDefaultVerdict(verdict: DefaultVerdict): void {
    this.#defaultVerdict = verdict;
    this.#judgeResting();
  }

  setProbeId(identifier: number): void {
    this.#probeId = identifier;
  }

  transmit(to: Endpoint, datagram: Uint8Array): void {
    if (this.#closed) return;
    if (to.port === 0 || datagram.length > MAX_DATAGRAM) {
      this.#counters.transmitErrors++;
      return;
    }
    this.#counters.transmitted++;
    this.#options.transmit(to, datagram);
  }

  deliver(packet: Uint8Array): void {
    if (this.#closed) return;
    if (packet.length < IP6_HEADER_LENGTH || packet[0]! >> 4 !== 6) {
      this.#counters.deliverErrors++;
      return;
    }
    this.#counters.delivered++;
    this.#options.deliver(packet);
  }

  counters(): DatapathCounters {
    return { ...this.#counters };
  }

  close(): void {
    this.#closed = true;
    this.#resting = [];
    for (const ring of Object.values(this.#rings)) {
      ring.upcalls = [];
      ring.bytes = 0;
    }
  }

  /** Takes one packet that a local program sent. */
  fromAdapter(packet: Uint8Array): void {
    if (this.#closed) return;
    const parts = readParts(packet);
    if (parts && this.#isOurs(parts.source)) {
      const peer = this.#peers.get(parts.destination);
      if (peer && this.#isValid(peer)) {
        const { source: local, destination: remote, ports } = parts;
        const entry = this.#verdict(parts, local, ports?.source, remote, ports?.destination);
        const verdict = entry === 'wait' ? this.#defaultVerdict : entry;
        if (verdict === 'drop') {
          this.#counters.droppedOut++;
          return;
        }
        if (verdict === 'pass') {
          peer.lastSentMs = this.#options.now();
          peer.packetsOut++;
          peer.bytesOut += packet.length;
          this.#counters.packetsOut++;
          this.#counters.bytesOut += packet.length;
          this.#options.transmit(peer.endpoint, packet);
          return;
        }
      }
    }
    this.#raise('adapter', { kind: 'packet', bytes: packet.slice() }, packet.length);
  }

  /** Takes one UDP payload that came to our socket from `from`. */
  fromSocket(from: Endpoint, bytes: Uint8Array): void {
    if (this.#closed) return;
    switch (this.#carryIn(from, bytes)) {
      case 'pass':
        return;
      case 'drop':
        this.#counters.droppedIn++;
        return;
      case 'wait':
        this.#rest({ from, bytes: bytes.slice() });
        return;
      case 'ask': {
        const ring = this.#servers.has(endpointKey(from)) ? 'server' : 'other';
        this.#raise(ring, { kind: 'datagram', ring, from, bytes: bytes.slice() }, bytes.length);
      }
    }
  }

  /** Delivers what passes; else says what becomes of it. */
  #carryIn(from: Endpoint, bytes: Uint8Array): Verdict | 'ask' {
    const parts = readParts(bytes);
    if (!parts || !this.#isOurs(parts.destination)) return 'ask';
    const peer = this.#peers.get(parts.source);
    const isProbe = parts.echo?.reply === true && parts.echo.identifier === this.#probeId;
    if (!peer || endpointKey(peer.endpoint) !== endpointKey(from) || isProbe) return 'ask';
    const { source: remote, destination: local, ports } = parts;
    const verdict = this.#verdict(parts, local, ports?.destination, remote, ports?.source);
    if (verdict !== 'pass') return verdict;
    peer.lastReceivedMs = this.#options.now();
    peer.packetsIn++;
    peer.bytesIn += bytes.length;
    this.#counters.packetsIn++;
    this.#counters.bytesIn += bytes.length;
    this.#options.deliver(bytes);
    return 'pass';
  }

  #rest(packet: Resting): void {
    if (this.#restingBytes + packet.bytes.length > RESTING_BYTES) {
      this.#counters.restingDropped++;
      return;
    }
    this.#resting.push(packet);
    this.#restingBytes += packet.bytes.length;
  }

  /** After a change of a flow. */
  #judgeResting(): void {
    const packets = this.#resting;
    this.#resting = [];
    this.#restingBytes = 0;
    for (const packet of packets) {
      const verdict = this.#carryIn(packet.from, packet.bytes);
      if (verdict === 'wait') this.#rest(packet);
      else if (verdict !== 'pass') this.#counters.restingDropped++;
    }
  }

  /** Takes an IPv4 ICMP error about a datagram that we sent to `to`. */
  fromSocketError(to: Endpoint, type: number, code: number): void {
    if (!this.#closed) this.#raise('other', { kind: 'icmp4', to, type, code }, 0);
  }

  /** The receiver of upcalls is busy: they gather in the rings until `release`. */
  hold(): void {
    this.#held = true;
  }

  /** Hands over what gathered since `hold`. */
  release(): void {
    this.#held = false;
    this.#handUp();
  }

  #isOurs(address: Ip6): boolean {
    const within = ({ value, mask }: AddressRange): boolean => (address & mask) === value;
    return (
      this.#addresses.has(address) || (this.#accept.some(within) && !this.#except.some(within))
    );
  }

  /** RFC 4380 §5.2.4: valid while the last reception is less than the validity time ago. */
  #isValid(peer: Peer): boolean {
    return (
      peer.lastReceivedMs !== 0 && this.#options.now() - peer.lastReceivedMs < this.#options.validMs
    );
  }

  #verdict(
    parts: Parts,
    local: Ip6,
    localPort: number | undefined,
    remote: Ip6,
    remotePort: number | undefined,
  ): Verdict | 'ask' {
    const named =
      parts.echo !== undefined
        ? { localPort: parts.echo.identifier, remotePort: 0 }
        : localPort !== undefined && remotePort !== undefined
          ? { localPort, remotePort }
          : undefined;
    const entry =
      named && this.#flows.get(flowText({ protocol: parts.protocol, local, remote, ...named }));
    const tooOld = entry?.verdict === 'wait' && this.#options.now() - entry.since >= RESTING_MS;
    return entry && !tooOld ? entry.verdict : this.#defaultVerdict;
  }

  #raise(name: RingName, upcall: Upcall, bytes: number): void {
    const ring = this.#rings[name];
    const counters = this.#counters;
    if (ring.upcalls.length >= RING_PACKETS || ring.bytes + bytes > RING_BYTES) {
      if (name === 'server') counters.lostServer++;
      else if (name === 'adapter') counters.lostAdapter++;
      else counters.lostOther++;
      return;
    }
    ring.upcalls.push(upcall);
    ring.bytes += bytes;
    if (name === 'server') counters.upcallsServer++;
    else if (name === 'adapter') counters.upcallsAdapter++;
    else counters.upcallsOther++;
    this.#handUp();
  }

  #handUp(): void {
    if (this.#handing) return;
    this.#handing = true;
    try {
      for (let batch = this.#drain(); batch.length > 0; batch = this.#drain())
        this.#options.upcall(batch);
    } finally {
      this.#handing = false;
    }
  }

  /** Empties the rings, that of the server first: an advertisement never waits behind anybody's junk. */
  #drain(): Upcall[] {
    const batch: Upcall[] = [];
    if (this.#held) return batch;
    for (const name of ['server', 'adapter', 'other'] as const) {
      for (const upcall of this.#rings[name].upcalls) batch.push(upcall);
      this.#rings[name] = { upcalls: [], bytes: 0 };
    }
    return batch;
  }
}
