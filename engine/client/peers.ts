// Module client/peers keeps the list of recent peers (RFC 4380 §5.2) within its bounds.
import { everything, PacketQueue } from '../datapath/limits.ts';
import type { Choose } from '../datapath/limits.ts';
import type { PeerStamps } from '../datapath/types.ts';
import { sameEndpoint } from '../wire/index.ts';
import type { Endpoint, Ip6, TeredoAddress } from '../wire/index.ts';
import {
  ANSWER_INTERVAL_MS,
  ANSWER_LIMIT,
  BUBBLE_INTERVAL_MS,
  BUBBLE_LIMIT,
  BUBBLE_WINDOW_MS,
  HELD_BYTES,
  HELD_PACKETS,
  FORGET_CHECK_MS,
  PEER_FORGET_MS,
  PEER_VALID_MS,
} from './config.ts';
import { Extension } from './extension.ts';
import type { NatFlags } from './extension.ts';
import type { ClientLimits, PeerKind, PeerPath, PeerRow, StampReader } from './types.ts';

/** An inbound packet that waits for its source to prove itself. */
export interface HeldPacket {
  readonly from: Endpoint;
  readonly packet: Uint8Array;
}

/** Efforts under way to open the path to one peer. */
export interface Attempt {
  /** When to try again or give up. */
  next: number;
  /** By then it must be over, ms. */
  readonly until: number;
  /** Questions to a quiet peer sent in this attempt; null: none, it is asked as for the first time (RFC 6081 §5.7.1). */
  solicitations: number | null;
  /** Bubbles or ping tests sent in this attempt. */
  tries: number;
  /** Connectivity tests that this attempt may send. */
  maxTests: number;
}

/** One entry of the list. Times in ms; `-Infinity` is never. */
export class Peer {
  readonly address: Ip6;
  readonly kind: PeerKind;
  /** The parts of a Teredo peer's address, null for a native one. */
  readonly teredo: TeredoAddress | null;
  /** Made by a packet from outside: the first to go when room is needed. */
  readonly fromOutside: boolean;
  /** Where its packets go. */
  endpoint: Endpoint | null = null;
  /** Where they come from, which a symmetric NAT with a mapping of its own makes another (RFC 6081 §3.2). */
  from: Endpoint | null = null;
  /** When it was proven to be there, and where else in the same round of bubbles. */
  provenAt = -Infinity;
  also: { readonly from: Endpoint; readonly via: number | undefined } | null = null;
  /** Side port that both take; undefined: our service port. */
  via: number | undefined;
  /** State of RFC 6081. */
  readonly extension = new Extension();
  trusted = false;
  path: PeerPath | null = null;
  lastReceived = -Infinity;
  lastUsed: number;
  /** Last data packet that this machine itself sent to it. */
  dataSentAt = -Infinity;
  lastBubble = -Infinity;
  attempt: Attempt | null = null;
  readonly queue: PacketQueue;
  held: HeldPacket[] = [];
  /** Payload of the running connectivity test, null when none runs. */
  testPayload: Uint8Array | null = null;
  testSentAt = -Infinity;
  rttMs: number | null = null;
  /** Since when our packets stay unanswered, or since we asked why; null while they don't. */
  unansweredSince: number | null = null;
  /** It was asked why. */
  asked = false;
  /** Refused our packets, or stayed silent although asked why: until then local senders are told at once, while we ask on. */
  goneUntil = -Infinity;
  private bubbles: number[] = [];
  private answers: number[] = [];

  constructor(
    address: Ip6,
    teredo: TeredoAddress | null,
    fromOutside: boolean,
    now: number,
    limits: ClientLimits,
  ) {
    this.address = address;
    this.kind = teredo ? 'teredo' : 'native';
    this.teredo = teredo;
    this.fromOutside = fromOutside;
    this.lastUsed = now;
    this.queue = new PacketQueue(limits.queueBytesPerPeer, limits.queuePacketsPerPeer);
  }

  /** Last reception by either path: the machine's own, or what the datapath stamped. */
  receivedAt(stamps: PeerStamps | undefined): number {
    return Math.max(this.lastReceived, stamps?.lastReceivedMs || -Infinity);
  }

