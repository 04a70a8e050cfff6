// Module sim/world puts our clients and our server into the simulated Internet.
import type { TeredoClient } from '../../engine/client/client.ts';
import { clientConfig } from '../../engine/client/config.ts';
import type { ClientEvent } from '../../engine/client/types.ts';
import { simulateClient, simulateServer } from '../../engine/service/simulated.ts';
import type { SimulatedClient } from '../../engine/service/simulated.ts';
import { Host, Nat, Segment, Simulation } from '../../engine/sim/index.ts';
import type { Interface, NatBehaviour } from '../../engine/sim/index.ts';
import { buildIp6Packet, parseIp4, PROTOCOL } from '../../engine/wire/index.ts';
import type { Ip4, Ip6 } from '../../engine/wire/index.ts';

export const ip = (text: string): Ip4 => parseIp4(text)!;
const SERVER = ip('192.0.2.1');
const SERVER2 = ip('192.0.2.2');

/** A home with one PC that runs our client, behind `behaviour` (or without a NAT). */
export class Home {
  readonly nat: Nat | null;
  readonly events: ClientEvent[] = [];
  /** Payload tags that local programs received, in order. */
  readonly received: number[] = [];
  /** ICMPv6 errors that local programs received. */
  errors = 0;
  private readonly simulated: SimulatedClient;

  constructor(world: World, name: string, address: string, behaviour: NatBehaviour | null) {
    const { simulation, internet } = world;
    const host = new Host(simulation, name);
    if (behaviour) {
      this.nat = new Nat(simulation, `${name}-nat`, {
        outside: internet,
        addresses: [ip(address)],
        inside: { address: ip('192.168.1.0'), prefix: 24, gateway: ip('192.168.1.1') },
        behaviour,
      });
      host.addInterface(this.nat.inside, ip('192.168.1.10'));
    } else {
      this.nat = null;
      host.addInterface(internet, ip(address));
    }
    this.simulated = simulateClient(simulation, {
      host,
      port: 50_000,
      config: clientConfig({ server: SERVER, server2: SERVER2 }),
      onDeliver: (packet) => {
        if (packet[6] === PROTOCOL.udp) this.received.push(packet[packet.length - 1]!);
        else this.errors += 1;
      },
      onEvent: (event) => this.events.push(event),
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

  /** A local program sends a packet that carries `tag` to `to`. */
  send(to: Ip6, tag: number): void {
    const payload = Uint8Array.of(0x30, 0x39, 0, 9, 0, 9, 0, 0, tag);
    const source = this.address;
    this.simulated.station.datapath.fromAdapter(
      buildIp6Packet({ nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination: to }, payload),
    );
  }
}

/** One server with two addresses, and an Internet to put homes into. */
export class World {
  readonly simulation: Simulation;
  readonly internet: Segment;
  private readonly interfaces: readonly Interface[];

  constructor(seed = 1) {
    this.simulation = new Simulation(seed);
    this.internet = new Segment(this.simulation, 'internet');
    const host = new Host(this.simulation, 'server');
    this.interfaces = [SERVER, SERVER2].map((address) => host.addInterface(this.internet, address));
    simulateServer(this.simulation, host, { primary: SERVER, secondary: SERVER2 });
  }

  /** The server's lines lose everything. */
  silenceServer(): void {
    for (const { line } of this.interfaces) line.set({ loss: 1 });
  }

  run(ms: number): void {
    this.simulation.runUntil(this.simulation.now + ms);
  }
}
