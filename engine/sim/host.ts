// Module sim/host is a computer with IPv4 interfaces and UDP sockets.
import { directedBroadcast4, endpointKey } from '../wire/index.ts';
import type { Endpoint, Ip4 } from '../wire/index.ts';
import type { Line, LineConditions } from './line.ts';
import { DEFAULT_TTL, portUnreachable } from './packet.ts';
import type { Packet4, UdpPacket } from './packet.ts';
import { isMulticast4 } from './segment.ts';
import type { Network4, Port, Segment, SegmentNode } from './segment.ts';
import type { Simulation } from './simulation.ts';

const EPHEMERAL = { low: 32_768, high: 60_999 };
const MAX_DATAGRAM = 65_507;

/** What happens on a socket; both are called with copies that belong to the receiver. */
export interface SocketHandlers {
  /** A datagram from `from` came to our address `arrivedOn` (a group's address if it was multicast). */
  readonly onDatagram?: (from: Endpoint, bytes: Uint8Array, arrivedOn: Ip4) => void;
  /** An ICMPv4 error came back for a datagram of ours to `to`. */
  readonly onIcmp?: (to: Endpoint, type: number, code: number) => void;
}

export interface HostOptions {
  /** Answers datagrams to ports that nobody has with ICMPv4 port unreachable. Default true. */
  readonly answersUnreachable?: boolean;
}

/** One attachment of a host to a network. */
export interface Interface {
  readonly address: Ip4;
  readonly network: Network4;
  readonly line: Line;
  /** Whether the host uses it; a line that is down is another matter. */
  readonly up: boolean;
  /** Takes the interface out of use or back in; networks change. */
  setUp(up: boolean): void;
  /** Unplugs it for good. */
  remove(): void;
}

interface HostInterface extends Interface {
  readonly port: Port;
}

/** Whom `way` hands a packet for `to`; undefined if it leads nowhere. */
function nextHop(way: HostInterface, to: Ip4): Ip4 | undefined {
  const { segment } = way.port;
  return isMulticast4(to) || to === 0xffffffff || segment.isOnLink(to) ? to : segment.gateway;
}

/** A bound UDP socket. */
export class UdpSocket {
  readonly port: number;
  /** Address that it is bound to; undefined: all of the host's. */
  readonly address: Ip4 | undefined;
  handlers: SocketHandlers;
  readonly #host: Host;
  readonly #groups = new Set<Ip4>();

  constructor(host: Host, port: number, address: Ip4 | undefined, handlers: SocketHandlers) {
    this.#host = host;
    this.port = port;
    this.address = address;
    this.handlers = handlers;
  }

  /** Sends; `from` chooses the source address. False if the host can't send it at all (no route, too long, socket closed). */
  send(to: Endpoint, bytes: Uint8Array, from: Ip4 | undefined = this.address): boolean {
    return this.#host.transmit(this, to, bytes, from);
  }

  /** Receives what is sent to the multicast address `group`, too. */
  join(group: Ip4): void {
    this.#groups.add(group);
  }

  isIn(group: Ip4): boolean {
    return this.#groups.has(group);
  }

  close(): void {
    this.#host.release(this);
  }
}

/** A computer. The first interface that is up and whose network leads further carries what is not on-link. */
export class Host implements SegmentNode {
  readonly name: string;
  /** Called after the list of networks changed. */
  onNetworkChange: (() => void) | null = null;
  answersUnreachable: boolean;
  /** While set the system refuses to send anything (ENOBUFS, EPERM), and networks stay as they are. */
  sendFails = false;
  readonly #simulation: Simulation;
  readonly #interfaces: HostInterface[] = [];
  readonly #sockets = new Set<UdpSocket>();

  constructor(simulation: Simulation, name: string, options: HostOptions = {}) {
    this.#simulation = simulation;
    this.name = name;
    this.answersUnreachable = options.answersUnreachable ?? true;
  }

  /** Plugs the host into `segment` with `address`. */
  addInterface(
    segment: Segment,
    address: Ip4,
    conditions: Partial<LineConditions> = {},
  ): Interface {
    const port = segment.attach(this, [address], conditions);
    let up = true;
    const added: HostInterface = {
      port,
      address,
      // The public Internet is no subnet: there the host sees an address of its own and nothing beside it.
      network: { address, prefix: segment.network.prefix === 0 ? 32 : segment.network.prefix },
      line: port.line,
      get up() {
        return up;
      },
      setUp: (wanted) => {
        if (wanted === up) return;
        up = wanted;
        this.onNetworkChange?.();
      },
      remove: () => {
        const index = this.#interfaces.indexOf(added);
        if (index < 0) return;
        this.#interfaces.splice(index, 1);
        port.detach();
        this.onNetworkChange?.();
      },
    };
    this.#interfaces.push(added);
    this.onNetworkChange?.();
    return added;
  }

  /** Address and prefix length of each interface in use. */
  networks(): Network4[] {
    return this.#interfaces.filter((each) => each.up).map((each) => each.network);
  }

