// Module wire/reach decides to which IPv4 addresses UDP may be sent on somebody else's word, and finds those hidden in IPv6 ones.
import { inNetwork4, NOT_GLOBAL, sixToFourClient } from './ip.ts';
import { isTeredo } from './teredo.ts';
import type { Endpoint, Ip4, Ip6 } from './types.ts';

/** What widens or narrows RFC 4380's idea of a global unicast address on one host. */
export interface Reach {
  /** Private addresses are fine too: closed labs only. */
  readonly allowPrivate: boolean;
  /** Directed broadcasts of the host's own links (RFC 4380 §5.2.4). */
  readonly broadcasts: readonly Ip4[];
}

/** ISATAP interface identifiers, with and without the universal bit (RFC 5214 §6.1; named by RFC 6324). */
const ISATAP = new Set([0x00005efen, 0x02005efen]);

/** In a closed lab private unicast is fine; what can't be one host's address stays refused. */
const NOT_A_HOST: readonly (readonly [Ip4, number])[] = [
  [0x00000000, 8],
  [0x7f000000, 8],
  [0xe0000000, 3],
];

/** The blocks, network and prefix length, where no host of the IPv4 Internet (RFC 4380 §5.2.4), or of the lab, can be. */
export function unreachableBlocks(reach: Reach): readonly (readonly [Ip4, number])[] {
  return reach.allowPrivate ? NOT_A_HOST : NOT_GLOBAL;
}

/** True when `ip` can be one host of the IPv4 Internet, or of the lab. */
export function isReachable4(ip: Ip4, reach: Reach): boolean {
  return (
    !reach.broadcasts.includes(ip) &&
    !unreachableBlocks(reach).some(([network, prefix]) => inNetwork4(ip, network, prefix))
  );
}

/** The same for an endpoint; port 0 is nobody's. */
export function isReachableEndpoint(endpoint: Endpoint, reach: Reach): boolean {
  return endpoint.port !== 0 && isReachable4(endpoint.ip, reach);
}

/** The IPv4 address that a 6to4 or ISATAP address would be tunnelled to (RFC 6324 §3). */
export function embeddedIp4(address: Ip6): Ip4 | undefined {
  const sixToFour = sixToFourClient(address);
  if (sixToFour !== undefined) return sixToFour;
  return ISATAP.has((address >> 32n) & 0xffffffffn) ? Number(address & 0xffffffffn) : undefined;
}

/** True when `address` is a 6to4 or ISATAP one that would bring a packet back to one of `own`, or to nobody (RFC 6324 §3). */
export function embedsRefused(address: Ip6, own: readonly Ip4[], reach: Reach): boolean {
  const embedded = embeddedIp4(address);
  return embedded !== undefined && (own.includes(embedded) || !isReachable4(embedded, reach));
}

/** Can be a native host: global unicast as it is assigned (2000::/3) but for Teredo, in a lab unique local too. */
export function isNative6(address: Ip6, reach: Reach): boolean {
  if (address >> 125n === 1n) return !isTeredo(address);
  return reach.allowPrivate && address >> 121n === 0x7en;
}
