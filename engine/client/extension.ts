// Module client/extension holds what RFC 6081 adds to a peer entry, and what it adds to our knowledge of our own NAT.
import {
  constantTimeEqual,
  readAlternateAddresses,
  readNonce,
  readRandomPort,
} from '../wire/index.ts';
import type { Endpoint, Ip6, Random, Trailer } from '../wire/index.ts';

/** Nonces of our last indirect bubbles that still count: bubbles are repeated each 2 s, and an answer may take longer. */
const NONCES_KEPT = 2;
/** Length of a nonce, bytes (RFC 6081 §4.2). */
const NONCE_LENGTH = 4;
/** A peer is a local one so long after its last discovery bubble, ms (RFC 4380 §5.2.4 case 3). */
const LOCAL_PEER_MS = 600_000;
const CONFIRMS = 2;
const CONFIRM_WINDOW_MS = 2_000;
/** A peer that sends data says nothing new by another random port for so long, ms (RFC 6081 §5.4.4.4). */
const RANDOM_PORT_HOLDS_MS = 30_000;

/** What we know of the NAT in front of us (RFC 6081 §5.3.1, §5.4.1). */
export interface NatFlags {
  /** Symmetric NAT flag: two servers see us differently. */
  symmetric: boolean;
  /** Port-Preserving NAT flag: the mapped port is our local one. */
  portPreserving: boolean;
  /** UPnP-Enabled NAT flag: a mapping was asked for and granted. */
  mapped: boolean;
  /** UPnP-Mapped Address/Port, null ("zero") behind a single NAT, where it is the one in our Teredo address. */
  external: Endpoint | null;
}

/** Where a peer was reached last, for a direct bubble that asks whether it still is (RFC 6081 §5.7). */
export interface Former {
  readonly endpoint: Endpoint;
  readonly from: Endpoint;
  readonly via: number | undefined;
  readonly until: number;
}

/** Per-peer state of RFC 6081 §5.2.1, §5.3.1, §5.4.1, §5.6.1, §5.7.1. */
export class Extension {
  /** The peer has sent a trailer, so it knows RFC 6081. */
  speaks = false;
  /** It brought a nonce of ours back, so it knows at least that part (§5.2). */
  echoes = false;
  /** Nonce Received, of its last indirect bubble; null for the RFC's zero. */
  nonceReceived: Uint8Array | null = null;
  /** Symmetric Peer flag. */
  symmetric = false;
  /** Random Port: what our NAT makes of our side port, as far as we can foresee; 0: none. */
  randomPort = 0;
  /** Data came from it on the way in use: it trusts us, so it hears us. */
  hearsUs = false;
  /** Peer Random Port. */
  peerRandomPort = 0;
  /** Alternate Address/Port list: those of them that we may send to. */
  alternates: readonly Endpoint[] = [];
  /** Where its last discovery bubble came from (RFC 4380 §5.2.8). */
  local: { readonly endpoint: Endpoint; readonly at: number } | null = null;
  /** Where it was reached before it went quiet. */
  former: Former | null = null;
  /** The address of ours that its last indirect bubble named, perhaps an older one; null once we ask by ourselves. */
  own: Ip6 | null = null;
  /** When its last indirect bubble came. */
  askedAt = -Infinity;
  /** When it agreed to be probed, and what it said of its NAT then; rounds of probing that we asked of it. */
  probeAgreedAt = -Infinity;
  probeSymmetric = false;
  probeRounds = 0;
  private sent: Uint8Array[] = [];
  private confirmedAt: number[] = [];

  /** Its endpoint on our own link, while it counts as a local peer (RFC 4380 §5.2.4 case 3). */
  localAt(now: number): Endpoint | null {
    return this.local && now - this.local.at < LOCAL_PEER_MS ? this.local.endpoint : null;
  }

  /** A fresh nonce for an indirect bubble (§5.2.4.1). */
  newNonce(random: Random): Uint8Array {
    const nonce = random.bytes(NONCE_LENGTH);
    this.sent = [nonce, ...this.sent].slice(0, NONCES_KEPT);
    return nonce;
  }

  /** Those of our nonces that an answer may bring back. */
  get nonces(): readonly Uint8Array[] {
    return this.sent;
  }

  /** True when `trailers` bring back one of our nonces (§5.2.4.4). */
  answersNonce(trailers: readonly Trailer[]): boolean {
    const nonce = readNonce(trailers);
    const ours = nonce !== undefined && this.sent.some((sent) => constantTimeEqual(sent, nonce));
    this.echoes ||= ours;
    return ours;
  }

  /** Twice in `CONFIRM_WINDOW_MS` a bubble may be sent on the strength of a nonce alone. */
  mayConfirm(now: number): boolean {
    this.confirmedAt = this.confirmedAt.filter((at) => now - at < CONFIRM_WINDOW_MS);
    if (this.confirmedAt.length >= CONFIRMS) return false;
    this.confirmedAt.push(now);
    return true;
  }

  /** No answer to an earlier bubble counts any more: they were sent from another mapping. */
  forgetNonces(): void {
    this.sent = [];
  }

  /**
   * Takes the trailers of an indirect bubble (§5.2.4.3, §5.4.4.4, §5.6.4.2). `maySend` says which alternate addresses we may
   * send to; `exchangedAt` is the time of the last packet to or from the peer. True when the peer's random port became another.
   */
  heardIndirect(
    trailers: readonly Trailer[],
    maySend: (endpoint: Endpoint) => boolean,
    exchangedAt: number,
    now: number,
  ): boolean {
    this.askedAt = now;
    const nonce = readNonce(trailers);
    this.nonceReceived = nonce ? nonce.slice() : null;
    this.speaks = trailers.length > 0;
    this.alternates = readAlternateAddresses(trailers).filter(maySend);
    // §5.4 builds on §5.2, whose indirect bubbles carry a nonce. One without would make us send two for one (R-reflection).
    const port = (nonce && readRandomPort(trailers)) ?? 0;
    if (port === 0 || port === this.peerRandomPort) return false;
    if (this.peerRandomPort !== 0 && now - exchangedAt < RANDOM_PORT_HOLDS_MS) return false;
    const changed = this.peerRandomPort !== 0;
    this.peerRandomPort = port;
    return changed;
  }
}
