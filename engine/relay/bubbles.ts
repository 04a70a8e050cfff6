// Module relay/bubbles limits the bubbles that native hosts can make the relay send: by their network, by server, and in all.
import { KeyedBuckets, TokenBucket } from '../datapath/limits.ts';
import type { Ip4, Ip6 } from '../wire/index.ts';
import type { RelayLimits } from './types.ts';

/** A native host has the whole /64 to take source addresses from. */
const NETWORK_SHIFT = 64n;

/** Who pays for a bubble. */
export type Payer = bigint & { readonly payer: true };

/**
 * The network of `source` pays; its echo replies have a purse of their own, since one of them answers a client's connectivity test
 * (RFC 4380 §5.2.9): a host that floods made-up clients, or the neighbour of one, can still be reached by new real ones.
 */
export function payerOf(source: Ip6, isEchoReply: boolean): Payer {
  return (((source >> NETWORK_SHIFT) << 1n) | (isEchoReply ? 1n : 0n)) as Payer;
}

export class BubbleLimits {
  private readonly bySource: KeyedBuckets<Payer>;
  private readonly byServer: KeyedBuckets<Ip4>;
  private readonly all: TokenBucket;
  private readonly unknown: TokenBucket;

  constructor(limits: RelayLimits) {
    const { bubblesPerSecondPerSource: source, bubblesPerSecondPerServer: server } = limits;
    this.bySource = new KeyedBuckets(source, Math.max(1, source), limits.maxSources);
    this.byServer = new KeyedBuckets(server, Math.max(1, server), limits.maxSources);
    const unknown = limits.bubblesPerSecondToUnknown;
    this.unknown = new TokenBucket(unknown, Math.max(1, unknown));
    this.all = new TokenBucket(limits.bubblesPerSecond, Math.max(1, limits.bubblesPerSecond));
  }

  /**
   * May a bubble go to `server`? The `payer` pays first, for repetitions too: it can't use up what others share.
   */
  mayAsk(payer: Payer, server: Ip4, now: number): boolean {
    return this.bySource.take(payer, now) && this.byServer.take(server, now) && this.all.take(now);
  }

  /** May one go to `server` because somebody who says to be its client sent something? */
  mayAskUnknown(server: Ip4, now: number): boolean {
    return this.unknown.take(now) && this.byServer.take(server, now) && this.all.take(now);
  }
}
