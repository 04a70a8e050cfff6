// Module client/discovery finds neighbours on our own link by multicast (RFC 4380 §5.2.8).
import {
  buildBubble,
  buildDatagram,
  DISCOVERY_ADDRESS,
  isBubble,
  LINK_LOCAL_ALL_NODES,
  parseDatagram,
  TEREDO_PORT,
} from '../wire/index.ts';
import type { Endpoint } from '../wire/index.ts';
import { BUBBLE_INTERVAL_MS } from './config.ts';
import type { Core } from './core.ts';
import type { Paths } from './paths.ts';

/** Discovery bubbles are sent at random intervals, uniformly distributed between these two, ms (RFC 4380 §5.2.8). */
const SHORTEST_MS = 200_000;
const LONGEST_MS = 300_000;
/** A discovery bubble lives on the link only (RFC 4380 §5.2.8). */
const HOP_LIMIT = 1;
const HOP_LIMIT_AT = 7;

/**
 * Tells neighbours our address and learns theirs. Only behind a NAT, and only when we have a neighbour's address to offer: on the
 * open Internet nobody could use it.
 */
export class Discovery {
  private readonly core: Core;
  private readonly paths: Paths;
  private joined = false;
  private next = Infinity;
  private lastSent = -Infinity;

  constructor(core: Core, paths: Paths) {
    this.core = core;
    this.paths = paths;
    paths.bubbles.seekNeighbours = (now) => this.send(now);
  }

  get nextAt(): number {
    return this.next;
  }

  /** Joins or leaves the group as it has become, and sends what is due. */
  work(serves: boolean, now: number): void {
    const { config, policy } = this.core;
    const wanted = config.localDiscovery && serves && policy.hasNeighbours;
    if (wanted !== this.joined) {
      this.joined = wanted;
      this.core.output({ kind: 'join', on: wanted });
      this.next = wanted ? now : Infinity;
    }
    if (now < this.next) return;
    this.next = now + this.drawn();
    this.send(now);
  }

  /**
   * A datagram that came by the multicast group. Taken only from a host on a link of ours whose Teredo address has our own mapped
   * IPv4 address; a neighbour that is found this way is asked, not yet trusted (RFC 4380 §5.2.3 case 4).
   */
  receive(from: Endpoint, bytes: Uint8Array, now: number): void {
    const parsed = parseDatagram(bytes);
    const { discards, policy } = this.core;
    if (!parsed.ok) {
      discards.count(parsed.reason);
      return;
    }
    const { header } = parsed.value;
    // Our own comes back to us.
    if (!this.joined || policy.isOwnInterface(from.ip)) return;
    if (this.core.isOurs(header.source)) {
      discards.count('sourceIsUs');
      return;
    }
    const judged = policy.judge(header.source);
    if (
      !isBubble(header) ||
      header.destination !== LINK_LOCAL_ALL_NODES ||
      judged.kind !== 'teredo' ||
      !policy.isNeighbour(from, judged.teredo.client.ip, null)
    ) {
      discards.count('discoveryRefused');
      return;
    }
    const peer = this.paths.entry(header.source, judged.teredo, true, now);
    if (typeof peer === 'string') {
      discards.count(peer);
      return;
    }
    // It has not heard us yet, and refuses our greeting until it has: without this it would wait minutes for our next bubble.
    if (peer.extension.localAt(now) === null)
      this.next = Math.min(this.next, Math.max(now, this.lastSent + BUBBLE_INTERVAL_MS));
    peer.extension.local = { endpoint: from, at: now };
    this.paths.bubbles.greet(peer, from, now);
  }

  private send(now: number): void {
    const { address } = this.core;
    if (!this.joined || address === null || now < this.lastSent + BUBBLE_INTERVAL_MS) return;
    this.lastSent = now;
    const packet = buildBubble(address, LINK_LOCAL_ALL_NODES);
    packet[HOP_LIMIT_AT] = HOP_LIMIT;
    const to = { ip: DISCOVERY_ADDRESS, port: TEREDO_PORT };
    this.core.transmit(to, buildDatagram({ packet }), 'discovery');
  }

  private drawn(): number {
    const draw = this.core.random.bytes(2);
    const fraction = ((draw[0]! << 8) | draw[1]!) / 0xffff;
    return SHORTEST_MS + fraction * (LONGEST_MS - SHORTEST_MS);
  }
}
