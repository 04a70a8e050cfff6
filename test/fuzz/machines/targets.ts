// Module test/fuzz/machines/targets plays hostile conversations with the wire's parsers, servers and relays, and throws at the first broken promise.
import {
  buildBubble,
  formatEndpoint,
  mayAnswerWithError,
  parseAdvertisement,
  parseDatagram,
  parseEcho,
  parseIcmp6,
  parseIp6Header,
  parseSolicitation,
  readAlternateAddresses,
  readNeighborDiscovery,
  readNonce,
  readRandomPort,
  walkHeaders,
} from '../../../engine/wire/index.ts';
import * as relay from '../../unit/relay/harness.ts';
import * as server from '../../unit/server/harness.ts';
import { mutate } from './bytes.ts';
import { judgeDatagram, judgeReasons, must, STEPS, STRANGERS } from './promises.ts';
import type { Target } from './promises.ts';

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
