// Module sim/world puts our clients and our server into the simulated Internet.
import type { TeredoClient } from '../../engine/client/client.ts';
import { clientConfig } from '../../engine/client/config.ts';
import type { ClientSettings } from '../../engine/client/config.ts';
import type { ClientEvent, ClientInput } from '../../engine/client/types.ts';
import { simulateClient, simulateRelay, simulateServer } from '../../engine/service/simulated.ts';
import type { SimulatedClient } from '../../engine/service/simulated.ts';
import { Host, Internet6, Nat, Segment, Simulation } from '../../engine/sim/index.ts';
import type { Interface, Line, NatBehaviour } from '../../engine/sim/index.ts';
import { relayConfig } from '../../engine/relay/index.ts';
import { LyingServer } from './random/lies.ts';
import {
  buildIp6Packet,
  parseIp4,
  parseIp6,
  PROTOCOL,
  teredoPrefix,
} from '../../engine/wire/index.ts';
import type { Ip4, Ip6 } from '../../engine/wire/index.ts';

export const ip = (text: string): Ip4 => parseIp4(text)!;
export const SERVER = ip('192.0.2.1');
const SERVER2 = ip('192.0.2.2');
/** A server of somebody else. */
export const OTHER_SERVER = ip('192.0.2.129');
const OTHER_SERVER2 = ip('192.0.2.130');

/** A UDP packet with a payload of `length` bytes of which the last is `tag`. */
export function udpPacket(source: Ip6, destination: Ip6, tag: number, length: number): Uint8Array {
  const payload = new Uint8Array(length);
  payload.set([0x30, 0x39, 0, 9, length >> 8, length & 0xff, 0, 0]);
  payload[length - 1] = tag;
  return buildIp6Packet({ nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination }, payload);
}

/** A home with one PC that runs our client, behind `behaviour` (or without a NAT). */
export class Home {
  readonly nat: Nat | null;
  readonly host: Host;
  /** The interface of its PC. */
  link: Interface;
  readonly events: ClientEvent[] = [];
  /** Payload tags that local programs received, in order. */
  readonly received: number[] = [];
  /** ICMPv6 errors that local programs received. */
  errors = 0;
  private readonly simulated: SimulatedClient;

  constructor(
    world: World,
    name: string,
    address: string,
    behaviour: NatBehaviour | null,
    settings: Partial<ClientSettings> = {},
  ) {
    const { simulation, internet } = world;
    const host = new Host(simulation, name);
    this.host = host;
    if (behaviour) {
      this.nat = new Nat(simulation, `${name}-nat`, {
        outside: internet,
        addresses: [ip(address)],
        inside: { address: ip('192.168.1.0'), prefix: 24, gateway: ip('192.168.1.1') },
        behaviour,
      });
      this.link = host.addInterface(this.nat.inside, ip('192.168.1.10'));
    } else {
      this.nat = null;
      this.link = host.addInterface(internet, ip(address));
    }
    this.simulated = simulateClient(simulation, {
      host,
      port: 50_000,
      config: clientConfig({ server: SERVER, server2: SERVER2, ...settings }),
      onDeliver: (packet) => {
        if (packet[6] === PROTOCOL.udp) this.received.push(packet[packet.length - 1]!);
        else this.errors += 1;
      },
      onEvent: (event) => this.events.push(event),
      otherServer: () => ({ server: OTHER_SERVER, server2: OTHER_SERVER2 }),
    });
  }

  get client(): TeredoClient {
    return this.simulated.client;
  }

  get address(): Ip6 {
    return this.client.status().address!;
  }

  start(): void {
    this.simulated.start();
  }

  /** The PC leaves its network for the one behind `nat`. */
  moveTo(nat: Nat, address: Ip4): void {
    this.link.remove();
    this.link = this.host.addInterface(nat.inside, address);
  }

  suspend(asleep: boolean): void {
    this.simulated.suspend(asleep);
  }

  /** The client ends; its host stays. */
  stop(): void {
    this.simulated.station.close();
  }

  /** Hands the client an input of its own. */
  input(input: ClientInput): void {
    this.simulated.input(input);
  }

  /** A local program sends a packet that carries `tag` to `to`, with a payload of `length` bytes. */
  send(to: Ip6, tag: number, source = this.address, length = 9): void {
    this.simulated.station.datapath.fromAdapter(udpPacket(source, to, tag, length));
  }
}

/** One server with two addresses, and an Internet to put homes into. */
export class World {
  readonly simulation: Simulation;
  readonly internet: Segment;
  /** Native IPv6. */
  readonly native: Internet6;
  /** The server's two. */
  readonly serverLinks: readonly Interface[];
  /** Makes its answers untrue, when told to. */
  readonly lies: LyingServer;

  constructor(seed = 1) {
    this.simulation = new Simulation(seed);
    this.internet = new Segment(this.simulation, 'internet');
    const host = new Host(this.simulation, 'server');
    this.lies = new LyingServer(host);
    this.native = new Internet6(this.simulation);
    this.serverLinks = [SERVER, SERVER2].map((address) =>
      host.addInterface(this.internet, address),
    );
    const settings = { primary: SERVER, secondary: SERVER2 };
    simulateServer(this.simulation, host, settings, this.native.attach('server', []));
  }

  /** The server's lines lose everything, or work again. */
  silenceServer(silent = true): void {
    for (const { line } of this.serverLinks) line.set({ loss: silent ? 1 : 0 });
  }

  /** A router of another network. */
  addNat(name: string, address: string, behaviour: NatBehaviour): Nat {
    return new Nat(this.simulation, name, {
      outside: this.internet,
      addresses: [ip(address)],
      inside: { address: ip('10.9.0.0'), prefix: 24, gateway: ip('10.9.0.1') },
      behaviour,
    });
  }

  /** Somebody else's server. */
  addOtherServer(): void {
    const host = new Host(this.simulation, 'other server');
    const settings = { primary: OTHER_SERVER, secondary: OTHER_SERVER2 };
    for (const address of [OTHER_SERVER, OTHER_SERVER2]) host.addInterface(this.internet, address);
    simulateServer(this.simulation, host, settings, this.native.attach('other server', []));
  }

  /** A relay at `address`, through which Teredo clients are reached; the cheapest is used. Returns its line and a way to end its routes. */
  addRelay(
    address: string,
    metric = 0,
  ): { readonly line: Line; readonly link: Interface; readonly withdraw: () => void } {
    const host = new Host(this.simulation, `relay ${address}`);
    const link = host.addInterface(this.internet, ip(address));
    const node = this.native.attach(host.name, []);
    const withdraw = this.native.route(teredoPrefix(0), 32, node, metric);
    simulateRelay(this.simulation, host, relayConfig({ address: parseIp6('2001:db8::66')! }), node);
    return { line: link.line, link, withdraw };
  }

  run(ms: number): void {
    this.simulation.runUntil(this.simulation.now + ms);
  }
}
