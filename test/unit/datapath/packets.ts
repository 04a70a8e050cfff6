// Packets for the datapath tests: a few addresses and builders on top of engine/wire.
import { PROTOCOL, buildEcho, buildIp6Packet, parseIp6 } from '../../../engine/wire/index.ts';
import type { Ip6 } from '../../../engine/wire/index.ts';

export const US: Ip6 = parseIp6('2001:0:c000:201:1234:63bf:3fff:fdd2')!;
export const US_BEFORE: Ip6 = parseIp6('2001:0:c000:201:4321:63be:3fff:fdd2')!;
export const PEER: Ip6 = parseIp6('2001:0:c000:201:2222:1111:39cc:9bf5')!;
export const OTHER: Ip6 = parseIp6('2001:db8::7')!;

function ports(source: number, destination: number, rest: number): Uint8Array {
  const bytes = new Uint8Array(4 + rest);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, source);
  view.setUint16(2, destination);
  return bytes;
}

interface Ends {
  readonly source: Ip6;
  readonly destination: Ip6;
}

function packet(ends: Ends, nextHeader: number, payload: Uint8Array): Uint8Array {
  return buildIp6Packet({ ...ends, nextHeader, hopLimit: 64 }, payload);
}

/** UDP header and `size` bytes; the checksum is left 0, no datapath looks at it. */
export function udp(ends: Ends, from: number, to: number, size = 20): Uint8Array {
  const payload = ports(from, to, 4 + size);
  new DataView(payload.buffer).setUint16(4, payload.length);
  return packet(ends, PROTOCOL.udp, payload);
}

export function tcp(ends: Ends, from: number, to: number): Uint8Array {
  return packet(ends, PROTOCOL.tcp, ports(from, to, 16));
}

/** A protocol that no datapath looks into. */
export function sctp(ends: Ends): Uint8Array {
  return packet(ends, 132, ports(4000, 53, 16));
}

export function echo(ends: Ends, reply: boolean, identifier: number): Uint8Array {
  return buildEcho({ ...ends, reply, identifier, sequence: 1, data: new Uint8Array(8) });
}

/** `payload` behind one extension header of 8 bytes. */
export function extended(ends: Ends, header: number, protocol: number): Uint8Array {
  const bytes = new Uint8Array(28);
  bytes[0] = protocol;
  // A routing header of type 2 with no segments left; PadN in the options headers.
  if (header !== PROTOCOL.routing) bytes.set([1, 4], 2);
  else bytes.set([2, 0], 2);
  bytes.set(ports(4000, 53, 16), 8);
  return packet(ends, header, bytes);
}

/** One fragment (RFC 8200 §4.5); `offset` in bytes, a multiple of 8. */
export function fragment(ends: Ends, offset: number, more: boolean): Uint8Array {
  const bytes = new Uint8Array(32);
  bytes[0] = PROTOCOL.udp;
  new DataView(bytes.buffer).setUint16(2, offset | (more ? 1 : 0));
  new DataView(bytes.buffer).setUint32(4, 0xabad1dea);
  // In a later fragment these are data that happen to look like ports.
  bytes.set(ports(4000, 53, 4), 8);
  return packet(ends, PROTOCOL.fragment, bytes);
}

/** A first fragment that ends within the TCP header (RFC 7112 §5 forbids it). */
export function shortFragment(ends: Ends): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[0] = PROTOCOL.tcp;
  bytes[3] = 1;
  bytes.set(ports(4000, 53, 4), 8);
  return packet(ends, PROTOCOL.fragment, bytes);
}
