// Module random/hostiles is the hostile hosts of a random network, and keeps book of what became of each of their packets.
import type {
  Host,
  Internet6,
  Nat,
  Node6,
  Port,
  SeededRandom,
  Segment,
  SegmentNode,
  Simulation,
  TraceEvent,
} from '../../../engine/sim/index.ts';
import { DISCOVERY_ADDRESS, parseIp4 } from '../../../engine/wire/index.ts';
import type { Endpoint, Ip4 } from '../../../engine/wire/index.ts';
import type { Shot } from './attacks.ts';
import type { Attack } from './scenario.ts';

/** The first on the Internet; the others follow. */
const FIRST = parseIp4('203.0.113.66')!;
const MOST = 128;
/** The hostile PC behind somebody's router. */
const NEIGHBOUR = parseIp4('192.168.1.250')!;
/** The UDP port of all of them. */
export const HOSTILE_PORT = 6_666;
const TTL = 64;

/** True for an address of a hostile host. */
export function isHostile(ip: Ip4): boolean {
  return (ip >= FIRST && ip < FIRST + MOST) || ip === NEIGHBOUR;
}

/** What became of the packets of one attack. */
export interface Account {
  sent: number;
  /** Never came to a machine of ours: how many for each reason. */
  readonly lost: Map<string, number>;
  /** Refused by a machine: how many under each name. */
  readonly refused: Map<string, number>;
  /** Made a machine send something. */
  answered: number;
  /** Neither: it waits, say, or is forgotten. */
  taken: number;
}

export function newAccount(): Account {
  return { sent: 0, lost: new Map(), refused: new Map(), answered: 0, taken: 0 };
}

export function countIn(map: Map<string, number>, name: string, by = 1): void {
  map.set(name, (map.get(name) ?? 0) + by);
}

/** Hosts that send packets with any source, on every side. They answer nothing. */
export class Hostiles {
  readonly accounts = new Map<Attack, Account>();
  private readonly simulation: Simulation;
  private readonly ports: readonly Port[];
  private readonly native: Node6;
  private readonly neighbours = new Map<Nat, Port>();
  private readonly attacks = new Map<number, Attack>();
  /** What is being sent on the native side, whose packets get their numbers there. */
  private sending: Attack | null = null;

  constructor(simulation: Simulation, internet: Segment, native: Internet6, count: number) {
    this.simulation = simulation;
    this.ports = Array.from({ length: count }, (_, i) =>
      internet.attach(this.node(`attacker${i}`), [FIRST + i]),
    );
    this.native = native.attach('attacker6', []);
    simulation.onTrace((event) => this.see(event));
  }

  /** The attack that packet `id` is of; undefined for an honest one. */
  attackOf(id: number): Attack | undefined {
    return this.attacks.get(id);
  }

  account(attack: Attack): Account {
    const account = this.accounts.get(attack) ?? newAccount();
    this.accounts.set(attack, account);
    return account;
  }

  /** One of the hosts on the Internet. */
  pick(random: SeededRandom): Endpoint {
    return { ip: random.pick(this.ports).addresses[0]!, port: HOSTILE_PORT };
  }

  /** Sends a packet that comes from the network; `nat` is the router before the target. */
  send(attack: Attack, shot: Exclude<Shot, { side: 'program' }>, nat: Nat | null): void {
    if (shot.side === 'native') {
      this.account(attack).sent++;
      this.sending = attack;
      this.native.send(shot.bytes);
      this.sending = null;
      return;
    }
    const { from, to, bytes } = shot;
    const host = this.ports[from.ip - FIRST] ?? this.ports[0]!;
    const port = shot.side === 'link' && nat ? this.neighbour(nat) : host;
    if (to.port === 0) return;
    this.account(attack).sent++;
    const id = this.simulation.packetId();
    this.attacks.set(id, attack);
    const packet = { kind: 'udp', id, ttl: TTL, source: from, destination: to, bytes } as const;
    this.simulation.trace('send', port.node.name, packet);
    const { segment } = port;
    const direct = to.ip === DISCOVERY_ADDRESS || segment.isOnLink(to.ip);
    port.send(packet, direct ? to.ip : segment.gateway!);
  }

  /** Something answers in the name of another what `host` sent: it comes in as junk. */
  answer(host: Host, datagram: { from: Endpoint; to: Endpoint; bytes: Uint8Array }): void {
    const { from, to, bytes } = datagram;
    this.account('junk').sent++;
    const id = this.simulation.packetId();
    this.attacks.set(id, 'junk');
    host.receive({ kind: 'udp', id, ttl: TTL, source: from, destination: to, bytes });
  }

  private neighbour(nat: Nat): Port {
    const port =
      this.neighbours.get(nat) ?? nat.inside.attach(this.node(`${nat.name}-liar`), [NEIGHBOUR]);
    this.neighbours.set(nat, port);
    return port;
  }

  private node(name: string): SegmentNode {
    return {
      name,
      receive: (packet) => this.simulation.trace('receive', name, packet),
    };
  }

  private see(event: TraceEvent): void {
    const { id } = event.packet;
    if (this.sending !== null) this.attacks.set(id, this.sending);
    const attack = event.kind === 'drop' ? this.attacks.get(id) : undefined;
    if (attack && event.kind === 'drop') countIn(this.account(attack).lost, event.reason);
  }
}
