// Module client/traffic carries IPv6 packets between local programs and proven peers, and refuses everything else by name.
import {
  buildDatagram,
  ICMP6,
  IP6_HEADER_LENGTH,
  isBubble,
  isLinkLocal6,
  isMulticast6,
  parseEcho,
  parseIp6Header,
  readNeighborDiscovery,
  sameEndpoint,
  UNREACHABLE,
  walkHeaders,
} from '../wire/index.ts';
import type { Datagram, Endpoint } from '../wire/index.ts';
import { PING_TEST_LENGTH } from './config.ts';
import type { Core } from './core.ts';
import type { Paths } from './paths.ts';
import type { Peer } from './peers.ts';
import type { Pings } from './pings.ts';
import type { PeerPath } from './types.ts';

/** Bubbles of one round come within this time of each other, ms. */
const ROUND_MS = 1_500;
/** Data that came before its sender's proof waits so long, ms, and so many packets of all peers together. */
const EARLY_MS = 2_000;
const EARLY_PACKETS = 64;

interface Early {
  readonly peer: Peer;
  readonly from: Endpoint;
  readonly via: number | undefined;
  readonly packet: Uint8Array;
  readonly at: number;
}

/** RFC 4380 §5.2.3 and §5.2.4 for everything that is not qualification. */
export class Traffic {
  private readonly core: Core;
  private readonly paths: Paths;
  private readonly pings: Pings;
  private readonly servers: () => readonly Endpoint[];
  private early: Early[] = [];

  constructor(core: Core, paths: Paths, pings: Pings, servers: () => readonly Endpoint[]) {
    this.core = core;
    this.paths = paths;
    this.pings = pings;
    this.servers = servers;
  }

  /** A bubble that our server forwarded: somebody wants to reach us and is told so directly. */
  receiveForwarded(datagram: Datagram, now: number): void {
    const { origin, header } = datagram;
    const own = header.destination;
    if (!this.core.isOurs(own)) {
      this.core.discards.count('destinationNotUs');
      return;
    }
    if (!origin) {
      this.core.discards.count('bubbleNoOrigin');
      return;
    }
    if (
      !this.core.policy.maySendTo(origin) ||
      this.servers().some((s) => sameEndpoint(s, origin))
    ) {
      this.core.discards.count('originNotGlobal');
      return;
    }
    if (this.core.policy.isMapped(origin)) {
      this.core.discards.count('sourceIsUs');
      return;
    }
    // Miredo's clients and relays bubble from link-local sources: answered, never remembered.
    if (isLinkLocal6(header.source)) {
      this.paths.bubbles.answerStranger(origin, header.source, own, now);
      return;
    }
    const destination = this.core.policy.judge(header.source);
    if (destination.kind === 'refused') {
      this.core.discards.count(destination.reason);
      return;
    }
    // A native source (a relay) is answered too, but proves nothing about who is behind that origin.
    if (destination.kind === 'native') {
      this.paths.bubbles.answerStranger(origin, header.source, own, now);
      return;
    }
    const peer = this.paths.entry(header.source, destination.teredo, true, now);
    if (typeof peer === 'string') {
      this.core.discards.count(peer);
      return;
    }
    // An old entry must not be forgotten before the peer's next packet, which belongs to this one.
    this.paths.peers.touch(peer, now);
    this.paths.bubbles.receive(peer, own, datagram.trailers, origin, now);
  }

