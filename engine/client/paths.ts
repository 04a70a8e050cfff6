// Module client/paths opens the way to each peer: bubbles to Teredo peers, connectivity tests to native ones, queues meanwhile.
import { TokenBucket } from '../datapath/limits.ts';
import {
  buildDatagram,
  buildEcho,
  constantTimeEqual,
  endpointKey,
  ICMP6,
  readIp6,
  UNREACHABLE,
} from '../wire/index.ts';
import type { Endpoint, Ip6, TeredoAddress } from '../wire/index.ts';
import { Bubbles } from './bubbles.ts';
import {
  ATTEMPT_MS,
  BUBBLE_GRACE_MS,
  BUBBLE_INTERVAL_MS,
  BUBBLES_SAVED,
  FORMER_MS,
  GONE_MS,
  ICMP_FRESH_MS,
  PEER_CHECK_MS,
  PEER_FORGET_MS,
  PEER_UNANSWERED_MS,
  PEER_VALID_MS,
  PING_TEST_INTERVAL_MS,
  PING_TEST_TRIES,
  PING_TEST_TRIES_IN,
} from './config.ts';
import type { Core } from './core.ts';
import { PeerList } from './peers.ts';
import type { Attempt, Peer, PeerRefusal } from './peers.ts';
import { Probing } from './probing.ts';
import type { SidePorts } from './sidePorts.ts';
import type { ClientEvent, PeerPath } from './types.ts';

export type PathRefusal = PeerRefusal | 'newPeerLimit';

/** What the ways need to know of our server, and what they tell it. */
export interface ServerView {
  /** Its primary endpoint, through which connectivity tests go. */
  readonly endpoint: () => Endpoint;
  /** An answer of the server is overdue. */
  readonly inDoubt: (now: number) => boolean;
  /** A peer does not answer: perhaps our mapping changed, or the server is back. */
  readonly hurry: (now: number) => void;
}

/** The ways to all peers. Every method that sends requires that we hold an address. */
export class Paths {
  readonly peers: PeerList;
  readonly bubbles: Bubbles;
  private readonly core: Core;
  readonly sides: SidePorts;
  readonly probing: Probing;
  private readonly server: ServerView;
  private readonly active = new Set<Peer>();
  private readonly newIn: TokenBucket;
  private readonly newOut: TokenBucket;
  private queuedBytes = 0;
  private nextCheck = Infinity;
  /** Told when a peer's path opened (true) or could not be opened. */
  onPath: (peer: Peer, open: boolean, now: number) => void = () => undefined;

  constructor(core: Core, sides: SidePorts, server: ServerView) {
    this.core = core;
    this.sides = sides;
    this.probing = new Probing(core, sides, () => server.endpoint().ip);
    this.bubbles = new Bubbles(core, sides, this.probing, (peer, now) => this.isValid(peer, now));
    this.server = server;
    const { limits } = core.config;
    this.newIn = new TokenBucket(limits.newPeersPerSecondIn, limits.newPeersPerSecondIn);
    this.newOut = new TokenBucket(limits.newPeersPerSecondOut, limits.newPeersPerSecondOut);
    this.peers = new PeerList(limits, core.stamps, (peer, now) => this.drop(peer, 'evicted', now));
  }

  /** When `work` is due next. */
  get nextAt(): number {
    let next = Math.min(this.nextCheck, this.sides.nextAt, this.probing.nextAt);
    for (const peer of this.active)
      if (peer.attempt && peer.attempt.next < next) next = peer.attempt.next;
    return next;
  }

  /** The entry for `address`, made if need be within the limits on new peers. */
  entry(
    address: Ip6,
    teredo: TeredoAddress | null,
    fromOutside: boolean,
    now: number,
  ): Peer | PathRefusal {
    const known = this.peers.get(address);
    if (known) return known;
    if (!(fromOutside ? this.newIn : this.newOut).take(now)) return 'newPeerLimit';
    this.nextCheck = Math.min(this.nextCheck, now + PEER_FORGET_MS);
    return this.peers.add(address, teredo, fromOutside, now);
  }

  isValid(peer: Peer, now: number): boolean {
    return peer.isValid(this.core.stamps(peer.address), now);
  }