  /** Binds a UDP port on all addresses, or on `address`; 0 takes a free one. Throws a RangeError if it is taken: a fault of the scenario. */
  bind(port: number, handlers: SocketHandlers = {}, address?: Ip4): UdpSocket {
    const chosen = port === 0 ? this.#freePort(address) : port;
    if (chosen === undefined || this.#isTaken(chosen, address))
      throw new RangeError(`${this.name}: UDP port ${port} is taken.`);
    const socket = new UdpSocket(this, chosen, address, handlers);
    this.#sockets.add(socket);
    return socket;
  }

  /** Used by the sockets. */
  release(socket: UdpSocket): void {
    this.#sockets.delete(socket);
  }

  /** Used by the sockets. */
  transmit(socket: UdpSocket, to: Endpoint, bytes: Uint8Array, from: Ip4 | undefined): boolean {
    if (!this.#sockets.has(socket) || to.port === 0 || bytes.length > MAX_DATAGRAM) return false;
    if (this.sendFails) return false;
    const way =
      this.#interfaces.find((each) => each.up && each.address === to.ip) ??
      this.#route(to.ip, from);
    if (!way) return false;
    const packet: UdpPacket = {
      kind: 'udp',
      id: this.#simulation.packetId(),
      ttl: isMulticast4(to.ip) ? 1 : DEFAULT_TTL,
      source: { ip: from ?? way.address, port: socket.port },
      destination: to,
      bytes: bytes.slice(),
    };
    this.#send(packet, way);
    return true;
  }

  receive(packet: Packet4): void {
    if (packet.kind === 'icmp4') {
      this.#receiveError(packet);
      return;
    }
    const { source, destination } = packet;
    const isGroup = isMulticast4(destination.ip);
    const isOurs = this.#isOurs(destination.ip);
    const isBroadcast = !isGroup && !isOurs && this.#isBroadcast(destination.ip);
    if (!isGroup && !isOurs && !isBroadcast) {
      this.#simulation.drop(this.name, packet, 'notForUs');
      return;
    }
    const receivers = this.#receivers(packet, isGroup);
    if (receivers.length === 0) {
      this.#simulation.drop(this.name, packet, 'noSocket');
      if (isOurs && this.answersUnreachable) this.#answerUnreachable(packet);
      return;
    }
    this.#simulation.trace('receive', this.name, packet);
    for (const socket of receivers)
      socket.handlers.onDatagram?.(source, packet.bytes.slice(), destination.ip);
  }

  #receivers(packet: UdpPacket, isGroup: boolean): UdpSocket[] {
    const { ip, port } = packet.destination;
    const onPort = [...this.#sockets].filter((socket) => socket.port === port);
    if (isGroup) return onPort.filter((socket) => socket.isIn(ip));
    const exact = onPort.filter((socket) => socket.address === ip);
    return exact.length > 0 ? exact : onPort.filter((socket) => socket.address === undefined);
  }

  #receiveError(packet: Packet4 & { kind: 'icmp4' }): void {
    const { source, destination } = packet.quoted;
    const socket = [...this.#sockets].find(
      (each) =>
        each.port === source.port && (each.address === undefined || each.address === source.ip),
    );
    if (!socket) {
      this.#simulation.drop(this.name, packet, 'noSocket');
      return;
    }
    this.#simulation.trace('receive', this.name, packet);
    socket.handlers.onIcmp?.(destination, packet.type, packet.code);
  }

  #answerUnreachable(packet: UdpPacket): void {
    const error = portUnreachable(this.#simulation.packetId(), packet.destination.ip, packet);
    const way = this.#route(error.destination.ip, packet.destination.ip);
    if (way) this.#send(error, way);
  }

  #send(packet: Packet4, way: HostInterface): void {
    this.#simulation.trace('send', this.name, packet);
    const { ip } = packet.destination;
    if (this.#isOurs(ip)) this.#simulation.after(0, () => this.receive(packet));
    else way.port.send(packet, nextHop(way, ip) ?? ip);
  }

  #isOurs(ip: Ip4): boolean {
    return this.#interfaces.some((each) => each.up && each.address === ip);
  }

  /** The interface for `to`: that of the source address, else the one on whose network it is, else the first that leads further. */
  #route(to: Ip4, from: Ip4 | undefined): HostInterface | undefined {
    const usable = this.#interfaces.filter(
      (each) =>
        each.up && nextHop(each, to) !== undefined && (from ?? each.address) === each.address,
    );
    return (
      usable.find((each) => each.port.segment.network.prefix > 0 && nextHop(each, to) === to) ??
      usable[0]
    );
  }

  #isBroadcast(ip: Ip4): boolean {
    return (
      ip === 0xffffffff ||
      this.networks().some(({ address, prefix }) => directedBroadcast4(address, prefix) === ip)
    );
  }

  #isTaken(port: number, address: Ip4 | undefined): boolean {
    for (const socket of this.#sockets)
      if (
        endpointKey({ ip: socket.address ?? 0, port: socket.port }) ===
        endpointKey({ ip: address ?? 0, port })
      )
        return true;
    return false;
  }

  #freePort(address: Ip4 | undefined): number | undefined {
    const { low, high } = EPHEMERAL;
    const start = this.#simulation.random.fork(`ports ${this.name}`).between(low, high);
    for (let i = 0; i <= high - low; i++) {
      const port = low + ((start - low + i) % (high - low + 1));
      if (!this.#isTaken(port, address)) return port;
    }
    return undefined;
  }
}
