// Module service/demo-story says in plain words what each packet of the demo is for.
import type { Packet } from '../sim/index.ts';
import {
  formatEndpoint,
  isBubble,
  LINK_LOCAL_ALL_ROUTERS,
  parseAdvertisement,
  parseDatagram,
  parseEcho,
  parseIp6Header,
} from '../wire/index.ts';
import type { Endpoint, Ip6Header } from '../wire/index.ts';
import { CAST, PLACES } from './demo-network.ts';

/** One packet's way from its sender to where it ended. */
export interface Flight {
  readonly packet: Packet;
  readonly from: string;
  /** Where it ended: its receiver, or who dropped it. */
  readonly to: string;
  readonly dropped: boolean;
}

/** Its name in the RFCs, and what it is for. */
export interface Tale {
  readonly name: string;
  readonly why: string;
}

/** The two words of `bytes` that the tales are about. */
interface Inner {
  readonly header: Ip6Header;
  readonly packet: Uint8Array;
  readonly origin: Endpoint | null;
}

function open(packet: Packet): Inner | null {
  if (packet.kind === 'icmp4') return null;
  if (packet.kind === 'ip6') {
    const header = parseIp6Header(packet.bytes);
    return header.ok ? { header: header.value, packet: packet.bytes, origin: null } : null;
  }
  const parsed = parseDatagram(packet.bytes);
  return parsed.ok ? parsed.value : null;
}

/** What `flight` is for. `origins` remembers how the servers saw us, between calls. */
export function tellFlight(flight: Flight, origins: string[]): Tale {
  const inner = open(flight.packet);
  if (!inner) return { name: 'ICMPv4 error', why: 'A router says that a packet did not arrive.' };
  if (inner.header.destination === LINK_LOCAL_ALL_ROUTERS) return tellSolicitation(flight);
  const advertisement = parseAdvertisement(inner.packet);
  if (advertisement.ok && inner.origin) return tellAdvertisement(flight, inner.origin, origins);
  if (isBubble(inner.header)) return tellBubble(flight, inner.origin);
  const echo = parseEcho(inner.packet);
  return tellEcho(flight, echo.ok && echo.value.reply);
}

const isToSecondary = ({ packet }: Flight): boolean =>
  packet.kind === 'udp' && formatEndpoint(packet.destination).startsWith(`${PLACES.server2}:`);
const isFromSecondary = ({ packet }: Flight): boolean =>
  packet.kind === 'udp' && formatEndpoint(packet.source).startsWith(`${PLACES.server2}:`);

function tellSolicitation(flight: Flight): Tale {
  const name = 'router solicitation';
  return isToSecondary(flight)
    ? {
        name,
        why: 'The same question to the server’s second address, to learn what kind of router is in the way.',
      }
    : {
        name,
        why: 'May I have an IPv6 address? It is an IPv6 packet inside plain IPv4 UDP, which every home router lets out.',
      };
}

function tellAdvertisement(flight: Flight, origin: Endpoint, origins: string[]): Tale {
  const name = 'router advertisement';
  const seen = formatEndpoint(origin);
  const known = origins[0] ?? seen;
  origins.push(seen);
  if (!isFromSecondary(flight))
    return {
      name,
      why: `Yes: build it from my address and from how I see you: ${seen}. That is your ${
        seen.startsWith(`${PLACES.you.public}:`) ? 'public address' : 'provider’s'
      } and the port under which you are seen.`,
    };
  return {
    name,
    why:
      known === seen
        ? `Seen from the second address, too, you are ${seen}. So one port is kept for you, and others can reach it.`
        : `Seen from the second address you are ${seen}, not ${known}: your router takes another port for each destination (a symmetric NAT), which makes it hard for others to reach you.`,
  };
}

function tellBubble({ from, to, dropped }: Flight, origin: Endpoint | null): Tale {
  if (dropped)
    return {
      name: 'direct bubble, dropped',
      why: `An empty packet, sent first. ${to} expects nothing from there and drops it. It did its work all the same: on its way out it opened ${from === CAST.you.name ? 'your own router' : 'the router of the one who sent it'} for the answer.`,
    };
  if (to === CAST.server)
    return {
      name: 'indirect bubble',
      why:
        from === CAST.relay
          ? 'The reply waits at the relay; your router does not know the relay yet. “Server, tell your client that I am here.”'
          : 'The same empty packet by way of the server. The friend keeps a way open to it: “Please tell the friend that I am here.”',
    };
  if (from === CAST.server)
    return {
      name: 'indirect bubble, passed on',
      why: `The server passes it on and adds where it came from: ${origin ? formatEndpoint(origin) : 'unknown'}.`,
    };
  return to === CAST.relay
    ? {
        name: 'bubble',
        why: 'You answer the relay directly: your router now lets it in, and the relay knows where you are.',
      }
    : {
        name: 'direct bubble',
        why: 'The friend answers you directly. Both routers now let both of you through: the way is open.',
      };
}

function tellEcho({ from, to, packet }: Flight, isReply: boolean): Tale {
  const name = isReply ? 'echo reply' : 'echo request';
  const native = packet.kind === 'ip6' ? ', IPv6 without a tunnel' : ' in UDP';
  const why = ECHOES[`${from}>${to}>${isReply ? 'reply' : 'request'}`];
  return { name: name + native, why: why ?? 'One more step on the same way.' };
}

const { you, friend, server, relay, website } = CAST;
/** What each echo is for, by its sender, receiver and kind. */
const ECHOES: Readonly<Record<string, string>> = {
  [`${you.name}>${friend.name}>request`]:
    'The ping itself, straight to the friend. The server sees nothing of it.',
  [`${friend.name}>${you.name}>reply`]:
    'And back. From here on the two PCs talk without anybody’s help.',
  [`${you.name}>${server}>request`]:
    'Which relay is near that website? A test ping through the server finds out, and proves that the answer is no forgery.',
  [`${server}>${website}>request`]:
    'The server takes the IPv6 packet out of its UDP wrapping and sends it on.',
  [`${website}>${relay}>reply`]:
    'The reply goes to 2001::/32, and the nearest relay takes whatever goes there.',
  [`${relay}>${you.name}>reply`]: 'The relay wraps the reply in UDP and sends it straight to you.',
  [`${you.name}>${relay}>request`]: 'The ping itself, no longer by way of the server.',
  [`${relay}>${website}>request`]: 'The relay unwraps it and sends it on.',
};
