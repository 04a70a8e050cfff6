// Module test/fuzz/machines/client-target plays hostile conversations with a client that uses all that is optional, behind any NAT.
import { clientConfig } from '../../../engine/client/config.ts';
import type { ClientInput } from '../../../engine/client/types.ts';
import type { SeededRandom } from '../../../engine/sim/index.ts';
import {
  buildBubble,
  buildDatagram,
  decodeTeredo,
  DISCOVERY_ADDRESS,
  encodeTeredo,
  LINK_LOCAL_ALL_NODES,
  nonceTrailer,
  parseIp6Header,
  parseSolicitation,
  probeTrailer,
  randomPortTrailer,
  readIp6,
  readNonce,
  sameEndpoint,
} from '../../../engine/wire/index.ts';
import type { Endpoint, Ip6, Trailer } from '../../../engine/wire/index.ts';
import {
  advertisement,
  at,
  Bench,
  bubble,
  echoReply,
  ip4,
  MAPPED,
  NATIVE,
  open,
  partsFor,
  PEER,
  PEER_ENDPOINT,
  PEER_SERVER,
  PRIMARY,
  RELAY,
  SECONDARY,
  udp,
} from '../../unit/client/harness.ts';
import type { Transmit } from '../../unit/client/harness.ts';
import type { Corpus } from './bytes.ts';
import { mutate } from './bytes.ts';
import { judgeDatagram, judgeReasons, must, STEPS, STRANGERS } from './promises.ts';
import type { Target } from './promises.ts';

/** A peer of our own server, with whom ports may be guessed. */
const NEAR_PEER = encodeTeredo({ server: PRIMARY.ip, flags: 0, client: PEER_ENDPOINT });
/** Another PC behind our router: its Teredo address, and where it is on our link. */
const NEIGHBOUR = encodeTeredo({
  server: PRIMARY.ip,
  flags: 0,
  client: { ip: MAPPED.ip, port: 40_099 },
});
const NEIGHBOUR_AT = at('192.168.1.20:50000');
const NETWORK = [{ address: ip4('192.168.1.10'), prefix: 24 }] as const;
/** The link of the client, and whom it may tell there of itself (RFC 4380 §5.2.8). */
const LINK = { network: NETWORK[0], group: DISCOVERY_ADDRESS };
const ENDS = [
  ...[PRIMARY, SECONDARY, PEER_ENDPOINT, PEER_SERVER, RELAY, NEIGHBOUR_AT],
  ...STRANGERS.map(at),
];
const NOTHING = new Uint8Array(0);
/** Side ports, those of a round of guesses, and the one of the search for an interval. */
const MOST_PORTS = 16 + 64 + 1;
/** What stays unanswered is forgotten, the oldest first. */
const MOST_OPEN = 100;
/** As long as nothing is asked: what is searched for, refreshed, and forgotten. */
const LONGEST_MS = 320_000;
const PAUSES_MS = [50, 500, 2_000, 10_000, 40_000, 130_000, LONGEST_MS];

/** What the client was seen to do since the module was loaded: reasons to transmit, and the other outputs. */
export const reached = new Set<string>();

interface Answer {
  readonly from: Endpoint;
  readonly bytes: Uint8Array;
  readonly via?: number;
}

/** The world around one client. */
class Around {
  readonly bench: Bench;
  private readonly random: SeededRandom;
  /** Another port for each other destination, and each port of ours. */
  private readonly symmetric: boolean;
  private nonce: Uint8Array = Uint8Array.of(9, 9, 9, 9);
  /** What the client sent and nobody has answered yet. */
  private readonly open: Transmit[] = [];

  constructor(random: SeededRandom) {
    this.random = random;
    this.symmetric = random.chance(0.5);
    this.bench = new Bench({
      birthdayProbing: random.chance(0.7),
      localDiscovery: random.chance(0.7),
      intervalSearch: random.chance(0.7),
    });
  }

  private mapped(to: Endpoint, via: number | undefined): Endpoint {
    const offset = (via ?? 0) % 997;
    const other = this.symmetric && !sameEndpoint(to, PRIMARY) ? 1 : 0;
    return { ip: MAPPED.ip, port: MAPPED.port + offset + other };
  }

  /** What the client has sent since the last time; guesses are not answered. */
  sent(): readonly Transmit[] {
    const fresh = this.bench.takeSent();
    this.open.push(...fresh.filter(({ why }) => why !== 'probe'));
    this.open.splice(0, Math.max(0, this.open.length - MOST_OPEN));
    return fresh;
  }

  /** What the world would truly send next, or null. */
  answer(): Answer | null {
    const out = this.open.shift();
    if (!out) return null;
    const { header, packet, trailers } = open(out);
    const back = (bytes: Uint8Array, from = out.to): Answer => ({
      from,
      bytes,
      ...(out.via !== undefined && { via: out.via }),
    });
    if (parseSolicitation(packet).ok)
      return back(advertisement(partsFor(open(out), this.mapped(out.to, out.via))));
    if (out.why === 'ping-test' || out.why === 'ping') return back(echoReply(out), RELAY);
    if (out.why === 'interval-test') return this.throughServer(out);
    if (out.why === 'indirect-bubble' && header.destination === NEAR_PEER)
      return { from: PRIMARY, bytes: this.nearPeer(header.source, readNonce(trailers)) };
    const from = out.why === 'indirect-bubble' ? PEER_ENDPOINT : out.to;
    return back(bubble(header.destination, header.source), from);
  }

