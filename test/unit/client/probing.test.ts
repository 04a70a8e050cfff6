// Tests that ports are guessed only towards a peer that agreed with our nonce, at its own address, and within the budget.
import { describe, expect, it } from 'vitest';
import {
  buildBubble,
  buildDatagram,
  encodeTeredo,
  formatEndpoint,
  nonceTrailer,
  probeTrailer,
  readNonce,
  readProbe,
} from '../../../engine/wire/index.ts';
import type { ProbeWord, Trailer } from '../../../engine/wire/index.ts';
import { at, Bench, MAPPED, open, PEER_ENDPOINT, PRIMARY, tagOf, udp } from './harness.ts';

/** A peer of our own server. */
const peerOf = (server: number): bigint =>
  encodeTeredo({ server, flags: 0, client: PEER_ENDPOINT });
const ZEROS = new Uint8Array(4);
const THEIRS = Uint8Array.of(9, 9, 9, 9);

class Probed {
  readonly bench: Bench;
  readonly peer: bigint;

  constructor(settings = {}, server = PRIMARY.ip, symmetric = false) {
    this.peer = peerOf(server);
    this.bench = new Bench({ birthdayProbing: true, ...settings });
    const secondary = symmetric ? at('198.51.100.7:40001') : MAPPED;
    this.bench.answerSolicitations({ primary: MAPPED, secondary });
    this.bench.takeSent();
  }

  /** An indirect bubble of the peer comes, which says `word`. */
  hears(word: Partial<ProbeWord> | null, trailers: readonly Trailer[] = []): void {
    const said = { begins: false, symmetric: true, round: 0, nonce: ZEROS, ...word };
    const packet = buildBubble(this.peer, this.bench.address);
    const all = [nonceTrailer(THEIRS), ...(word ? [probeTrailer(said)] : []), ...trailers];
    this.bench.receive(PRIMARY, buildDatagram({ origin: PEER_ENDPOINT, packet, trailers: all }));
  }

  /** The nonce of our latest indirect bubble to the peer. */
  nonce(): Uint8Array {
    const sent = this.bench.sent.filter(({ why }) => why === 'indirect-bubble').at(-1)!;
    return readNonce(open(sent).trailers)!;
  }

  /** Two bubbles of the peer, the second of which is answered by an indirect one of ours. */
  meets(): Uint8Array {
    this.hears({});
    this.bench.pass(2_000);
    this.hears({});
    this.bench.pass(2_000);
    const nonce = this.nonce();
    this.bench.takeSent();
    return nonce;
  }

  probes(): ReturnType<Bench['takeSent']> {
    return this.bench.takeSent().filter(({ why }) => why === 'probe');
  }
}

describe('the guesser', () => {
  it('sends to 1,024 ports of the address that agreed, 10 at a time, and to nothing else', () => {
    const made = new Probed();
    const nonce = made.meets();
    made.hears({ begins: true, nonce });
    const per: number[] = [made.probes().length];
    const all = [];
    for (let i = 0; i < 140; i++) {
      made.bench.pass(50);
      const some = made.probes();
      per.push(some.length);
      all.push(...some);
    }
    const sent = all.length + per[0]!;
    expect(sent).toBe(1_024);
    expect(Math.max(...per)).toBe(10);
    expect(new Set(all.map(({ to }) => to.ip))).toEqual(new Set([PEER_ENDPOINT.ip]));
    expect(new Set(all.map(({ to }) => to.port)).size).toBe(all.length);
    expect(Math.min(...all.map(({ to }) => to.port))).toBeGreaterThanOrEqual(1_024);
    expect(all.every(({ via, bytes }) => via === undefined && bytes.length === 46)).toBe(true);
    expect(made.bench.listening.size).toBe(0);
  });

  it.each<[string, () => Probed, (nonce: Uint8Array) => Partial<ProbeWord> | null]>([
    [
      'it is off',
      () => new Probed({ birthdayProbing: false }),
      (nonce) => ({ begins: true, nonce }),
    ],
    ['the nonce is not ours', () => new Probed(), () => ({ begins: true, nonce: THEIRS })],
    ['there is no nonce', () => new Probed(), () => ({ begins: true })],
    ['the peer does not begin', () => new Probed(), (nonce) => ({ nonce })],
    [
      'neither NAT is symmetric',
      () => new Probed(),
      (nonce) => ({ begins: true, nonce, symmetric: false }),
    ],
    ['the peer does not know of it', () => new Probed(), () => null],
    // Whoever forges its address could name a server of his own there, and read our nonce.
    [
      'the peer’s server is another',
      () => new Probed({}, at('192.0.2.129:3544').ip),
      (nonce) => ({ begins: true, nonce }),
    ],
  ])('sends nothing when %s', (_, make, word) => {
    const made = make();
    const nonce = made.meets();
    made.hears(word(nonce));
    made.bench.pass(7_000);
    expect(made.probes()).toEqual([]);
  });

  it('begins two rounds in 300 s on somebody else’s word, and no third', () => {
    const made = new Probed({ limits: { probeGuesses: 50 } });
    let nonce = made.meets();
    const counts: number[] = [];
    for (let round = 0; round < 3; round++) {
      made.hears({ begins: true, nonce, round });
      made.bench.pass(7_000);
      counts.push(made.bench.sent.filter(({ why }) => why === 'probe').length);
      nonce = made.bench.sent.some(({ why }) => why === 'indirect-bubble') ? made.nonce() : nonce;
      made.bench.takeSent();
    }
    expect(counts).toEqual([50, 50, 0]);
    expect(made.bench.client.discards['probeLimit']).toBe(1);
  });
});

