// Module client/probing guesses ports where RFC 6081 gives up: between a NAT with random ports and one that lets in only the port it was told.
//
// The one behind the symmetric NAT opens many ports at once (the opener), the other sends to many ports of its address (the guesser);
// one hit is a way (“birthday paradox”). Both must have said so, each with the other's nonce, through the server that both share: who
// can't read what comes to an address can't have it probed. Nothing goes to any other address, and never more than the budget.
import { constantTimeEqual, probeTrailer, readProbe } from '../wire/index.ts';
import type { Endpoint, Ip4, Trailer } from '../wire/index.ts';
import { PROBE_ROUND_MS, PROBE_TICK_MS, PROBE_WINDOW_MS, PROBES_PER_TICK } from './config.ts';
import type { Core } from './core.ts';
import type { Peer } from './peers.ts';
import type { SidePorts } from './sidePorts.ts';

/** Bubbles that must have been in vain before a peer is probed: the ways of RFC 6081 take two at most. */
const TRIES_BEFORE = 2;
/** A peer's word holds so long, ms: the next of its bubbles comes 2 s later. */
const WORD_MS = 10_000;
/** Ports that NATs give out, and the prime factors of how many those are. */
const FIRST_PORT = 1_024;
const PORTS = 65_536 - FIRST_PORT;
const FACTORS = [2, 3, 7];
/** Of a foreseen port so many neighbours are tried first. */
const FORESEEN = 64;

interface Round {
  readonly peer: Peer;
  /** What is still to be sent: from the side port `via`, or from the service port. */
  readonly probes: Iterator<{ readonly to: Endpoint; readonly via?: number }, undefined>;
  /** Side ports of this round. */
  readonly ports: Set<number>;
  readonly until: number;
  nextAt: number;
}

/** One round at a time. */
export class Probing {
  private readonly core: Core;
  private readonly sides: SidePorts;
  private readonly server: () => Ip4;
  private round: Round | null = null;
  /** When the rounds of the last `PROBE_WINDOW_MS` began. */
  private begun: number[] = [];
  /** Sends a direct bubble. */
  send: (peer: Peer, to: Endpoint, via?: number) => void = () => undefined;

  /** @param server the address of ours */
  constructor(core: Core, sides: SidePorts, server: () => Ip4) {
    this.core = core;
    this.sides = sides;
    this.server = server;
  }

  get nextAt(): number {
    return this.round?.nextAt ?? Infinity;
  }

  /** Until when `peer` is being probed; 0: it is not. */
  runsUntil(peer: Peer): number {
    return this.round?.peer === peer ? this.round.until : 0;
  }

  /** What an indirect bubble to `peer` says: that we would, and when all else was in vain that it begins now, as it does here, too. */
  trailers(peer: Peer, now: number): Trailer[] {
    if (!this.mayWith(peer)) return [];
    const { extension, attempt } = peer;
    const due = attempt !== null && attempt.tries >= TRIES_BEFORE;
    const agreed = now - extension.probeAgreedAt < WORD_MS;
    const round = extension.probeRounds;
    const begins = due && agreed && this.begin(peer, round, true, now);
    if (begins) extension.probeRounds += 1;
    return [
      probeTrailer({
        begins,
        symmetric: this.core.nat.symmetric,
        round,
        nonce: extension.nonceReceived ?? new Uint8Array(4),
      }),
    ];
  }

  /** Takes what an indirect bubble of `peer` says; its nonce must be one that we sent to the address that is to be probed. */
  heard(peer: Peer, trailers: readonly Trailer[], now: number): void {
    const word = readProbe(trailers);
    if (!word || !this.mayWith(peer)) return;
    const { extension } = peer;
    if (!extension.nonces.some((sent) => constantTimeEqual(sent, word.nonce))) return;
    extension.probeAgreedAt = now;
    extension.probeSymmetric = word.symmetric;
    if (word.begins) this.begin(peer, word.round, false, now);
  }

  /** A way to `peer` has opened, by the port `via` if it was one of ours: that one stays. */
  settled(peer: Peer, via: number | undefined, now: number): void {
    if (this.round?.peer !== peer) return;
    if (via !== undefined && this.round.ports.delete(via)) this.sides.adopt(via, peer, now);
    this.stop();
  }

