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
  sameEndpoint,
  UNREACHABLE,
  walkHeaders,
} from '../wire/index.ts';
import type { Datagram, Endpoint, Ip6 } from '../wire/index.ts';
import { PING_TEST_LENGTH } from './config.ts';
import type { Core } from './core.ts';
import type { Paths } from './paths.ts';
import type { Pings } from './pings.ts';

/** RFC 4380 §5.2.3 and §5.2.4 for everything that is not qualification. */
export class Traffic {
  private readonly core: Core;
  private readonly paths: Paths;
  private readonly pings: Pings;
  private readonly servers: () => readonly Endpoint[];

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
      this.paths.answerBubble(origin, header.source, own, null, now);
      return;
    }
    const destination = this.core.policy.judge(header.source);
    if (destination.kind === 'refused') {
      this.core.discards.count(destination.reason);
      return;
    }
    // A native source (a relay) is answered too, but proves nothing about who is behind that origin.
    if (destination.kind === 'native') {
      this.paths.answerBubble(origin, header.source, own, null, now);
      return;
    }
    const peer = this.paths.entry(header.source, destination.teredo, true, now);
    if (typeof peer === 'string') this.core.discards.count(peer);
    else this.paths.answerBubble(origin, header.source, own, peer, now);
  }

  receive(from: Endpoint, datagram: Datagram, now: number): void {
    const { header, packet } = datagram;
    const refusal = this.refusalFrom(from, header.source, header.destination);
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
    const known = this.paths.peers.get(header.source);
    // Case 1: a trusted peer at its known endpoint.
    if (known?.trusted && known.endpoint && sameEndpoint(known.endpoint, from)) {
      this.paths.proven(known, from, known.path ?? 'direct', now);
      this.accept(from, datagram, now);
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
        this.core.discards.count('peerEndpointMismatch');
        return;
      }
      const peer = known ?? this.paths.entry(header.source, judged.teredo, true, now);
      if (typeof peer === 'string') {
        this.core.discards.count(peer);
        return;
      }
      this.paths.proven(peer, from, peer.attempt ? 'bubbles' : 'direct', now);
      this.accept(from, datagram, now);
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

  /** Why a packet from a peer is refused whoever the peer is. */
  private refusalFrom(from: Endpoint, source: Ip6, destination: Ip6): string | null {
    if (!this.core.policy.maySendTo(from)) return 'endpointNotGlobal';
    if (!this.core.isOurs(destination)) return 'destinationNotUs';
    if (this.core.isOurs(source)) return 'sourceIsUs';
    if (isMulticast6(source)) return 'sourceNotUnicast';
    return null;
  }

  /** A packet from a proven peer: bubbles end here, answers to our own pings too, the rest is for the adapter. */
  private accept(from: Endpoint, datagram: Datagram, now: number): void {
    if (isBubble(datagram.header)) return;
    const echo = parseEcho(datagram.packet);
    if (echo.ok && echo.value.reply && echo.value.identifier === this.core.probeId) {
      const peer = this.paths.peers.get(datagram.header.source);
      if (peer && this.paths.answersTest(peer, echo.value.data, now))
        this.paths.proven(peer, from, peer.path ?? 'direct', now);
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
      this.core.transmit(peer.endpoint, buildDatagram({ packet }), 'data');
    } else this.paths.queue(peer, packet.slice(), now);
  }
}
