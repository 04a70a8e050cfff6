// Module wire/icmp6 reads and builds ICMPv6 messages with their checksums (RFC 4443).
import { isMulticast6 } from './ip.ts';
import {
  buildIp6Packet,
  checksumIn,
  IP6_HEADER_LENGTH,
  parseIp6Header,
  PROTOCOL,
  walkHeaders,
} from './ipv6.ts';
import type { Ip6Header } from './ipv6.ts';
import type { Ip6, Result, WireReason } from './types.ts';

export const ICMP6 = {
  unreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echoRequest: 128,
  echoReply: 129,
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighborSolicitation: 135,
  neighborAdvertisement: 136,
  redirect: 137,
} as const;

/** Codes of destination unreachable (RFC 4443 §3.1). */
export const UNREACHABLE = {
  noRoute: 0,
  prohibited: 1,
  beyondScope: 2,
  address: 3,
  port: 4,
} as const;

/** An error must fit the least IPv6 MTU (RFC 4443 §2.4(c)). */
const MAX_ERROR_LENGTH = 1280;
const ICMP_HEADER_LENGTH = 8;
/** Where a packet's destination is. */
const DESTINATION_AT = 24;

export interface Icmp6 {
  readonly type: number;
  readonly code: number;
  /** What follows type, code and checksum. */
  readonly body: Uint8Array;
  readonly header: Ip6Header;
}

export interface Echo {
  readonly reply: boolean;
  readonly identifier: number;
  readonly sequence: number;
  readonly data: Uint8Array;
  readonly source: Ip6;
  readonly destination: Ip6;
}

/** The ICMPv6 message of one whole, unfragmented packet with a right checksum. */
export function parseIcmp6(packet: Uint8Array): Result<Icmp6> {
  const header = parseIp6Header(packet);
  if (!header.ok) return header;
  const walked = walkHeaders(packet);
  if (!walked.ok) return walked;
  const { protocol, offset, fragment } = walked.value;
  if (protocol !== PROTOCOL.icmp6) return fail('notIcmp');
  if (fragment && (fragment.more || fragment.offset > 0)) return fail('icmpTruncated');
  const message = packet.subarray(offset, IP6_HEADER_LENGTH + header.value.payloadLength);
  if (message.length < 4) return fail('icmpTruncated');
  if (checksumIn(packet, PROTOCOL.icmp6, message) !== 0) return fail('icmpChecksum');
  return {
    ok: true,
    value: {
      type: message[0]!,
      code: message[1]!,
      body: message.subarray(4),
      header: header.value,
    },
  };
}

/** A packet with the ICMPv6 message `type`, `code`, checksum, `body`. */
export function buildIcmp6(
  fields: { type: number; code: number; source: Ip6; destination: Ip6; hopLimit: number },
  body: Uint8Array,
): Uint8Array {
  const { type, code, source, destination, hopLimit } = fields;
  const message = new Uint8Array(4 + body.length);
  message[0] = type;
  message[1] = code;
  message.set(body, 4);
  const packet = buildIp6Packet(
    { nextHeader: PROTOCOL.icmp6, hopLimit, source, destination },
    message,
  );
  writeChecksum(packet);
  return packet;
}

/** A copy of an ICMPv6 packet without extension headers for another destination, given as 16 bytes. */
export function readdressIcmp6(packet: Uint8Array, destination: Uint8Array): Uint8Array {
  const copy = packet.slice();
  copy.set(destination, DESTINATION_AT);
  copy[IP6_HEADER_LENGTH + 2] = copy[IP6_HEADER_LENGTH + 3] = 0;
  writeChecksum(copy);
  return copy;
}

/** Fills in the checksum, which is 0 so far. */
function writeChecksum(packet: Uint8Array): void {
  const sum = checksumIn(packet, PROTOCOL.icmp6, packet.subarray(IP6_HEADER_LENGTH));
  packet[IP6_HEADER_LENGTH + 2] = sum >>> 8;
  packet[IP6_HEADER_LENGTH + 3] = sum;
}

/** Echo request or reply: `identifier 16 | sequence 16 | data` (RFC 4443 §4). */
export function buildEcho(echo: Echo & { readonly hopLimit?: number }): Uint8Array {
  const { source, destination, hopLimit = 64 } = echo;
  const body = new Uint8Array(4 + echo.data.length);
  const view = new DataView(body.buffer);
  view.setUint16(0, echo.identifier);
  view.setUint16(2, echo.sequence);
  body.set(echo.data, 4);
  const type = echo.reply ? ICMP6.echoReply : ICMP6.echoRequest;
  return buildIcmp6({ type, code: 0, source, destination, hopLimit }, body);
}

/** The echo request or reply in `packet`. */
export function parseEcho(packet: Uint8Array): Result<Echo> {
  const icmp = parseIcmp6(packet);
  if (!icmp.ok) return icmp;
  const { type, code, body, header } = icmp.value;
  if ((type !== ICMP6.echoRequest && type !== ICMP6.echoReply) || code !== 0)
    return fail('icmpNotEcho');
  if (body.length < 4) return fail('icmpTruncated');
  return {
    ok: true,
    value: {
      reply: type === ICMP6.echoReply,
      identifier: (body[0]! << 8) | body[1]!,
      sequence: (body[2]! << 8) | body[3]!,
      data: body.subarray(4),
      source: header.source,
      destination: header.destination,
    },
  };
}

/**
 * An ICMPv6 error about `quoted`, of which it holds as much as fits 1280 bytes (RFC 4443 §2.4(c), §3).
 * `parameter` is the MTU of packet-too-big or the pointer of a parameter problem, else 0.
 */
export function buildIcmp6Error(fields: {
  type: number;
  code: number;
  parameter: number;
  source: Ip6;
  destination: Ip6;
  quoted: Uint8Array;
}): Uint8Array {
  const room = MAX_ERROR_LENGTH - IP6_HEADER_LENGTH - ICMP_HEADER_LENGTH;
  const quoted = fields.quoted.subarray(0, room);
  const body = new Uint8Array(4 + quoted.length);
  new DataView(body.buffer).setUint32(0, fields.parameter);
  body.set(quoted, 4);
  return buildIcmp6({ ...fields, hopLimit: 64 }, body);
}

/**
 * Whether an ICMPv6 error may answer `packet` (RFC 4443 §2.4(e)): not an error itself, not a redirect, not sent to
 * multicast, from one host, and not a later fragment (whose header we can't know).
 */
export function mayAnswerWithError(packet: Uint8Array): boolean {
  const header = parseIp6Header(packet);
  if (!header.ok) return false;
  const { source, destination } = header.value;
  if (isMulticast6(destination) || isMulticast6(source) || source === 0n) return false;
  const walked = walkHeaders(packet);
  if (!walked.ok) return false;
  const { protocol, offset, fragment } = walked.value;
  if (fragment && fragment.offset > 0) return false;
  if (protocol !== PROTOCOL.icmp6) return true;
  const type = packet[offset];
  return type !== undefined && type >= 128 && type !== ICMP6.redirect;
}

function fail(reason: WireReason): { readonly ok: false; readonly reason: WireReason } {
  return { ok: false, reason };
}
