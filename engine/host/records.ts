// Module host/records reads the records in which the add-on hands over datagrams and packets (native/datapath/ring.h).
import type { Tapped } from '../datapath/tap.ts';
import type { Endpoint } from '../wire/types.ts';

/** Head: u32 length, u8 kind, u8 type, u8 code, u8 0, u32 IPv4 address, u16 port, u16 0; the payload is padded to 8 bytes. */
const HEAD_BYTES = 16;

/** The add-on writes in host byte order. */
export const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Head of a copied datagram: u32 length, u8 outward, u8 0 three times, u32 IPv4 address, u16 port, u16 0, f64 ms since 1970. */
const TAPPED_HEAD_BYTES = 24;

/** The copies in the first `used` bytes of `buffer`, each with bytes of its own. */
export function tappedRecords(buffer: Uint8Array, used: number): Tapped[] {
  const view = new DataView(buffer.buffer, buffer.byteOffset, used);
  const datagrams: Tapped[] = [];
  for (let at = 0; at < used;) {
    const length = view.getUint32(at, LITTLE_ENDIAN);
    const start = at + TAPPED_HEAD_BYTES;
    datagrams.push({
      outward: buffer[at + 4] === 1,
      peer: {
        ip: view.getUint32(at + 8, LITTLE_ENDIAN),
        port: view.getUint16(at + 12, LITTLE_ENDIAN),
      },
      at: view.getFloat64(at + 16, LITTLE_ENDIAN),
      bytes: buffer.slice(start, start + length),
    });
    at = start + Math.ceil(length / 8) * 8;
  }
  return datagrams;
}

export interface HandedOver {
  /** 0 server datagram, 1 other datagram, 2 packet, 3 ICMPv4 error. */
  readonly kind: number;
  /** Of an ICMPv4 error. */
  readonly type: number;
  readonly code: number;
  readonly endpoint: Endpoint;
  /** Lies in the buffer. */
  readonly bytes: Uint8Array;
}

/** Calls `take` for each record in the first `used` bytes of `buffer`. */
export function forEachRecord(
  buffer: Uint8Array,
  used: number,
  take: (record: HandedOver) => void,
): void {
  const view = new DataView(buffer.buffer, buffer.byteOffset, used);
  for (let at = 0; at < used;) {
    const length = view.getUint32(at, LITTLE_ENDIAN);
    const start = at + HEAD_BYTES;
    take({
      kind: buffer[at + 4]!,
      type: buffer[at + 5]!,
      code: buffer[at + 6]!,
      endpoint: {
        ip: view.getUint32(at + 8, LITTLE_ENDIAN),
        port: view.getUint16(at + 12, LITTLE_ENDIAN),
      },
      bytes: buffer.subarray(start, start + length),
    });
    at = start + Math.ceil(length / 8) * 8;
  }
}
