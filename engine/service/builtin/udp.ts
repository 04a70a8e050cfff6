// Module builtin/udp builds and reads the UDP datagrams of the programs on the built-in network.
import {
  buildIp6Packet,
  checksum6,
  parseIp6Header,
  PROTOCOL,
  walkHeaders,
} from '../../wire/index.ts';
import type { Ip6 } from '../../wire/index.ts';

const HEADER = 8;

/** Both ends of a datagram over IPv6. */
export interface UdpEnds {
  readonly source: Ip6;
  readonly sourcePort: number;
  readonly destination: Ip6;
  readonly destinationPort: number;
}

/** `source port 16 | destination port 16 | length 16 | checksum 16 | data` (RFC 768) in an IPv6 packet. */
export function buildUdp6(ends: UdpEnds, data: Uint8Array): Uint8Array {
  const { source, sourcePort, destination, destinationPort } = ends;
  const payload = new Uint8Array(HEADER + data.length);
  const view = new DataView(payload.buffer);
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  view.setUint16(4, payload.length);
  payload.set(data, HEADER);
  // A sum of 0 would mean "none", which IPv6 does not allow (RFC 8200 §8.1).
  view.setUint16(6, checksum6(source, destination, PROTOCOL.udp, payload) || 0xffff);
  return buildIp6Packet({ nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination }, payload);
}

/** The datagram in `packet`; undefined when it is none, or its checksum is wrong. */
export function parseUdp6(
  packet: Uint8Array,
): (UdpEnds & { readonly data: Uint8Array }) | undefined {
  const header = parseIp6Header(packet);
  const upper = walkHeaders(packet);
  if (!header.ok || !upper.ok || upper.value.protocol !== PROTOCOL.udp) return undefined;
  const payload = packet.subarray(upper.value.offset);
  const { source, destination } = header.value;
  if (payload.length < HEADER || checksum6(source, destination, PROTOCOL.udp, payload) !== 0)
    return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return {
    source,
    destination,
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    data: payload.subarray(HEADER),
  };
}

/** The answer of a service that sends everything back. */
export function echoedUdp6({ data, ...ends }: UdpEnds & { readonly data: Uint8Array }): Uint8Array {
  return buildUdp6(
    {
      source: ends.destination,
      sourcePort: ends.destinationPort,
      destination: ends.source,
      destinationPort: ends.sourcePort,
    },
    data,
  );
}