  /** A datagram from `from` that came to the side port `via`, or to the service port. */
  receive(from: Endpoint, datagram: Datagram, via: number | undefined, now: number): void {
    const { header, packet } = datagram;
    const known = this.paths.peers.get(header.source);
    const refusal = this.refusalFrom(from, datagram, known);
    if (refusal) {
      this.core.discards.count(refusal);
      return;
    }
    const judged = this.core.policy.judge(header.source);
    if (judged.kind === 'refused') {
      this.core.discards.count(judged.reason);
      return;
    }
    const walked = walkHeaders(packet);
    if (!walked.ok) {
      this.core.discards.count(walked.reason);
      return;
    }
    // Case 1: a trusted peer at its known endpoint, or at another that it proved beside it.
    if (known?.trusted && (known.isAt(from, via) || known.isAlsoAt(from, via))) {
      this.paths.proven(known, known.from!, known.path ?? 'direct', now, known.via);
      this.accept(known, from, datagram, via, now);
      return;
    }
    // Case 5: a neighbour where its discovery bubble came from. An open way is not given up for it: on a shared link anybody can
    // send such a bubble.
    const local = via === undefined ? known?.extension.localAt(now) : null;
    const open = known && this.paths.isValid(known, now) && !this.isUnused(known, now);
    if (known && local && sameEndpoint(local, from) && !open) {
      this.settle(known, from, datagram, via, now);
      return;
    }
    // RFC 6081 §5.2.4.4: a bubble from elsewhere that brings our nonce back; or from where the peer was a while ago (§5.7).
    if (known && isBubble(header) && this.provesItself(known, from, datagram, via, now)) return;
    if (via !== undefined && (judged.kind !== 'teredo' || !known)) {
      this.core.discards.count('sidePort');
      return;
    }
    // Case 2: the answer to a connectivity test, from wherever the relay is.
    if (known && judged.kind === 'native') {
      const echo = parseEcho(packet);
      if (echo.ok && echo.value.reply && this.paths.answersTest(known, echo.value.data, now)) {
        const held = known.held.filter((h) => sameEndpoint(h.from, from));
        if (held.length < known.held.length) this.core.discards.count('sourceUnproven');
        known.held = [];
        this.paths.proven(known, from, 'relay', now);
        for (const { packet: waiting } of held)
          this.core.output({ kind: 'deliver', bytes: waiting, error: false });
        this.pings.handleEcho(echo.value, now);
        return;
      }
    }
    // Case 3: the endpoint is the one inside the Teredo address.
    if (judged.kind === 'teredo') {
      if (!sameEndpoint(judged.teredo.client, from)) {
        if (!known || isBubble(header) || !this.holdEarly(known, from, packet, via, now))
          this.core.discards.count('peerEndpointMismatch');
        return;
      }
      const peer = known ?? this.paths.entry(header.source, judged.teredo, true, now);
      if (typeof peer === 'string') {
        this.core.discards.count(peer);
        return;
      }
      this.settle(peer, from, datagram, via, now);
      return;
    }
    // Case 6: a native source that has proven nothing waits for a connectivity test.
    if (isBubble(header)) {
      this.core.discards.count('bubbleUnproven');
      return;
    }
    // Shorter than the test that it would make us send: no answer is longer than the question.
    if (packet.length < PING_TEST_LENGTH) {
      this.core.discards.count('sourceUnproven');
      return;
    }
    // A late or guessed answer to a test of ours: worth no other test, and no local program's.
    const echo = parseEcho(packet);
    if (echo.ok && echo.value.reply && echo.value.identifier === this.core.probeId) {
      this.core.discards.count('sourceUnproven');
      return;
    }
    const peer = known ?? this.paths.entry(header.source, null, true, now);
    if (typeof peer === 'string') {
      this.core.discards.count(peer);
      return;
    }
    if (!peer.hold(from, packet.slice())) this.core.discards.count('sourceUnproven');
    this.paths.test(peer, now);
  }

  /**
   * A peer behind a symmetric NAT that we have just answered: its data may come before the bubble that proves where it is. It waits
   * for that for a moment; false when it does not.
   */
  private holdEarly(
    peer: Peer,
    from: Endpoint,
    packet: Uint8Array,
    via: number | undefined,
    now: number,
  ): boolean {
    const { askedAt, nonceReceived } = peer.extension;
    const answered = now - askedAt < EARLY_MS || this.paths.probing.runsUntil(peer) > now;
    const open = this.paths.isValid(peer, now) && !this.isUnused(peer, now);
    if (!answered || nonceReceived === null || open) return false;
    this.early = this.early.filter(({ at }) => now - at < EARLY_MS).slice(1 - EARLY_PACKETS);
    this.early.push({ peer, from, via, packet: packet.slice(), at: now });
    return true;
  }

  /** Hands over what came early from there. */
  private releaseEarly(peer: Peer, from: Endpoint, via: number | undefined): void {
    const isIt = (early: Early): boolean =>
      early.peer === peer && sameEndpoint(early.from, from) && early.via === via;
    for (const early of this.early)
      if (isIt(early)) this.core.output({ kind: 'deliver', bytes: early.packet, error: false });
    this.early = this.early.filter((early) => !isIt(early));
  }

  /** True when the bubble was one of those that prove where `peer` is; it is dealt with then. */
  private provesItself(
    peer: Peer,
    from: Endpoint,
    datagram: Datagram,
    via: number | undefined,
    now: number,
  ): boolean {
    const { former } = peer.extension;
    const again =
      former !== null &&
      now < former.until &&
      sameEndpoint(former.from, from) &&
      former.via === via &&
      readNeighborDiscovery(datagram.trailers) !== undefined;
    const nonce = peer.extension.answersNonce(datagram.trailers);
    if (!again && !nonce) return false;
    // A neighbour is also seen from outside when the router turns round what goes to itself: the short way stays.
    const near = peer.endpoint && this.isNear(peer.endpoint) && this.paths.isValid(peer, now);
    if (near && !this.isNear(from)) return true;
    // Bubbles of one round come by several ways: the first stays, but the service port goes before a side port (§5.4.4.5).
    const { hearsUs } = peer.extension;
    const fresh = this.paths.isValid(peer, now) && now - peer.provenAt < ROUND_MS;
    const stays = hearsUs || !this.core.nat.symmetric || via === peer.via;
    if (fresh && stays && !peer.isAt(from, via) && (via !== undefined || peer.via === undefined)) {
      peer.also = { from, via };
      this.releaseEarly(peer, from, via);
      return true;
    }
    this.settle(peer, from, datagram, via, now);
    return true;
  }

