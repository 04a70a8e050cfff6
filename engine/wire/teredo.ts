// Module wire/teredo takes Teredo addresses apart and puts them together (RFC 4380 §4, flags as RFC 5991 §3).
import type { Endpoint, Ip4, Ip6, Random } from './types.ts';

/** UDP port of Teredo servers (RFC 4380 §2.7). */
export const TEREDO_PORT = 3544;
/** IPv6 MTU of the tunnel, bytes (RFC 4380 §5.1.2). */
export const TEREDO_MTU = 1280;
/** Multicast group of local discovery, 224.0.0.253 (RFC 4380 §2.17). */
export const DISCOVERY_ADDRESS: Ip4 = 0xe00000fd;
/** The cone bit, most significant of the flags (RFC 4380 §4). */
export const CONE_FLAG = 0x8000;
/** The bits that RFC 5991 §3 lets be random: `C R AAAA U G AAAAAAAA`. */
const RANDOM_FLAGS = 0x3cff;
/** 2001::/32 (RFC 4380 §2.6). */
const SERVICE_PREFIX = 0x20010000n;

/** The parts of a Teredo address; `client` is the mapped endpoint in clear. */
export interface TeredoAddress {
  readonly server: Ip4;
  /** 16 bits. */
  readonly flags: number;
  readonly client: Endpoint;
}

export function isTeredo(ip: Ip6): boolean {
  return ip >> 96n === SERVICE_PREFIX;
}

/** `prefix 32 | server 32 | flags 16 | ~port 16 | ~client 32`; undefined when the prefix is another. */
export function decodeTeredo(ip: Ip6): TeredoAddress | undefined {
  if (!isTeredo(ip)) return undefined;
  return {
    server: Number((ip >> 64n) & 0xffffffffn),
    flags: Number((ip >> 48n) & 0xffffn),
    client: {
      ip: (Number(ip & 0xffffffffn) ^ 0xffffffff) >>> 0,
      port: Number((ip >> 32n) & 0xffffn) ^ 0xffff,
    },
  };
}

export function encodeTeredo({ server, flags, client }: TeredoAddress): Ip6 {
  return (
    teredoPrefix(server) |
    (BigInt(flags) << 48n) |
    (BigInt(client.port ^ 0xffff) << 32n) |
    BigInt((client.ip ^ 0xffffffff) >>> 0)
  );
}

/** The /64 that a server advertises, its low 64 bits 0. */
export function teredoPrefix(server: Ip4): Ip6 {
  return (SERVICE_PREFIX << 96n) | (BigInt(server) << 64n);
}

export function isCone(flags: number): boolean {
  return (flags & CONE_FLAG) !== 0;
}

/** Flags for a new address: 12 random bits, C, R, U and G are 0 (RFC 5991 §3). */
export function randomFlags(random: Random): number {
  const bytes = random.bytes(2);
  return ((bytes[0]! << 8) | bytes[1]!) & RANDOM_FLAGS;
}

/** A link-local source for a solicitation, cone bit 0, the other bits of the identifier random (RFC 4380 §5.2.1, RFC 5991 §3). */
export function linkLocalFor(random: Random): Ip6 {
  const flags = BigInt(randomFlags(random));
  const rest = random.bytes(6).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  return (0xfe80n << 112n) | (flags << 48n) | rest;
}
