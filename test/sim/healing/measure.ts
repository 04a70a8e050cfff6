// Module healing/measure finds out what a client shows during a fault, what arrives meanwhile, and how soon all is well again.
import { answerFrom } from '../../../engine/sim/index.ts';
import { parseIp6, PROTOCOL, readIp6 } from '../../../engine/wire/index.ts';
import { scene } from '../scene.ts';
import type { Scene } from '../scene.ts';
import { udpPacket } from '../world.ts';
import type { Home } from '../world.ts';
import type { Fault } from './faults.ts';

/** Both programs send to each other this often, ms; the state is looked at as often as that. */
const TICK_MS = 100;
/** Longer than anything takes to heal, ms. */
const AFTER_MS = 45_000;
/** When in a refresh interval of 30 s it begins, ms after the two talk. */
const PHASES_MS = [0, 6_000, 12_000, 18_000, 24_000];
const TAGS = 256;
/** Payloads, bytes: the second fills the 1,280 of the tunnel. */
const SMALL = 9;
const LARGE = 1_240;
const NATIVE = parseIp6('2001:db8::80')!;

/** What is shown beside states and reasons. */
const MOVED = 'another address';

/** Reasons that do not speak of something wrong. */
const WELL: ReadonlySet<string> = new Set(['qualified', 'mapping-changed', 'server-changed']);

export interface Range {
  readonly least: number;
  readonly most: number;
}

export interface Measured {
  /** States and reasons that were shown, in the order in which they came; empty: as if nothing was. */
  readonly shown: readonly string[];
  /** Until the first of them, ms; null: none was shown each time. */
  readonly told: Range | null;
  /** Part of what the programs sent meanwhile that arrived, 0 to 1; null: it takes no time, or nothing was sent. */
  readonly arrived: Range | null;
  /** From its end until every packet arrives and no fault is shown, ms. */
  readonly healed: Range;
}

interface Once {
  readonly shown: readonly string[];
  readonly told: number | null;
  readonly arrived: number | null;
  readonly healed: number;
}

/** Plays `fault` at several times in a refresh interval. */
export function measure(fault: Fault): Measured {
  const runs = PHASES_MS.map((phase) => once(fault, phase));
  const told = runs.flatMap((run) => (run.told === null ? [] : [run.told]));
  const arrived = runs.flatMap((run) => (run.arrived === null ? [] : [run.arrived]));
  return {
    shown: [...new Set(runs.flatMap((run) => run.shown))],
    told: told.length === 0 ? null : range(told),
    arrived: arrived.length === 0 ? null : range(arrived),
    healed: range(runs.map((run) => run.healed)),
  };
}

const range = (values: readonly number[]): Range => ({
  least: Math.min(...values),
  most: Math.max(...values),
});

/** A program at one end: it sends to the other, and has `received` these tags. */
interface End {
  readonly received: readonly number[];
  readonly send: (tag: number) => void;
}

/** The programs of the two homes. */
function homes({ first, second }: Scene, length: number): readonly [End, End] {
  const end = (from: Home, to: Home): End => ({
    received: from.received,
    send: (tag) => {
      const [own, other] = [from.client.status().address, to.client.status().address];
      if (own !== null && other !== null) from.send(other, tag, own, length);
    },
  });
  return [end(first, second), end(second, first)];
}

/** A program of the first home, and one on a native host that answers where the last packet came from. */
function homeAndNative({ world, first }: Scene, length: number): readonly [End, End] {
  const node = world.native.attach('native host', [NATIVE]);
  const received: number[] = [];
  let home = first.address;
  node.onPacket = (packet) => {
    if (packet[6] !== PROTOCOL.udp) {
      const answer = answerFrom(NATIVE, packet);
      if (answer) node.send(answer);
      return;
    }
    home = readIp6(packet, 8);
    received.push(packet.at(-1)!);
  };
  return [
    { received: first.received, send: (tag) => first.send(NATIVE, tag, first.address, length) },
    { received, send: (tag) => node.send(udpPacket(NATIVE, home, tag, length)) },
  ];
}