  /** Queues a local packet until the way to `peer` opens, and sees to it that it does. */
  queue(peer: Peer, packet: Uint8Array, now: number): void {
    this.open(peer, now);
    if (!peer.attempt || now < peer.goneUntil) {
      this.unreachable(packet, now);
      this.core.discards.count('peerSilent');
      return;
    }
    const fits = this.queuedBytes + packet.length <= this.core.config.limits.queueBytesTotal;
    if (!fits || !peer.queue.push(packet)) {
      this.core.discards.count('queueFull');
      return;
    }
    this.queuedBytes += packet.length;
  }

  /**
   * Starts an attempt of at most `maxTests` connectivity tests, or lets the one that runs have as many. Without a bubble left
   * (RFC 4380 §5.2.6) there is none.
   */
  open(peer: Peer, now: number, maxTests = PING_TEST_TRIES): void {
    if (peer.attempt) {
      peer.attempt.maxTests = Math.max(peer.attempt.maxTests, maxTests);
      return;
    }
    this.peers.touch(peer, now);
    if (peer.trusted) this.fellSilent(peer, now);
    if (peer.teredo && this.bubblesFor(peer, now) <= 0) return;
    // RFC 6081 §5.7.4.1: a peer that fell quiet by itself is asked directly first; one that did not answer is not.
    const { former, speaks, echoes } = peer.extension;
    const quiet = (speaks || echoes) && former !== null && now < former.until;
    peer.attempt = {
      tries: 0,
      solicitations: quiet ? 0 : null,
      maxTests,
      until: now + ATTEMPT_MS,
      next: Math.max(now, peer.teredo ? peer.lastBubble + BUBBLE_INTERVAL_MS : now),
    };
    this.active.add(peer);
    this.step(peer, now);
  }

  /**
   * Asks a native source that sent from an unproven endpoint for proof. A peer that is trusted elsewhere stays so meanwhile:
   * one forged packet must not cut a connection; a relay that moved is proven by the answer.
   */
  test(peer: Peer, now: number): void {
    if (!this.isValid(peer, now)) this.open(peer, now, PING_TEST_TRIES_IN);
    else if (now - peer.testSentAt >= PING_TEST_INTERVAL_MS) this.sendTest(peer, 0, now);
  }

  /** A packet came from `peer` over `endpoint`, which proves the way: trust it and let the queue go. */
  proven(peer: Peer, endpoint: Endpoint, path: PeerPath, now: number, via?: number): void {
    const fresh = !peer.trusted || !this.isValid(peer, now);
    peer.heard(now);
    this.peers.touch(peer, now);
    if (!peer.isAt(endpoint, via) || !peer.endpoint) this.moveTo(peer, endpoint, via);
    const to = peer.endpoint!;
    peer.trusted = true;
    if (fresh) peer.provenAt = now;
    if (fresh) peer.path = path;
    peer.testPayload = null;
    this.endAttempt(peer);
    this.probing.settled(peer, via, now);
    for (const packet of this.drainQueue(peer)) this.sendTo(peer, packet, now);
    // After the queue: from here on the datapath sends by itself, and order must be kept. It knows our service port only.
    if (via === undefined)
      this.core.output({ kind: 'peer', address: peer.address, endpoint: to, receivedMs: now });
    if (fresh) {
      this.core.event({
        kind: 'peerUp',
        address: peer.address,
        endpoint: to,
        peer: peer.kind,
        path: peer.path ?? path,
      });
      this.onPath(peer, true, now);
    }
    this.nextCheck = Math.min(this.nextCheck, now + PEER_CHECK_MS);
  }

  /** From now on `peer` is where `from` is, by our port `via`. */
  private moveTo(peer: Peer, from: Endpoint, via: number | undefined): void {
    // What the datapath was told is wrong now, and may not be told anew.
    if (peer.trusted && peer.via === undefined && via !== undefined)
      this.core.output({ kind: 'peer', address: peer.address, endpoint: null, receivedMs: 0 });
    peer.moveTo(from, via, this.core.nat);
    // §5.4.4.5: what is heard on the service port needs no other.
    const { hearsUs } = peer.extension;
    if (via === undefined && (hearsUs || !this.core.nat.symmetric)) this.sides.close(peer);
  }

  /** Sends `packet` to a proven peer. */
  sendTo(peer: Peer, packet: Uint8Array, now: number): void {
    peer.dataSentAt = now;
    this.core.transmit(peer.endpoint!, packet, 'data', peer.via);
  }

