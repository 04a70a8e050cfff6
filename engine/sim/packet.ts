// Module sim/packet says what travels over the lines of a simulation and how it reads in a trace.
import { formatEndpoint, formatIp6, readIp6 } from '../wire/index.ts';
import type { Endpoint } from '../wire/index.ts';

/** UDP datagram over IPv4. `id` stays the same from the first sender to the last receiver, through every NAT. */
export interface UdpPacket {
  readonly kind: 'udp';
  readonly id: number;
  readonly ttl: number;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly bytes: Uint8Array;
}

/** ICMPv4 error about a UDP datagram. `quoted` holds the endpoints of that datagram as they were where the error was made. */
export interface Icmp4Packet {
  readonly kind: 'icmp4';
  readonly id: number;
  readonly ttl: number;
  /** Ports are 0. */
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly type: number;
  readonly code: number;
  readonly quoted: { readonly source: Endpoint; readonly destination: Endpoint };
}

/** Native IPv6 packet. */
export interface Ip6Packet {
  readonly kind: 'ip6';
  readonly id: number;
  readonly bytes: Uint8Array;
}

export type Packet4 = UdpPacket | Icmp4Packet;
export type Packet = Packet4 | Ip6Packet;

export const DEFAULT_TTL = 64;
/** ICMPv4 destination unreachable and its codes (RFC 792). */
const ICMP4_UNREACHABLE = 3;
const ICMP4_PORT_UNREACHABLE = 3;

/** The ICMPv4 port unreachable that `from` answers `packet` with. */
export function portUnreachable(id: number, from: number, packet: UdpPacket): Icmp4Packet {
  return {
    kind: 'icmp4',
    id,
    ttl: DEFAULT_TTL,
    source: { ip: from, port: 0 },
    destination: { ip: packet.source.ip, port: 0 },
    type: ICMP4_UNREACHABLE,
    code: ICMP4_PORT_UNREACHABLE,
    quoted: { source: packet.source, destination: packet.destination },
  };
}

/** One line: kind, from, to, size. */
export function describePacket(packet: Packet): string {
  switch (packet.kind) {
    case 'udp':
      return `udp ${formatEndpoint(packet.source)} > ${formatEndpoint(packet.destination)} ${packet.bytes.length} B`;
    case 'icmp4':
      return (
        `icmp4 ${packet.type}/${packet.code} ${formatEndpoint(packet.source)} > ${formatEndpoint(packet.destination)}` +
        ` about ${formatEndpoint(packet.quoted.source)} > ${formatEndpoint(packet.quoted.destination)}`
      );
    case 'ip6':
      return packet.bytes.length < 40
        ? `ip6 truncated ${packet.bytes.length} B`
        : `ip6 ${formatIp6(readIp6(packet.bytes, 8))} > ${formatIp6(readIp6(packet.bytes, 24))} ${packet.bytes.length} B`;
  }
}
