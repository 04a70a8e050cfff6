// Module service/demo runs the client on a built-in network and tells every packet, for people who never heard of Teredo.
import type { PingResult } from '../client/types.ts';
import type { Packet, TraceEvent } from '../sim/index.ts';
import {
  decodeTeredo,
  formatEndpoint,
  formatIp4,
  formatIp6,
  parseIp6,
  readIp6,
} from '../wire/index.ts';
import type { Ip6 } from '../wire/index.ts';
import { ACCESS } from './builtin/places.ts';
import type { AccessKind } from './builtin/places.ts';
import { buildDemoNetwork, CAST, PLACES } from './demo-network.ts';
import type { DemoNetwork } from './demo-network.ts';
import { tellFlight } from './demo-story.ts';
import { pingResult } from './present.ts';

/** Longer than any way through the demo takes, ms. */
const PING_TIMEOUT_MS = 5_000;

export interface DemoResult {
  /** The client qualified and the website answered; not every router lets the friend be reached. */
  readonly ok: boolean;
  readonly address: string | null;
  readonly nat: string;
  readonly packets: number;
  readonly pings: readonly { readonly address: string; readonly result: PingResult }[];
}

export type DemoStep =
  | { readonly kind: 'chapter'; readonly title: string; readonly text: string }
  | { readonly kind: 'rows'; readonly rows: readonly (readonly [string, string])[] }
  | {
      readonly kind: 'packet';
      /** Virtual time since the chapter began, ms. */
      readonly atMs: number;
      readonly from: string;
      readonly to: string;
      readonly dropped: boolean;
      readonly bytes: number;
      /** Addresses as the open Internet between the routers sees them. */
      readonly source: string;
      readonly destination: string;
      readonly name: string;
      readonly why: string;
    }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'result'; readonly result: DemoResult };

const SEED = 4380;
/** Far longer than any chapter takes when all is well, ms of virtual time. */
const CHAPTER_MS = 10_000;

type PacketStep = DemoStep & { kind: 'packet' };

function ends(packet: Packet): { source: string; destination: string; bytes: number } {
  if (packet.kind === 'ip6')
    return {
      source: formatIp6(readIp6(packet.bytes, 8)),
      destination: formatIp6(readIp6(packet.bytes, 24)),
      bytes: packet.bytes.length,
    };
  return {
    source: formatEndpoint(packet.source),
    destination: formatEndpoint(packet.destination),
    bytes: packet.kind === 'udp' ? packet.bytes.length : 0,
  };
}

/** Follows every packet from its sender to where it ends. */
class Flights {
  private readonly sent = new Map<
    number,
    { readonly from: string; readonly destination: string }
  >();
  private readonly done: PacketStep[] = [];
  private readonly told = new Set<string>();
  private readonly origins: string[] = [];
  private startedAt = 0;
  total = 0;

  begin(now: number): void {
    this.startedAt = now;
  }

  see({ kind, packet, node, at }: TraceEvent): void {
    const last = ends(packet);
    if (kind === 'send') this.sent.set(packet.id, { from: node, destination: last.destination });
    const sent = this.sent.get(packet.id);
    if (!sent || (kind !== 'receive' && kind !== 'drop')) return;
    this.sent.delete(packet.id);
    this.total += 1;
    const way = { from: sent.from, to: node, dropped: kind === 'drop' };
    const { name, why } = tellFlight({ packet, ...way }, this.origins);
    this.done.push({
      kind: 'packet',
      atMs: at - this.startedAt,
      ...way,
      bytes: last.bytes,
      // Our router has put its own source in; the other side's router is the destination that was written.
      source: last.source,
      destination: sent.destination,
      name,
      why: this.told.has(why) ? 'The same way as before.' : why,
    });
    this.told.add(why);
  }

  take(): PacketStep[] {
    return this.done.splice(0);
  }
}

/** Runs the network until `isDone`, giving each packet when it has ended. */
function* watch(
  { simulation }: DemoNetwork,
  flights: Flights,
  isDone: () => boolean,
): Generator<DemoStep> {
  const limit = simulation.now + CHAPTER_MS;
  flights.begin(simulation.now);
  while (!isDone() && simulation.nextEventAt <= limit) {
    simulation.step();
    yield* flights.take();
  }
  // What is under way arrives before the next chapter begins.
  simulation.runUntil(simulation.now + 100);
  yield* flights.take();
}