  /** True when `data` answers the connectivity test of `peer` (RFC 4380 §5.2.3 case 2); one answer counts. */
  answersTest(peer: Peer, data: Uint8Array, now: number): boolean {
    if (!peer.testPayload || !constantTimeEqual(peer.testPayload, data)) return false;
    peer.rttMs = now - peer.testSentAt;
    return true;
  }

  /** Peers at `to` refuse UDP (ICMPv4 port unreachable): they lose our trust, and local senders are told on their next packet. */
  refusedBy(to: Endpoint, now: number): void {
    const key = endpointKey(to);
    for (const peer of this.peers.values()) {
      if (!peer.trusted || !peer.endpoint || endpointKey(peer.endpoint) !== key) continue;
      const sent = Math.max(this.core.stamps(peer.address)?.lastSentMs ?? 0, peer.lastUsed);
      if (now - sent >= ICMP_FRESH_MS) continue;
      this.distrust(peer, 'unreachable');
      peer.goneUntil = now + GONE_MS;
      this.server.hurry(now);
    }
  }

  /** Our server answers again: attempts that waited for that go on at once. */
  serverReturned(now: number): void {
    for (const peer of this.active)
      if (peer.attempt && (!peer.teredo || this.bubblesFor(peer, now) > 0))
        peer.attempt.next = Math.min(peer.attempt.next, now);
  }

  /** Our mapping or network changed: no path counts any more, what waits for one is asked for again. */
  reset(now: number): void {
    this.probing.stop();
    for (const peer of [...this.peers.values()]) {
      if (peer.trusted) this.distrust(peer, 'reset');
      peer.held = [];
      peer.testPayload = null;
      peer.extension.former = null;
      peer.extension.forgetNonces();
      this.sides.close(peer);
      const waiting = peer.attempt !== null;
      this.endAttempt(peer);
      if (!waiting || peer.queue.length === 0) continue;
      this.open(peer, now);
      // No bubble is left: nothing would ever come for what waits.
      if (!peer.attempt) this.fail(peer, now);
    }
  }

  /** Repeats what is due and gives up what took too long. */
  work(now: number): void {
    for (const peer of [...this.active])
      if (peer.attempt && now >= peer.attempt.next) this.step(peer, now);
    if (now >= this.nextCheck) this.check(now);
    this.sides.work(now);
    this.probing.work(now);
  }

  private step(peer: Peer, now: number): void {
    const attempt = peer.attempt!;
    attempt.next = Math.max(attempt.next, this.probing.runsUntil(peer));
    if (now < attempt.next) return;
    if (this.bubbles.solicit(peer, attempt)) {
      attempt.next = now + BUBBLE_INTERVAL_MS;
      return;
    }
    if (peer.teredo) {
      if (this.bubblesFor(peer, now) <= 0 || !this.core.address) {
        if (this.mayWait(peer, attempt, now)) attempt.next = now + BUBBLE_INTERVAL_MS;
        else this.fail(peer, now);
        return;
      }
      if (!peer.mayBubble(now)) {
        attempt.next = peer.lastBubble + BUBBLE_INTERVAL_MS;
        return;
      }
      this.bubbles.ask(peer, now);
      attempt.next = now + (peer.bubblesLeft(now) > 0 ? BUBBLE_INTERVAL_MS : BUBBLE_GRACE_MS);
      if (attempt.tries > 0) this.server.hurry(now);
    } else {
      if (attempt.tries >= attempt.maxTests || !this.core.address) {
        this.fail(peer, now);
        return;
      }
      this.sendTest(peer, attempt.tries, now);
      attempt.next = now + PING_TEST_INTERVAL_MS;
      if (attempt.tries > 0) this.server.hurry(now);
    }
    attempt.tries += 1;
  }

  /** Bubbles are left, but the server is in doubt: its next answer may still come in time. */
  private mayWait(peer: Peer, attempt: Attempt, now: number): boolean {
    this.server.hurry(now);
    return peer.bubblesLeft(now) > 0 && now + BUBBLE_INTERVAL_MS <= attempt.until;
  }

  /** Bubbles that may go to `peer` now; some are saved while the server that would forward them is in doubt. */
  private bubblesFor(peer: Peer, now: number): number {
    const saved =
      peer.teredo?.server === this.server.endpoint().ip && this.server.inDoubt(now)
        ? BUBBLES_SAVED
        : 0;
    return peer.bubblesLeft(now) - saved;
  }

