// Module wire/ipv6 reads and builds IPv6 headers, walks extension headers, and makes bubbles (RFC 8200, RFC 4380 §2.8).
import { readIp6, writeIp6 } from './ip.ts';
import type { Ip6, Result, WireReason } from './types.ts';

export const IP6_HEADER_LENGTH = 40;

/** Next-header numbers. */
export const PROTOCOL = {
  hopByHop: 0,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  esp: 50,
  authentication: 51,
  icmp6: 58,
  none: 59,
  destinationOptions: 60,
  mobility: 135,
} as const;

/** Fixed part of the upper-layer headers that a first fragment must hold, bytes (RFC 7112 §5). */
const UPPER_LAYER_LENGTH = new Map<number, number>([
  [PROTOCOL.tcp, 20],
  [PROTOCOL.udp, 8],
  [PROTOCOL.icmp6, 8],
  [PROTOCOL.esp, 8],
]);

/** Longest chain of extension headers that is walked; RFC 8200 §4.1 lists seven, once each but for one. */
const MAX_EXTENSION_HEADERS = 8;

export interface Ip6Header {
  readonly trafficClass: number;
  readonly flowLabel: number;
  /** Bytes after the 40 of the header. */
  readonly payloadLength: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly source: Ip6;
  readonly destination: Ip6;
}

/** The fields a builder is given; traffic class and flow label are 0 by default. */
export type Ip6Fields = Partial<Pick<Ip6Header, 'trafficClass' | 'flowLabel'>> &
  Omit<Ip6Header, 'trafficClass' | 'flowLabel'>;

/** Header of a packet. `bytes` may be longer than the packet; shorter than its length field says is `ipv6Truncated`. */
export function parseIp6Header(bytes: Uint8Array): Result<Ip6Header> {
  const length = payloadLengthOf(bytes);
  if (!length.ok) return length;
  return {
    ok: true,
    value: {
      trafficClass: ((bytes[0]! & 15) << 4) | (bytes[1]! >>> 4),
      flowLabel: ((bytes[1]! & 15) << 16) | (bytes[2]! << 8) | bytes[3]!,
      payloadLength: length.value,
      nextHeader: bytes[6]!,
      hopLimit: bytes[7]!,
      source: readIp6(bytes, 8),
      destination: readIp6(bytes, 24),
    },
  };
}

/** The length field of a packet that is whole; the addresses, which take time to read, are left alone. */
function payloadLengthOf(bytes: Uint8Array): Result<number> {
  if (bytes.length === 0) return fail('empty');
  if (bytes[0]! >>> 4 !== 6) return fail('ipv6Version');
  if (bytes.length < IP6_HEADER_LENGTH) return fail('ipv6Truncated');
  const length = (bytes[4]! << 8) | bytes[5]!;
  return IP6_HEADER_LENGTH + length > bytes.length
    ? fail('ipv6Truncated')
    : { ok: true, value: length };
}

/** The 40 bytes of a header. */
function buildIp6Header(fields: Ip6Fields): Uint8Array {
  const { trafficClass = 0, flowLabel = 0 } = fields;
  const bytes = new Uint8Array(IP6_HEADER_LENGTH);
  bytes[0] = 0x60 | (trafficClass >>> 4);
  bytes[1] = ((trafficClass & 15) << 4) | (flowLabel >>> 16);
  bytes[2] = flowLabel >>> 8;
  bytes[3] = flowLabel;
  bytes[4] = fields.payloadLength >>> 8;
  bytes[5] = fields.payloadLength;
  bytes[6] = fields.nextHeader;
  bytes[7] = fields.hopLimit;
  writeIp6(bytes, 8, fields.source);
  writeIp6(bytes, 24, fields.destination);
  return bytes;
}

/** A whole packet: header and `payload`. */
export function buildIp6Packet(
  fields: Omit<Ip6Fields, 'payloadLength'>,
  payload: Uint8Array,
): Uint8Array {
  const packet = new Uint8Array(IP6_HEADER_LENGTH + payload.length);
  packet.set(buildIp6Header({ ...fields, payloadLength: payload.length }));
  packet.set(payload, IP6_HEADER_LENGTH);
  return packet;
}

/** What the chain of extension headers leads to. */
export interface UpperLayer {
  /** Protocol number; for a fragment after the first, the one its fragment header names. */
  readonly protocol: number;
  /** Where its header starts (for a later fragment: its data). */
  readonly offset: number;
  readonly fragment: {
    readonly id: number;
    /** In bytes. */
    readonly offset: number;
    readonly more: boolean;
  } | null;
}

