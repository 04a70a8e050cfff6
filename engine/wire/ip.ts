// Module wire/ip converts IPv4 and IPv6 addresses between text, bytes and numbers, and judges what kind they are.
import ipaddr from 'ipaddr.js';
import type { Endpoint, Ip4, Ip6 } from './types.ts';

/** ff02::1, all nodes on the link (RFC 4291 §2.7.1). */
export const LINK_LOCAL_ALL_NODES: Ip6 = 0xff020000_00000000_00000000_00000001n;
/** ff02::2, all routers on the link. */
export const LINK_LOCAL_ALL_ROUTERS: Ip6 = 0xff020000_00000000_00000000_00000002n;

/** Dotted quad to number; undefined for anything else (no octal, no short forms). */
export function parseIp4(text: string): Ip4 | undefined {
  const match = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/.exec(
    text,
  );
  if (!match) return undefined;
  const parts = match.slice(1).map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  return parts.reduce((ip, part) => ip * 256 + part, 0);
}

export function formatIp4(ip: Ip4): string {
  return [ip >>> 24, (ip >>> 16) & 255, (ip >>> 8) & 255, ip & 255].join('.');
}

/** Text to address; undefined when it is none. A zone (`%eth0`) is not part of an address. */
export function parseIp6(text: string): Ip6 | undefined {
  if (text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
  const quad = /[^:]+\.[^:]+$/.exec(text);
  if (quad && parseIp4(quad[0]) === undefined) return undefined;
  return readIp6(Uint8Array.from(ipaddr.IPv6.parse(text).toByteArray()), 0);
}

/** The canonical text of RFC 5952. */
export function formatIp6(ip: Ip6): string {
  const bytes = new Uint8Array(16);
  writeIp6(bytes, 0, ip);
  return new ipaddr.IPv6([...bytes]).toRFC5952String();
}

/** `192.0.2.1:3544`. */
export function formatEndpoint(endpoint: Endpoint): string {
  return `${formatIp4(endpoint.ip)}:${endpoint.port}`;
}

/** The reverse of `formatEndpoint`; undefined when it is no IPv4 address and port. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^([^:]+):(\d{1,5})$/.exec(text);
  const ip = match && parseIp4(match[1]!);
  const port = match ? Number(match[2]) : 0;
  return typeof ip === 'number' && port <= 65_535 ? { ip, port } : undefined;
}

export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.ip === b.ip && a.port === b.port;
}

/** One number per endpoint (48 bits), to serve as a map key. */
export function endpointKey(endpoint: Endpoint): number {
  return endpoint.ip * 65_536 + endpoint.port;
}

/** The 16 bytes at `offset`, most significant first. The caller has checked the length. */
export function readIp6(bytes: Uint8Array, offset: number): Ip6 {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 16);
  return (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
}

export function writeIp6(bytes: Uint8Array, offset: number, ip: Ip6): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 16);
  view.setBigUint64(0, ip >> 64n);
  view.setBigUint64(8, ip & 0xffffffff_ffffffffn);
}

/** True when `ip` lies in `network`/`prefix`. */
export function inNetwork4(ip: Ip4, network: Ip4, prefix: number): boolean {
  if (prefix <= 0) return true;
  const shift = 32 - prefix;
  return ip >>> shift === network >>> shift;
}

/** Directed broadcast of the network of `address`; none for /31 and /32 (RFC 3021), nor for a /0. */
export function directedBroadcast4(address: Ip4, prefix: number): Ip4 | undefined {
  if (prefix < 1 || prefix > 30) return undefined;
  return (address | (0xffffffff >>> prefix)) >>> 0;
}

/** IPv4 blocks that are not global unicast: RFC 4380 §5.2.4, and 100.64/10 (RFC 6598) and class E beside it. */
export const NOT_GLOBAL: readonly (readonly [Ip4, number])[] = [
  [0x00000000, 8],
  [0x0a000000, 8],
  [0x64400000, 10],
  [0x7f000000, 8],
  [0xa9fe0000, 16],
  [0xac100000, 12],
  [0xc0a80000, 16],
  [0xc0586300, 24],
  [0xe0000000, 3],
];

/** Global unicast in the sense of RFC 4380 §5.2.4; `directedBroadcasts` are those of the host's own links. */
export function isGlobalUnicast4(ip: Ip4, directedBroadcasts: readonly Ip4[] = []): boolean {
  return !NOT_GLOBAL.some(([n, p]) => inNetwork4(ip, n, p)) && !directedBroadcasts.includes(ip);
}

export function isMulticast6(ip: Ip6): boolean {
  return ip >> 120n === 0xffn;
}

/** fe80::/10. */
export function isLinkLocal6(ip: Ip6): boolean {
  return ip >> 118n === 0x3fan;
}

/** Can be the far end of a packet: neither multicast, unspecified, loopback, link-local, v4-mapped, v4-compatible nor site-local. */
export function isUnicastPeer6(ip: Ip6): boolean {
  // ::/32 holds the unspecified, loopback, v4-compatible and v4-mapped addresses; fec0::/10 is deprecated (RFC 3879).
  return !isMulticast6(ip) && !isLinkLocal6(ip) && ip >> 96n !== 0n && ip >> 118n !== 0x3fbn;
}

/** The IPv4 address inside a 6to4 address, 2002::/16 (RFC 3056 §2). */
export function sixToFourClient(ip: Ip6): Ip4 | undefined {
  return ip >> 112n === 0x2002n ? Number((ip >> 80n) & 0xffffffffn) : undefined;
}
