// Module datapath/limits bounds what others can make us do or keep: token buckets by rate, queues by bytes and count, lists by a choice.
import type { Ip4 } from '../wire/types.ts';

/** A token bucket in virtual time: `perSecond` on average, `burst` at once. */
export class TokenBucket {
  private readonly perSecond: number;
  private readonly burst: number;
  private tokens: number;
  private last = -Infinity;

  constructor(perSecond: number, burst: number) {
    this.perSecond = perSecond;
    this.burst = burst;
    this.tokens = burst;
  }

  /** Takes `amount` tokens at `now` (ms) if they are there. */
  take(now: number, amount = 1): boolean {
    if (now > this.last) {
      const gained = ((now - this.last) / 1000) * this.perSecond;
      this.tokens = Math.min(this.burst, this.tokens + gained);
      this.last = now;
    }
    if (this.tokens < amount) return false;
    this.tokens -= amount;
    return true;
  }
}

/** Bounds what each IPv4 source may do. */
export interface SourceLimit {
  /** True when `source` may once more at `now` (ms, never decreasing). */
  take(source: Ip4, now: number): boolean;
}

/** A limit of `perSecond` on average and `burst` at once, for at most `maxSources` that are remembered. */
export type MakeSourceLimit = (perSecond: number, burst: number, maxSources: number) => SourceLimit;

/** A token bucket for each key, for at most `maxKeys` of them; the least recently used goes first. */
export class KeyedBuckets<K> {
  private readonly buckets = new Map<K, TokenBucket>();
  private readonly perSecond: number;
  private readonly burst: number;
  private readonly maxKeys: number;

  constructor(perSecond: number, burst: number, maxKeys: number) {
    this.perSecond = perSecond;
    this.burst = burst;
    this.maxKeys = maxKeys;
  }

  get size(): number {
    return this.buckets.size;
  }

  take(key: K, now: number): boolean {
    let bucket = this.buckets.get(key);
    if (bucket) this.buckets.delete(key);
    else {
      if (this.buckets.size >= this.maxKeys) this.forgetOldest();
      bucket = new TokenBucket(this.perSecond, this.burst);
    }
    this.buckets.set(key, bucket);
    return bucket.take(now);
  }

  /** A map keeps the order of insertion, and `take` inserts anew: the first key is the oldest. */
  private forgetOldest(): void {
    for (const key of this.buckets.keys()) {
      this.buckets.delete(key);
      return;
    }
  }
}

/** Packets in the order they came, bounded by bytes and count. */
export class PacketQueue {
  private readonly maxBytes: number;
  private readonly maxPackets: number;
  private packets: Uint8Array[] = [];
  private total = 0;

  constructor(maxBytes: number, maxPackets: number) {
    this.maxBytes = maxBytes;
    this.maxPackets = maxPackets;
  }

  get bytes(): number {
    return this.total;
  }

  get length(): number {
    return this.packets.length;
  }

  /** False, and nothing kept, when `packet` does not fit. */
  push(packet: Uint8Array): boolean {
    if (this.packets.length >= this.maxPackets || this.total + packet.length > this.maxBytes)
      return false;
    this.packets.push(packet);
    this.total += packet.length;
    return true;
  }

  /** All packets, first in first; the queue is empty afterwards. */
  drain(): Uint8Array[] {
    const packets = this.packets;
    this.packets = [];
    this.total = 0;
    return packets;
  }
}

/** Chooses of a long list, the latest last, what is to be looked at: only that costs something. */
export type Choose = <T>(all: readonly T[]) => readonly T[];
export const everything: Choose = (all) => all;
