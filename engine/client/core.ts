// Module client/core is what the parts of the client share: settings, our address, counters and the list of outputs.
import { TokenBucket } from '../datapath/limits.ts';
import {
  buildBubble,
  buildDatagram,
  buildIcmp6Error,
  Discards,
  mayAnswerWithError,
  parseIp6,
} from '../wire/index.ts';
import type { Endpoint, Ip6, Random, Trailer } from '../wire/index.ts';
import { AddressPolicy } from './addresses.ts';
import type { NatFlags } from './extension.ts';
import type {
  ClientConfig,
  ClientEvent,
  ClientOutput,
  StampReader,
  TransmitReason,
} from './types.ts';

/** Source of the ICMPv6 errors that we make for local senders: a router on the tunnel's link, nobody's real address. */
export const ROUTER_ADDRESS: Ip6 = parseIp6('fe80::7465:7265:646f:1')!;

/** State shared by the client's parts. */
export class Core {
  readonly config: ClientConfig;
  readonly random: Random;
  readonly stamps: StampReader;
  readonly policy: AddressPolicy;
  readonly discards = new Discards();
  /** Identifier of every echo request that the engine itself sends. */
  readonly probeId: number;
  /** What RFC 6081 wants to know of our NAT. */
  readonly nat: NatFlags = {
    symmetric: false,
    portPreserving: false,
    mapped: false,
    external: null,
  };
  /** Our Teredo address; null before the first qualification. */
  address: Ip6 | null = null;
  /** Teredo refresh interval in use, ms (RFC 4380 §5.2.5, §5.2.7). */
  refreshIntervalMs: number;
  /** Older addresses, kept for their flows. */
  deprecated: readonly Ip6[] = [];
  private readonly errors: TokenBucket;
  private outputs: ClientOutput[] = [];

  constructor(config: ClientConfig, random: Random, stamps: StampReader) {
    this.config = config;
    this.refreshIntervalMs = config.refreshIntervalMs;
    this.random = random;
    this.stamps = stamps;
    this.policy = new AddressPolicy(config.allowPrivate);
    const id = random.bytes(2);
    this.probeId = (id[0]! << 8) | id[1]!;
    this.errors = new TokenBucket(config.limits.icmpPerSecond, config.limits.icmpPerSecond);
  }

  /** True for our address and for those of the past that still have flows. */
  isOurs(address: Ip6): boolean {
    return address === this.address || this.deprecated.includes(address);
  }

  output(output: ClientOutput): void {
    this.outputs.push(output);
  }

  event(event: ClientEvent): void {
    this.outputs.push({ kind: 'event', event });
  }

  /** Hands over all outputs since the last call. */
  takeOutputs(): ClientOutput[] {
    const taken = this.outputs;
    this.outputs = [];
    return taken;
  }

  /** Sends `bytes` over UDP; `via` is the local port if it is not the service port. */
  transmit(to: Endpoint, bytes: Uint8Array, why: TransmitReason, via?: number): void {
    this.outputs.push({ kind: 'transmit', to, bytes, why, ...(via !== undefined && { via }) });
  }

  /** Sends a bubble from `source` to `destination` over UDP to `to` (RFC 4380 §5.2.6), with `trailers` (RFC 6081 §4). */
  bubble(
    to: Endpoint,
    source: Ip6,
    destination: Ip6,
    why: TransmitReason,
    trailers: readonly Trailer[] = [],
    via?: number,
  ): void {
    const packet = buildBubble(source, destination);
    this.transmit(to, buildDatagram({ packet, trailers }), why, via);
  }

  /**
   * Answers a local sender's `packet` with an ICMPv6 error as a router would (RFC 4443 §2.4, §3), within the rate limit.
   * @param parameter the MTU for packet-too-big, else 0
   */
  answerError(
    packet: Uint8Array,
    source: Ip6,
    type: number,
    code: number,
    parameter: number,
    now: number,
  ): void {
    if (!mayAnswerWithError(packet)) return;
    if (!this.errors.take(now)) {
      this.discards.count('errorLimit');
      return;
    }
    const bytes = buildIcmp6Error({
      type,
      code,
      parameter,
      source: ROUTER_ADDRESS,
      destination: source,
      quoted: packet,
    });
    this.outputs.push({ kind: 'deliver', bytes, error: true });
  }
}
