// Module random/home is one PC of a random network: our client behind a router of its own, or of a neighbour.
import type { TeredoClient } from '../../../engine/client/client.ts';
import { clientConfig } from '../../../engine/client/config.ts';
import { simulateClient } from '../../../engine/service/simulated.ts';
import type { SimulatedClient } from '../../../engine/service/simulated.ts';
import { Host, Nat, NAT_KINDS } from '../../../engine/sim/index.ts';
import type { Interface } from '../../../engine/sim/index.ts';
import { parseIp4 } from '../../../engine/wire/index.ts';
import type { Ip4, Ip6 } from '../../../engine/wire/index.ts';
import type { RandomWorld } from './play.ts';
import type { HomeSpec } from './scenario.ts';

const ip = (text: string): Ip4 => parseIp4(text)!;
/** The server of every random network. */
export const SERVER = ip('192.0.2.1');
export const SERVER2 = ip('192.0.2.2');
/** Bounds small enough that a random network reaches them. */
export const LIMITS = { maxPeers: 48, newPeersPerSecondIn: 8, queuePacketsPerPeer: 16 };

export class RandomHome {
  readonly name: string;
  readonly spec: HomeSpec;
  private readonly index: number;
  readonly nat: Nat | null;
  readonly host: Host;
  /** Its address behind a router. */
  readonly own: Ip4;
  readonly link: Interface;
  readonly addresses: Ip6[] = [];
  private readonly downs = new Set<string>();
  readonly simulated: SimulatedClient;

  constructor(world: RandomWorld, index: number, spec: HomeSpec) {
    this.name = `home${index}`;
    this.index = index;
    this.spec = spec;
    const { simulation, internet } = world;
    const host = new Host(simulation, this.name);
    this.host = host;
    const address = ip(`198.51.100.${10 + index}`);
    const own = ip(`192.168.1.${10 + index}`);
    this.own = own;
    const shared = spec.behind === undefined ? null : world.homes[spec.behind]!.nat;
    if (shared) {
      this.nat = shared;
      this.link = host.addInterface(shared.inside, own);
    } else if (spec.kind === 'none') {
      this.nat = null;
      this.link = host.addInterface(internet, address, spec.line);
    } else {
      this.nat = new Nat(simulation, `${this.name}-nat`, {
        outside: internet,
        addresses: [address],
        inside: { address: ip('192.168.1.0'), prefix: 24, gateway: ip('192.168.1.1') },
        behaviour: { ...NAT_KINDS[spec.kind], ...(spec.hairpin && { hairpin: spec.hairpin }) },
        line: spec.line,
      });
      this.link = host.addInterface(this.nat.inside, own);
    }
    this.simulated = simulateClient(simulation, {
      host,
      // To two with one port behind it a Linux router is a symmetric one: each has its own, as real clients draw theirs.
      port: 50_000 + (shared ? index : 0),
      config: clientConfig({
        server: SERVER,
        server2: SERVER2,
        ...spec.settings,
        limits: { ...LIMITS, ...(spec.sidePorts !== undefined && { sidePorts: spec.sidePorts }) },
      }),
      onDeliver: (packet) => world.watch.noteDelivered(this.name, this.addresses, packet),
      onEvent: () => this.noteAddress(),
    });
    host.onNetworkChange = () =>
      this.simulated.input({ kind: 'network', networks: host.networks() });
  }

  /** Keeps its own line down for as long as any `cause` does. */
  setDown(cause: 'linkDown' | 'asleep' | 'portal', down: boolean): void {
    if (down) this.downs.add(cause);
    else this.downs.delete(cause);
    this.link.line.up = this.downs.size === 0;
  }

  get isAsleep(): boolean {
    return this.downs.has('asleep');
  }

  /** Sleeps or wakes: nothing comes in meanwhile, and timers wait. */
  sleep(asleep: boolean): void {
    this.setDown('asleep', asleep);
    this.simulated.suspend(asleep);
  }

  get client(): TeredoClient {
    return this.simulated.client;
  }

  noteAddress(): void {
    const { address } = this.client.status();
    if (address !== null && !this.addresses.includes(address)) this.addresses.push(address);
  }

  /** Its IPv4 address on the Internet. */
  get external(): Ip4 {
    return this.nat ? this.nat.addresses[0]! : ip(`198.51.100.${10 + this.index}`);
  }

  /** The line that a fault hits: the router's, or the PC's own. */
  get line(): Interface['line'] {
    return this.nat ? this.nat.line : this.link.line;
  }
}
