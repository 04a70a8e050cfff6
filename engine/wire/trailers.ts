// Module wire/trailers reads and builds what may follow the IPv6 packet in a datagram (RFC 6081 §4).
import type { Endpoint, Result } from './types.ts';

/** Trailer types. Random Port is `05` by RFC 6081 §4.5; the table in its §9 says `02`, so both are taken. */
export const TRAILER = {
  nonce: 0x01,
  randomPortOfTable: 0x02,
  alternateAddress: 0x03,
  neighborDiscovery: 0x04,
  randomPort: 0x05,
  /** Ours, of no RFC: its two top bits let those skip it who don't know it. */
  probe: 0xfd,
} as const;

export interface Trailer {
  readonly type: number;
  readonly value: Uint8Array;
}

/** The two top bits that decide what an unknown type means (RFC 6081 §4.1): 01 discards the packet. */
const DISCARD_CLASS = 0x40;
const CLASS_MASK = 0xc0;
const KNOWN: ReadonlySet<number> = new Set(Object.values(TRAILER));

/**
 * All trailers in `bytes`, `type 1 | length 1 | value` each; unknown types that may be skipped are skipped. A malformed
 * one ends the trailers, those before it count (RFC 6081 §4.1, §5.1.2).
 */
export function parseTrailers(bytes: Uint8Array): Result<Trailer[]> {
  const trailers: Trailer[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const type = bytes[offset]!;
    const length = bytes[offset + 1];
    if (length === undefined || offset + 2 + length > bytes.length) break;
    if (KNOWN.has(type))
      trailers.push({ type, value: bytes.subarray(offset + 2, offset + 2 + length) });
    else if ((type & CLASS_MASK) === DISCARD_CLASS) return { ok: false, reason: 'trailerRefused' };
    offset += 2 + length;
  }
  return { ok: true, value: trailers };
}

/** The bytes of `trailers`. Throws RangeError for a value of more than 255 bytes, which the length can't say. */
export function buildTrailers(trailers: readonly Trailer[]): Uint8Array {
  if (trailers.some((t) => t.value.length > 255))
    throw new RangeError('a trailer holds at most 255 bytes');
  return Uint8Array.from(trailers.flatMap((t) => [t.type, t.value.length, ...t.value]));
}

/** The nonce of a Nonce trailer (4 bytes, RFC 6081 §4.2), undefined when there is none of that length. */
export function readNonce(trailers: readonly Trailer[]): Uint8Array | undefined {
  return trailers.find((t) => t.type === TRAILER.nonce && t.value.length === 4)?.value;
}

/** A Nonce trailer (RFC 6081 §4.2); `nonce` is 4 bytes. */
export function nonceTrailer(nonce: Uint8Array): Trailer {
  return { type: TRAILER.nonce, value: nonce };
}

/** Lengths of an Alternate Address trailer: one to four pairs (RFC 6081 §4.3). */
const ALTERNATE_LENGTHS: readonly number[] = [8, 14, 20, 26];

/** The pairs of an Alternate Address trailer (`reserved 2 | (IPv4 4, port 2)...`, RFC 6081 §4.3). */
export function readAlternateAddresses(trailers: readonly Trailer[]): readonly Endpoint[] {
  const value = trailers.find((t) => t.type === TRAILER.alternateAddress)?.value;
  if (!value || !ALTERNATE_LENGTHS.includes(value.length)) return [];
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const endpoints: Endpoint[] = [];
  for (let offset = 2; offset < value.length; offset += 6)
    endpoints.push({ ip: view.getUint32(offset), port: view.getUint16(offset + 4) });
  return endpoints;
}

/** An Alternate Address trailer of one to four pairs (RFC 6081 §4.3). */
export function alternateAddressTrailer(endpoints: readonly Endpoint[]): Trailer {
  const value = new Uint8Array(2 + 6 * endpoints.length);
  const view = new DataView(value.buffer);
  endpoints.forEach(({ ip, port }, i) => {
    view.setUint32(2 + 6 * i, ip);
    view.setUint16(6 + 6 * i, port);
  });
  return { type: TRAILER.alternateAddress, value };
}

/** A Neighbor Discovery Option trailer (RFC 6081 §4.4). */
export function neighborDiscoveryTrailer(kind: 'solicitation' | 'advertisement'): Trailer {
  const value = Uint8Array.of(kind === 'solicitation' ? 0 : 1, 0, 0, 0);
  return { type: TRAILER.neighborDiscovery, value };
}

/** What a Neighbor Discovery Option trailer says (`type 1 | reserved 3`, RFC 6081 §4.4); undefined for any other. */
export function readNeighborDiscovery(
  trailers: readonly Trailer[],
): 'solicitation' | 'advertisement' | undefined {
  const value = trailers.find((t) => t.type === TRAILER.neighborDiscovery)?.value;
  if (value?.length !== 4) return undefined;
  return value[0] === 0 ? 'solicitation' : value[0] === 1 ? 'advertisement' : undefined;
}

/** The port of a Random Port trailer (RFC 6081 §4.5). */
export function readRandomPort(trailers: readonly Trailer[]): number | undefined {
  const found = trailers.find(
    (t) =>
      (t.type === TRAILER.randomPort || t.type === TRAILER.randomPortOfTable) &&
      t.value.length === 2,
  );
  return found && (found.value[0]! << 8) | found.value[1]!;
}

/** A Random Port trailer (RFC 6081 §4.5). */
export function randomPortTrailer(port: number): Trailer {
  return { type: TRAILER.randomPort, value: Uint8Array.of(port >> 8, port & 0xff) };
}

/** What a Probe trailer says (`flags 1 | nonce 4`): flags 0x01 “it begins now”, 0x02 “I am behind a symmetric NAT”, 0xf0 the round. */
export interface ProbeWord {
  readonly begins: boolean;
  readonly symmetric: boolean;
  /** 0..15 */
  readonly round: number;
  /** The receiver's, of its last indirect bubble; zeros: none came yet. */
  readonly nonce: Uint8Array;
}

/** A Probe trailer; `nonce` is 4 bytes. */
export function probeTrailer({ begins, symmetric, round, nonce }: ProbeWord): Trailer {
  const flags = (begins ? 1 : 0) | (symmetric ? 2 : 0) | ((round & 15) << 4);
  return { type: TRAILER.probe, value: Uint8Array.of(flags, ...nonce) };
}

/** What the Probe trailer says, undefined when there is none of that length. */
export function readProbe(trailers: readonly Trailer[]): ProbeWord | undefined {
  const value = trailers.find((t) => t.type === TRAILER.probe && t.value.length === 5)?.value;
  if (!value) return undefined;
  const flags = value[0]!;
  return {
    begins: (flags & 1) !== 0,
    symmetric: (flags & 2) !== 0,
    round: flags >> 4,
    nonce: value.subarray(1),
  };
}
