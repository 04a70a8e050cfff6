// Module sim/line carries packets between a node and its network with delay, jitter, loss, duplication and reordering.
import type { Packet } from './packet.ts';
import type { SeededRandom } from './random.ts';
import type { Simulation } from './simulation.ts';

/** What one direction of a line does to packets. Probabilities are 0..1, for each packet on its own. */
export interface LineConditions {
  readonly delayMs: number;
  /** Up to this much more delay, evenly drawn. Packets don't overtake each other by it. */
  readonly jitterMs: number;
  readonly loss: number;
  /** A second packet follows, with a delay of its own. */
  readonly duplicate: number;
  /** The packet is held back by up to `reorderMs`, and later ones overtake it. */
  readonly reorder: number;
  readonly reorderMs: number;
  /** Largest IPv4 packet that it carries, bytes with all headers; of a larger one nothing arrives, as where fragments are dropped. */
  readonly mtu: number;
}

export const GOOD_LINE: LineConditions = {
  delayMs: 5,
  jitterMs: 0,
  loss: 0,
  duplicate: 0,
  reorder: 0,
  reorderMs: 20,
  mtu: Infinity,
};

/** IPv4 and UDP headers, bytes. */
const HEADERS = 28;

/** `out`: from the node to the network; `in`: to the node. */
export type Direction = 'out' | 'in';

interface Way {
  conditions: LineConditions;
  readonly random: SeededRandom;
  /** Arrival of the last packet that was not held back: nothing comes before it. */
  lastArrival: number;
}

/** A line between one node and its network. Its two directions can differ. */
export class Line {
  /** While false every packet on it is dropped, those under way too. */
  up = true;
  readonly name: string;
  readonly #simulation: Simulation;
  readonly #ways: Record<Direction, Way>;

  constructor(simulation: Simulation, name: string, conditions: Partial<LineConditions> = {}) {
    this.#simulation = simulation;
    this.name = name;
    const way = (direction: Direction): Way => ({
      conditions: { ...GOOD_LINE, ...conditions },
      random: simulation.random.fork(`line ${name} ${direction}`),
      lastArrival: 0,
    });
    this.#ways = { out: way('out'), in: way('in') };
  }

  /** Changes the named conditions, of both directions unless one is named. */
  set(conditions: Partial<LineConditions>, direction?: Direction): void {
    for (const each of direction ? [direction] : (['out', 'in'] as const)) {
      const way = this.#ways[each];
      way.conditions = { ...way.conditions, ...conditions };
    }
  }

  conditions(direction: Direction): LineConditions {
    return this.#ways[direction].conditions;
  }

  /** Carries `packet`; `arrive` is called once for each time it comes out at the other end. */
  carry(direction: Direction, packet: Packet, arrive: () => void): void {
    const way = this.#ways[direction];
    if (!this.up) {
      this.#simulation.drop(this.name, packet, 'lineDown');
      return;
    }
    if (packet.kind === 'udp' && packet.bytes.length + HEADERS > way.conditions.mtu) {
      this.#simulation.drop(this.name, packet, 'tooBig');
      return;
    }
    if (way.random.chance(way.conditions.loss)) {
      this.#simulation.drop(this.name, packet, 'lost');
      return;
    }
    this.#carryOne(way, packet, arrive);
    if (way.random.chance(way.conditions.duplicate)) {
      this.#simulation.trace('duplicate', this.name, packet);
      this.#carryOne(way, packet, arrive);
    }
  }

  #carryOne(way: Way, packet: Packet, arrive: () => void): void {
    const { delayMs, jitterMs, reorder, reorderMs } = way.conditions;
    let at = this.#simulation.now + delayMs;
    if (jitterMs > 0) at += way.random.float() * jitterMs;
    at = Math.max(at, way.lastArrival);
    if (way.random.chance(reorder)) at += way.random.float() * reorderMs;
    else way.lastArrival = at;
    this.#simulation.schedule(at, () => {
      if (this.up) arrive();
      else this.#simulation.drop(this.name, packet, 'lineDown');
    });
  }
}
