// Module test/fuzz/machines/targets plays hostile conversations with the wire's parsers and the three machines, and throws at the first broken promise.
import { clientConfig } from '../../../engine/client/config.ts';
import type { SeededRandom } from '../../../engine/sim/index.ts';
import {
  buildBubble,
  formatEndpoint,
  isGlobalUnicast4,
  mayAnswerWithError,
  parseAdvertisement,
  parseDatagram,
  parseEcho,
  parseIcmp6,
  parseIp6Header,
  parseSolicitation,
  readAlternateAddresses,
  readIp6,
  readNeighborDiscovery,
  readNonce,
  readRandomPort,
  walkHeaders,
} from '../../../engine/wire/index.ts';
import type { Endpoint } from '../../../engine/wire/index.ts';
import * as client from '../../unit/client/harness.ts';
import * as relay from '../../unit/relay/harness.ts';
import * as server from '../../unit/server/harness.ts';
import type { Corpus } from './bytes.ts';
import { mutate } from './bytes.ts';

/** One conversation; `executions` are inputs given. Throws Error when a promise is broken. */
export type Target = (random: SeededRandom, corpus: Corpus) => number;

const STEPS = 60;
/** An Ethernet frame holds no more. */
const MAX_DATAGRAM = 1_472;
/** Sources of hostile datagrams, besides the true ones. */
const STRANGERS = ['203.0.113.66:40404', '198.51.100.99:1', '192.0.2.1:3545', '203.0.113.9:50001'];

function must(held: boolean, text: string): asserts held {
  if (!held) throw new Error(text);
}

function judgeDatagram(to: Endpoint, bytes: Uint8Array): void {
  must(isGlobalUnicast4(to.ip) && to.port > 0, `sent to ${formatEndpoint(to)}`);
  must(bytes.length <= MAX_DATAGRAM, `sent ${bytes.length} bytes`);
  const parsed = parseDatagram(bytes);
  must(parsed.ok, `sent what is no datagram: ${parsed.ok ? '' : parsed.reason}`);
}

function judgeReasons(discards: Readonly<Record<string, number>>): void {
  for (const [reason, count] of Object.entries(discards))
    must(/^[a-z][A-Za-z0-9]+$/.test(reason) && count > 0, `a discard without a name: ${reason}`);
}

/** Every reader of the wire, on bytes and on what the first reader found in them. */
export const wire: Target = (random, corpus) => {
  for (let step = 0; step < STEPS; step++) {
    const bytes = corpus.draw(random);
    const parsed = parseDatagram(bytes);
    const packet = parsed.ok ? parsed.value.packet : bytes;
    const trailers = parsed.ok ? parsed.value.trailers : [];
    const seen = [
      walkHeaders(packet),
      parseIcmp6(packet),
      parseEcho(packet),
      parseSolicitation(packet),
      parseAdvertisement(packet),
    ];
    mayAnswerWithError(packet);
    readNonce(trailers);
    readAlternateAddresses(trailers);
    readNeighborDiscovery(trailers);
    readRandomPort(trailers);
    const effect = [parsed, ...seen].map((each) => (each.ok ? 'ok' : each.reason)).join();
    corpus.note(bytes, `${effect} ${trailers.map(({ type }) => type).join()}`);
  }
  return STEPS;
};

/** What the world would truly send to the client next, or null. */
function trueAnswer(bench: client.Bench): { from: Endpoint; bytes: Uint8Array } | null {
  const out = bench.sent.shift();
  if (!out) return null;
  if (out.why === 'solicitation' || out.why === 'refresh') {
    const parts = client.partsFor(client.open(out), client.MAPPED);
    return { from: out.to, bytes: client.advertisement(parts) };
  }
  if (out.why === 'ping-test' || out.why === 'ping')
    return { from: client.RELAY, bytes: client.echoReply(out) };
  const { header } = client.open(out);
  const from = out.why === 'indirect-bubble' ? client.PEER_ENDPOINT : out.to;
  return { from, bytes: client.bubble(header.destination, header.source) };
}

