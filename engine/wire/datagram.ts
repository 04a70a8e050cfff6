// Module wire/datagram takes a Teredo datagram apart and puts one together: `[authentication] [origin] packet [trailers]`.
import type { Authentication } from './authentication.ts';
import { IP6_HEADER_LENGTH, parseIp6Header } from './ipv6.ts';
import type { Ip6Header } from './ipv6.ts';
import { ORIGIN_LENGTH, originBytesOf, readOrigin } from './origin.ts';
import { buildTrailers, parseTrailers } from './trailers.ts';
import type { Trailer } from './trailers.ts';
import type { Endpoint, Result, WireReason } from './types.ts';

/** Second byte of an indicator; the first is 0 (RFC 4380 §5.1.1). */
const INDICATOR = { origin: 0, authentication: 1 } as const;
/** Authentication without its variable parts: type 2, ID-len, AU-len, nonce 8, confirmation 1. */
const AUTHENTICATION_FIXED = 13;
const NONCE_LENGTH = 8;

export interface Datagram {
  readonly authentication: Authentication | null;
  readonly origin: Endpoint | null;
  /** The origin indication as it came, empty when there is none: the authentication covers it. */
  readonly originBytes: Uint8Array;
  /** Exactly the IPv6 packet. */
  readonly packet: Uint8Array;
  readonly header: Ip6Header;
  readonly trailers: readonly Trailer[];
}

/**
 * Parses a UDP payload. Each indicator comes at most once, authentication first; the packet's own length rules, and what
 * follows it are trailers (RFC 6081 §4). The parts of the result share memory with `bytes`.
 */
export function parseDatagram(bytes: Uint8Array): Result<Datagram> {
  if (bytes.length === 0) return fail('empty');
  let offset = 0;
  let authentication: Authentication | null = null;
  let origin: Endpoint | null = null;
  let originBytes = bytes.subarray(0, 0);
  while (offset < bytes.length && bytes[offset]! >>> 4 === 0) {
    const kind = bytes[offset] === 0 ? bytes[offset + 1] : undefined;
    if (kind === INDICATOR.authentication) {
      if (authentication) return fail('indicatorRepeated');
      if (origin) return fail('indicatorOrder');
      const length = authenticationLength(bytes, offset);
      if (length === undefined) return fail('authenticationTruncated');
      authentication = readAuthentication(bytes, offset);
      offset += length;
    } else if (kind === INDICATOR.origin) {
      if (origin) return fail('indicatorRepeated');
      if (offset + ORIGIN_LENGTH > bytes.length) return fail('originTruncated');
      originBytes = bytes.subarray(offset, offset + ORIGIN_LENGTH);
      origin = readOrigin(originBytes);
      offset += ORIGIN_LENGTH;
    } else return fail('indicatorUnknown');
  }
  const rest = bytes.subarray(offset);
  if (rest.length === 0) return fail('ipv6Truncated');
  const header = parseIp6Header(rest);
  if (!header.ok) return header;
  const length = IP6_HEADER_LENGTH + header.value.payloadLength;
  const trailers = parseTrailers(rest.subarray(length));
  if (!trailers.ok) return trailers;
  return {
    ok: true,
    value: {
      authentication,
      origin,
      originBytes,
      packet: rest.subarray(0, length),
      header: header.value,
      trailers: trailers.value,
    },
  };
}

/**
 * Builds a UDP payload from its parts. Throws RangeError for a client id, authentication value or trailer of more than
 * 255 bytes or a nonce of other than 8: the format can't say them.
 */
export function buildDatagram(parts: {
  authentication?: Authentication;
  origin?: Endpoint;
  packet: Uint8Array;
  trailers?: readonly Trailer[];
}): Uint8Array {
  const { authentication, origin, packet, trailers } = parts;
  const pieces: Uint8Array[] = [];
  if (authentication) pieces.push(authenticationBytes(authentication));
  if (origin) pieces.push(originBytesOf(origin));
  pieces.push(packet);
  if (trailers) pieces.push(buildTrailers(trailers));
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

/** `00 01 | ID-len | AU-len | client id | value | nonce 8 | confirmation`. */
function authenticationBytes(a: Authentication): Uint8Array {
  const { clientId, value } = a;
  if (clientId.length > 255 || value.length > 255 || a.nonce.length !== NONCE_LENGTH)
    throw new RangeError(
      'client id and authentication value hold at most 255 bytes, the nonce exactly 8',
    );
  const bytes = new Uint8Array(AUTHENTICATION_FIXED + clientId.length + value.length);
  bytes[1] = INDICATOR.authentication;
  bytes[2] = clientId.length;
  bytes[3] = value.length;
  bytes.set(clientId, 4);
  bytes.set(value, 4 + clientId.length);
  bytes.set(a.nonce, bytes.length - NONCE_LENGTH - 1);
  bytes[bytes.length - 1] = a.confirmation;
  return bytes;
}

function authenticationLength(bytes: Uint8Array, offset: number): number | undefined {
  if (offset + AUTHENTICATION_FIXED > bytes.length) return undefined;
  const length = AUTHENTICATION_FIXED + bytes[offset + 2]! + bytes[offset + 3]!;
  return offset + length > bytes.length ? undefined : length;
}

function readAuthentication(bytes: Uint8Array, offset: number): Authentication {
  const idAt = offset + 4;
  const valueAt = idAt + bytes[offset + 2]!;
  const nonceAt = valueAt + bytes[offset + 3]!;
  return {
    clientId: bytes.subarray(idAt, valueAt),
    value: bytes.subarray(valueAt, nonceAt),
    nonce: bytes.subarray(nonceAt, nonceAt + NONCE_LENGTH),
    confirmation: bytes[nonceAt + NONCE_LENGTH]!,
  };
}

function fail(reason: WireReason): { readonly ok: false; readonly reason: WireReason } {
  return { ok: false, reason };
}
