// Module relay/bubbles limits the bubbles that native hosts can make the relay send: by their network, by server, and in all.
import { KeyedBuckets, TokenBucket } from '../datapath/limits.ts';
import type { Ip4, Ip6 } from '../wire/index.ts';
import type { RelayLimits } from './types.ts';

/** A native host has the whole /64 to take source addresses from. */
const NETWORK_SHIFT = 64n;

export class BubbleLimits {
  private readonly bySource: KeyedBuckets<Ip6>;
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
   * May a bubble go to `server` because `source` sent something? The source pays first, for repetitions too: it can't use up what
   * others share.
   */
  mayAsk(source: Ip6, server: Ip4, now: number): boolean {
    return (
      this.bySource.take(source >> NETWORK_SHIFT, now) &&
      this.byServer.take(server, now) &&
      this.all.take(now)
    );
  }

  /** May one go to `server` because somebody who says to be its client sent something? */
  mayAskUnknown(server: Ip4, now: number): boolean {
    return this.unknown.take(now) && this.byServer.take(server, now) && this.all.take(now);
  }
}
