// Module sim/nat is a router with network address translation: a private network inside, one port outside, behaviour by RFC 4787.
import { sameEndpoint } from '../wire/index.ts';
import type { Endpoint, Ip4 } from '../wire/index.ts';
import type { LineConditions } from './line.ts';
import { NAT_KINDS } from './natKinds.ts';
import type { NatBehaviour } from './natKinds.ts';
import { NatTable } from './natTable.ts';
import type { Mapping } from './natTable.ts';
import { portUnreachable } from './packet.ts';
import type { Icmp4Packet, Packet4, UdpPacket } from './packet.ts';
import { isMulticast4, Segment } from './segment.ts';
import type { Network4, Port, SegmentNode } from './segment.ts';
import type { Simulation } from './simulation.ts';
import type { DropReason } from './trace.ts';

export interface NatOptions {
  /** The network outside: the public Internet, or the inside of another NAT. */
  readonly outside: Segment;
  /** External addresses, at least one. */
  readonly addresses: readonly Ip4[];
  /** The network inside and the NAT's own address there. */
  readonly inside: Network4 & { readonly gateway: Ip4 };
  /** Changes to the `portRestricted` kind. */
  readonly behaviour?: Partial<NatBehaviour>;
  /** The line to the network outside. */
  readonly line?: Partial<LineConditions>;
}

/** The LAN side costs little. */
const INSIDE_LINE: Partial<LineConditions> = { delayMs: 0.1 };

export class Nat implements SegmentNode {
  readonly name: string;
  /** The private network behind this NAT. */
  readonly inside: Segment;
  readonly #simulation: Simulation;
  readonly #table: NatTable;
  readonly #gateway: Ip4;
  readonly #insidePort: Port;
  readonly #lineConditions: Partial<LineConditions>;
  #outsidePort: Port;
  #downUntil = 0;

