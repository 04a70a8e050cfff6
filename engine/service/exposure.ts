// Module service/exposure keeps the tunnel closed to applications: nothing goes out or in unless everything was exposed.
import { ROUTER_ADDRESS } from '../client/core.ts';
import { TokenBucket } from '../datapath/limits.ts';
import {
  buildIcmp6Error,
  Discards,
  ICMP6,
  isMulticast6,
  mayAnswerWithError,
  parseIp6Header,
  UNREACHABLE,
} from '../wire/index.ts';
import type { Ip6 } from '../wire/index.ts';

/** ICMPv6 errors to refused programs, per second: enough for each to notice, too few to be a load. */
const ERRORS_PER_SECOND = 100;

export type ExposureMode = 'closed' | 'all';

const TEXTS: Record<ExposureMode, string> = {
  closed: 'No application may use the tunnel or be reached through it.',
  all: 'EVERY application may use the tunnel, and every one that listens can be reached from the whole Internet (--expose-all).',
};

/** Until the application gate decides by program, it is all or nothing, and nothing by default. */
export class Exposure {
  readonly mode: ExposureMode;
  readonly discards = new Discards();
  private readonly errors = new TokenBucket(ERRORS_PER_SECOND, ERRORS_PER_SECOND);

  constructor(mode: ExposureMode) {
    this.mode = mode;
  }

  get text(): string {
    return TEXTS[this.mode];
  }

  /** May a packet from outside reach a program? If not it is dropped without a word. */
  admits(): boolean {
    if (this.mode === 'all') return true;
    this.discards.count('notAllowedIn');
    return false;
  }

  /**
   * Judges a packet that a local program sent from `own`. Null: it may pass. Else the ICMPv6 error for the program
   * ("administratively prohibited", RFC 4443 §3.1), empty when none is due.
   */
  refuse(packet: Uint8Array, own: Ip6 | null, now: number): Uint8Array | null {
    if (this.mode === 'all') return null;
    const header = parseIp6Header(packet);
    const none = new Uint8Array(0);
    // The kernel's own multicast (listener reports, solicitations) is the protocol's to discard.
    if (!header.ok || isMulticast6(header.value.destination)) return null;
    this.discards.count('notAllowedOut');
    if (header.value.source !== own || !mayAnswerWithError(packet) || !this.errors.take(now))
      return none;
    return buildIcmp6Error({
      type: ICMP6.unreachable,
      code: UNREACHABLE.prohibited,
      parameter: 0,
      source: ROUTER_ADDRESS,
      destination: header.value.source,
      quoted: packet,
    });
  }
}
