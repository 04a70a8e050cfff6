// Module relay/relay is the Teredo relay (RFC 4380 §5.4) as a state machine: input and a time go in, outputs and the next time-out come out.
//
// The way of a packet, in the order of the functions below:
//   1. handleInput: a datagram, a packet from the adapter, a time-out, a change of network
//   2. send: a native packet goes to a client that is known, or waits while the client is asked (§5.4.1)
//   3. step: the asking: a bubble through the client's server, repeated, then given up
//   4. receive: what a client sends proves it, and goes on to the native hosts that we serve (§5.4.2)
//   5. pollOutput: what to transmit and deliver, what the datapath may do by itself, when to come back
//
// Hop limits are the system's: its forwarding takes one hop on the way to or from the adapter, the tunnel is a link and takes none.
import {
  buildBubble,
  buildDatagram,
  Discards,
  ICMP6,
  IP6_HEADER_LENGTH,
  isBubble,
  linkLocalFor,
  parseDatagram,
  parseIp6Header,
  PROTOCOL,
  sameEndpoint,
  TEREDO_MTU,
  TEREDO_PORT,
  UNREACHABLE,
  walkHeaders,
} from '../wire/index.ts';
import type {
  Datagram,
  Endpoint,
  Ip6,
  Ip6Header,
  Random,
  TeredoAddress,
  UpperLayer,
} from '../wire/index.ts';
import { RelayPolicy } from './addresses.ts';
import { BUBBLE_TIMEOUT_MS, BUBBLE_TRIES, PEER_ANNOUNCE_MS, relayLimits } from './config.ts';
import { RelayErrors } from './errors.ts';
import { BubbleLimits, payerOf } from './bubbles.ts';
import type { Payer } from './bubbles.ts';
import { RelayPeers } from './peers.ts';
import type { Pending, Proven } from './peers.ts';
import type {
  RelayConfig,
  RelayInput,
  RelayLimits,
  RelayOutput,
  RelayPeerRow,
  RelayReason,
  RelayStamps,
} from './types.ts';

/** Sizes of what the relay keeps. */
export interface RelayStatus {
  readonly clients: number;
  readonly pending: number;
  readonly queuedBytes: number;
}

/** Relay for a network, or for its own host alone. Construct it and hand it a `network` input. */
export class TeredoRelay {
  private config: RelayConfig;
  private readonly random: Random;
  private readonly policy: RelayPolicy;
  private readonly peers: RelayPeers;
  private bubbles: BubbleLimits;
  private errors: RelayErrors;
  private readonly counted = new Discards();
  private outputs: RelayOutput[] = [];
  private reading = 0;
  private nextCheck = Infinity;
  private announced = Infinity;

  constructor(config: RelayConfig, random: Random, stamps: RelayStamps) {
    this.config = config;
    this.random = random;
    this.policy = new RelayPolicy(config);
    this.peers = new RelayPeers(config.limits, stamps, random);
    this.bubbles = new BubbleLimits(config.limits);
    this.errors = new RelayErrors(config);
  }

  /** From now on these limits rule, and defaults for those not named; clients that are known stay. */
  setLimits(limits: Partial<RelayLimits>): void {
    this.config = { ...this.config, limits: relayLimits(limits) };
    this.peers.setLimits(this.config.limits);
    this.bubbles = new BubbleLimits(this.config.limits);
    this.errors = new RelayErrors(this.config);
  }

  /** Counted, named discards. */
  get discards(): Readonly<Record<string, number>> {
    return this.counted.snapshot();
  }

  status(): RelayStatus {
    return {
      clients: this.peers.provenCount,
      pending: this.peers.pendingCount,
      queuedBytes: this.peers.queuedBytes,
    };
  }

  /** What makes each row of the clients' table, from the latest to the oldest; only what is called costs. */
  latest(now: number): Iterable<() => RelayPeerRow> {
    return this.peers.latest(now);
  }