  constructor(simulation: Simulation, name: string, options: NatOptions) {
    const { outside, addresses, inside, behaviour, line = {} } = options;
    if (addresses.length === 0) throw new RangeError(`${name}: a NAT needs an external address.`);
    this.name = name;
    this.#simulation = simulation;
    this.#gateway = inside.gateway;
    this.#lineConditions = line;
    this.inside = new Segment(simulation, `${name}-inside`, inside);
    this.inside.gateway = inside.gateway;
    this.#insidePort = this.inside.attach(this, [inside.gateway], INSIDE_LINE);
    this.#outsidePort = outside.attach(this, addresses, line);
    this.#table = new NatTable(
      { ...NAT_KINDS.portRestricted, ...behaviour },
      addresses,
      simulation.random.fork(`nat ${name}`),
    );
  }

  get behaviour(): NatBehaviour {
    return this.#table.behaviour;
  }

  /** Changes the behaviour from the next packet on; mappings stay. */
  setBehaviour(behaviour: Partial<NatBehaviour>): void {
    this.#table.behaviour = { ...this.#table.behaviour, ...behaviour };
  }

  /** The line to the network outside. */
  get line(): Port['line'] {
    return this.#outsidePort.line;
  }

  /** External addresses. */
  get addresses(): readonly Ip4[] {
    return this.#table.addresses;
  }

  /** Mappings in force, oldest first. */
  mappings(): Mapping[] {
    return this.#table.list(this.#simulation.now);
  }

  /** A host inside asks for a port of its own by UPnP, NAT-PMP or PCP; see `NatTable.grant`. */
  grant(internal: Endpoint): Endpoint | null {
    return this.#table.grant(internal);
  }

  /** Loses all mappings and passes nothing for `downMs`. */
  reboot(downMs = 0): void {
    this.#table.clear();
    this.#downUntil = this.#simulation.now + downMs;
  }

  /** Gets new external addresses, as after a reconnection: all mappings are lost. */
  renumber(addresses: readonly Ip4[]): void {
    const { segment } = this.#outsidePort;
    this.#outsidePort.detach();
    this.#outsidePort = segment.attach(this, addresses, this.#lineConditions);
    this.#table.clear(addresses);
  }

  receive(packet: Packet4, port: Port): void {
    if (this.#simulation.now < this.#downUntil) this.#drop(packet, 'natDown');
    else if (isMulticast4(packet.destination.ip) || packet.destination.ip === 0xffffffff)
      this.#drop(packet, 'multicastNotForwarded');
    else if (packet.ttl <= 1) this.#drop(packet, 'ttlExpired');
    else if (port === this.#insidePort) this.#fromInside({ ...packet, ttl: packet.ttl - 1 });
    else this.#fromOutside({ ...packet, ttl: packet.ttl - 1 });
  }

  #drop(packet: Packet4, reason: DropReason): void {
    this.#simulation.drop(this.name, packet, reason);
  }

  #forward(packet: Packet4, port: Port): void {
    this.#simulation.trace('forward', this.name, packet);
    const { ip } = packet.destination;
    port.send(packet, port.segment.isOnLink(ip) ? ip : (port.segment.gateway ?? ip));
  }

  #isBlocked(port: number): boolean {
    const { blockedPorts } = this.behaviour;
    return blockedPorts === 'all' || blockedPorts.includes(port);
  }

  #fromInside(packet: Packet4): void {
    const { destination } = packet;
    if (destination.ip === this.#gateway) this.#refuse(packet, 'notForUs', this.#insidePort);
    else if (packet.kind === 'icmp4') this.#icmpFromInside(packet);
    else if (this.#isBlocked(destination.port)) this.#drop(packet, 'natBlocked');
    else if (this.addresses.includes(destination.ip)) this.#hairpin(packet);
    else {
      const external = this.#table.outbound(packet.source, destination, this.#simulation.now);
      if (external) this.#forward({ ...packet, source: external }, this.#outsidePort);
      else this.#drop(packet, 'natFull');
    }
  }

  /** RFC 4787 §6. */
  #hairpin(packet: UdpPacket): void {
    if (this.behaviour.hairpin === 'none') {
      this.#drop(packet, 'natNoHairpin');
      return;
    }
    const { now } = this.#simulation;
    const external = this.#table.outbound(packet.source, packet.destination, now);
    if (!external) {
      this.#drop(packet, 'natFull');
      return;
    }
    const inbound = this.#table.inbound(packet.destination, external, now);
    if (!inbound.ok) {
      this.#drop(packet, inbound.reason);
      return;
    }
    const source = this.behaviour.hairpin === 'external' ? external : packet.source;
    this.#forward({ ...packet, source, destination: inbound.internal }, this.#insidePort);
  }

  #fromOutside(packet: Packet4): void {
    if (!this.addresses.includes(packet.destination.ip)) this.#drop(packet, 'notForUs');
    else if (packet.kind === 'icmp4') this.#icmpFromOutside(packet);
    else if (this.#isBlocked(packet.source.port)) this.#drop(packet, 'natBlocked');
    else {
      const { source, destination } = packet;
      const { now } = this.#simulation;
      const inbound = this.#table.inbound(destination, source, now);
      if (inbound.ok) {
        this.#forward({ ...packet, destination: inbound.internal }, this.#insidePort);
      } else if (this.behaviour.unsolicited === 'record') {
        this.#table.record(destination, source, now);
        this.#refuse(packet, 'natRecorded', this.#outsidePort);
      } else this.#refuse(packet, inbound.reason, this.#outsidePort);
    }
  }

  /** Drops what is for this router itself or may not pass, with an ICMP error if it is of that kind. */
  #refuse(packet: Packet4, reason: DropReason, port: Port): void {
    this.#drop(packet, reason);
    if (!this.behaviour.rejects || packet.kind !== 'udp') return;
    const error = portUnreachable(this.#simulation.packetId(), packet.destination.ip, packet);
    this.#simulation.trace('send', this.name, error);
    const { ip } = error.destination;
    port.send(error, port.segment.isOnLink(ip) ? ip : (port.segment.gateway ?? ip));
  }

  /** RFC 4787 §9: an error about a datagram that an inside host sent. */
  #icmpFromOutside(packet: Icmp4Packet): void {
    const { source: external, destination: remote } = packet.quoted;
    const mapping = this.#table.byExternal(external, remote, this.#simulation.now);
    if (!mapping || !this.behaviour.passIcmp) {
      this.#drop(packet, 'natIcmp');
      return;
    }
    this.#forward(
      {
        ...packet,
        destination: { ip: mapping.internal.ip, port: 0 },
        quoted: { source: mapping.internal, destination: remote },
      },
      this.#insidePort,
    );
  }

  /** RFC 4787 §9: an error that an inside host makes about a datagram from outside. */
  #icmpFromInside(packet: Icmp4Packet): void {
    const { source: remote, destination: internal } = packet.quoted;
    const mapping = this.#mappingFor(internal, remote);
    if (!mapping || !this.behaviour.passIcmp) {
      this.#drop(packet, 'natIcmp');
      return;
    }
    this.#forward(
      {
        ...packet,
        source: { ip: mapping.external.ip, port: 0 },
        quoted: { source: remote, destination: mapping.external },
      },
      this.#outsidePort,
    );
  }

  #mappingFor(internal: Endpoint, remote: Endpoint): Mapping | undefined {
    const { now } = this.#simulation;
    // A remote endpoint that the filter let in without a mapping of its own used another one of the same internal endpoint.
    return (
      this.#table.byInternal(internal, remote, now) ??
      this.#table.list(now).find((mapping) => sameEndpoint(mapping.internal, internal))
    );
  }
}
