// Module client/bubbles sends the bubbles that open a way to a Teredo peer, with the trailers of RFC 6081, within limits.
import { KeyedBuckets, TokenBucket } from '../datapath/limits.ts';
import {
  alternateAddressTrailer,
  endpointKey,
  sameEndpoint,
  neighborDiscoveryTrailer,
  nonceTrailer,
  randomPortTrailer,
  TEREDO_PORT,
} from '../wire/index.ts';
import type { Endpoint, Ip6, Trailer } from '../wire/index.ts';
import { DISCOVERY_TRIES } from './config.ts';
import type { Core } from './core.ts';
import type { Attempt, Peer } from './peers.ts';
import type { Probing } from './probing.ts';
import type { SidePorts } from './sidePorts.ts';
import type { TransmitReason } from './types.ts';

/** Bubble answers to strangers named by our server, per second and in all. */
const BUBBLE_REPLIES_PER_SECOND = 50;
/** And to one of them: less than the 2 s after which it asks again (RFC 4380 §5.2.6), since a network does not keep intervals. */
const BUBBLE_REPLY_INTERVAL_S = 1.5;
const BUBBLE_REPLY_KEYS = 4_096;
/** A peer that asks again within this time did not get our answer, ms: four bubbles and a slow line. */
const ASKS_AGAIN_MS = 10_000;
/** Entries of an Alternate Address trailer that we fill (RFC 6081 §4.3: at most 4, two should do). */
const ALTERNATES_SENT = 3;

/** The bubbles of one client. Every method that sends requires that we hold an address. */
export class Bubbles {
  private readonly core: Core;
  private readonly sides: SidePorts;
  private readonly probing: Probing;
  private readonly isValid: (peer: Peer, now: number) => boolean;
  /** Sends a discovery bubble, if that is done here. */
  seekNeighbours: (now: number) => void = () => undefined;
  private readonly replies = new TokenBucket(BUBBLE_REPLIES_PER_SECOND, BUBBLE_REPLIES_PER_SECOND);
  private readonly repliesEach = new KeyedBuckets<number>(
    1 / BUBBLE_REPLY_INTERVAL_S,
    1,
    BUBBLE_REPLY_KEYS,
  );

  constructor(
    core: Core,
    sides: SidePorts,
    probing: Probing,
    isValid: (peer: Peer, now: number) => boolean,
  ) {
    this.core = core;
    this.sides = sides;
    this.probing = probing;
    this.isValid = isValid;
    probing.send = (peer, to, via) => this.send(to, peer, 'probe', this.nonce(peer), via);
    sides.bubbles = {
      direct: (peer, to, via) => this.direct(peer, to, 'direct-bubble', via),
      indirect: (peer, now) => this.sendIndirect(peer, now),
    };
  }

  /** A direct and an indirect bubble, which count as one: the first opens our NAT, the second asks the peer to open his. */
  ask(peer: Peer, now: number): void {
    if (!peer.teredo || this.core.address === null) return;
    peer.bubbled(now);
    peer.extension.own = null;
    this.directs(peer, 'direct-bubble', now);
    this.indirect(peer, now);
  }

  /**
   * Asks a quiet peer by a direct bubble whether the way is still open, three times at most (RFC 6081 §5.7.4.1, §5.7.2). False
   * when there is more to do: what opens a way for the first time goes along from the second time on, as §5.1 allows.
   */
  solicit(peer: Peer, attempt: Attempt): boolean {
    const { former } = peer.extension;
    const sent = attempt.solicitations;
    if (!former || sent === null || sent >= DISCOVERY_TRIES) return false;
    const trailers = [...this.nonce(peer), neighborDiscoveryTrailer('solicitation')];
    this.send(former.endpoint, peer, 'direct-bubble', trailers, former.via);
    attempt.solicitations = sent + 1;
    return sent === 0;
  }

  /** Answers such a question (RFC 6081 §5.7.4.2); `from` is proven to be the peer's. */
  advertise(peer: Peer, from: Endpoint, via: number | undefined, now: number): void {
    if (!this.mayReply(from, now)) return;
    const trailers = [...this.nonce(peer), neighborDiscoveryTrailer('advertisement')];
    this.send(from, peer, 'bubble-reply', trailers, via);
  }

