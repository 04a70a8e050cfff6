// Module sim/world puts our clients and our server into the simulated Internet.
import { TeredoClient } from '../../engine/client/client.ts';
import { clientConfig } from '../../engine/client/config.ts';
import type { ClientSettings } from '../../engine/client/config.ts';
import type { ClientEvent, ClientInput, ClientOutput } from '../../engine/client/types.ts';
import type { Upcall } from '../../engine/datapath/types.ts';
import { TeredoServer } from '../../engine/server/index.ts';
import { Host, Nat, openStation, Segment, Simulation } from '../../engine/sim/index.ts';
import type { Interface, NatBehaviour, Station, UdpSocket } from '../../engine/sim/index.ts';
import { buildIp6Packet, parseIp4, PROTOCOL, TEREDO_PORT } from '../../engine/wire/index.ts';
import type { Ip4, Ip6 } from '../../engine/wire/index.ts';

export const ip = (text: string): Ip4 => parseIp4(text)!;
const SERVER = ip('192.0.2.1');
const SERVER2 = ip('192.0.2.2');
const PEER_VALID_MS = 30_000;

/** A home with one PC that runs our client, behind `behaviour` (or without a NAT). */
export class Home {
  readonly client: TeredoClient;
  readonly nat: Nat | null;
  readonly host: Host;
  readonly events: ClientEvent[] = [];
  /** Payload tags that local programs received, in order. */
  readonly received: number[] = [];
  /** ICMPv6 errors that local programs received. */
  errors = 0;
  private readonly simulation: Simulation;
  private readonly station: Station;
  private cancelTimer: () => void = () => undefined;

  constructor(
    world: World,
    name: string,
    address: string,
    behaviour: NatBehaviour | null,
    settings: Partial<ClientSettings> = {},
  ) {
    this.simulation = world.simulation;
    this.host = new Host(world.simulation, name);
    if (behaviour) {
      this.nat = new Nat(world.simulation, `${name}-nat`, {
        outside: world.internet,
        addresses: [ip(address)],
        inside: { address: ip('192.168.1.0'), prefix: 24, gateway: ip('192.168.1.1') },
        behaviour,
      });
      this.host.addInterface(this.nat.inside, ip('192.168.1.10'));
    } else {
      this.nat = null;
      this.host.addInterface(world.internet, ip(address));
    }
    this.station = openStation(world.simulation, {
      host: this.host,
      port: 50_000,
      validMs: PEER_VALID_MS,
      onUpcalls: (batch) => this.receive(batch),
      onDeliver: (packet) => this.deliver(packet),
    });
    const { datapath } = this.station;
    this.client = new TeredoClient(
      clientConfig({ server: SERVER, server2: SERVER2, ...settings }),
      world.simulation.random.fork(name),
      (peer) => datapath.readPeer(peer),
    );
    datapath.setServers(this.client.servers);
    datapath.setProbeId(this.client.probeId);
    datapath.setDefaultVerdict('pass');
  }

  get address(): Ip6 {
    return this.client.status().address!;
  }

  start(): void {
    this.input({ kind: 'network', networks: this.host.networks() });
  }

  /** A local program sends a packet that carries `tag` to `to`. */
  send(to: Ip6, tag: number): void {
    const payload = Uint8Array.of(0x30, 0x39, 0, 9, 0, 9, 0, 0, tag);
    const source = this.address;
    this.station.datapath.fromAdapter(
      buildIp6Packet({ nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination: to }, payload),
    );
  }

  private receive(batch: readonly Upcall[]): void {
    for (const upcall of batch) this.input(upcall);
  }

  input(input: ClientInput): void {
    this.client.handleInput(input, this.simulation.now);
    for (let out = this.client.pollOutput(); out; out = this.client.pollOutput()) this.perform(out);
  }

  private perform(output: ClientOutput): void {
    const { datapath } = this.station;
    switch (output.kind) {
      case 'transmit':
        datapath.transmit(output.to, output.bytes);
        break;
      case 'deliver':
        datapath.deliver(output.bytes);
        break;
      case 'peer':
        if (output.endpoint) datapath.setPeer(output.address, output.endpoint, output.receivedMs);
        else datapath.removePeer(output.address);
        break;
      case 'address':
        datapath.setAddresses(output.address === null ? [] : [output.address]);
        break;
      case 'timeout':
        this.cancelTimer();
        if (output.at !== Infinity)
          this.cancelTimer = this.simulation.schedule(output.at, () =>
            this.input({ kind: 'timeout' }),
          );
        break;
      case 'event':
        this.events.push(output.event);
        break;
      case 'pong':
        break;
    }
  }

  private deliver(packet: Uint8Array): void {
    if (packet[6] === PROTOCOL.udp) this.received.push(packet[packet.length - 1]!);
    else this.errors += 1;
  }
}

/** One server with two addresses, and an Internet to put homes into. */
export class World {
  readonly simulation: Simulation;
  readonly internet: Segment;
  readonly serverHost: Host;
  private readonly interfaces: readonly Interface[];
  private readonly sockets: UdpSocket[];

  constructor(seed = 1) {
    this.simulation = new Simulation(seed);
    this.internet = new Segment(this.simulation, 'internet');
    this.serverHost = new Host(this.simulation, 'server');
    this.interfaces = [SERVER, SERVER2].map((address) =>
      this.serverHost.addInterface(this.internet, address),
    );
    const server = new TeredoServer({
      primary: SERVER,
      secondary: SERVER2,
    });
    const sides = ['primary', 'secondary'] as const;
    this.sockets = [SERVER, SERVER2].map((address, index) =>
      this.serverHost.bind(
        TEREDO_PORT,
        {
          onDatagram: (from, bytes) => {
            const input = { from, arrivedOn: sides[index]!, bytes };
            for (const output of server.handleDatagram(input, this.simulation.now))
              if (output.kind === 'transmit')
                this.sockets[sides.indexOf(output.via)]!.send(output.to, output.bytes);
          },
        },
        address,
      ),
    );
  }

  /** The server's lines lose everything. */
  silenceServer(): void {
    for (const { line } of this.interfaces) line.set({ loss: 1 });
  }

  run(ms: number): void {
    this.simulation.runUntil(this.simulation.now + ms);
  }
}