/** What programs sent to each other, and what of it arrived. */
class Talk {
  private readonly world: Scene['world'];
  private readonly ends: readonly [End, End];
  /** Times of each tick. */
  private readonly sentAt: number[] = [];
  private readonly arrived = [new Set<number>(), new Set<number>()] as const;
  private readonly read = [0, 0];

  constructor(world: Scene['world'], ends: readonly [End, End]) {
    this.world = world;
    this.ends = ends;
  }

  /** Each sends one packet, and `TICK_MS` go by. */
  tick(): void {
    const n = this.sentAt.push(this.world.simulation.now) - 1;
    for (const { send } of this.ends) send(n % TAGS);
    this.world.run(TICK_MS);
    this.take();
  }

  /** Counts what came since the last time; a tag is that of the last packet that bore it. */
  private take(): void {
    const last = this.sentAt.length - 1;
    for (const [side, { received }] of this.ends.entries()) {
      for (const tag of received.slice(this.read[side]))
        this.arrived[side]!.add(last - ((((last - tag) % TAGS) + TAGS) % TAGS));
      this.read[side] = received.length;
    }
  }

  /** Part of what was sent from `from` until `to` that arrived. */
  part(from: number, to: number): number {
    const ticks = [...this.sentAt.keys()].filter((n) => {
      const at = this.sentAt[n]!;
      return at >= from && at < to;
    });
    const came = this.arrived.map((side) => ticks.filter((n) => side.has(n)).length);
    return (came[0]! + came[1]!) / (2 * ticks.length);
  }

  /** When the last packet was sent of those that did not arrive; -Infinity: all did. */
  lastLost(): number {
    const lost = [...this.sentAt.keys()].filter((n) => !this.arrived.every((side) => side.has(n)));
    return lost.length === 0 ? -Infinity : this.sentAt[lost.at(-1)!]!;
  }
}

function once(fault: Fault, phase: number): Once {
  const s = scene({}, fault.behaviour);
  const { world, first } = s;
  const { simulation } = world;
  const relays = fault.native
    ? [world.addRelay('192.0.2.66'), world.addRelay('192.0.2.67', 10)]
    : [];
  const length = fault.large ? LARGE : SMALL;
  const talk = new Talk(world, (fault.native ? homeAndNative : homes)(s, length));
  const shown: string[] = [];
  const seen: { told: number | null } = { told: null };
  let unwell = -Infinity;
  let isOn = false;
  const before = first.client.status().address;
  const look = (): void => {
    const { state, reason, address } = first.client.status();
    if (isOn && address !== before && !shown.includes(MOVED)) shown.push(MOVED);
    const text = `${state} (${reason.code})`;
    if (isOn && text !== 'qualified (qualified)') {
      if (!shown.includes(`\`${text}\``)) shown.push(`\`${text}\``);
      seen.told ??= simulation.now;
    }
    if (!WELL.has(reason.code)) unwell = simulation.now;
  };
  const run = (ms: number): void => {
    for (const until = simulation.now + ms; simulation.now < until;) {
      talk.tick();
      look();
    }
  };
  run(3_000 + phase);
  isOn = true;
  const began = simulation.now;
  const end = fault.begin(s, relays);
  if (fault.quiet) world.run(fault.lastsMs);
  else run(fault.lastsMs);
  const over = simulation.now;
  // What happens in an instant is told afterwards, if at all.
  isOn = fault.lastsMs === 0;
  end?.();
  run(AFTER_MS);
  const last = Math.max(talk.lastLost(), unwell);
  return {
    shown,
    told: seen.told === null ? null : seen.told - began,
    arrived: fault.quiet || fault.lastsMs === 0 ? null : talk.part(began, over),
    healed: Math.max(0, last + TICK_MS - over),
  };
}
