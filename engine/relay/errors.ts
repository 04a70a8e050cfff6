// Module relay/errors makes the ICMPv6 errors that a router owes to native senders, within a rate (RFC 4443 §2.4(f)).
import { TokenBucket } from '../datapath/limits.ts';
import { buildIcmp6Error, mayAnswerWithError, readIp6 } from '../wire/index.ts';
import type { Ip6 } from '../wire/index.ts';
import type { RelayConfig } from './types.ts';

const SOURCE_AT = 8;

/** Errors from the relay's own address. */
export class RelayErrors {
  private readonly address: Ip6;
  private readonly rate: TokenBucket;

  constructor({ address, limits }: RelayConfig) {
    this.address = address;
    this.rate = new TokenBucket(limits.icmpPerSecond, limits.icmpPerSecond);
  }

  /**
   * The error about `packet` for its sender; null when none may be sent (RFC 4443 §2.4(e)).
   * `parameter` is the MTU of packet-too-big, else 0.
   */
  about(
    packet: Uint8Array,
    { type, code, parameter }: { type: number; code: number; parameter: number },
    now: number,
  ): Uint8Array | 'errorLimit' | null {
    if (!mayAnswerWithError(packet)) return null;
    if (!this.rate.take(now)) return 'errorLimit';
    const destination = readIp6(packet, SOURCE_AT);
    return buildIcmp6Error({
      type,
      code,
      parameter,
      source: this.address,
      destination,
      quoted: packet,
    });
  }
}
