// Module capture/pcapng writes packets as a pcapng file that Wireshark opens.
//
// Every block: u32 type, u32 length of the block, body padded to 4 bytes, u32 length again; all in little-endian.
// https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html
import type { Tapped } from '../../datapath/tap.ts';
import { checksum, parseDatagram } from '../../wire/index.ts';
import type { Endpoint } from '../../wire/index.ts';
import { utf8 } from '../utf8.ts';

const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const STATISTICS = 5;
const PACKET = 6;
const BYTE_ORDER = 0x1a2b3c4d;
/** What packets begin with: their IPv4 or their IPv6 header (https://www.tcpdump.org/linktypes.html). */
export const LINKTYPE = { ipv4: 228, ipv6: 229 } as const;
const OPTION = { end: 0, comment: 1, name: 2, application: 4, flags: 2, dropped: 5 } as const;
const INBOUND = 1;
const OUTBOUND = 2;
const IP4_HEADER = 20;
const UDP_HEADER = 8;
const UDP = 17;
/** Timestamps count microseconds, as readers assume without being told. */
const TICKS_PER_MS = 1_000;

const padded = (length: number): number => (length + 3) & ~3;

function block(type: number, body: Uint8Array): Uint8Array {
  const length = 12 + padded(body.length);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, length, true);
  bytes.set(body, 8);
  view.setUint32(length - 4, length, true);
  return bytes;
}

/** `head` and the options behind it. */
function withOptions(
  head: Uint8Array,
  options: readonly (readonly [number, Uint8Array])[],
): Uint8Array {
  const size = options.reduce((sum, [, value]) => sum + 4 + padded(value.length), head.length + 4);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  bytes.set(head);
  let at = head.length;
  for (const [code, value] of options) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    bytes.set(value, at + 4);
    at += 4 + padded(value.length);
  }
  return bytes;
}

function number(value: bigint | number, bytes: 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(bytes));
  if (bytes === 4) view.setUint32(0, Number(value), true);
  else view.setBigUint64(0, BigInt(value), true);
  return new Uint8Array(view.buffer);
}

/** The head of a file with one interface named `name`. */
export function fileHead(
  application: string,
  name: string,
  comment: string,
  linkType: number,
): Uint8Array {
  const section = new Uint8Array(16);
  const view = new DataView(section.buffer);
  view.setUint32(0, BYTE_ORDER, true);
  view.setUint16(4, 1, true);
  // The length of the section is not known.
  view.setBigInt64(8, -1n, true);
  const link = new Uint8Array(8);
  new DataView(link.buffer).setUint16(0, linkType, true);
  return joined([
    block(
      SECTION,
      withOptions(section, [
        [OPTION.comment, utf8(comment)],
        [OPTION.application, utf8(application)],
      ]),
    ),
    block(INTERFACE, withOptions(link, [[OPTION.name, utf8(name)]])),
  ]);
}

/** One datagram as a block, behind IPv4 and UDP headers that are made anew: `local` is where it arrived or left. */
export function packetBlock({ outward, peer, at, bytes }: Tapped, local: Endpoint): Uint8Array {
  const [from, to] = outward ? [local, peer] : [peer, local];
  const length = IP4_HEADER + UDP_HEADER + bytes.length;
  const packet = new Uint8Array(length);
  const ip = new DataView(packet.buffer);
  ip.setUint8(0, 0x45);
  ip.setUint16(2, length);
  ip.setUint8(8, 64);
  ip.setUint8(9, UDP);
  ip.setUint32(12, from.ip);
  ip.setUint32(16, to.ip);
  ip.setUint16(10, checksum(packet.subarray(0, IP4_HEADER)));
  ip.setUint16(IP4_HEADER, from.port);
  ip.setUint16(IP4_HEADER + 2, to.port);
  // The checksum stays 0, which says that there is none (RFC 768).
  ip.setUint16(IP4_HEADER + 4, UDP_HEADER + bytes.length);
  packet.set(bytes, IP4_HEADER + UDP_HEADER);
  return blockOf(packet, outward, at);
}

/** The IPv6 packet inside a datagram as a block; null where there is none. */
export function innerBlock({ outward, at, bytes }: Tapped): Uint8Array | null {
  const parsed = parseDatagram(bytes);
  return parsed.ok ? blockOf(parsed.value.packet, outward, at) : null;
}

/** `at`: ms since 1970. */
function blockOf(packet: Uint8Array, outward: boolean, at: number): Uint8Array {
  const head = new Uint8Array(20 + padded(packet.length));
  const view = new DataView(head.buffer);
  const time = BigInt(Math.round(at * TICKS_PER_MS));
  view.setUint32(4, Number(time >> 32n), true);
  view.setUint32(8, Number(time & 0xffff_ffffn), true);
  view.setUint32(12, packet.length, true);
  view.setUint32(16, packet.length, true);
  head.set(packet, 20);
  const flags = number(outward ? OUTBOUND : INBOUND, 4);
  return block(PACKET, withOptions(head, [[OPTION.flags, flags]]));
}

/** The last block: how many datagrams found no room. */
export function fileEnd(at: number, dropped: number): Uint8Array {
  const head = new Uint8Array(12);
  const view = new DataView(head.buffer);
  const time = BigInt(Math.round(at * TICKS_PER_MS));
  view.setUint32(4, Number(time >> 32n), true);
  view.setUint32(8, Number(time & 0xffff_ffffn), true);
  return block(STATISTICS, withOptions(head, [[OPTION.dropped, number(dropped, 8)]]));
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
