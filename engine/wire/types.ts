// Module wire/types names the values that the bytes of a Teredo datagram stand for.

/** IPv4 address as an unsigned 32-bit number, most significant byte first (192.0.2.1 is 0xc0000201). */
export type Ip4 = number;

/** IPv6 address as an unsigned 128-bit number, so that it compares with `===` and serves as a map key. */
export type Ip6 = bigint;

/** UDP over IPv4 endpoint. `port` is 0..65535. */
export interface Endpoint {
  readonly ip: Ip4;
  readonly port: number;
}

/** What a parser gives: a value, or the name of what was wrong. Parsers never throw. */
export type Result<T, R extends string = WireReason> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: R };

/** Unpredictable bytes, handed in from outside so that the pure rooms stay deterministic in tests. */
export interface Random {
  /** `length` bytes, each uniformly distributed. */
  bytes(length: number): Uint8Array;
}

/** Why bytes were not understood. Used as counter names; none is renamed once released. */
export type WireReason =
  | 'empty'
  | 'indicatorUnknown'
  | 'indicatorRepeated'
  | 'indicatorOrder'
  | 'authenticationTruncated'
  | 'originTruncated'
  | 'ipv6Version'
  | 'ipv6Truncated'
  | 'extensionTruncated'
  | 'extensionChainTooLong'
  | 'routingHeader'
  | 'fragmentHeaderChain'
  | 'trailerRefused'
  | 'icmpTruncated'
  | 'icmpChecksum'
  | 'notIcmp'
  | 'icmpNotEcho'
  | 'icmpNotAdvertisement'
  | 'icmpNotSolicitation'
  | 'advertisementHopLimit'
  | 'advertisementOption'
  | 'advertisementNoPrefix'
  | 'advertisementManyPrefixes'
  | 'advertisementPrefixLength'
  | 'solicitationHopLimit'
  | 'solicitationOption';