/**
 * Walks the extension headers of one whole packet (RFC 8200 §4). A routing header of type 0 or with segments left is
 * refused (RFC 5095 and RFC 4380 §7); so are chains that are cut, too long, or that a first fragment does not hold (RFC 7112).
 */
export function walkHeaders(packet: Uint8Array): Result<UpperLayer> {
  const length = payloadLengthOf(packet);
  if (!length.ok) return length;
  const end = IP6_HEADER_LENGTH + length.value;
  let protocol = packet[6]!;
  let offset = IP6_HEADER_LENGTH;
  let fragment: UpperLayer['fragment'] = null;
  for (let count = 0; ; count++) {
    const extension = extensionLength(packet, protocol, offset, end);
    if (extension === 0) {
      const needed = UPPER_LAYER_LENGTH.get(protocol) ?? 0;
      if (fragment?.more && offset + needed > end) return fail('fragmentHeaderChain');
      return { ok: true, value: { protocol, offset, fragment } };
    }
    if (count === MAX_EXTENSION_HEADERS) return fail('extensionChainTooLong');
    if (extension < 0) return fail(fragment ? 'fragmentHeaderChain' : 'extensionTruncated');
    if (protocol === PROTOCOL.routing && (packet[offset + 2] === 0 || packet[offset + 3] !== 0))
      return fail('routingHeader');
    if (protocol === PROTOCOL.fragment) {
      if (fragment) return fail('fragmentHeaderChain');
      const field = (packet[offset + 2]! << 8) | packet[offset + 3]!;
      const id = new DataView(packet.buffer, packet.byteOffset + offset + 4, 4).getUint32(0);
      fragment = { id, offset: field & 0xfff8, more: (field & 1) !== 0 };
    }
    protocol = packet[offset]!;
    offset += extension;
    if (fragment && fragment.offset > 0) return { ok: true, value: { protocol, offset, fragment } };
  }
}

/** Length of the extension header at `offset`; 0 when `protocol` is none, -1 when it goes past `end`. */
function extensionLength(
  packet: Uint8Array,
  protocol: number,
  offset: number,
  end: number,
): number {
  let length: number;
  switch (protocol) {
    case PROTOCOL.hopByHop:
    case PROTOCOL.routing:
    case PROTOCOL.destinationOptions:
    case PROTOCOL.mobility:
      if (offset + 8 > end) return -1;
      length = (packet[offset + 1]! + 1) * 8;
      break;
    case PROTOCOL.authentication:
      if (offset + 8 > end) return -1;
      length = (packet[offset + 1]! + 2) * 4;
      break;
    case PROTOCOL.fragment:
      length = 8;
      break;
    default:
      return 0;
  }
  return offset + length > end ? -1 : length;
}

/** A bubble is an IPv6 header alone: no payload, next header 59 (RFC 4380 §2.8). */
export function isBubble(header: Ip6Header): boolean {
  return header.nextHeader === PROTOCOL.none && header.payloadLength === 0;
}

/** The 40 bytes of a bubble. */
export function buildBubble(source: Ip6, destination: Ip6, hopLimit = 255): Uint8Array {
  return buildIp6Header({
    payloadLength: 0,
    nextHeader: PROTOCOL.none,
    hopLimit,
    source,
    destination,
  });
}

/** Internet checksum of `payload` with the IPv6 pseudo-header (RFC 8200 §8.1); 0 over a payload whose own checksum is right. */
export function checksum6(
  source: Ip6,
  destination: Ip6,
  protocol: number,
  payload: Uint8Array,
): number {
  const fields = { payloadLength: 0, nextHeader: protocol, hopLimit: 0, source, destination };
  return checksumIn(buildIp6Header(fields), protocol, payload);
}

/** The same with the addresses of `packet`, whose upper-layer message is `payload`. */
export function checksumIn(packet: Uint8Array, protocol: number, payload: Uint8Array): number {
  let sum = payload.length + protocol + sumWords(packet, 8, IP6_HEADER_LENGTH);
  sum += sumWords(payload, 0, payload.length);
  return folded(sum);
}

/** Internet checksum of `bytes` (RFC 1071); 0 over bytes whose own checksum is right. */
export function checksum(bytes: Uint8Array): number {
  return folded(sumWords(bytes, 0, bytes.length));
}

function folded(words: number): number {
  let sum = words;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum ^ 0xffff;
}

function sumWords(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i + 1 < to; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  return (to - from) % 2 ? sum + (bytes[to - 1]! << 8) : sum;
}

function fail(reason: WireReason): { readonly ok: false; readonly reason: WireReason } {
  return { ok: false, reason };
}
