// Module bench/idle counts how often a client that has nothing to do wakes up: asleep, and qualified without traffic.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { holdings } from '../lab/kit/blast.ts';
import type { Home, Lab } from '../lab/kit/lab.ts';
import { sleep, wakeUps } from '../lab/kit/processes.ts';
import { startMiredoServer, startShipworm } from '../lab/kit/programs.ts';
import { inTurns } from './group.ts';
import type { Group, Sample } from './group.ts';
import { PRODUCTS, products } from './products.ts';

const SECONDS = 30;
/** What a program does after its start, collecting garbage above all, is over by then. */
const SETTLE_MS = 10_000;

interface Idle {
  readonly wakeUps: number;
  readonly cpuMs: number;
}

async function watch({ space }: Home): Promise<Idle> {
  await sleep(SETTLE_MS);
  const before = { wakeUps: wakeUps(space), cpu: holdings(space).cpu };
  await sleep(SECONDS * 1_000);
  return {
    wakeUps: ((wakeUps(space) - before.wakeUps) * 60) / SECONDS,
    cpuMs: ((holdings(space).cpu - before.cpu) * 60_000) / SECONDS,
  };
}

/** Nothing is allowed, so nobody needs the tunnel. */
async function dormant(lab: Lab): Promise<Idle> {
  const file = join(lab.folder, 'idle.json');
  writeFileSync(file, JSON.stringify({ sleepAfter: 1 }));
  const client = startShipworm(lab, lab.home1, ['--config', file]);
  await client.becomes('asleep', 30_000, ({ state }) => state === 'dormant');
  const idle = await watch(lab.home1);
  await client.program.stop();
  return idle;
}

async function measure(lab: Lab, index: number): Promise<Sample> {
  lab.setNat(lab.home1, 'restricted');
  const server = await startMiredoServer(lab);
  const asleep = index === 0 ? await dormant(lab) : null;
  const client = products(lab)[index]!.start(lab.home1);
  await client.address();
  const qualified = await watch(lab.home1);
  await client.stop();
  await server.stop();
  return {
    ...(asleep && { asleepWakeUps: asleep.wakeUps, asleepCpuMs: asleep.cpuMs }),
    ...{ qualifiedWakeUps: qualified.wakeUps, qualifiedCpuMs: qualified.cpuMs },
  };
}

export const idle: Group = {
  name: 'idle',
  title: 'A client with nothing to do, in a minute',
  columns: PRODUCTS,
  rows: [
    { key: 'asleepWakeUps', label: 'wake-ups asleep (nobody needs the tunnel)', better: 'lower' },
    { key: 'asleepCpuMs', label: 'CPU time asleep, ms', better: 'lower' },
    {
      key: 'qualifiedWakeUps',
      label: 'wake-ups with an address, without traffic',
      better: 'lower',
    },
    { key: 'qualifiedCpuMs', label: 'CPU time with an address, ms', better: 'lower' },
  ],
  // Nothing varies here but the collecting of garbage: one round says it.
  measure: (lab, { quick }) =>
    quick
      ? Promise.resolve([])
      : inTurns(
          PRODUCTS.map((name, i) => ({ name, sample: () => measure(lab, i) })),
          1,
        ),
};
