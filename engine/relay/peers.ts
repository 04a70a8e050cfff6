// Module relay/peers keeps the relay's list of recent peers (RFC 4380 §5.4) within its bounds.
//
// Clients that were never heard, or not lately, are in one table, those that proved themselves in another: whoever names
// made-up addresses can fill the first, never touch the second.
import { PacketQueue } from '../datapath/limits.ts';
import type { PeerStamps } from '../datapath/types.ts';
import { sameEndpoint } from '../wire/index.ts';
import type { Endpoint, Ip6, Random, TeredoAddress } from '../wire/index.ts';
import type { Payer } from './bubbles.ts';
import { PEER_CHECK_MS, PEER_FORGET_MS, PEER_VALID_MS } from './config.ts';
import { ClientTable } from './table.ts';
import type { Place } from './table.ts';
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

/** A client whose way is known: where it stands in the table, until it is removed. */
export type Proven = Place;

/** How many of the oldest entries are looked at to find room: a longer walk per packet would be an attack of its own. */
const VICTIM_WALK = 64;
/** So many places are looked over at once: two milliseconds at most, when the datapath must be asked about each. */
const CHECK_SPAN = 1_024;

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
  private readonly proven: ClientTable;
  /** The place from which they are looked over next. */
  private checked = 0;
  private queued = 0;

  constructor(limits: RelayLimits, stamps: RelayStamps, random: Random) {
    this.limits = limits;
    this.stamps = stamps;
    this.proven = new ClientTable(random);
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
    return this.proven.find(address);
  }

  endpoint(peer: Proven): Endpoint {
    return this.proven.endpoint(peer);
  }

  /** May be sent to at once (RFC 4380 §5.4.1 case 1). */
  isValid(peer: Proven, now: number): boolean {
    // What the engine heard itself spares asking the datapath.
    if (now - this.proven.received(peer) < PEER_VALID_MS) return true;
    const stamps = this.stamps(this.proven.address(peer));
    return now - this.receivedAt(peer, stamps) < PEER_VALID_MS;
  }

  /** Last reception by either path: the engine's own, or what the datapath stamped. */
  private receivedAt(peer: Proven, stamps: PeerStamps | undefined): number {
    return Math.max(this.proven.received(peer), stamps?.lastReceivedMs ?? 0);
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
   * Adds the client at `address`, or renews it: heard at `now` from `endpoint`. Undefined when the table is full of others that are valid.
   * `onForgotten` is called for one that had to go.
   */
  setProven(
    address: Ip6,
    endpoint: Endpoint,
    now: number,
    onForgotten: (address: Ip6) => void,
  ): Proven | undefined {
    const { proven } = this;
    let peer = proven.find(address);
    if (peer === undefined) {
      const full = proven.size >= this.limits.maxPeers;
      if (full && !this.makeRoom(now, onForgotten)) return undefined;
      peer = proven.add(address, endpoint);
    } else {
      proven.renew(peer);
      // Only who tells the datapath of the new endpoint knows that it has changed.
      if (!sameEndpoint(proven.endpoint(peer), endpoint)) proven.setAnnounced(peer, -Infinity);
      proven.setEndpoint(peer, endpoint);
    }
    proven.setReceived(peer, now);
    return peer;
  }

  /** When the datapath was last told of this endpoint of `peer`, ms; -Infinity for never. */
  announcedAt(peer: Proven): number {
    return this.proven.announced(peer);
  }

  setAnnounced(peer: Proven, now: number): void {
    this.proven.setAnnounced(peer, now);
  }

  /** `forget` is to be called this often, ms, so that each client is looked at once in `PEER_CHECK_MS`. */
  get checkMs(): number {
    return PEER_CHECK_MS / Math.max(1, Math.ceil(this.proven.extent / CHECK_SPAN));
  }

  /** Looks over some of the clients and drops those that nobody has talked with for `PEER_FORGET_MS`. */
  forget(now: number, onForgotten: (address: Ip6) => void): void {
    const { proven } = this;
    this.checked = proven.sweep(this.checked, CHECK_SPAN, now - PEER_FORGET_MS, (peer) => {
      const stamps = this.stamps(proven.address(peer));
      const { lastReceivedMs = 0, lastSentMs = 0 } = stamps ?? {};
      if (now - Math.max(lastReceivedMs, lastSentMs) >= PEER_FORGET_MS)
        this.drop(peer, onForgotten);
      else if (lastReceivedMs > proven.received(peer)) proven.setReceived(peer, lastReceivedMs);
    });
  }

  /**
   * From the latest to the oldest, those that are asked before those that answered: for each what makes its row, to be called before
   * the next is taken. Who is only passed over costs next to nothing, and the list may change meanwhile.
   */
  *latest(now: number): Generator<() => RelayPeerRow, void> {
    for (const { address, queue } of [...this.pending.values()].reverse()) {
      if (this.proven.find(address) !== undefined) continue;
      const nothing = { bytesIn: 0, bytesOut: 0, lastReceivedMs: null };
      yield () => ({
        address,
        endpoint: null,
        trusted: false,
        queuedBytes: queue.bytes,
        ...nothing,
      });
    }
    for (const peer of this.proven.latest()) yield () => this.row(peer, now);
  }

  private row(peer: Proven, now: number): RelayPeerRow {
    const address = this.proven.address(peer);
    const stamps = this.stamps(address);
    const lastReceivedMs = this.receivedAt(peer, stamps);
    return {
      address,
      endpoint: this.proven.endpoint(peer),
      trusted: now - lastReceivedMs < PEER_VALID_MS,
      queuedBytes: this.pending.get(address)?.queue.bytes ?? 0,
      bytesIn: stamps?.bytesIn ?? 0,
      bytesOut: stamps?.bytesOut ?? 0,
      lastReceivedMs,
    };
  }

  /** Drops an entry that is valid no more, among the oldest; what the datapath alone has heard is moved to the young end. */
  private makeRoom(now: number, onForgotten: (address: Ip6) => void): boolean {
    const oldest = this.proven.eldest(VICTIM_WALK);
    const victim = oldest.find((peer) => !this.isValid(peer, now));
    if (victim !== undefined) this.drop(victim, onForgotten);
    else for (const peer of oldest) this.proven.renew(peer);
    return victim !== undefined;
  }

  private drop(peer: Proven, onForgotten: (address: Ip6) => void): void {
    const address = this.proven.address(peer);
    this.proven.remove(peer);
    onForgotten(address);
  }
}
