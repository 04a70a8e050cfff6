// The clock runs events in order, chance comes from the seed alone, and a seed replays a run exactly.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Internet6,
  NAT_KINDS,
  SeededRandom,
  START_MS,
  Simulation,
  Trace,
  attachEchoHost,
} from '../../../engine/sim/index.ts';
import { buildEcho, parseIp6 } from '../../../engine/wire/index.ts';
import { X1, Y1, Y2, at, listen, natNetwork } from './network.ts';

describe('virtual time', () => {
  it('runs events by time, those of one time in the order of scheduling', () => {
    const simulation = new Simulation(1);
    const seen: [string, number][] = [];
    const note = (name: string) => () => void seen.push([name, simulation.now]);
    simulation.schedule(START_MS + 20, note('c'));
    simulation.schedule(START_MS + 10, note('a'));
    simulation.schedule(START_MS + 10, note('b'));
    simulation.schedule(0, note('past'));
    simulation.runUntil(START_MS + 15);
    expect(seen).toEqual([
      ['past', START_MS],
      ['a', START_MS + 10],
      ['b', START_MS + 10],
    ]);
    expect(simulation.now).toBe(START_MS + 15);
    expect(simulation.nextEventAt).toBe(START_MS + 20);
    expect(simulation.step()).toBe(true);
    expect(simulation.step()).toBe(false);
    expect(simulation.nextEventAt).toBe(Infinity);
  });

  it('runs what an event schedules for the same instant, in the same call', () => {
    const simulation = new Simulation(1);
    let ran = false;
    simulation.after(5, () => simulation.after(0, () => (ran = true)));
    simulation.runUntil(START_MS + 5);
    expect(ran).toBe(true);
  });

  it('does not run what was cancelled, nor count it as the next event', () => {
    const simulation = new Simulation(1);
    const cancel = simulation.after(5, () => expect.unreachable());
    simulation.after(9, () => undefined);
    cancel();
    cancel();
    expect(simulation.nextEventAt).toBe(START_MS + 9);
    simulation.runUntil(Infinity);
    expect(simulation.now).toBe(START_MS + 9);
  });

  it('keeps any schedule in order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50)), fc.array(fc.nat(60)), (times, cancelled) => {
        const simulation = new Simulation(1);
        const seen: [number, number][] = [];
        const cancels = times.map((time, i) =>
          simulation.after(time, () => void seen.push([time, i])),
        );
        for (const i of cancelled) cancels[i]?.();
        simulation.runUntil(Infinity);
        const left = times
          .map((time, i): [number, number] => [time, i])
          .filter(([, i]) => !cancelled.includes(i))
          .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        expect(seen).toEqual(left);
      }),
    );
  });

  it('says so when it stands still', () => {
    const simulation = new Simulation(1);
    const again = (): void => void simulation.after(0, again);
    again();
    expect(() => simulation.runUntil(START_MS + 1)).toThrow('stands still');
  });
});

describe('chance', () => {
  it('is the same for the same seed and differs for another', () => {
    const draw = (seed: number) => [...new SeededRandom(seed).bytes(32)];
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it('a fork depends on its label and on nothing that was drawn', () => {
    const a = new SeededRandom(7);
    const b = new SeededRandom(7);
    b.bytes(1000);
    b.fork('other');
    expect(a.fork('x').bytes(16)).toEqual(b.fork('x').bytes(16));
    expect(a.fork('x').bytes(16)).not.toEqual(a.fork('y').bytes(16));
    expect(a.fork('z').bytes(16)).not.toEqual(a.fork('z').bytes(16));
  });

  it('is even: chi-squared of 256,000 bytes over 256 values', () => {
    const counts = new Array<number>(256).fill(0);
    for (const byte of new SeededRandom(3).bytes(256_000)) counts[byte]!++;
    const chi = counts.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
    // 255 degrees of freedom: 0.1 % lie below 190 and 0.1 % above 330.
    expect(chi).toBeGreaterThan(190);
    expect(chi).toBeLessThan(330);
  });

  it('draws whole numbers over the whole range, ends included', () => {
    const random = new SeededRandom(5);
    const seen = new Set(Array.from({ length: 500 }, () => random.between(3, 6)));
    expect([...seen].sort()).toEqual([3, 4, 5, 6]);
    expect(random.chance(0)).toBe(false);
    expect(random.chance(1)).toBe(true);
  });
});

/** A busy minute in a bad network; its hash. */
function play(seed: number): { hash: string; lines: string[] } {
  const network = natNetwork(NAT_KINDS.symmetric, ['198.51.100.1'], seed);
  const { simulation, nat, inside, inside2, y1, y2, run } = network;
  const trace = new Trace(simulation);
  const bad = { delayMs: 20, jitterMs: 10, loss: 0.1, duplicate: 0.1, reorder: 0.2 };
  nat.line.set(bad);
  const internet6 = new Internet6(simulation);
  const pinged = parseIp6('2001:db8::7')!;
  attachEchoHost(internet6, 'echo', pinged, bad);
  const source = parseIp6('2001:db8::9')!;
  const pinger = internet6.attach('pinger', [source]);
  const y = listen(y1, 1000);
  listen(y2, 1000);
  const senders = [listen(inside, 4000), listen(inside2, 4000)];
  const random = simulation.random.fork('test');
  for (let i = 0; i < 60; i++) {
    for (const { socket } of senders)
      socket.send(at(`${random.pick([Y1, Y2, X1])}:1000`), random.bytes(random.between(0, 100)));
    const last = y.heard.at(-1);
    if (last) y.socket.send(last.from, random.bytes(10));
    const echo = { source, destination: pinged, identifier: 1, sequence: i, data: random.bytes(8) };
    pinger.send(buildEcho({ reply: false, ...echo }));
    if (i === 30) nat.reboot(2000);
    run(1000);
  }
  return { hash: trace.hash(), lines: trace.lines() };
}

describe('replay', () => {
  it('a seed gives the same trace, line by line and byte by byte', () => {
    const first = play(42);
    const second = play(42);
    expect(first.lines.length).toBeGreaterThan(500);
    expect(second.lines).toEqual(first.lines);
    expect(second.hash).toBe(first.hash);
  });

  it('another seed gives another', () => {
    const hashes = [1, 2, 3, 4, 5].map((seed) => play(seed).hash);
    expect(new Set(hashes).size).toBe(5);
  });

  it('the hash sees a single byte of a payload', () => {
    const hash = (byte: number) => {
      const { simulation, inside, run } = natNetwork();
      const trace = new Trace(simulation);
      listen(inside, 4000).socket.send(at(`${Y1}:1000`), new Uint8Array([1, byte]));
      run();
      return trace.hash();
    };
    expect(hash(2)).toBe(hash(2));
    expect(hash(2)).not.toBe(hash(3));
  });

  it('the list can be bounded; the hash still covers everything', () => {
    const { simulation, inside, run } = natNetwork();
    const all = new Trace(simulation);
    const few = new Trace(simulation, 3);
    const { socket } = listen(inside, 4000);
    for (let i = 0; i < 5; i++) socket.send(at(`${Y1}:1000`), new Uint8Array([i]));
    run();
    expect(few.events).toEqual(all.events.slice(-3));
    expect(few.hash()).toBe(all.hash());
    few.stop();
    socket.send(at(`${Y1}:1000`), new Uint8Array([9]));
    run();
    expect(few.hash()).not.toBe(all.hash());
  });
});
