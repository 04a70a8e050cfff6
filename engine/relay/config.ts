// Module relay/config holds the relay's constants with unit, reason and RFC section, and its default settings.
import { isTeredo } from '../wire/index.ts';
import type { Ip6 } from '../wire/index.ts';
import type { RelayConfig, RelayLimits } from './types.ts';

/** A client counts as reachable this long after the last reception, ms (RFC 4380 §5.2.4, §5.4.1). */
export const PEER_VALID_MS = 30_000;
/** A bubble without an answer is repeated after this time, ms (RFC 4380 §5.4.1 case 3). */
export const BUBBLE_TIMEOUT_MS = 2_000;
/** The bubble and up to three repetitions; then the client is given up (RFC 4380 §5.4.1 case 3). */
export const BUBBLE_TRIES = 4;
/** A client that nobody talked with is forgotten after this time, ms; until then its packets renew the trust (RFC 4380 §5.4.2). */
export const PEER_FORGET_MS = 300_000;
/** The list of clients is looked over this often, ms. */
export const PEER_CHECK_MS = 30_000;
/** The datapath is told of a known client's reception by way of the engine at most this often, ms. */
export const PEER_ANNOUNCE_MS = 5_000;

const DEFAULT_LIMITS: RelayLimits = {
  // At the bubble limit of all sources together it takes a quarter of an hour to ask so many; 150 bytes each.
  maxPeers: 1_048_576,
  // At the bubble limit of all sources together an entry lives four seconds at least: longer than any answer takes.
  maxPending: 4_096,
  queueBytesPerPeer: 65_536,
  queuePacketsPerPeer: 64,
  queueBytesTotal: 4 * 1024 * 1024,
  bubblesPerSecondPerSource: 50,
  bubblesPerSecondPerServer: 200,
  bubblesPerSecond: 1_000,
  // A tenth of all: who forges such datagrams can't hinder the clients that native hosts ask for.
  bubblesPerSecondToUnknown: 100,
  maxSources: 4_096,
  icmpPerSecond: 100,
};

/** Settings that a caller may give; `address` he must. */
export type RelaySettings = Partial<Omit<RelayConfig, 'address' | 'limits'>> & {
  readonly address: Ip6;
  readonly limits?: Partial<RelayLimits>;
};

/**
 * Fills `settings` up with defaults: a host-specific relay is taken to be behind a NAT.
 * @throws RangeError when the relay's own address is a Teredo address: its answers would come back to it (RFC 6324 §3)
 */
export function relayConfig(settings: RelaySettings): RelayConfig {
  if (isTeredo(settings.address))
    throw new RangeError(
      'A relay needs a native IPv6 address of its own; this is a Teredo address.',
    );
  return {
    hostSpecific: false,
    behindNat: settings.hostSpecific ?? false,
    allowPrivate: false,
    ...settings,
    limits: relayLimits(settings.limits),
  };
}

/** Fills `limits` up with defaults. */
export function relayLimits(limits: Partial<RelayLimits> = {}): RelayLimits {
  return { ...DEFAULT_LIMITS, ...limits };
}