  /** Answers a bubble of no Teredo peer that our server forwarded: a direct bubble to where it came from (RFC 4380 §5.2.3). */
  answerStranger(origin: Endpoint, source: Ip6, own: Ip6, now: number): void {
    if (this.mayReply(origin, now)) this.core.bubble(origin, own, source, 'bubble-reply');
  }

  /** Answers a neighbour's discovery bubble by a unicast one (RFC 4380 §5.2.3 case 4). */
  greet(peer: Peer, from: Endpoint, now: number): void {
    if (this.mayReply(from, now)) this.send(from, peer, 'bubble-reply', []);
  }

  /**
   * Takes an indirect bubble of a Teredo peer that came from `origin` to our server, and answers it: direct bubbles to wherever
   * the peer may be, with its nonce, and an indirect one if ours alone may not get through (RFC 6081 §3.1, §5.2.4.2, §5.4.4.3,
   * §5.6.4.2).
   */
  receive(peer: Peer, own: Ip6, trailers: readonly Trailer[], origin: Endpoint, now: number): void {
    const asksAgain = now - peer.extension.askedAt < ASKS_AGAIN_MS;
    const stamps = this.core.stamps(peer.address);
    const sentAt = Math.max(stamps?.lastSentMs ?? 0, peer.dataSentAt);
    const { policy, nat } = this.core;
    const maySend = (to: Endpoint): boolean => policy.isNeighbour(to, origin.ip, nat.external);
    const exchangedAt = Math.max(sentAt, peer.receivedAt(stamps));
    if (peer.extension.heardIndirect(trailers, maySend, exchangedAt, now)) this.sides.close(peer);
    this.probing.heard(peer, trailers, now);
    peer.extension.own = own;
    this.answer(peer, origin, asksAgain, now);
  }

  private answer(peer: Peer, origin: Endpoint, asksAgain: boolean, now: number): void {
    const { extension } = peer;
    // Without a nonce it is a bubble by RFC 4380, whose limits hold (§5.2.6).
    const refused = extension.nonceReceived === null && !peer.mayBubble(now);
    if (refused || !peer.mayAnswer(now) || !this.replies.take(now)) {
      this.core.discards.count('bubbleLimit');
      return;
    }
    const mayAsk = peer.mayBubble(now);
    peer.answered(now);
    const valid = this.isValid(peer, now);
    // A peer that asks although we trust it may not hear us: behind a symmetric NAT, or if it asks again.
    const settled = valid && (extension.hearsUs || (!this.core.nat.symmetric && !asksAgain));
    const elsewhere =
      peer.via !== undefined ||
      (peer.endpoint && !sameEndpoint(peer.endpoint, peer.teredo!.client));
    const proven = valid && peer.endpoint !== null && (settled || elsewhere);
    if (proven) this.direct(peer, peer.endpoint!, 'bubble-reply', peer.via);
    if (!settled) {
      this.directs(peer, 'bubble-reply', now, origin);
      for (const alternate of extension.alternates) this.direct(peer, alternate, 'bubble-reply');
    }
    const needed =
      extension.peerRandomPort !== 0 ||
      extension.alternates.length > 0 ||
      this.core.nat.symmetric ||
      asksAgain;
    if (extension.nonceReceived !== null && !settled && mayAsk && needed) {
      peer.bubbled(now);
      this.indirect(peer, now);
    } else if (extension.nonceReceived === null) peer.bubbled(now);
  }

  /**
   * The peer has just proven by our nonce where it is: it gets back its own at once, so that it need not ask again. Few times in a
   * row only: two symmetric NATs could show each other new ports for ever.
   */
  confirm(peer: Peer, now: number): void {
    const { extension } = peer;
    if (!extension.nonceReceived || !peer.endpoint || !extension.mayConfirm(now)) return;
    this.direct(peer, peer.endpoint, 'bubble-reply', peer.via);
  }