  /** Takes one input at time `now` (ms, never decreasing). Never throws on what came from outside. */
  handleInput(input: RelayInput, now: number): void {
    switch (input.kind) {
      case 'datagram':
        this.receive(input.from, input.bytes, now);
        break;
      case 'packet':
        this.send(input.bytes, now);
        break;
      case 'network':
        this.policy.setNetworks(input.networks, input.served);
        this.outputs.push({ kind: 'served', ...this.policy.ranges() });
        break;
      case 'timeout':
        // The caller's timer is spent, even if it ran a little early: it must be told the time again.
        this.announced = NaN;
        break;
    }
    this.work(now);
  }

  /** The next output, undefined when there is none. A `timeout` comes last, and only when it changed. */
  pollOutput(): RelayOutput | undefined {
    const output = this.outputs[this.reading];
    if (output) {
      this.reading += 1;
      return output;
    }
    this.outputs = [];
    this.reading = 0;
    const at = Math.min(this.peers.firstDue()?.next ?? Infinity, this.nextCheck);
    if (at === this.announced) return undefined;
    this.announced = at;
    return { kind: 'timeout', at };
  }

  // ---- transmission to clients (RFC 4380 §5.4.1)

  private send(packet: Uint8Array, now: number): void {
    const parsed = parseIp6Header(packet);
    if (!parsed.ok) return this.discard(parsed.reason);
    const { source, destination, hopLimit, payloadLength } = parsed.value;
    // What stood behind it would be read as trailers (RFC 6081 §4.1).
    if (packet.length !== IP6_HEADER_LENGTH + payloadLength) return this.discard('adapterLength');
    const walked = walkHeaders(packet);
    if (!walked.ok) return this.discard(walked.reason);
    // Errors go to hosts that we serve; what forges another source is not answered.
    if (!this.policy.isServed(source)) return this.discard('sourceNotServed');
    if (this.policy.embedsRefused(source)) return this.discard('sourceEmbedded');
    if (isBubble(parsed.value)) return this.discard('adapterBubble');
    const teredo = this.policy.client(destination);
    if (typeof teredo === 'string') {
      this.discard(teredo);
      return this.answer(packet, ICMP6.unreachable, UNREACHABLE.noRoute, now);
    }
    if (hopLimit === 0) {
      this.discard('hopLimit');
      return this.answer(packet, ICMP6.timeExceeded, 0, now);
    }
    if (packet.length > TEREDO_MTU) {
      this.discard('adapterTooBig');
      return this.answer(packet, ICMP6.packetTooBig, 0, now, TEREDO_MTU);
    }
    const proven = this.peers.findProven(destination);
    if (proven !== undefined && this.peers.isValid(proven, now))
      return this.data(this.peers.endpoint(proven), packet);
    const known = this.peers.findPending(destination);
    const payer = payerOf(source, isEchoReply(packet, walked.value));
    if (!known && !this.bubbles.mayAsk(payer, teredo.server, now))
      return this.discard('bubbleLimit');
    // The way lapsed: the datapath must not take it up again by itself.
    if (!known && proven !== undefined) this.announce(destination, null, 0);
    const peer = known ?? this.ask(destination, teredo, payer, now);
    peer.unwanted = false;
    const { kept, lost } = this.peers.enqueue(peer, packet);
    if (!kept) this.discard('queueFull');
    for (let i = 0; i < lost; i++) this.discard('queueEvicted');
  }

  private ask(address: Ip6, teredo: TeredoAddress, payer: Payer, now: number): Pending {
    const nonce = linkLocalFor(this.random);
    const { peer, evicted } = this.peers.addPending({ address, teredo, nonce, payer }, now);
    if (evicted) this.discard('peerEvicted');
    this.bubble(peer, now);
    return peer;
  }

