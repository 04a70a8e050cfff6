// Module relay/peers keeps the relay's list of recent peers (RFC 4380 §5.4) within its bounds.
//
// Clients that were never heard, or not lately, are in one table, those that proved themselves in another: whoever names
// made-up addresses can fill the first, never touch the second.
import { everything, PacketQueue } from '../datapath/limits.ts';
import type { Choose } from '../datapath/limits.ts';
import type { Endpoint, Ip6, TeredoAddress } from '../wire/index.ts';
import type { Payer } from './bubbles.ts';
import { PEER_FORGET_MS, PEER_VALID_MS } from './config.ts';
import type { RelayLimits, RelayPeerRow, RelayStamps } from './types.ts';

/** A client that has been asked and has not answered yet. */
export interface Pending {
  readonly address: Ip6;
  readonly teredo: TeredoAddress;
  /** Source of our bubbles to it: a link-local address that holds 60 random bits; whoever repeats it has our bubble. */
  readonly nonce: Ip6;
  /** Of the native host that wanted it. */
  readonly payer: Payer;
  readonly queue: PacketQueue;
  /** No native host wants it; it sent by itself and is asked once. */
  unwanted: boolean;
  tries: number;
  /** When to repeat the bubble or give up. */
  next: number;
}

/** A client whose way is known. */
export interface Proven {
  readonly address: Ip6;
  endpoint: Endpoint;
  /** Last reception that the engine saw, ms. */
  received: number;
  /** When the datapath was last told, ms. */
  announced: number;
}

/** How many of the oldest entries are looked at to find room: a longer walk per packet would be an attack of its own. */
const VICTIM_WALK = 64;

/** Both tables. */
export class RelayPeers {
  private limits: RelayLimits;
  private readonly stamps: RelayStamps;
  /** In the order of their age. */
  private readonly pending = new Map<Ip6, Pending>();
  /** The same in the order of `next`: each step puts its entry last, and all wait the same time. */
  private readonly schedule = new Set<Pending>();
  /** Those of them with packets, oldest first. */
  private readonly waiting = new Set<Pending>();
  /** In the order of the last reception that the engine saw. */
  private readonly proven = new Map<Ip6, Proven>();
  private queued = 0;

  constructor(limits: RelayLimits, stamps: RelayStamps) {
    this.limits = limits;
    this.stamps = stamps;
  }

  /** What exceeds a lower limit stays until it ends by itself; nothing new is added meanwhile but in its place. */
  setLimits(limits: RelayLimits): void {
    this.limits = limits;
  }

  get queuedBytes(): number {
    return this.queued;
  }

  get pendingCount(): number {
    return this.pending.size;
  }

  get provenCount(): number {
    return this.proven.size;
  }

  findPending(address: Ip6): Pending | undefined {
    return this.pending.get(address);
  }

  findProven(address: Ip6): Proven | undefined {
    return this.proven.get(address);
  }

  /** Last reception by either path: the engine's own, or what the datapath stamped. */
  receivedAt(peer: Proven): number {
    return Math.max(peer.received, this.stamps(peer.address)?.lastReceivedMs ?? 0);
  }

  /** May be sent to at once (RFC 4380 §5.4.1 case 1). */
  isValid(peer: Proven, now: number): boolean {
    return now - this.receivedAt(peer) < PEER_VALID_MS;
  }

  // ---- clients that are asked

  /** Adds an entry; the oldest one goes if the table is full, and is returned. */
  addPending(
    fields: Pick<Pending, 'address' | 'teredo' | 'nonce' | 'payer'>,
    now: number,
  ): { readonly peer: Pending; readonly evicted: boolean } {
    const evicted = this.pending.size >= this.limits.maxPending;
    if (evicted)
      for (const oldest of this.pending.values()) {
        this.endPending(oldest);
        break;
      }
    const queue = new PacketQueue(this.limits.queueBytesPerPeer, this.limits.queuePacketsPerPeer);
    const peer: Pending = { ...fields, queue, unwanted: false, tries: 0, next: now };
    this.pending.set(peer.address, peer);
    this.schedule.add(peer);
    return { peer, evicted };
  }