  /** May be sent to at once (RFC 4380 §5.2.4). */
  isValid(stamps: PeerStamps | undefined, now: number): boolean {
    return this.trusted && now - this.receivedAt(stamps) < PEER_VALID_MS;
  }

  /** RFC 4380 §5.2.6: none within 2 s of the last, at most 4 in 300 s without a direct answer. */
  mayBubble(now: number): boolean {
    // The sum, as where the next time is set: with fractions the difference could be less at that very time.
    return now >= this.lastBubble + BUBBLE_INTERVAL_MS && this.bubblesLeft(now) > 0;
  }

  bubblesLeft(now: number): number {
    this.bubbles = this.bubbles.filter((t) => now - t < BUBBLE_WINDOW_MS);
    return BUBBLE_LIMIT - this.bubbles.length;
  }

  bubbled(now: number): void {
    this.lastBubble = now;
    this.bubbles.push(now);
  }

  /** Its indirect bubbles are answered at this pace, as long as nothing comes directly. */
  mayAnswer(now: number): boolean {
    this.answers = this.answers.filter((t) => now - t < BUBBLE_WINDOW_MS);
    const last = this.answers.at(-1) ?? -Infinity;
    return now >= last + ANSWER_INTERVAL_MS && this.answers.length < ANSWER_LIMIT;
  }

  answered(now: number): void {
    this.answers.push(now);
  }

  /** True when `from` on our port `via` is where its packets come from. */
  isAt(from: Endpoint, via: number | undefined): boolean {
    return this.from !== null && sameEndpoint(this.from, from) && this.via === via;
  }

  isAlsoAt(from: Endpoint, via: number | undefined): boolean {
    return this.also !== null && sameEndpoint(this.also.from, from) && this.also.via === via;
  }

  /**
   * From now on its packets come from `from` to our port `via`, and ours go there, too. If the endpoint in its address is another
   * it is behind a symmetric NAT; if we are as well, and a mapping of our own lets everybody in, ours go to the one in its
   * address: perhaps it has such a mapping, and otherwise nothing would get through (RFC 6081 §5.3.4).
   */
  moveTo(from: Endpoint, via: number | undefined, nat: NatFlags): void {
    this.also = this.from && { from: this.from, via: this.via };
    this.from = from;
    this.via = via;
    this.endpoint = from;
    if (!this.teredo) return;
    this.extension.symmetric = !sameEndpoint(from, this.teredo.client);
    const reserved = nat.symmetric && nat.mapped && !nat.external && via === undefined;
    if (this.extension.symmetric && reserved && from.ip === this.teredo.client.ip)
      this.endpoint = this.teredo.client;
  }

  /** A direct packet came: the peer has spoken, so its bubble count starts anew. */
  heard(now: number): void {
    this.lastReceived = now;
    this.lastUsed = now;
    this.unansweredSince = null;
    this.asked = false;
    this.goneUntil = -Infinity;
    this.bubbles = [];
    this.answers = [];
  }

  /** Keeps an inbound packet until the source is proven; false when it does not fit. */
  hold(from: Endpoint, packet: Uint8Array): boolean {
    const bytes = this.held.reduce((sum, h) => sum + h.packet.length, 0);
    if (this.held.length >= HELD_PACKETS || bytes + packet.length > HELD_BYTES) return false;
    this.held.push({ from, packet });
    return true;
  }
}

export type PeerRefusal = 'peersFull';

/** How many are known, and to how many the way is open. */
export interface PeerCounts {
  readonly known: number;
  readonly open: number;
}

/** All entries, by IPv6 address. */
export class PeerList {
  private readonly entries = new Map<Ip6, Peer>();
  private readonly limits: ClientLimits;
  private readonly stamps: StampReader;
  /** Called with an entry that had to make room. */
  private readonly onEvicted: (peer: Peer, now: number) => void;

  constructor(
    limits: ClientLimits,
    stamps: StampReader,
    onEvicted: (peer: Peer, now: number) => void,
  ) {
    this.limits = limits;
    this.stamps = stamps;
    this.onEvicted = onEvicted;
  }

  get size(): number {
    return this.entries.size;
  }

  get(address: Ip6): Peer | undefined {
    return this.entries.get(address);
  }

