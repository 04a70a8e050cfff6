// Module sim/echo is the simplest program behind an IPv6 address: it answers pings, and UDP with port unreachable.
import {
  ICMP6,
  PROTOCOL,
  UNREACHABLE,
  buildEcho,
  buildIcmp6Error,
  mayAnswerWithError,
  parseEcho,
  parseIp6Header,
  walkHeaders,
} from '../wire/index.ts';
import type { Ip6 } from '../wire/index.ts';
import type { Internet6, Node6 } from './internet6.ts';
import type { LineConditions } from './line.ts';

/** What a host with `address` answers to `packet`, as an IPv6 packet; undefined if nothing. */
export function answerFrom(address: Ip6, packet: Uint8Array): Uint8Array | undefined {
  const header = parseIp6Header(packet);
  if (!header.ok || header.value.destination !== address) return undefined;
  const echo = parseEcho(packet);
  if (echo.ok) {
    if (echo.value.reply) return undefined;
    const { identifier, sequence, data, source } = echo.value;
    return buildEcho({
      reply: true,
      source: address,
      destination: source,
      identifier,
      sequence,
      data,
    });
  }
  const upper = walkHeaders(packet);
  if (!upper.ok || upper.value.protocol !== PROTOCOL.udp || !mayAnswerWithError(packet))
    return undefined;
  return buildIcmp6Error({
    type: ICMP6.unreachable,
    code: UNREACHABLE.port,
    parameter: 0,
    source: address,
    destination: header.value.source,
    quoted: packet,
  });
}

/** Attaches a native host that answers as `answerFrom` says. */
export function attachEchoHost(
  internet: Internet6,
  name: string,
  address: Ip6,
  conditions: Partial<LineConditions> = {},
): Node6 {
  const node = internet.attach(name, [address], conditions);
  node.onPacket = (packet) => {
    const answer = answerFrom(address, packet);
    if (answer) node.send(answer);
  };
  return node;
}