  /** The bubble to our own second address comes to the port whose mapping it names, if that is still there. */
  private throughServer(out: Transmit): Answer {
    const { header, packet } = open(out);
    const named = decodeTeredo(header.destination)?.client.port;
    const via = [...this.bench.listening].find((port) => this.mapped(PRIMARY, port).port === named);
    const bytes = buildDatagram({
      origin: this.mapped(PRIMARY, undefined),
      packet,
    });
    return { from: PRIMARY, bytes, ...(via !== undefined && { via }) };
  }

  /** The peer of our server answers with our nonce, and agrees to guess, or begins. */
  private nearPeer(own: Ip6, ours: Uint8Array | undefined): Uint8Array {
    const { random } = this;
    this.nonce = random.bytes(4);
    const word = {
      begins: random.chance(0.5),
      symmetric: random.chance(0.7),
      round: random.between(0, 3),
      nonce: ours ?? this.nonce,
    };
    const trailers: Trailer[] = [nonceTrailer(this.nonce)];
    if (random.chance(0.8)) trailers.push(probeTrailer(word));
    if (random.chance(0.5)) trailers.push(randomPortTrailer(random.between(1, 65_535)));
    return buildDatagram({ origin: PEER_ENDPOINT, packet: buildBubble(NEAR_PEER, own), trailers });
  }

  /** Something else than a datagram. */
  other(): void {
    const { random, bench } = this;
    const end = random.pick([PRIMARY, PEER_ENDPOINT, RELAY]);
    const port = random.pick([...bench.listening, 40_000]);
    const [type, code] = [random.between(0, 20), random.between(0, 20)];
    const neighbour = buildBubble(random.pick([NEIGHBOUR, PEER]), LINK_LOCAL_ALL_NODES);
    const input: ClientInput = random.pick<ClientInput>([
      { kind: 'icmp4', to: end, type, code },
      { kind: 'portFailed', port },
      { kind: 'portMapping', external: random.pick([null, MAPPED]) },
      { kind: 'network', networks: NETWORK, route: random.pick(['', 'hotel']) },
      {
        kind: 'server',
        server: PEER_SERVER.ip,
        server2: PEER_SERVER.ip + 1,
        always: random.chance(0.3),
      },
      { kind: 'ping', id: 1, address: random.pick([PEER, NATIVE]), timeoutMs: 3_000 },
      { kind: 'discovery', from: NEIGHBOUR_AT, bytes: neighbour },
    ]);
    this.give(input);
  }

  give(input: ClientInput): void {
    this.bench.client.handleInput(input, this.bench.now);
    this.bench.drain();
  }
}

/** One thing that happens to the client; returns the bytes that did it, if any. */
function act(around: Around, random: SeededRandom, corpus: Corpus, step: number): Uint8Array {
  const { bench } = around;
  const from = (): Endpoint => random.pick(ENDS);
  const via =
    bench.listening.size > 0 && random.chance(0.2) ? random.pick([...bench.listening]) : undefined;
  const answer = random.chance(0.6) ? around.answer() : null;
  if (answer) {
    const bytes = random.chance(0.8)
      ? answer.bytes
      : mutate(answer.bytes, random, () => corpus.any(random));
    bench.receive(random.chance(0.9) ? answer.from : from(), bytes, answer.via ?? via);
    return bytes;
  }
  if (random.chance(0.4)) {
    const bytes = corpus.draw(random);
    if (random.chance(0.2)) around.give({ kind: 'discovery', from: NEIGHBOUR_AT, bytes });
    else bench.receive(from(), bytes, via);
    return bytes;
  }
  if (random.chance(0.5) && bench.client.status().address !== null) {
    const to = random.pick([PEER, NEAR_PEER, NEAR_PEER, NATIVE, readIp6(random.bytes(16), 0)]);
    const bytes = udp(bench.address, to, step, random.between(48, 1_280));
    bench.fromProgram(random.chance(0.7) ? bytes : mutate(bytes, random, () => bytes));
    return bytes;
  }
  if (random.chance(0.3)) around.other();
  // Until it has something to do, most of the time: what it sends then is answered in time.
  else if (random.chance(0.6)) bench.pass(Math.min(LONGEST_MS, bench.wake - bench.now));
  else bench.pass(random.pick(PAUSES_MS));
  return NOTHING;
}

/** A client whose server, peers and relay are partly true, whose neighbours are not, and whose programs send anything. */
export const clientTarget: Target = (random, corpus) => {
  const around = new Around(random);
  const { bench } = around;
  const { maxPeers } = clientConfig({ server: PRIMARY.ip }).limits;
  for (let step = 0; step < STEPS; step++) {
    const before = JSON.stringify(bench.client.discards);
    bench.order = [];
    const bytes = act(around, random, corpus, step);
    must(bench.order.length < 5_000, `${bench.order.length} outputs for one input`);
    for (const kind of bench.order) reached.add(kind);
    for (const event of bench.events.splice(0)) reached.add(event.kind);
    for (const { to, bytes: sent, why } of around.sent()) {
      reached.add(why);
      judgeDatagram(to, sent, LINK);
    }
    const own = bench.client.status().address;
    for (const { bytes: packet, error } of bench.delivered.splice(0)) {
      const header = parseIp6Header(packet);
      must(header.ok, 'delivered what is no IPv6 packet');
      must(error || (own !== null && header.value.source !== own), 'delivered our own packet');
    }
    must(bench.client.peers(bench.now).length <= maxPeers, 'more peers than the bound');
    must(bench.listening.size <= MOST_PORTS, `${bench.listening.size} ports are open`);
    must(!Number.isNaN(bench.wake), 'a time-out at no time');
    judgeReasons(bench.client.discards);
    const changed = JSON.stringify(bench.client.discards) === before ? '' : before;
    corpus.note(bytes, `${bench.order.join()} ${bench.client.status().state} ${changed.length}`);
  }
  return STEPS;
};
