// Module sim/segment is one IPv4 network: a LAN behind a NAT, a carrier's network, or the public Internet, which routes to all its nodes.
import { directedBroadcast4, inNetwork4 } from '../wire/index.ts';
import type { Ip4 } from '../wire/index.ts';
import { Line } from './line.ts';
import type { LineConditions } from './line.ts';
import type { Packet4 } from './packet.ts';
import type { Simulation } from './simulation.ts';

/** Whatever can be attached to a segment. */
export interface SegmentNode {
  readonly name: string;
  /** `packet` came in by `port`. */
  receive(packet: Packet4, port: Port): void;
}

/** `address`/`prefix`. */
export interface Network4 {
  readonly address: Ip4;
  readonly prefix: number;
}

const EVERYWHERE: Network4 = { address: 0, prefix: 0 };

/** 224.0.0.0/4. */
export function isMulticast4(ip: Ip4): boolean {
  return ip >>> 28 === 0xe;
}

/** A node's attachment to a segment. */
export class Port {
  readonly node: SegmentNode;
  readonly segment: Segment;
  readonly line: Line;
  readonly addresses: readonly Ip4[];

  constructor(segment: Segment, node: SegmentNode, addresses: readonly Ip4[], line: Line) {
    this.segment = segment;
    this.node = node;
    this.addresses = addresses;
    this.line = line;
  }

  /** Sends `packet` to the node that has `nextHop` on this segment, or to all of them if that is a multicast or broadcast address. */
  send(packet: Packet4, nextHop: Ip4): void {
    this.line.carry('out', packet, () => this.segment.pass(packet, nextHop, this));
  }

  detach(): void {
    this.segment.detach(this);
  }
}

/**
 * An ideal switch or router: what distance, loss and the like there is comes from the lines of the ports, of which a packet
 * crosses two. Without a gateway, as on the public Internet, only what is attached can be reached.
 */
export class Segment {
  readonly name: string;
  readonly network: Network4;
  /** Where nodes send what is not on this segment; undefined if there is nothing further. */
  gateway: Ip4 | undefined;
  readonly #simulation: Simulation;
  readonly #ports = new Set<Port>();
  readonly #byAddress = new Map<Ip4, Port>();

  constructor(simulation: Simulation, name: string, network: Network4 = EVERYWHERE) {
    this.#simulation = simulation;
    this.name = name;
    this.network = network;
  }

  /** Throws a RangeError if an address is taken already: a fault of the scenario. */
  attach(
    node: SegmentNode,
    addresses: readonly Ip4[],
    conditions: Partial<LineConditions> = {},
  ): Port {
    for (const address of addresses)
      if (this.#byAddress.has(address))
        throw new RangeError(`${node.name}: its address is taken on ${this.name} already.`);
    const line = new Line(this.#simulation, `${node.name}-${this.name}`, conditions);
    const port = new Port(this, node, addresses, line);
    this.#ports.add(port);
    for (const address of addresses) this.#byAddress.set(address, port);
    return port;
  }

  detach(port: Port): void {
    if (!this.#ports.delete(port)) return;
    for (const address of port.addresses) this.#byAddress.delete(address);
  }

  /** Whether `ip` can be sent to without the gateway. */
  isOnLink(ip: Ip4): boolean {
    return inNetwork4(ip, this.network.address, this.network.prefix);
  }

  /** Takes what came out of the line of `from` and puts it on the line of the one that has `nextHop`. */
  pass(packet: Packet4, nextHop: Ip4, from: Port): void {
    if (this.#isForAll(nextHop)) {
      // The public Internet routes neither multicast nor broadcast.
      if (this.network.prefix === 0) this.#simulation.drop(this.name, packet, 'noRoute');
      else for (const port of this.#ports) if (port !== from) this.#hand(packet, port);
      return;
    }
    const port = this.#byAddress.get(nextHop);
    if (port) this.#hand(packet, port);
    else this.#simulation.drop(this.name, packet, 'noRoute');
  }

  #hand(packet: Packet4, port: Port): void {
    port.line.carry('in', packet, () => {
      if (this.#ports.has(port)) port.node.receive(packet, port);
      else this.#simulation.drop(this.name, packet, 'noRoute');
    });
  }

  #isForAll(ip: Ip4): boolean {
    const { address, prefix } = this.network;
    return (
      isMulticast4(ip) ||
      ip === 0xffffffff ||
      (prefix > 0 && ip === directedBroadcast4(address, prefix))
    );
  }
}