  private mayReply(to: Endpoint, now: number): boolean {
    if (this.repliesEach.take(endpointKey(to), now) && this.replies.take(now)) return true;
    this.core.discards.count('bubbleLimit');
    return false;
  }

  /** To the endpoint in the peer's address, to `origin` if it is another, and to the peer's random port (RFC 6081 §5.4.4.3). */
  private directs(peer: Peer, why: TransmitReason, now: number, origin?: Endpoint): void {
    const teredo = peer.teredo!;
    // By RFC 4380 §5.2.3 to where the bubble came from, by RFC 6081 §5.4.4.3 to where the peer says it is: the same, if all is well.
    const plain = origin && peer.extension.nonceReceived === null;
    this.direct(peer, plain ? origin : teredo.client, why);
    const local = origin ? null : peer.extension.localAt(now);
    if (local) {
      // RFC 4380 §5.2.4 case 3.
      this.direct(peer, local, why);
      this.seekNeighbours(now);
    }
    const { symmetric, portPreserving } = this.core.nat;
    const random = this.randomEndpoint(peer);
    if (!symmetric) {
      if (random) this.direct(peer, random, why);
      return;
    }
    // An echo test sends from its side port by itself. A NAT that keeps ports keeps that of the first packet only (§3.3): it waits
    // until the peer has told which port it has for us, or that it has none but the one in its address.
    if (!portPreserving || !peer.extension.speaks) return;
    const to = random ?? teredo.client;
    this.sides.prepare(peer, to, now);
    this.direct(peer, to, why, this.sides.portOf(peer));
  }

  private randomEndpoint(peer: Peer): Endpoint | null {
    const { peerRandomPort } = peer.extension;
    return peerRandomPort === 0 ? null : { ip: peer.teredo!.client.ip, port: peerRandomPort };
  }

  private indirect(peer: Peer, now: number): void {
    const target = this.randomEndpoint(peer) ?? peer.teredo!.client;
    if (!this.sides.prepare(peer, target, now)) this.sendIndirect(peer, now);
  }

  /** §5.2.4.1, §5.4.4.2, §5.5.4.2, §5.6.4.1. */
  private sendIndirect(peer: Peer, now: number): void {
    const { extension, teredo } = peer;
    if (this.core.address === null || !teredo) return;
    const trailers = [nonceTrailer(extension.newNonce(this.core.random))];
    trailers.push(...this.probing.trailers(peer, now));
    const alternates = this.alternates();
    if (alternates.length > 0) trailers.push(alternateAddressTrailer(alternates));
    if (extension.randomPort !== 0) trailers.push(randomPortTrailer(extension.randomPort));
    this.send({ ip: teredo.server, port: TEREDO_PORT }, peer, 'indirect-bubble', trailers);
  }

  /** Our local endpoint, and what a router beyond the first sees of it (RFC 6081 §5.6.4.1). */
  private alternates(): Endpoint[] {
    const { localPort } = this.core.config;
    const { external } = this.core.nat;
    const local =
      localPort === 0 ? [] : this.core.policy.ownAddresses.map((ip) => ({ ip, port: localPort }));
    return [...local.slice(0, ALTERNATES_SENT), ...(external ? [external] : [])].filter(
      (each) => !this.core.policy.isMapped(each),
    );
  }

  private direct(peer: Peer, to: Endpoint, why: TransmitReason, via?: number): void {
    const trailers = this.nonce(peer);
    // §5.4.4.3: the random port goes along with what is sent from it.
    if (via !== undefined && peer.extension.randomPort !== 0)
      trailers.push(randomPortTrailer(peer.extension.randomPort));
    this.send(to, peer, why, trailers, via);
  }

  private nonce(peer: Peer): Trailer[] {
    const { nonceReceived } = peer.extension;
    return nonceReceived ? [nonceTrailer(nonceReceived)] : [];
  }

  private send(
    to: Endpoint,
    { address, extension }: Peer,
    why: TransmitReason,
    trailers: readonly Trailer[],
    via?: number,
  ): void {
    const { own } = extension;
    const source = own !== null && this.core.isOurs(own) ? own : this.core.address;
    if (source !== null) this.core.bubble(to, source, address, why, trailers, via);
  }
}