  /**
   * The indirect bubble, whatever the cone bit says (RFC 4380 §5.4.1 case 3), and, from behind a NAT, a direct one that lets the
   * answer in. Its source holds the nonce; a client behind a symmetric NAT is recognised by it when it answers from another port.
   */
  private bubble(peer: Pending, now: number): void {
    const packet = buildBubble(peer.nonce, peer.address);
    const server = { ip: peer.teredo.server, port: TEREDO_PORT };
    this.transmit(server, buildDatagram({ packet }), 'indirect-bubble');
    if (this.config.behindNat)
      this.transmit(peer.teredo.client, buildDatagram({ packet }), 'direct-bubble');
    peer.tries += 1;
    this.peers.postpone(peer, now + BUBBLE_TIMEOUT_MS);
  }

  // ---- time

  private work(now: number): void {
    for (let due = this.peers.firstDue(); due && due.next <= now; due = this.peers.firstDue())
      this.step(due, now);
    if (now >= this.nextCheck) {
      this.peers.forget(now, (address) => this.announce(address, null, 0));
      this.nextCheck = this.peers.provenCount > 0 ? now + this.peers.checkMs : Infinity;
    }
    // A timer that has just run is announced again even if it was set to the same time.
    if (this.announced <= now) this.announced = NaN;
  }

  private step(peer: Pending, now: number): void {
    if (peer.unwanted || peer.tries >= BUBBLE_TRIES) {
      for (const packet of this.peers.endPending(peer)) {
        this.discard('clientSilent');
        this.answer(packet, ICMP6.unreachable, UNREACHABLE.address, now);
      }
    } else if (this.bubbles.mayAsk(peer.payer, peer.teredo.server, now)) {
      this.bubble(peer, now);
    } else {
      this.discard('bubbleLimit');
      peer.tries += 1;
      this.peers.postpone(peer, now + BUBBLE_TIMEOUT_MS);
    }
  }

  // ---- reception from clients (RFC 4380 §5.4.2)

  private receive(from: Endpoint, bytes: Uint8Array, now: number): void {
    const parsed = parseDatagram(bytes);
    if (!parsed.ok) return this.discard(parsed.reason);
    const datagram = parsed.value;
    // Only servers add these, and they send them to clients.
    if (datagram.authentication || datagram.origin) return this.discard('indicatorUnexpected');
    if (!this.policy.isReachable(from)) return this.discard('endpointNotGlobal');
    const { header, packet } = datagram;
    const teredo = this.policy.client(header.source);
    if (typeof teredo === 'string')
      return this.discard(teredo === 'destinationNotTeredo' ? 'sourceNotTeredo' : teredo);
    const walked = walkHeaders(packet);
    if (!walked.ok) return this.discard(walked.reason);
    const proven = this.peers.findProven(header.source);
    const pending = this.peers.findPending(header.source);
    if (proven === undefined && !pending) {
      this.discard('clientUnknown');
      const mayBeMeant = sameEndpoint(from, teredo.client) && !isBubble(header);
      if (mayBeMeant && !this.inwardRefusal(datagram, walked.value))
        this.askUnknown(header, teredo, now);
      return;
    }
    const proof = this.proof(from, teredo.client, header, proven, pending, now);
    if (!proof) return this.discard('clientMismatch');
    if (proof === 'renews' && !this.trust(header.source, from, pending, now))
      return this.discard('peersFull');
    if (isBubble(header)) return;
    const refusal = this.inwardRefusal(datagram, walked.value);
    if (refusal) return this.discard(refusal);
    this.outputs.push({ kind: 'deliver', bytes: packet, error: false });
  }

  /**
   * The way of a client that trusts us since before our restart is open on its side, and nobody else may have anything to send: it is
   * asked once, by a packet no longer than its own, so that its next one passes (the RFC lets us discard it for good).
   */
  private askUnknown({ source, destination }: Ip6Header, teredo: TeredoAddress, now: number): void {
    if (this.bubbles.mayAskUnknown(teredo.server, now))
      this.ask(source, teredo, payerOf(destination, false), now).unwanted = true;
    else this.discard('bubbleLimit');
  }

