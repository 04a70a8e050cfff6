// Lines delay, lose, duplicate and reorder as they are told, in the shares they are told, by the seed.
import { describe, expect, it } from 'vitest';
import { Line, START_MS, Simulation, Trace } from '../../../engine/sim/index.ts';
import type { LineConditions, Packet } from '../../../engine/sim/index.ts';
import { at } from './network.ts';

interface Arrival {
  readonly id: number;
  readonly sentAt: number;
  readonly at: number;
}

/** Sends `count` packets, one every `spacingMs`, and tells what came out. */
function carry(conditions: Partial<LineConditions>, count: number, spacingMs = 1, seed = 1) {
  const simulation = new Simulation(seed);
  const trace = new Trace(simulation);
  const line = new Line(simulation, 'line', conditions);
  const arrivals: Arrival[] = [];
  for (let id = 1; id <= count; id++) {
    const sentAt = START_MS + id * spacingMs;
    const packet: Packet = {
      kind: 'udp',
      id,
      ttl: 64,
      source: at('192.0.2.1:1'),
      destination: at('192.0.2.2:2'),
      bytes: new Uint8Array([1]),
    };
    simulation.schedule(sentAt, () =>
      line.carry('out', packet, () => void arrivals.push({ id, sentAt, at: simulation.now })),
    );
  }
  simulation.runUntil(Infinity);
  return { arrivals, trace };
}

/** Four standard deviations of a share of `n` draws with probability `p`: a sound generator misses it once in 16,000 seeds. */
const margin = (p: number, n: number): number => 4 * Math.sqrt((p * (1 - p)) / n);

const N = 10_000;

describe('a line', () => {
  it('delays by exactly its delay and keeps the order', () => {
    const { arrivals } = carry({ delayMs: 12 }, 100);
    expect(arrivals.map((a) => a.at - a.sentAt)).toEqual(new Array(100).fill(12));
    expect(arrivals.map((a) => a.id)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  it('adds jitter within its bound, and no packet overtakes another by it', () => {
    const { arrivals } = carry({ delayMs: 10, jitterMs: 30 }, N);
    const delays = arrivals.map((a) => a.at - a.sentAt);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...delays)).toBeLessThanOrEqual(40);
    expect(new Set(delays).size).toBeGreaterThan(100);
    expect(arrivals.every((a, i) => i === 0 || a.id > arrivals[i - 1]!.id)).toBe(true);
    // Far apart, packets don't wait for each other: the mean of the even draw is 15.
    const apart = carry({ delayMs: 0, jitterMs: 30 }, N, 100).arrivals;
    const mean = apart.reduce((sum, a) => sum + a.at - a.sentAt, 0) / N;
    expect(Math.abs(mean - 15)).toBeLessThan((4 * 30) / Math.sqrt(12 * N));
  });

  it.each([0.01, 0.1, 0.5])('loses a share of %f, and says so', (loss) => {
    for (const seed of [1, 2, 3]) {
      const { arrivals, trace } = carry({ loss }, N, 1, seed);
      expect(Math.abs(1 - arrivals.length / N - loss)).toBeLessThan(margin(loss, N));
      const lost = trace.events.filter((e) => e.kind === 'drop' && e.reason === 'lost');
      expect(lost.length + arrivals.length).toBe(N);
    }
  });

  it('duplicates a share, never more than once', () => {
    const { arrivals, trace } = carry({ duplicate: 0.1 }, N);
    expect(Math.abs(arrivals.length / N - 1.1)).toBeLessThan(margin(0.1, N));
    const times = new Map<number, number>();
    for (const { id } of arrivals) times.set(id, (times.get(id) ?? 0) + 1);
    expect(Math.max(...times.values())).toBe(2);
    expect(times.size).toBe(N);
    expect(trace.events.filter((e) => e.kind === 'duplicate')).toHaveLength(arrivals.length - N);
  });

  it('holds a share back by up to reorderMs, so that later packets overtake', () => {
    const { arrivals } = carry({ delayMs: 5, reorder: 0.2, reorderMs: 20 }, N);
    const late = arrivals.filter((a) => a.at - a.sentAt > 5);
    expect(Math.abs(late.length / N - 0.2)).toBeLessThan(margin(0.2, N));
    expect(Math.max(...arrivals.map((a) => a.at - a.sentAt))).toBeLessThanOrEqual(25);
    let overtaken = 0;
    let highest = 0;
    for (const { id } of arrivals) {
      if (id < highest) overtaken++;
      highest = Math.max(highest, id);
    }
    // Held back by less than the spacing of 1 ms (1 in 20) it is late but not overtaken.
    expect(overtaken / late.length).toBeGreaterThan(0.9);
  });

  it('loses nothing and changes nothing when it is good', () => {
    expect(carry({}, N).arrivals).toHaveLength(N);
  });

  it('drops what is sent while it is down, and what was under way', () => {
    const simulation = new Simulation(1);
    const trace = new Trace(simulation);
    const line = new Line(simulation, 'line', { delayMs: 10 });
    let arrived = 0;
    const send = (id: number) =>
      line.carry('in', { kind: 'ip6', id, bytes: new Uint8Array(0) }, () => arrived++);
    send(1);
    simulation.runUntil(START_MS + 5);
    line.up = false;
    send(2);
    simulation.runUntil(START_MS + 20);
    line.up = true;
    send(3);
    simulation.runUntil(START_MS + 40);
    expect(arrived).toBe(1);
    expect(trace.events.map((e) => [e.packet.id, e.kind])).toEqual([
      [2, 'drop'],
      [1, 'drop'],
    ]);
  });

  it('has two directions that can differ', () => {
    const simulation = new Simulation(1);
    const line = new Line(simulation, 'line', { delayMs: 1 });
    line.set({ delayMs: 50 }, 'in');
    line.set({ loss: 0.5 });
    expect(line.conditions('out')).toMatchObject({ delayMs: 1, loss: 0.5 });
    expect(line.conditions('in')).toMatchObject({ delayMs: 50, loss: 0.5 });
  });
});