/** The demo behind a router of kind `nat`, step by step; the last step is the result. Touches no network and no clock. */
export function* demoSteps(nat: AccessKind = 'portRestricted'): Generator<DemoStep> {
  const network = buildDemoNetwork(SEED, nat);
  const { simulation, you, friend } = network;
  friend.start();
  simulation.runUntil(simulation.now + CHAPTER_MS);
  const flights = new Flights();
  simulation.onTrace((event) => flights.see(event));

  yield {
    kind: 'chapter',
    title: 'What this is',
    text: 'Two PCs behind home routers want to talk IPv6, but their providers carry IPv4 only. Teredo wraps IPv6 packets in IPv4 UDP, which home routers let through. You are about to watch the real client do it on a network that exists inside this program only: nothing is sent on your network, and nothing is changed on your PC.',
  };
  yield { kind: 'rows', rows: castRows(nat) };

  yield {
    kind: 'chapter',
    title: '1. Your PC gets an IPv6 address',
    text: 'It asks a Teredo server. The friend has done the same already.',
  };
  you.start();
  yield* watch(network, flights, () => you.client.status().nat !== 'unknown');
  const { address, nat: seenAs } = you.client.status();
  if (address !== null) yield* takeApart(address);

  const pings: { address: string; result: PingResult }[] = [];
  const friendAddress = friend.client.status().address;
  if (friendAddress !== null) {
    yield {
      kind: 'chapter',
      title: '2. You ping the friend',
      text: `${formatIp6(friendAddress)} contains the address of the friend’s server and router, so nothing needs to be looked up. But ${nat === 'none' ? 'the friend’s router drops' : 'both routers drop'} what nobody inside has asked for.`,
    };
    yield* pingAndTell(network, flights, friendAddress, pings);
  }

  const website = parseIp6(PLACES.website)!;
  yield {
    kind: 'chapter',
    title: '3. You ping a website that has IPv6 only',
    text: `${PLACES.website} knows nothing of Teredo. A relay stands between the two worlds, and has to be found first.`,
  };
  yield* pingAndTell(network, flights, website, pings);

  const ok = address !== null && pings.length === 2 && pings.at(-1)!.result.ok;
  yield {
    kind: 'result',
    result: {
      ok,
      address: address === null ? null : formatIp6(address),
      nat: seenAs,
      packets: flights.total,
      pings,
    },
  };
}

function* pingAndTell(
  network: DemoNetwork,
  flights: Flights,
  address: Ip6,
  pings: { address: string; result: PingResult }[],
): Generator<DemoStep> {
  const answers: PingResult[] = [];
  network.you.ping(address, PING_TIMEOUT_MS, (answer) => void answers.push(answer));
  yield* watch(network, flights, () => answers.length > 0);
  const outcome = answers[0] ?? { ok: false, code: 'no-reply' };
  pings.push({ address: formatIp6(address), result: outcome });
  const shown = pingResult(outcome);
  yield {
    kind: 'text',
    text: shown.ok
      ? `Answered. With the way open a round trip takes ${shown.rttMs.toFixed(0)} ms.`
      : shown.text,
  };
}

function castRows(nat: AccessKind): [string, string][] {
  const home = (place: (typeof PLACES)['you' | 'friend']): string =>
    `${place.pc}, behind a router with the public address ${place.public}`;
  return [
    [CAST.you.name, nat === 'none' ? `${PLACES.you.public}, without a router` : home(PLACES.you)],
    ...(nat === 'none' ? [] : [[CAST.you.router, ACCESS[nat]] as [string, string]]),
    [CAST.friend.name, home(PLACES.friend)],
    [CAST.server, `${PLACES.server} and ${PLACES.server2}: gives addresses, introduces people`],
    [CAST.relay, `${PLACES.relay}: a bridge to the IPv6 Internet`],
    [CAST.website, `${PLACES.website}: a host with IPv6 only`],
  ];
}

function* takeApart(address: Ip6): Generator<DemoStep> {
  const parts = decodeTeredo(address)!;
  const text = formatIp6(address);
  const hex = address.toString(16).padStart(32, '0');
  yield { kind: 'text', text: `Your IPv6 address is ${text}. Everything is in it:` };
  yield {
    kind: 'rows',
    rows: [
      [hex.slice(0, 8), 'the mark of every Teredo address (2001::/32)'],
      [hex.slice(8, 16), `your server, ${formatIp4(parts.server)}`],
      [hex.slice(16, 20), 'flags, mostly random: harder to guess for scanners'],
      [
        hex.slice(20, 24),
        `the port your router chose, ${parts.client.port}, with its bits flipped`,
      ],
      [
        hex.slice(24),
        `your router’s address, ${formatIp4(parts.client.ip)}, with its bits flipped`,
      ],
    ],
  };
}