  values(): IterableIterator<Peer> {
    return this.entries.values();
  }

  /**
   * Adds an entry, evicting the least recently used one without a valid path if the list is full: those made from outside
   * first, then those made by local packets (for a packet from outside only what no local packet waits for any more: else a page
   * with many dead links would shut everybody out). A valid trusted peer never goes.
   */
  add(
    address: Ip6,
    teredo: TeredoAddress | null,
    fromOutside: boolean,
    now: number,
  ): Peer | PeerRefusal {
    if (this.entries.size >= this.limits.maxPeers) {
      const victim = this.victim(fromOutside, now);
      if (!victim) return 'peersFull';
      this.remove(victim);
      this.onEvicted(victim, now);
    }
    const peer = new Peer(address, teredo, fromOutside, now, this.limits);
    this.entries.set(address, peer);
    return peer;
  }

  remove(peer: Peer): void {
    this.entries.delete(peer.address);
  }

  /** Marks `peer` as used: insertion order of the map is the order of last use. */
  touch(peer: Peer, now: number): void {
    peer.lastUsed = now;
    this.entries.delete(peer.address);
    this.entries.set(peer.address, peer);
  }

  /** Drops entries without a path that nobody used for so long that their bubble limit has lapsed; returns when to look again. */
  forget(now: number): number {
    let next = Infinity;
    for (const peer of this.entries.values()) {
      const stamps = this.stamps(peer.address);
      const last = Math.max(peer.lastUsed, peer.receivedAt(stamps), stamps?.lastSentMs ?? 0);
      if (!peer.attempt && now - last >= PEER_FORGET_MS) this.remove(peer);
      else next = Math.min(next, last + PEER_FORGET_MS);
    }
    return Math.max(next, now + FORGET_CHECK_MS);
  }

  /** True when a trusted peer was heard at or after `time`. */
  heardSince(time: number): boolean {
    for (const peer of this.entries.values())
      if (peer.trusted && peer.receivedAt(this.stamps(peer.address)) >= time) return true;
    return false;
  }

  /** Peers with which there was traffic at or after `time`. */
  usedSince(time: number): Ip6[] {
    return [...this.entries.keys()].filter((address) => this.lastTraffic([address]) >= time);
  }

  /** Last time that anything went to or came from one of `addresses`; -Infinity: never. */
  lastTraffic(addresses: readonly Ip6[]): number {
    let last = -Infinity;
    for (const address of addresses) {
      const stamps = this.stamps(address);
      const peer = this.entries.get(address);
      if (peer) last = Math.max(last, peer.receivedAt(stamps), stamps?.lastSentMs ?? 0);
    }
    return last;
  }

  counts(now: number): PeerCounts {
    let open = 0;
    for (const peer of this.entries.values())
      // What the engine saw itself spares asking the datapath.
      if (
        peer.isValid(undefined, now) ||
        (peer.trusted && peer.isValid(this.stamps(peer.address), now))
      )
        open++;
    return { known: this.entries.size, open };
  }

  /** In the order of last use. */
  rows(now: number, choose: Choose = everything): PeerRow[] {
    return choose([...this.entries.values()]).map((peer) => {
      const stamps = this.stamps(peer.address);
      const received = peer.receivedAt(stamps);
      return {
        address: peer.address,
        kind: peer.kind,
        endpoint: peer.endpoint,
        path: peer.path,
        trusted: peer.isValid(stamps, now),
        rttMs: peer.rttMs,
        bytesIn: stamps?.bytesIn ?? 0,
        bytesOut: stamps?.bytesOut ?? 0,
        lastReceivedMs: received === -Infinity ? null : received,
      };
    });
  }

  private victim(fromOutside: boolean, now: number): Peer | undefined {
    let second: Peer | undefined;
    let looked = 0;
    for (const peer of this.entries.values()) {
      // The oldest few suffice: an unbounded walk per packet would be an attack of its own.
      if (++looked > 2_048) break;
      if (peer.isValid(this.stamps(peer.address), now)) continue;
      if (peer.fromOutside) return peer;
      if (!fromOutside || !peer.attempt) second ??= peer;
    }
    return second;
  }
}