  /** Sets when `peer` is due; never earlier than any other entry's time. */
  postpone(peer: Pending, next: number): void {
    peer.next = next;
    this.schedule.delete(peer);
    this.schedule.add(peer);
  }

  /** The entry that is due first. */
  firstDue(): Pending | undefined {
    for (const peer of this.schedule) return peer;
    return undefined;
  }

  /**
   * Queues a copy of `packet` for `peer`. The oldest queues of others make room within the bound of all, so that what waits
   * for clients that don't exist can't keep out what waits for one that does.
   */
  enqueue(peer: Pending, packet: Uint8Array): { readonly kept: boolean; readonly lost: number } {
    let lost = 0;
    for (const other of this.waiting) {
      if (this.queued + packet.length <= this.limits.queueBytesTotal) break;
      if (other !== peer) lost += this.drain(other).length;
    }
    const fits = this.queued + packet.length <= this.limits.queueBytesTotal;
    const kept = fits && peer.queue.push(packet.slice());
    if (kept) {
      this.queued += packet.length;
      this.waiting.add(peer);
    }
    return { kept, lost };
  }

  /** Removes `peer` and returns what waited for it, in order. */
  endPending(peer: Pending): Uint8Array[] {
    this.pending.delete(peer.address);
    this.schedule.delete(peer);
    return this.drain(peer);
  }

  private drain(peer: Pending): Uint8Array[] {
    this.queued -= peer.queue.bytes;
    this.waiting.delete(peer);
    return peer.queue.drain();
  }

  // ---- clients that have proven themselves

  /**
   * Adds an entry, or renews it. False when the table is full of others that are valid.
   * `onForgotten` is called for one that had to go.
   */
  setProven(peer: Proven, now: number, onForgotten: (peer: Proven) => void): boolean {
    if (!this.proven.delete(peer.address) && this.proven.size >= this.limits.maxPeers) {
      const victim = this.victim(now);
      if (!victim) return false;
      this.proven.delete(victim.address);
      onForgotten(victim);
    }
    this.proven.set(peer.address, peer);
    return true;
  }

  removeProven(peer: Proven): void {
    this.proven.delete(peer.address);
  }

  /** Drops clients that nobody has talked with for `PEER_FORGET_MS`. */
  forget(now: number, onForgotten: (peer: Proven) => void): void {
    for (const peer of [...this.proven.values()]) {
      const sent = this.stamps(peer.address)?.lastSentMs ?? 0;
      if (now - Math.max(this.receivedAt(peer), sent) < PEER_FORGET_MS) continue;
      this.proven.delete(peer.address);
      onForgotten(peer);
    }
  }

  /** Those that answered in the order of the last reception, then those that are asked. */
  rows(now: number, choose: Choose = everything): RelayPeerRow[] {
    const asked = [...this.pending.values()].filter(({ address }) => !this.proven.has(address));
    return choose<Proven | Pending>([...this.proven.values(), ...asked]).map((peer) => {
      const queuedBytes = this.pending.get(peer.address)?.queue.bytes ?? 0;
      const { address } = peer;
      if ('queue' in peer) {
        const nothing = { bytesIn: 0, bytesOut: 0, lastReceivedMs: null };
        return { address, endpoint: null, trusted: false, queuedBytes, ...nothing };
      }
      const stamps = this.stamps(address);
      return {
        address,
        endpoint: peer.endpoint,
        trusted: this.isValid(peer, now),
        queuedBytes,
        bytesIn: stamps?.bytesIn ?? 0,
        bytesOut: stamps?.bytesOut ?? 0,
        lastReceivedMs: this.receivedAt(peer),
      };
    });
  }

  /** An entry that is valid no more, among the oldest; what the datapath alone has heard is moved to the young end. */
  private victim(now: number): Proven | undefined {
    const oldest: Proven[] = [];
    for (const peer of this.proven.values()) {
      if (!this.isValid(peer, now)) return peer;
      if (oldest.push(peer) >= VICTIM_WALK) break;
    }
    for (const peer of oldest) {
      this.proven.delete(peer.address);
      this.proven.set(peer.address, peer);
    }
    return undefined;
  }
}
