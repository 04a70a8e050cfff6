// Module gate/screen says of each packet which flow it belongs to, or why it can belong to none that is allowed.
import {
  ICMP6,
  IP6_HEADER_LENGTH,
  isMulticast6,
  parseIp6Header,
  PROTOCOL,
  walkHeaders,
} from '../wire/index.ts';
import type { Ip6Header, UpperLayer } from '../wire/index.ts';
import type { FlowKey } from '../datapath/types.ts';
import { Fragments } from './fragments.ts';
import type { Direction } from './types.ts';

const FIRST_INFORMATIONAL = 128;
/** Type, code, checksum and 4 bytes that depend on the type; then errors quote the packet they are about (RFC 4443 §3). */
const ERROR_HEAD = 8;

export type Screened =
  /** Part of this flow. `begins` false: an answer, that only passes when its flow is known. */
  | {
      readonly kind: 'flow';
      readonly flow: FlowKey;
      readonly begins: boolean;
      readonly packets: readonly Uint8Array[];
    }
  /** An ICMPv6 error about a packet of this flow. */
  | { readonly kind: 'error'; readonly flow: FlowKey }
  /** A fragment that waits for the first of its packet. */
  | { readonly kind: 'held' }
  | { readonly kind: 'drop'; readonly reason: ScreenReason };

export type ScreenReason =
  | 'screenMalformed'
  | 'screenMulticast'
  | 'screenProtocol'
  | 'screenKernelMade'
  | 'screenQuote'
  | 'fragmentOverlap'
  | 'fragmentLimit';

/** The ports, as source and destination, of an unfragmented packet or a first fragment; echo has its identifier in both. */
interface Ports {
  readonly source: number;
  readonly destination: number;
  readonly begins: boolean;
}

export class Screen {
  private readonly fragments: Readonly<Record<Direction, Fragments>> = {
    in: new Fragments(),
    out: new Fragments(),
  };

  /** Looks at a packet that a local program sent (`out`) or that came from a peer (`in`). */
  look(packet: Uint8Array, direction: Direction, now: number): Screened {
    const header = parseIp6Header(packet);
    if (!header.ok) return drop('screenMalformed');
    if (isMulticast6(header.value.destination)) return drop('screenMulticast');
    const walked = walkHeaders(packet);
    if (!walked.ok) return drop('screenMalformed');
    const upper = walked.value;
    const { fragment, protocol } = upper;
    if (fragment === null || (fragment.offset === 0 && !fragment.more))
      return this.whole(packet, header.value, upper, direction);
    const first = fragment.offset === 0;
    const ports = first ? portsOf(packet, upper) : null;
    if (first && !ports)
      return drop(protocol === PROTOCOL.icmp6 ? 'screenKernelMade' : 'screenProtocol');
    // The data of a first fragment begins after its fragment header, which other headers may follow (RFC 8200 §4.5).
    const end = IP6_HEADER_LENGTH + header.value.payloadLength;
    const start = fragment.offset;
    const length = first ? end - fragmentDataOffset(packet) : end - upper.offset;
    const { source, destination } = header.value;
    const result = this.fragments[direction].take(
      {
        source,
        destination,
        id: fragment.id,
        start,
        end: start + length,
        last: !fragment.more,
        packet,
      },
      ports && flowOf(header.value, protocol, ports, direction),
      now,
    );
    if (result.kind !== 'flow') return result;
    return { ...result, begins: ports?.begins ?? true };
  }

  private whole(
    packet: Uint8Array,
    header: Ip6Header,
    upper: UpperLayer,
    direction: Direction,
  ): Screened {
    const ports = portsOf(packet, upper);
    if (ports) {
      const flow = flowOf(header, upper.protocol, ports, direction);
      return { kind: 'flow', flow, begins: ports.begins, packets: [packet] };
    }
    if (upper.protocol !== PROTOCOL.icmp6) return drop('screenProtocol');
    const type = packet[upper.offset];
    if (type === undefined) return drop('screenMalformed');
    // Neighbour discovery, listener reports and the like: the tunnel has no link for them.
    if (type >= FIRST_INFORMATIONAL) return drop('screenKernelMade');
    return this.error(packet.subarray(upper.offset + ERROR_HEAD), header, direction);
  }

  /** The quoted packet went the other way; it is cut, and its own lengths don't count. */
  private error(quoted: Uint8Array, header: Ip6Header, direction: Direction): Screened {
    if (quoted.length < IP6_HEADER_LENGTH) return drop('screenQuote');
    const cut = quoted.slice();
    new DataView(cut.buffer).setUint16(4, cut.length - IP6_HEADER_LENGTH);
    const inner = parseIp6Header(cut);
    const upper = walkHeaders(cut);
    if (!inner.ok || !upper.ok) return drop('screenQuote');
    const { fragment } = upper.value;
    const ports = fragment && fragment.offset > 0 ? null : portsOf(cut, upper.value);
    if (!ports) return drop('screenQuote');
    const opposite = direction === 'in' ? 'out' : 'in';
    const own = direction === 'in' ? header.destination : header.source;
    const flow = flowOf(inner.value, upper.value.protocol, ports, opposite);
    return flow.local === own ? { kind: 'error', flow } : drop('screenQuote');
  }
}

function drop(reason: ScreenReason): Screened {
  return { kind: 'drop', reason };
}

function fragmentDataOffset(packet: Uint8Array): number {
  // Only hop-by-hop, destination and routing headers may come before; `walkHeaders` has checked them.
  let offset = IP6_HEADER_LENGTH;
  for (let next = packet[6]!; next !== PROTOCOL.fragment;) {
    next = packet[offset]!;
    offset += (packet[offset + 1]! + 1) * 8;
  }
  return offset + 8;
}

function portsOf(packet: Uint8Array, { protocol, offset }: UpperLayer): Ports | null {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const left = packet.length - offset;
  if (protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp) {
    if (left < 4) return null;
    return {
      source: view.getUint16(offset),
      destination: view.getUint16(offset + 2),
      begins: true,
    };
  }
  if (protocol !== PROTOCOL.icmp6 || left < 8) return null;
  const type = packet[offset]!;
  if (type !== ICMP6.echoRequest && type !== ICMP6.echoReply) return null;
  const identifier = view.getUint16(offset + 4);
  return { source: identifier, destination: identifier, begins: type === ICMP6.echoRequest };
}

function flowOf(
  { source, destination }: Ip6Header,
  protocol: number,
  ports: Ports,
  direction: Direction,
): FlowKey {
  const echo = protocol === PROTOCOL.icmp6;
  return direction === 'out'
    ? {
        protocol,
        local: source,
        localPort: ports.source,
        remote: destination,
        remotePort: echo ? 0 : ports.destination,
      }
    : {
        protocol,
        local: destination,
        localPort: ports.destination,
        remote: source,
        remotePort: echo ? 0 : ports.source,
      };
}