describe('the opener', () => {
  function opened(): { made: Probed; nonce: Uint8Array } {
    const made = new Probed({}, PRIMARY.ip, true);
    const nonce = made.meets();
    const before = made.bench.listening.size;
    made.hears({ begins: true, nonce, symmetric: false });
    made.bench.pass(400);
    expect(made.bench.listening.size).toBe(before + 64);
    return { made, nonce };
  }

  it('opens 64 ports, each by one bubble to where the peer is, and closes them', () => {
    const { made } = opened();
    const probes = made.probes();
    expect(probes).toHaveLength(64);
    expect(new Set(probes.map(({ via }) => via)).size).toBe(64);
    expect(new Set(probes.map(({ to }) => formatEndpoint(to)))).toEqual(
      new Set([formatEndpoint(PEER_ENDPOINT)]),
    );
    made.bench.pass(7_000);
    expect(made.probes()).toEqual([]);
    // The one of the echo test stays as long as ever.
    expect(made.bench.listening.size).toBeLessThanOrEqual(1);
  });

  it('keeps the port that was hit, sends by it, and closes all others', () => {
    const { made, nonce } = opened();
    const { via } = made.probes()[20]!;
    const packet = buildBubble(made.peer, made.bench.address);
    const trailers = [nonceTrailer(nonce)];
    made.bench.receive(PEER_ENDPOINT, buildDatagram({ packet, trailers }), via);
    expect([...made.bench.listening]).toEqual([via]);
    made.bench.takeSent();
    made.bench.fromProgram(udp(made.bench.address, made.peer, 77));
    const [out] = made.bench.takeSent();
    expect([out!.via, formatEndpoint(out!.to), tagOf(out!.bytes)]).toEqual([
      via,
      formatEndpoint(PEER_ENDPOINT),
      77,
    ]);
  });
});

describe('the one who asks', () => {
  it('begins with its third bubble, if the peer agreed, and not sooner', () => {
    const made = new Probed();
    made.bench.fromProgram(udp(made.bench.address, made.peer));
    expect(made.bench.sent.filter(({ why }) => why === 'probe')).toEqual([]);
    made.bench.pass(2_000);
    made.hears({ nonce: made.nonce() });
    made.bench.answerSolicitations();
    made.bench.pass(1_900);
    expect(made.probes()).toEqual([]);
    made.bench.pass(200);
    const word = made.bench.sent.find(({ why }) => why === 'indirect-bubble')!;
    expect(readProbe(open(word).trailers)).toEqual({
      begins: true,
      symmetric: false,
      round: 0,
      nonce: THEIRS,
    });
    expect(made.probes().length).toBeGreaterThan(0);
  });

  it('does not begin without the peer’s word', () => {
    const made = new Probed();
    made.bench.fromProgram(udp(made.bench.address, made.peer));
    made.bench.pass(12_000);
    const sent = made.bench.takeSent();
    expect(sent.filter(({ why }) => why === 'probe')).toEqual([]);
    const words = sent.flatMap((out) =>
      out.why === 'indirect-bubble' ? [readProbe(open(out).trailers)!.begins] : [],
    );
    expect(new Set(words)).toEqual(new Set([false]));
  });
});