  /**
   * A client is who it says when it sends from the endpoint that it proved lately, from the one inside its address (RFC 4380 §5.4.2),
   * or, behind a symmetric NAT, when its bubble repeats our nonce; the mapped IPv4 address is the same even there.
   * The one inside its address `stands` without moving a client that is valid elsewhere: a single forged datagram must not cut it off.
   */
  private proof(
    from: Endpoint,
    mapped: Endpoint,
    header: Ip6Header,
    proven: Proven | undefined,
    pending: Pending | undefined,
    now: number,
  ): 'renews' | 'stands' | null {
    const valid = proven !== undefined && this.peers.isValid(proven, now);
    if (valid && sameEndpoint(from, this.peers.endpoint(proven))) return 'renews';
    if (sameEndpoint(from, mapped)) return valid ? 'stands' : 'renews';
    const repeats = isBubble(header) && header.destination === pending?.nonce;
    return repeats && from.ip === mapped.ip ? 'renews' : null;
  }

  /** The way to `address` is open: what waited goes first, then the datapath may send by itself, so that order is kept. */
  private trust(address: Ip6, from: Endpoint, pending: Pending | undefined, now: number): boolean {
    const forgotten = (gone: Ip6): void => this.announce(gone, null, 0);
    const peer = this.peers.setProven(address, from, now, forgotten);
    if (peer === undefined) return false;
    this.nextCheck = Math.min(this.nextCheck, now + this.peers.checkMs);
    if (pending) for (const packet of this.peers.endPending(pending)) this.data(from, packet);
    if (pending || now - this.peers.announcedAt(peer) >= PEER_ANNOUNCE_MS) {
      this.announce(address, from, now);
      this.peers.setAnnounced(peer, now);
    }
    return true;
  }

  private inwardRefusal(
    { header, packet }: Datagram,
    { protocol, offset, fragment }: UpperLayer,
  ): RelayReason | null {
    if (!this.policy.isServed(header.destination)) return 'destinationNotServed';
    if (this.policy.embedsRefused(header.destination)) return 'destinationEmbedded';
    if (header.hopLimit === 0) return 'hopLimit';
    // Neighbour discovery speaks of a link, and this packet has crossed one.
    const type = protocol === PROTOCOL.icmp6 && !fragment?.offset ? packet[offset] : undefined;
    const isNeighbour =
      type !== undefined && type >= ICMP6.routerSolicitation && type <= ICMP6.redirect;
    return isNeighbour ? 'neighborDiscovery' : null;
  }

  // ---- outputs

  private transmit(
    to: Endpoint,
    bytes: Uint8Array,
    why: (RelayOutput & { kind: 'transmit' })['why'],
  ): void {
    this.outputs.push({ kind: 'transmit', to, bytes, why });
  }

  private data(to: Endpoint, packet: Uint8Array): void {
    this.transmit(to, buildDatagram({ packet }), 'data');
  }

  private announce(address: Ip6, endpoint: Endpoint | null, receivedMs: number): void {
    this.outputs.push({ kind: 'peer', address, endpoint, receivedMs });
  }

  /** Tells the native sender of `packet` what became of it. */
  private answer(packet: Uint8Array, type: number, code: number, now: number, mtu = 0): void {
    const answer = this.errors.about(packet, { type, code, parameter: mtu }, now);
    if (answer === 'errorLimit') this.discard(answer);
    else if (answer) this.outputs.push({ kind: 'deliver', bytes: answer, error: true });
  }

  private discard(reason: string): void {
    this.counted.count(reason);
  }
}

function isEchoReply(packet: Uint8Array, { protocol, offset, fragment }: UpperLayer): boolean {
  return protocol === PROTOCOL.icmp6 && fragment === null && packet[offset] === ICMP6.echoReply;
}
