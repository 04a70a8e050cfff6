// Module wire/origin reads and builds the origin indication, in which port and address are inverted (RFC 4380 §5.1.1).
import type { Endpoint } from './types.ts';

/** `00 00 | ~port 16 | ~IPv4 32`. */
export const ORIGIN_LENGTH = 8;

/** The 8 bytes of an origin indication. */
export function originBytesOf(origin: Endpoint): Uint8Array {
  const bytes = new Uint8Array(ORIGIN_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint16(2, origin.port ^ 0xffff);
  view.setUint32(4, (origin.ip ^ 0xffffffff) >>> 0);
  return bytes;
}

/** The endpoint in the 8 bytes at the start of `bytes`; the caller has checked the length. */
export function readOrigin(bytes: Uint8Array): Endpoint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, ORIGIN_LENGTH);
  return { ip: (view.getUint32(4) ^ 0xffffffff) >>> 0, port: view.getUint16(2) ^ 0xffff };
}
