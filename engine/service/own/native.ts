// Module own/native pings native hosts through the server, and finds out which relay brings the answer, and how well it carries.
import type { ProbeHost } from '../../host/probe-types.ts';
import {
  buildBubble,
  buildDatagram,
  buildEcho,
  constantTimeEqual,
  encodeTeredo,
  formatIp6,
  isBubble,
  isReachableEndpoint,
  parseDatagram,
  parseEcho,
  randomFlags,
  sameEndpoint,
  TEREDO_PORT,
} from '../../wire/index.ts';
import type { Endpoint, Ip6 } from '../../wire/index.ts';
import { qualifiedSocket } from '../doctor/own-mapping.ts';
import { repeated } from '../doctor/solicit.ts';
import type { ServerQuestion } from '../doctor/solicit.ts';
import type { NativeFacts } from './facts.ts';

/** As much as a connectivity test needs; a server may refuse more (Miredo: 88 bytes of ICMPv6 in all). */
const TOKEN_LENGTH = 16;
/** Bubbles that are looked at: more have no use, and nobody shall make us answer them. */
const MOST_BUBBLES = 8;

/** One ping under way. */
interface Ping {
  readonly token: Uint8Array;
  sentAt: number;
  readonly heard: (from: Endpoint) => void;
}

/** Which host's answer came from whom, after how many ms. */
interface Pong {
  readonly host: Ip6;
  readonly from: Endpoint;
  readonly ms: number;
}

/**
 * Pings `hosts` by one socket through the server (RFC 4380 §5.2.9), within twice `ms`, and the one that answers first once more, straight to
 * the relay that brought its answer. The Teredo address of that socket is on no adapter: nothing but these answers is read of what
 * comes to it, and no program gets any. `name`: what the hosts are called.
 */
export async function tryNative(
  host: ProbeHost,
  question: ServerQuestion,
  hosts: readonly Ip6[],
  name: string | null,
  ms: number,
): Promise<NativeFacts | null> {
  const { server, allowPrivate } = question;
  const reach = { allowPrivate, broadcasts: [] };
  let us: Ip6 | null = null;
  /** Those that sent a bubble, itself or through the server. */
  const bubbled: Endpoint[] = [];
  const pings = new Map<Ip6, Ping>();
  const send = (to: Endpoint, packet: Uint8Array): void =>
    qualified.socket.send(to, buildDatagram({ packet }));
  const onDatagram = (from: Endpoint, bytes: Uint8Array): void => {
    const parsed = parseDatagram(bytes);
    if (us === null || !parsed.ok || parsed.value.header.destination !== us) return;
    const { header, origin, packet } = parsed.value;
    if (isBubble(header)) {
      const indirect = from.ip === server && from.port === TEREDO_PORT;
      const relay = indirect ? origin : from;
      if (!relay || !isReachableEndpoint(relay, reach) || bubbled.length >= MOST_BUBBLES) return;
      bubbled.push(relay);
      // What came through the server is answered straight, which opens our router (RFC 4380 §5.2.3 case 4).
      if (indirect) send(relay, buildBubble(us, header.source));
      return;
    }
    const echo = parseEcho(packet);
    const ping = echo.ok && echo.value.reply ? pings.get(echo.value.source) : undefined;
    if (ping && echo.ok && constantTimeEqual(echo.value.data, ping.token)) ping.heard(from);
  };
  const qualified = await qualifiedSocket(host, question, ms, onDatagram);
  /** Sends it by `via`; who brought the answer, and after how long. */
  const ping = (to: readonly Ip6[], via: Endpoint): Promise<Pong | null> =>
    repeated<Pong | null>(
      host,
      ms,
      () => {
        for (const destination of to) {
          const under = pings.get(destination)!;
          under.sentAt = Math.min(under.sentAt, host.now());
          const fields = { reply: false, identifier: 1, sequence: 1, source: us!, destination };
          send(via, buildEcho({ ...fields, data: under.token }));
        }
      },
      (done) => {
        for (const each of to)
          pings.set(each, {
            token: host.random.bytes(TOKEN_LENGTH),
            sentAt: Infinity,
            heard: (from) => done({ host: each, from, ms: host.now() - pings.get(each)!.sentAt }),
          });
      },
      () => null,
    );
  try {
    if (!qualified.mapped) return null;
    us = encodeTeredo({ server, flags: randomFlags(host.random), client: qualified.mapped });
    const first = await ping(hosts, { ip: server, port: TEREDO_PORT });
    const host6 = first?.host ?? hosts[0]!;
    const facts = { host: name ?? formatIp6(host6), given: name !== null, error: null };
    if (!first) return { ...facts, relay: null, firstMs: null, bubble: false, directMs: null };
    const { from: relay } = first;
    const bubble = bubbled.some((each) => sameEndpoint(each, relay));
    const second = await ping([host6], relay);
    return { ...facts, relay, firstMs: first.ms, bubble, directMs: second?.ms ?? null };
  } finally {
    qualified.socket.close();
  }
}
