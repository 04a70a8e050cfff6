// Module client/sidePorts keeps UDP ports beside the service port for peers behind NATs that only a fresh port gets through to (RFC 6081 §5.4, §5.5).
import { sameEndpoint } from '../wire/index.ts';
import type { Datagram, Endpoint } from '../wire/index.ts';
import { ECHO_TEST_MS, ECHO_TESTS, SIDE_REFRESH_MS, SIDE_REFRESHES } from './config.ts';
import type { Core } from './core.ts';
import { IntervalSearch } from './intervalSearch.ts';
import type { Peer } from './peers.ts';
import type { Qualification } from './qualification.ts';

/** Ports are drawn from the dynamic ones (RFC 6335 §6). */
const FIRST_DYNAMIC_PORT = 49_152;
const DRAWS = 8;

/** What our NAT makes of a side port, asked of both addresses of our server (RFC 6081 §5.5.4.1.1). */
interface EchoTest {
  readonly questions: Qualification;
  readonly target: Endpoint;
  /** EchoTestLowerPort and EchoTestUpperPort; 0: not told yet. */
  lower: number;
  upper: number;
  /** EchoTestRetryCounter. */
  tries: number;
  /** Echo Test Failover Timer; Infinity: it does not run. */
  until: number;
}

interface Side {
  readonly port: number;
  readonly peer: Peer;
  test: EchoTest | null;
  /** Peer Refresh Timer. */
  refreshAt: number;
  /** Connection Refresh Count. */
  refreshes: number;
}

/** What is sent on behalf of a side port. */
export interface SideBubbles {
  /** A direct bubble from `via` to `to`. */
  readonly direct: (peer: Peer, to: Endpoint, via: number) => void;
  readonly indirect: (peer: Peer, now: number) => void;
}

/** All side ports; each serves one peer. */
export class SidePorts {
  private readonly core: Core;
  private readonly newQuestions: () => Qualification;
  private readonly sides = new Map<number, Side>();
  /** The secondary port of RFC 4380 §5.2.7, which is none of them. */
  readonly search: IntervalSearch;
  bubbles: SideBubbles = { direct: () => undefined, indirect: () => undefined };

  /** @param newQuestions asks both addresses of the server in use */
  constructor(core: Core, newQuestions: () => Qualification) {
    this.core = core;
    this.newQuestions = newQuestions;
    this.search = new IntervalSearch(core, newQuestions);
  }

  get nextAt(): number {
    let next = this.search.nextAt;
    for (const { test, refreshAt } of this.sides.values())
      next = Math.min(next, refreshAt, test?.until ?? Infinity);
    return next;
  }

  /** The peer that the side port `port` serves. */
  peerOf(port: number): Peer | undefined {
    return this.sides.get(port)?.peer;
  }

  /** The side port that serves `peer`. */
  portOf(peer: Peer): number | undefined {
    return this.sideOf(peer)?.port;
  }

  /**
   * Makes ready what an indirect bubble to `peer` must tell: behind a symmetric NAT a side port, and what the NAT shows of it.
   * True when that has to be found out first; the indirect bubble is sent then (RFC 6081 §5.4.4.2, §5.5.4.1).
   */
  prepare(peer: Peer, target: Endpoint, now: number): boolean {
    const { symmetric, portPreserving } = this.core.nat;
    if (!symmetric || !peer.teredo) return false;
    const side = this.sideOf(peer) ?? this.open(peer, now);
    if (!side) return false;
    if (portPreserving) {
      peer.extension.randomPort = side.port;
      return false;
    }
    if (side.test && sameEndpoint(side.test.target, target)) return side.test.until !== Infinity;
    peer.extension.randomPort = 0;
    const questions = this.newQuestions();
    side.test = { questions, target, lower: 0, upper: 0, tries: 0, until: now };
    this.startTest(side, side.test, now);
    return true;
  }

  /** What a server sends to a side port answers an echo test, or is nothing to us (RFC 6081 §5.5.4.4). */
  receive(port: number, from: Endpoint, datagram: Datagram, now: number): void {
    if (this.search.isOn(port)) {
      this.search.receive(from, datagram, now);
      return;
    }
    const side = this.sides.get(port);
    const judgement = side?.test?.questions.judge(from, datagram, now);
    if (!side?.test || judgement?.kind !== 'valid') {
      this.core.discards.count('sidePort');
      return;
    }
    const { test, peer } = side;
    const { role, origin } = judgement.advertisement;
    if (role === 'primary') test.lower ||= origin.port;
    else test.upper ||= origin.port;
    if (test.lower === 0 || test.upper === 0 || test.until === Infinity) return;
    test.until = Infinity;
    // Midway, as §3.4 says; §5.5.4.4 names the upper port twice, which is a slip of the pen.
    peer.extension.randomPort = (test.lower + test.upper) >> 1;
    this.bubbles.indirect(peer, now);
  }

  /** The port of `peer` is needed no more. */
  close(peer: Peer): void {
    const side = this.sideOf(peer);
    if (!side) return;
    this.sides.delete(side.port);
    peer.extension.randomPort = 0;
    this.core.output({ kind: 'listen', port: side.port, on: false });
  }