  /** The system has no such port for us. */
  failed(port: number): void {
    this.round?.ports.delete(port);
  }

  /** Gives up, and closes what was opened. */
  stop(): void {
    for (const port of this.round?.ports ?? [])
      this.core.output({ kind: 'listen', port, on: false });
    this.round = null;
  }

  work(now: number): void {
    const { round } = this;
    if (!round || now < round.nextAt) return;
    if (now >= round.until) {
      this.stop();
      return;
    }
    for (let i = 0; i < PROBES_PER_TICK; i++) {
      const { value } = round.probes.next();
      if (!value) {
        round.nextAt = round.until;
        return;
      }
      if (value.via === undefined || round.ports.has(value.via))
        this.send(round.peer, value.to, value.via);
    }
    round.nextAt = now + PROBE_TICK_MS;
  }

  /** Only a peer of our own server: another could be anybody's, who reads our nonces there in the name of a third. */
  private mayWith({ teredo }: Peer): boolean {
    const { config, policy } = this.core;
    return (
      config.birthdayProbing &&
      teredo !== null &&
      teredo.server === this.server() &&
      !policy.isMappedIp(teredo.client.ip)
    );
  }

  /** Half of the rounds are kept for peers that programs here ask for (`ours`). */
  private begin(peer: Peer, number: number, ours: boolean, now: number): boolean {
    const { symmetric } = this.core.nat;
    const { probeSymmetric } = peer.extension;
    if (this.round && now >= this.round.until) this.stop();
    if (this.round || (!symmetric && !probeSymmetric)) return false;
    const { probeRounds } = this.core.config.limits;
    this.begun = this.begun.filter((at) => now - at < PROBE_WINDOW_MS);
    if (this.begun.length >= (ours ? probeRounds : probeRounds / 2)) {
      this.core.discards.count('probeLimit');
      return false;
    }
    this.begun.push(now);
    // Where both could open ports they take turns.
    const lower = this.core.address! < peer.address;
    const opens = symmetric && (!probeSymmetric || lower === (number % 2 === 0));
    const ports = new Set(
      opens ? this.sides.openMany(peer, this.core.config.limits.probePorts) : [],
    );
    const probes = opens ? openings(peer, ports) : this.guesses(peer);
    this.round = { peer, ports, probes, until: now + PROBE_ROUND_MS, nextAt: now };
    return true;
  }

  /** Near the port that the peer's NAT is expected to take first, then anywhere, each port once. */
  private *guesses({ teredo, extension }: Peer): Generator<{ to: Endpoint }, undefined> {
    const { ip } = teredo!.client;
    const { probeGuesses } = this.core.config.limits;
    const { peerRandomPort } = extension;
    const near = peerRandomPort === 0 ? 0 : FORESEEN;
    // Two NATs that count on move both at once: with two steps here for one there some pair meets, however far each has come.
    const stride = this.core.nat.symmetric ? 2 : 1;
    for (let i = 0; i < near; i++) yield { to: { ip, port: portAt(peerRandomPort, i * stride) } };
    const bytes = this.core.random.bytes(4);
    const start = (bytes[0]! << 8) | bytes[1]!;
    let step = (bytes[2]! << 8) | bytes[3]!;
    while (FACTORS.some((factor) => step % factor === 0)) step += 1;
    for (let i = near; i < probeGuesses; i++)
      yield { to: { ip, port: FIRST_PORT + ((start + i * step) % PORTS) } };
  }
}

/** One bubble from each of `ports`: to where the peer is, or, if it is behind a NAT that counts on, to the ports that come next. */
function* openings(
  { teredo, extension }: Peer,
  ports: ReadonlySet<number>,
): Generator<{ to: Endpoint; via: number }, undefined> {
  const { ip, port } = teredo!.client;
  const { peerRandomPort } = extension;
  const foreseen = extension.probeSymmetric && peerRandomPort !== 0;
  let i = 0;
  for (const via of [...ports])
    yield { via, to: { ip, port: foreseen ? portAt(peerRandomPort, i++) : port } };
}

const portAt = (first: number, steps: number): number =>
  first + steps <= 65_535 ? first + steps : FIRST_PORT + (first + steps - 65_536);