  /** The direct IPv6 connectivity test (RFC 4380 §5.2.9): an echo request through our server with 128 unguessable bits. */
  private sendTest(peer: Peer, sequence: number, now: number): void {
    peer.testPayload ??= this.core.random.bytes(16);
    peer.testSentAt = now;
    const packet = buildEcho({
      reply: false,
      source: this.core.address!,
      destination: peer.address,
      identifier: this.core.probeId,
      sequence,
      data: peer.testPayload,
    });
    this.core.transmit(this.server.endpoint(), buildDatagram({ packet }), 'ping-test');
  }

  private fail(peer: Peer, now: number): void {
    this.endAttempt(peer);
    peer.extension.former = peer.testPayload = null;
    if (peer.held.length > 0) this.core.discards.count('sourceUnproven');
    peer.held = [];
    for (const packet of this.drainQueue(peer)) {
      this.core.discards.count('peerSilent');
      this.unreachable(packet, now);
    }
    this.onPath(peer, false, now);
  }

  /** Trusted peers that stopped answering: asked again after 3 s of unanswered sending, given up after 30 s of silence. */
  private check(now: number): void {
    let busy = false;
    for (const peer of this.peers.values()) {
      if (!peer.trusted) continue;
      const stamps = this.core.stamps(peer.address);
      const received = peer.receivedAt(stamps);
      if (now - received >= PEER_VALID_MS) {
        this.fellSilent(peer, now);
        continue;
      }
      busy = true;
      if (now - peer.testSentAt >= PING_TEST_INTERVAL_MS * PING_TEST_TRIES) peer.held = [];
      if (received > peer.lastReceived) peer.heard(received);
      const sent = Math.max(stamps?.lastSentMs ?? 0, peer.dataSentAt);
      if (sent <= received) peer.unansweredSince = null;
      else if (peer.unansweredSince === null) peer.unansweredSince = sent;
      else if (now - peer.unansweredSince >= PEER_UNANSWERED_MS && this.core.address) {
        this.server.hurry(now);
        // One pair of bubbles a silence: they would use up the limit that a real attempt needs.
        if (!peer.teredo) this.sendTest(peer, 0, now);
        else if (!peer.asked && peer.mayBubble(now)) this.bubbles.ask(peer, now);
        peer.unansweredSince = now;
        peer.asked = true;
      }
    }
    const forgetAt = this.peers.forget(now);
    this.nextCheck = busy ? now + PEER_CHECK_MS : forgetAt;
  }

  private fellSilent(peer: Peer, now: number): void {
    // It was asked why and said nothing: whoever still sends has waited long enough.
    if (peer.asked) peer.goneUntil = now + GONE_MS;
    this.distrust(peer, 'silent', now);
  }

  private distrust(peer: Peer, why: (ClientEvent & { kind: 'peerDown' })['why'], now = 0): void {
    const { endpoint, from, via } = peer;
    const kept = why === 'silent' && !peer.asked && peer.teredo && endpoint && from;
    peer.extension.former = kept ? { endpoint, from, via, until: now + FORMER_MS } : null;
    if (!kept) this.sides.close(peer);
    peer.via = undefined;
    peer.from = null;
    peer.also = null;
    peer.extension.hearsUs = false;
    peer.trusted = false;
    peer.endpoint = null;
    peer.path = null;
    peer.unansweredSince = null;
    peer.asked = false;
    this.core.output({ kind: 'peer', address: peer.address, endpoint: null, receivedMs: 0 });
    this.core.event({ kind: 'peerDown', address: peer.address, why });
  }

  /** Whoever waited for its way is told. */
  private drop(peer: Peer, why: 'evicted', now: number): void {
    this.endAttempt(peer);
    for (const packet of this.drainQueue(peer)) this.unreachable(packet, now);
    if (peer.trusted) this.distrust(peer, why);
    this.sides.close(peer);
    this.core.discards.count('peerEvicted');
  }

  private endAttempt(peer: Peer): void {
    peer.attempt = null;
    this.active.delete(peer);
  }

  private drainQueue(peer: Peer): Uint8Array[] {
    this.queuedBytes -= peer.queue.bytes;
    return peer.queue.drain();
  }

  private unreachable(packet: Uint8Array, now: number): void {
    this.core.answerError(
      packet,
      readIp6(packet, 8),
      ICMP6.unreachable,
      UNREACHABLE.address,
      0,
      now,
    );
  }
}
