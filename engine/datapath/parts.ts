// Module datapath/parts reads from an IPv6 packet what the tables ask about.
import { ICMP6, IP6_HEADER_LENGTH, PROTOCOL, parseIp6Header, walkHeaders } from '../wire/index.ts';
import type { Ip6 } from '../wire/index.ts';
import type { FlowKey } from './types.ts';

const FRAGMENT_HEADER = 8;

/** The parts of a packet that the tables ask about. */
export interface Parts {
  readonly source: Ip6;
  readonly destination: Ip6;
  readonly protocol: number;
  /** Ports as they stand in the packet; undefined where the packet has none. */
  readonly ports: { readonly source: number; readonly destination: number } | undefined;
  /** Set for ICMPv6 echo. */
  readonly echo: { readonly reply: boolean; readonly identifier: number } | undefined;
}

/**
 * Reads the packet that fills `bytes`. Undefined for whatever the tables do not settle: bytes that are no packet,
 * something after it (trailers), and all but TCP, UDP and ICMPv6 (no neighbour discovery), at most behind a fragment header.
 */
export function readParts(bytes: Uint8Array): Parts | undefined {
  const header = parseIp6Header(bytes);
  if (!header.ok || header.value.payloadLength !== bytes.length - IP6_HEADER_LENGTH)
    return undefined;
  const upper = walkHeaders(bytes);
  if (!upper.ok || header.value.hopLimit === 0) return undefined;
  const { protocol, offset, fragment } = upper.value;
  if (offset !== IP6_HEADER_LENGTH + (fragment === null ? 0 : FRAGMENT_HEADER)) return undefined;
  if (protocol !== PROTOCOL.tcp && protocol !== PROTOCOL.udp && protocol !== PROTOCOL.icmp6)
    return undefined;
  let ports: Parts['ports'];
  let echo: Parts['echo'];
  const whole = fragment === null || !fragment.more;
  if (fragment === null || fragment.offset === 0) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const left = bytes.length - offset;
    // Only the first fragment carries the ports: the pieces of one packet go one way together, and the default decides which.
    if (protocol !== PROTOCOL.icmp6) {
      if (whole && left >= 4)
        ports = { source: view.getUint16(offset), destination: view.getUint16(offset + 2) };
    } else if (left >= 8) {
      const type = view.getUint8(offset);
      if (type >= ICMP6.routerSolicitation && type <= ICMP6.redirect) return undefined;
      if (whole && (type === ICMP6.echoRequest || type === ICMP6.echoReply))
        echo = { reply: type === ICMP6.echoReply, identifier: view.getUint16(offset + 4) };
    }
  }
  const { source, destination } = header.value;
  return { source, destination, protocol, ports, echo };
}

/** A key for a map of flows. */
export function flowText(key: FlowKey): string {
  return `${key.protocol} ${key.local.toString(36)} ${key.localPort} ${key.remote.toString(36)} ${key.remotePort}`;
}
