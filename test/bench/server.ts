// Module bench/server has Shipworm's server and Miredo's answer the same solicitations, in turns.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask, holdings, offer } from '../lab/kit/blast.ts';
import { SERVER, SERVER2 } from '../lab/kit/lab.ts';
import type { Lab } from '../lab/kit/lab.ts';
import type { Program } from '../lab/kit/processes.ts';
import { Place, SHIPWORM, startMiredoServer } from '../lab/kit/programs.ts';
import { inTurns } from './group.ts';
import type { Group, Sample } from './group.ts';
import { PRODUCTS } from './products.ts';

const SECONDS = { full: 3, quick: 1.5 };
/** Solicitations under way: enough that the server never waits, few enough that no buffer overflows. */
const WINDOW = 256;

/** Our server without its limit per source: Miredo's has none. */
async function startUnlimitedServer(lab: Lab): Promise<Program> {
  const place = new Place(lab, 'bench-server');
  const limits = { solicitationsPerSecondPerSource: 1_000_000 };
  const file = join(lab.folder, 'bench-server.json');
  writeFileSync(file, JSON.stringify({ primary: SERVER, secondary: SERVER2, limits }));
  const server = lab.start(lab.pub, SHIPWORM, ['server', '--config', file], place.env);
  await server.says(/Serving at/, 10_000);
  return server;
}

async function measure(
  lab: Lab,
  start: (lab: Lab) => Promise<Program>,
  length: number,
): Promise<Sample> {
  const server = await start(lab);
  await ask(lab, lab.core, SERVER, 1, WINDOW);
  const before = holdings(lab.pub).cpu;
  const { sent, answered, lost, seconds } = await ask(lab, lab.core, SERVER, length, WINDOW);
  const cpu = holdings(lab.pub).cpu - before;
  const steady = await offer(lab, lab.core, SERVER, (0.8 * answered) / seconds, length / 2);
  await server.stop();
  return {
    perSecond: answered / seconds,
    perCore: answered / cpu,
    lostShare: (100 * lost) / sent,
    steadyLostShare: (100 * steady.lost) / steady.sent,
  };
}

/** Nothing else may run in the server's namespace. */
export const servers: Group = {
  name: 'servers',
  title: 'Servers',
  columns: PRODUCTS,
  rows: [
    { key: 'perSecond', label: 'solicitations answered a second', better: 'higher' },
    { key: 'perCore', label: 'the same for each second of CPU time', better: 'higher' },
    { key: 'lostShare', label: 'solicitations lost, per cent', better: 'lower' },
    {
      key: 'steadyLostShare',
      label: 'lost when offered 80 % of that rate, per cent',
      better: 'lower',
    },
  ],
  measure: (lab, { rounds, quick }) => {
    const starts = [startUnlimitedServer, startMiredoServer];
    const columns = starts.map((start, i) => ({
      name: `${PRODUCTS[i]!} server`,
      sample: () => measure(lab, start, quick ? SECONDS.quick : SECONDS.full),
    }));
    return inTurns(columns, rounds);
  },
};
