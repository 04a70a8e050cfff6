// Module test/long/soak-home.test lets a client live six hours at home on the built-in network, with faults, a hundred times as fast: nothing grows.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { startBuiltIn } from '../../engine/service/builtin/start.ts';
import { SeededRandom } from '../../engine/sim/index.ts';

const HOURS = 6;
/** As fast as the built-in network goes. */
const SPEED = 100;
const HOUR_MS = 3_600_000 / SPEED;
/** A fault about every ten minutes, for up to three. */
const FAULT_EVERY_MS = HOUR_MS / 6;
const FAULT_MS = HOUR_MS / 20;
/** What a collector may leave lying about. */
const HEAP_NOISE = 4e6;

interface Sample {
  readonly heap: number;
  readonly timers: number;
  readonly peers: number;
  readonly rows: number;
  readonly states: number;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test(`${HOURS} hours at home`, async () => {
  const random = new SeededRandom(4380);
  const log: string[] = [];
  let broken: Error | null = null;
  const running = await startBuiltIn(
    { speed: SPEED, control: null },
    {
      log: ({ level, text }) => log.push(`${level} ${text}`),
      onFailed: (error) => (broken = error),
    },
  );
  const { api } = running;
  const seen = new Set<string>();
  const sample = async (): Promise<Sample> => {
    collect();
    const [{ peers }, flows, questions] = [
      await api.status({}),
      await api.flows({}),
      await api.questions({}),
    ];
    return {
      heap: process.memoryUsage().heapUsed,
      timers: process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length,
      peers: peers.length,
      rows: flows.length + questions.length,
      states: seen.size,
    };
  };
  const hours: Sample[] = [];
  const lines: number[] = [];
  try {
    const { faults, kinds } = await api.builtIn({});
    for (let hour = 0; hour < HOURS; hour++) {
      const before = log.length;
      const end = performance.now() + HOUR_MS;
      while (performance.now() < end) {
        await sleep(FAULT_EVERY_MS - FAULT_MS);
        const { name } = random.pick(faults);
        await api.changeBuiltIn({ change: 'fault', name });
        await sleep(FAULT_MS * random.float());
        seen.add((await api.status({})).reason.code);
        await api.changeBuiltIn({ change: 'heal' });
        // Now and then somebody carries the PC elsewhere.
        if (random.chance(0.2))
          await api.changeBuiltIn({ change: 'nat', kind: random.pick(kinds).name });
        seen.add((await api.status({})).state);
      }
      hours.push(await sample());
      lines.push(log.length - before);
    }
    await api.changeBuiltIn({ change: 'nat', kind: 'portRestricted' });
    await sleep(HOUR_MS / 20);
    const { state } = await api.status({});
    expect(['qualified', 'dormant']).toContain(state);
  } finally {
    await running.close();
  }
  process.stderr.write(
    `hours: ${JSON.stringify(hours)}\nlines an hour: ${lines.join()}\nseen: ${[...seen].join()}\n`,
  );
  expect(broken).toBeNull();
  const [first, ...later] = hours.slice(1);
  for (const each of later) {
    expect(each.heap).toBeLessThan(first!.heap + HEAP_NOISE);
    expect(each.timers).toBeLessThanOrEqual(first!.timers + 2);
    expect(each.peers).toBeLessThanOrEqual(64);
    expect(each.rows).toBeLessThanOrEqual(256);
  }
  // A person can read an hour of it, and nothing in it is an error.
  expect(Math.max(...lines)).toBeLessThan(400);
  expect(log.filter((line) => line.startsWith('error'))).toEqual([]);
  // The faults were felt.
  expect(seen.size).toBeGreaterThan(4);
});