  /** Opens `count` ports at once for `peer`, which keeps one of them at most (`adopt`); none where there is no room for that. */
  openMany(peer: Peer, count: number): number[] {
    if (!this.sideOf(peer) && !this.hasRoom(peer)) return [];
    const opened = new Set<number>();
    for (let draw = 0; draw < DRAWS * count && opened.size < count; draw++) {
      const port = this.drawn();
      if (port !== null && !opened.has(port)) opened.add(port);
    }
    for (const port of opened) this.core.output({ kind: 'listen', port, on: true });
    return [...opened];
  }

  /** The open port `port` is the way to `peer` from now on. */
  adopt(port: number, peer: Peer, now: number): void {
    this.close(peer);
    this.sides.set(port, newSide(port, peer, now));
  }

  /** The system has no such port for us. */
  failed(port: number): void {
    if (this.search.isOn(port)) this.search.failed();
    const side = this.sides.get(port);
    if (!side) return;
    this.sides.delete(port);
    side.peer.extension.randomPort = 0;
  }

  work(now: number): void {
    this.search.work(now);
    for (const side of [...this.sides.values()]) {
      const { test, peer } = side;
      if (test && now >= test.until) {
        // §5.5.2.2: once more, then without what could not be found out.
        if (test.tries < ECHO_TESTS) this.startTest(side, test, now);
        else {
          test.until = Infinity;
          this.bubbles.indirect(peer, now);
        }
      }
      if (now >= side.refreshAt) this.refresh(side, now);
    }
  }

  /** §5.4.2.1: a way through this port is kept open for a while when nobody uses it. */
  private refresh(side: Side, now: number): void {
    const { peer } = side;
    side.refreshAt = now + SIDE_REFRESH_MS;
    const way = peer.via === side.port ? peer.endpoint : null;
    const former = peer.extension.former?.via === side.port ? peer.extension.former : null;
    const to = way ?? former?.endpoint;
    if (!to) {
      // Nothing came of it, and nobody tries any more.
      if (!peer.attempt) this.close(peer);
      return;
    }
    if (now - peer.dataSentAt < SIDE_REFRESH_MS) {
      side.refreshes = 0;
      return;
    }
    if (side.refreshes >= SIDE_REFRESHES) {
      if (!way) this.close(peer);
      return;
    }
    side.refreshes += 1;
    this.bubbles.direct(peer, to, side.port);
  }

  private startTest(side: Side, test: EchoTest, now: number): void {
    test.tries += 1;
    test.until = now + test.tries * ECHO_TEST_MS;
    test.lower = 0;
    test.upper = 0;
    test.questions.start(now, false);
    const [first, second] = test.questions.solicitations(now);
    // A server with one address can't tell anything about the port between two others.
    if (!first || !second) {
      test.until = Infinity;
      this.bubbles.indirect(side.peer, now);
      return;
    }
    this.core.transmit(first.to, first.bytes, 'echo-test', side.port);
    this.bubbles.direct(side.peer, test.target, side.port);
    this.core.transmit(second.to, second.bytes, 'echo-test', side.port);
  }

  private sideOf(peer: Peer): Side | undefined {
    for (const side of this.sides.values()) if (side.peer === peer) return side;
    return undefined;
  }

  private open(peer: Peer, now: number): Side | undefined {
    if (!this.hasRoom(peer)) return undefined;
    for (let draw = 0; draw < DRAWS; draw++) {
      const port = this.drawn();
      if (port === null) continue;
      const side = newSide(port, peer, now);
      this.sides.set(port, side);
      this.core.output({ kind: 'listen', port, on: true });
      return side;
    }
    return undefined;
  }

  /** A port that we do not use; null when the draw was one that we do. */
  private drawn(): number | null {
    const bytes = this.core.random.bytes(2);
    const port = FIRST_DYNAMIC_PORT + (((bytes[0]! << 8) | bytes[1]!) >>> 2);
    const used = port === this.core.config.localPort || this.sides.has(port);
    return used || this.search.isOn(port) ? null : port;
  }

  /** Peers that outsiders named get half of the ports. The oldest one that carries nothing makes room, one of theirs first. */
  private hasRoom({ fromOutside }: Peer): boolean {
    const { sidePorts } = this.core.config.limits;
    const idle = [...this.sides.values()].filter(
      ({ peer, port }) => peer.via !== port && peer.extension.former?.via !== port && !peer.attempt,
    );
    const theirs = [...this.sides.values()].filter(({ peer }) => peer.fromOutside);
    if (fromOutside && theirs.length < sidePorts / 2 && this.sides.size < sidePorts) return true;
    if (!fromOutside && this.sides.size < sidePorts) return true;
    const victim = idle.find(({ peer }) => peer.fromOutside) ?? (fromOutside ? undefined : idle[0]);
    if (!victim) return false;
    this.close(victim.peer);
    return true;
  }
}

function newSide(port: number, peer: Peer, now: number): Side {
  return { port, peer, test: null, refreshAt: now + SIDE_REFRESH_MS, refreshes: 0 };
}
