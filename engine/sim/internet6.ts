// Module sim/internet6 is the native IPv6 Internet: nodes with addresses, and routes, for example of 2001::/32 to the relays.
import {
  ICMP6,
  UNREACHABLE,
  buildIcmp6Error,
  formatIp6,
  isLinkLocal6,
  isMulticast6,
  mayAnswerWithError,
  parseIp6,
  parseIp6Header,
} from '../wire/index.ts';
import type { Ip6 } from '../wire/index.ts';
import { Line } from './line.ts';
import type { LineConditions } from './line.ts';
import type { Ip6Packet } from './packet.ts';
import type { Simulation } from './simulation.ts';

/** Source of the ICMPv6 errors that this Internet's routers make. */
export const ROUTER6: Ip6 = parseIp6('2001:db8::1')!;

const HOP_LIMIT_AT = 7;

interface Route {
  readonly prefix: Ip6;
  readonly length: number;
  readonly metric: number;
  readonly node: Node6;
}

/** A node's attachment. What it sends may have any source: a relay sends for its clients. */
export class Node6 {
  readonly name: string;
  readonly addresses: readonly Ip6[];
  readonly line: Line;
  /** Called with every packet that is routed here; the bytes belong to the receiver. */
  onPacket: ((packet: Uint8Array) => void) | null = null;
  readonly #internet: Internet6;

  constructor(internet: Internet6, name: string, addresses: readonly Ip6[], line: Line) {
    this.#internet = internet;
    this.name = name;
    this.addresses = addresses;
    this.line = line;
  }

  send(packet: Uint8Array): void {
    this.#internet.send(this, packet);
  }
}

export class Internet6 {
  readonly name = 'internet6';
  /** Answers packets that have no route with ICMPv6 unreachable (RFC 4443 §3.1). */
  answersUnreachable = true;
  readonly #simulation: Simulation;
  readonly #byAddress = new Map<Ip6, Node6>();
  readonly #routes: Route[] = [];

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Throws a RangeError if an address is taken already: a fault of the scenario. */
  attach(name: string, addresses: readonly Ip6[], conditions: Partial<LineConditions> = {}): Node6 {
    for (const address of addresses)
      if (this.#byAddress.has(address))
        throw new RangeError(`${name}: ${formatIp6(address)} is taken already.`);
    const line = new Line(this.#simulation, `${name}-${this.name}`, conditions);
    const node = new Node6(this, name, addresses, line);
    for (const address of addresses) this.#byAddress.set(address, node);
    return node;
  }

  /** Routes `prefix`/`length` to `node`; of several for one prefix the lowest `metric` wins. Returns a function that withdraws it. */
  route(prefix: Ip6, length: number, node: Node6, metric = 0): () => void {
    const route: Route = { prefix, length, metric, node };
    this.#routes.push(route);
    return () => {
      const index = this.#routes.indexOf(route);
      if (index >= 0) this.#routes.splice(index, 1);
    };
  }

  /** Used by the nodes. */
  send(from: Node6, bytes: Uint8Array): void {
    const packet: Ip6Packet = {
      kind: 'ip6',
      id: this.#simulation.packetId(),
      bytes: bytes.slice(),
    };
    this.#simulation.trace('send', from.name, packet);
    const header = parseIp6Header(packet.bytes);
    if (!header.ok || header.value.payloadLength !== bytes.length - 40)
      this.#simulation.drop(from.name, packet, 'malformed');
    else from.line.carry('out', packet, () => this.#pass(packet, header.value));
  }

  #pass(packet: Ip6Packet, header: { destination: Ip6; source: Ip6; hopLimit: number }): void {
    const { destination, hopLimit } = header;
    if (isMulticast6(destination) || isLinkLocal6(destination) || isLinkLocal6(header.source)) {
      this.#simulation.drop(this.name, packet, 'noRoute');
      return;
    }
    if (hopLimit <= 1) {
      this.#simulation.drop(this.name, packet, 'ttlExpired');
      this.#answer(packet, header.source, ICMP6.timeExceeded, 0);
      return;
    }
    const node = this.#find(destination);
    if (!node) {
      this.#simulation.drop(this.name, packet, 'noRoute');
      if (this.answersUnreachable)
        this.#answer(packet, header.source, ICMP6.unreachable, UNREACHABLE.noRoute);
      return;
    }
    const bytes = packet.bytes.slice();
    bytes[HOP_LIMIT_AT] = hopLimit - 1;
    this.#hand({ ...packet, bytes }, node);
  }

  #hand(packet: Ip6Packet, node: Node6): void {
    node.line.carry('in', packet, () => {
      this.#simulation.trace('receive', node.name, packet);
      node.onPacket?.(packet.bytes.slice());
    });
  }

  #answer(packet: Ip6Packet, destination: Ip6, type: number, code: number): void {
    const node = this.#find(destination);
    if (!node || !mayAnswerWithError(packet.bytes)) return;
    const bytes = buildIcmp6Error({
      type,
      code,
      parameter: 0,
      source: ROUTER6,
      destination,
      quoted: packet.bytes,
    });
    const error: Ip6Packet = { kind: 'ip6', id: this.#simulation.packetId(), bytes };
    this.#simulation.trace('send', this.name, error);
    this.#hand(error, node);
  }

  /** The node with that address, else the one of the longest matching prefix with the lowest metric. */
  #find(destination: Ip6): Node6 | undefined {
    const node = this.#byAddress.get(destination);
    if (node) return node;
    let best: Route | undefined;
    for (const route of this.#routes) {
      const shift = BigInt(128 - route.length);
      if (route.prefix >> shift !== destination >> shift) continue;
      if (
        !best ||
        route.length > best.length ||
        (route.length === best.length && route.metric < best.metric)
      )
        best = route;
    }
    return best?.node;
  }
}
