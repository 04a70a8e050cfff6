// Module sim/simulation is the clock of a virtual Internet: events in order of time, one seed, one stream of trace events.
import type { Packet } from './packet.ts';
import { SeededRandom } from './random.ts';
import type { DropReason, TraceEvent } from './trace.ts';

interface Entry {
  readonly at: number;
  /** Order of scheduling: entries of the same time run first come, first served. */
  readonly order: number;
  run: (() => void) | null;
}

/** Where time starts, in milliseconds. Not 0, because a stamp of 0 means "never" to the datapath. */
export const START_MS = 1000;
/**
 * Ticks of the clock in a millisecond, a power of two: sums and differences of times and whole milliseconds are exact then. Else
 * `now - then >= 2000` can be false at the very time `then + 2000`, and who asks to be woken then is woken for ever.
 */
const TICKS = 1024;
/** Events at one instant after which the simulation says that it does not move. */
const LIVELOCK = 1_000_000;

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/**
 * Virtual time. Nothing happens by itself: `step` and `runUntil` run what is due, and a driver that wants wall-clock time
 * waits until `nextEventAt` and then calls `runUntil`. An error thrown by a scheduled function comes out of the call that ran it.
 */
export class Simulation {
  readonly random: SeededRandom;
  readonly seed: number;
  #now = START_MS;
  readonly #heap: Entry[] = [];
  #order = 0;
  #packets = 0;
  readonly #listeners = new Set<(event: TraceEvent) => void>();

  constructor(seed: number) {
    this.seed = seed;
    this.random = new SeededRandom(seed);
  }

  /** Milliseconds; may have fractions. Never steps back. */
  get now(): number {
    return this.#now;
  }

  /** Runs `run` at time `at` (at once, in its turn, if that is past). Returns a function that cancels it. */
  schedule(at: number, run: () => void): () => void {
    const entry: Entry = {
      at: Math.max(Math.ceil(at * TICKS) / TICKS, this.now),
      order: this.#order++,
      run,
    };
    if (Number.isNaN(at)) throw new RangeError('An event needs a time; NaN is none.');
    if (at !== Infinity) this.#push(entry);
    return () => {
      entry.run = null;
    };
  }

  /** Runs `run` after `delayMs`. */
  after(delayMs: number, run: () => void): () => void {
    return this.schedule(this.now + delayMs, run);
  }

  /** Time of the next event, Infinity when there is none. */
  get nextEventAt(): number {
    for (;;) {
      const first = this.#heap[0];
      if (!first) return Infinity;
      if (first.run) return first.at;
      this.#pop();
    }
  }

  /** Runs one event and moves the clock to it. False when there was none. */
  step(): boolean {
    if (this.nextEventAt === Infinity) return false;
    const entry = this.#pop()!;
    this.#now = entry.at;
    entry.run!();
    return true;
  }

  /** Runs all events up to `time`, those of `time` included, and leaves the clock at `time`; Infinity runs until nothing is left. */
  runUntil(time: number): void {
    let atOneInstant = 0;
    for (let before = this.now; this.nextEventAt <= time && this.step(); before = this.now) {
      atOneInstant = this.now === before ? atOneInstant + 1 : 0;
      if (atOneInstant > LIVELOCK)
        throw new Error(
          `The simulation stands still at ${this.now} ms: events follow without delay.`,
        );
    }
    if (time > this.now && time !== Infinity)
      this.#now = Math.max(this.now, Math.floor(time * TICKS) / TICKS);
  }

  /** A fresh number for a packet. */
  packetId(): number {
    return ++this.#packets;
  }

  /** Calls `listener` with every trace event from now on. Returns a function that ends it. */
  onTrace(listener: (event: TraceEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells the trace what `node` did with `packet`. */
  trace(kind: 'send' | 'forward' | 'duplicate' | 'receive', node: string, packet: Packet): void {
    if (this.#listeners.size > 0) this.#emit({ at: this.now, kind, node, packet });
  }

  /** Tells the trace that `packet` ended at `node`. */
  drop(node: string, packet: Packet, reason: DropReason): void {
    if (this.#listeners.size > 0) this.#emit({ at: this.now, kind: 'drop', node, packet, reason });
  }

  #emit(event: TraceEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || !last) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}