/** A client whose server, peers and relay are partly true, whose neighbours are not, and whose programs send anything. */
export const clientTarget: Target = (random, corpus) => {
  const bench = new client.Bench({ birthdayProbing: true });
  const { maxPeers } = clientConfig({ server: client.PRIMARY.ip }).limits;
  const ends = [
    client.PRIMARY,
    client.SECONDARY,
    client.PEER_ENDPOINT,
    client.PEER_SERVER,
    client.RELAY,
    ...STRANGERS.map(client.at),
  ];
  for (let step = 0; step < STEPS; step++) {
    const before = JSON.stringify(bench.client.discards);
    bench.order = [];
    let bytes: Uint8Array = new Uint8Array(0);
    const answer = random.chance(0.5) ? trueAnswer(bench) : null;
    if (answer) {
      bytes = random.chance(0.7)
        ? answer.bytes
        : mutate(answer.bytes, random, () => corpus.any(random));
      bench.receive(random.chance(0.9) ? answer.from : random.pick(ends), bytes);
    } else if (random.chance(0.5)) {
      bytes = corpus.draw(random);
      bench.receive(random.pick(ends), bytes);
    } else if (random.chance(0.6) && bench.client.status().address !== null) {
      const to = random.pick([client.PEER, client.NATIVE, readIp6(random.bytes(16), 0)]);
      bytes = client.udp(bench.address, to, step, random.between(48, 1_280));
      bench.fromProgram(random.chance(0.7) ? bytes : mutate(bytes, random, () => bytes));
    } else if (random.chance(0.3)) {
      const [type, code] = [random.between(0, 20), random.between(0, 20)];
      bench.client.handleInput({ kind: 'icmp4', to: random.pick(ends), type, code }, bench.now);
      bench.drain();
    } else bench.pass(random.between(0, 40_000));
    must(bench.order.length < 5_000, `${bench.order.length} outputs for one input`);
    for (const { to, bytes: sent } of bench.sent) judgeDatagram(to, sent);
    const own = bench.client.status().address;
    for (const { bytes: packet, error } of bench.delivered.splice(0)) {
      const header = parseIp6Header(packet);
      must(header.ok, 'delivered what is no IPv6 packet');
      must(error || (own !== null && header.value.source !== own), 'delivered our own packet');
    }
    must(bench.client.peers(bench.now).length <= maxPeers, 'more peers than the bound');
    must(!Number.isNaN(bench.wake), 'a time-out at no time');
    judgeReasons(bench.client.discards);
    const changed = JSON.stringify(bench.client.discards) === before ? '' : before;
    corpus.note(bytes, `${bench.order.join()} ${bench.client.status().state} ${changed.length}`);
  }
  return STEPS;
};

/** A server that anybody asks anything; it promises an answer, or a reason, and never more than the question's worth. */
export const serverTarget: Target = (random, corpus) => {
  const bench = new server.Bench();
  const sources = [server.A_AT, server.B_AT, ...STRANGERS.map(server.at)];
  for (let step = 0; step < STEPS; step++) {
    const bytes = corpus.draw(random);
    const from = random.pick(sources);
    const count = (): number => Object.values(bench.server.discards).reduce((a, b) => a + b, 0);
    const before = count();
    const outputs = bench.ask(bytes, from, random.pick(['primary', 'secondary'] as const));
    const refused = count() - before;
    must(outputs.length + refused > 0, 'neither an answer nor a reason');
    must(outputs.length === 0 || refused === 0, 'an answer and a reason');
    let total = 0;
    for (const out of outputs) {
      total += out.bytes.length;
      if (out.kind === 'native') must(parseIp6Header(out.bytes).ok, 'no IPv6 packet to native');
      else judgeDatagram(out.to, out.bytes);
      if (out.kind === 'transmit' && out.why === 'advertisement')
        must(formatEndpoint(out.to) === formatEndpoint(from), 'advertised to somebody else');
    }
    must(total <= 2.2 * bytes.length, `${total} bytes for ${bytes.length}`);
    judgeReasons(bench.server.discards);
    const effect = outputs.map((out) => (out.kind === 'native' ? 'native' : out.why)).join();
    corpus.note(bytes, `${effect} ${Object.keys(bench.server.discards).length}`);
    bench.now += random.between(0, 2_000);
  }
  return STEPS;
};

/** A relay between native hosts that send anything and clients that answer, or don't. */
export const relayTarget: Target = (random, corpus) => {
  const bench = new relay.Bench();
  const ends = [relay.SERVER, relay.CLIENT_AT, ...STRANGERS.map(relay.at)];
  for (let step = 0; step < STEPS; step++) {
    let bytes = corpus.draw(random);
    bench.order = [];
    const out = random.chance(0.5) ? bench.sent.shift() : undefined;
    if (out) {
      const { header } = relay.open(out);
      bytes = buildBubble(header.destination, header.source);
      bench.fromClient(bytes, random.chance(0.9) ? relay.CLIENT_AT : random.pick(ends));
    } else if (random.chance(0.4)) bench.fromClient(bytes, random.pick(ends));
    else if (random.chance(0.7)) {
      const to = random.pick([relay.CLIENT, relay.madeUp(step), relay.NATIVE]);
      bytes = relay.packet(step, relay.NATIVE, to, random.between(48, 1_280));
      bench.fromNative(random.chance(0.7) ? bytes : mutate(bytes, random, () => bytes));
    } else bench.pass(random.between(0, 20_000));
    for (const each of bench.sent) judgeDatagram(each.to, each.bytes);
    for (const { bytes: packet } of bench.delivered.splice(0))
      must(parseIp6Header(packet).ok, 'delivered what is no IPv6 packet');
    must(!Number.isNaN(bench.wake), 'a time-out at no time');
    judgeReasons(bench.relay.discards);
    corpus.note(bytes, `${bench.order.join()} ${Object.keys(bench.relay.discards).length}`);
  }
  return STEPS;
};