  /** The peer is where this packet comes from. */
  private settle(
    peer: Peer,
    from: Endpoint,
    datagram: Datagram,
    via: number | undefined,
    now: number,
  ): void {
    const valid = this.paths.isValid(peer, now);
    const near = peer.endpoint && this.isNear(peer.endpoint);
    // What comes the long way, round the router, is taken, but the short one stays.
    if (valid && near && !this.isNear(from)) {
      this.accept(peer, from, datagram, via, now);
      return;
    }
    const moved = !valid || !peer.isAt(from, via);
    this.paths.proven(peer, from, this.pathTo(peer, from), now, via);
    this.releaseEarly(peer, from, via);
    if (moved && (via !== undefined || !sameEndpoint(from, peer.teredo!.client)))
      this.paths.bubbles.confirm(peer, now);
    this.accept(peer, from, datagram, via, now);
  }

  /** A bubble of the same round came round the router a moment before the neighbour's own: nothing has used that way yet. */
  private isUnused(peer: Peer, now: number): boolean {
    return peer.path === 'hairpin' && !peer.extension.hearsUs && now - peer.provenAt < ROUND_MS;
  }

  private isNear(endpoint: Endpoint): boolean {
    return !this.core.policy.maySendTo(endpoint) || this.core.policy.isOnOwnLink(endpoint.ip);
  }

  private pathTo(peer: Peer, from: Endpoint): PeerPath {
    if (this.isNear(from)) return 'local';
    if (this.core.policy.isMappedIp(from.ip)) return 'hairpin';
    return peer.attempt ? 'bubbles' : 'direct';
  }

  /** Why a packet from a peer is refused whoever the peer is. */
  private refusalFrom(
    from: Endpoint,
    { header }: Datagram,
    known: Peer | undefined,
  ): string | null {
    const { source, destination } = header;
    if (!this.core.policy.maySendTo(from)) {
      // A neighbour behind our router may write; whether he is the one is seen below, as for everybody.
      const ip = known?.teredo?.client.ip;
      if (ip === undefined || !this.core.policy.isNeighbour(from, ip, this.core.nat.external))
        return 'endpointNotGlobal';
    }
    if (!this.core.isOurs(destination)) return 'destinationNotUs';
    if (this.core.isOurs(source)) return 'sourceIsUs';
    if (isMulticast6(source)) return 'sourceNotUnicast';
    return null;
  }

  /** A packet from a proven peer: bubbles end here, answers to our own pings too, the rest is for the adapter. */
  private accept(
    from: Peer,
    endpoint: Endpoint,
    datagram: Datagram,
    via: number | undefined,
    now: number,
  ): void {
    if (isBubble(datagram.header)) {
      if (readNeighborDiscovery(datagram.trailers) === 'solicitation')
        this.paths.bubbles.advertise(from, endpoint, via, now);
      return;
    }
    from.extension.hearsUs = true;
    const echo = parseEcho(datagram.packet);
    if (echo.ok && echo.value.reply && echo.value.identifier === this.core.probeId) {
      if (this.paths.answersTest(from, echo.value.data, now))
        this.paths.proven(from, endpoint, from.path ?? 'direct', now, via);
      this.pings.handleEcho(echo.value, now);
      return;
    }
    this.core.output({ kind: 'deliver', bytes: datagram.packet, error: false });
  }

  /** A packet from a local program (RFC 4380 §5.2.4); `mtu` is the tunnel's. */
  send(packet: Uint8Array, mtu: number, now: number): void {
    const parsed = parseIp6Header(packet);
    if (!parsed.ok) {
      this.core.discards.count(parsed.reason);
      return;
    }
    const header = parsed.value;
    // What stood behind it would be read as trailers of ours (RFC 6081 §4.1).
    if (packet.length !== IP6_HEADER_LENGTH + header.payloadLength) {
      this.core.discards.count('adapterLength');
      return;
    }
    if (isMulticast6(header.destination)) {
      this.core.discards.count('adapterMulticast');
      return;
    }
    if (!this.core.isOurs(header.source)) {
      this.core.discards.count('adapterSource');
      return;
    }
    const walked = walkHeaders(packet);
    if (!walked.ok) {
      this.core.discards.count(walked.reason);
      return;
    }
    if (packet.length > mtu) {
      this.core.discards.count('adapterTooBig');
      this.core.answerError(packet, header.source, ICMP6.packetTooBig, 0, mtu, now);
      return;
    }
    const destination = this.core.policy.judge(header.destination);
    if (destination.kind === 'refused') {
      this.core.discards.count(destination.reason);
      this.core.answerError(packet, header.source, ICMP6.unreachable, UNREACHABLE.noRoute, 0, now);
      return;
    }
    if (isBubble(header)) {
      this.core.discards.count('adapterBubble');
      return;
    }
    const peer = this.paths.entry(
      header.destination,
      destination.kind === 'teredo' ? destination.teredo : null,
      false,
      now,
    );
    if (typeof peer === 'string') {
      this.core.discards.count(peer);
      this.core.answerError(packet, header.source, ICMP6.unreachable, UNREACHABLE.address, 0, now);
      return;
    }
    if (peer.endpoint && this.paths.isValid(peer, now)) {
      this.paths.sendTo(peer, buildDatagram({ packet }), now);
    } else this.paths.queue(peer, packet.slice(), now);
  }
}
