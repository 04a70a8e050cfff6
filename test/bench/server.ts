// Module bench/server has Shipworm's server and Miredo's answer the same solicitations, in turns.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask, holdings } from '../lab/kit/blast.ts';
import { SERVER, SERVER2 } from '../lab/kit/lab.ts';
import type { Lab } from '../lab/kit/lab.ts';
import type { Program } from '../lab/kit/processes.ts';
import { Place, SHIPWORM, startMiredoServer } from '../lab/kit/programs.ts';

const SECONDS = 4;
/** Solicitations under way: enough that the server never waits, few enough that no buffer overflows. */
const WINDOW = 256;

/** What is measured of a server; `better` says which way is good. */
export const SERVER_ROWS = [
  { key: 'perSecond', label: 'solicitations answered a second', better: 'higher' },
  { key: 'perCore', label: 'the same for each second of CPU time', better: 'higher' },
  { key: 'lostShare', label: 'solicitations lost, per cent', better: 'lower' },
] as const;
export type ServerSample = Record<(typeof SERVER_ROWS)[number]['key'], number>;

/** Our server without its limit per source: Miredo's has none. */
export async function startUnlimitedServer(lab: Lab): Promise<Program> {
  const place = new Place(lab, 'bench-server');
  const limits = { solicitationsPerSecondPerSource: 1_000_000 };
  const file = join(lab.folder, 'bench-server.json');
  writeFileSync(file, JSON.stringify({ primary: SERVER, secondary: SERVER2, limits }));
  const server = lab.start(lab.pub, SHIPWORM, ['server', '--config', file], place.env);
  await server.says(/Serving at/, 10_000);
  return server;
}

async function measure(lab: Lab): Promise<ServerSample> {
  await ask(lab, lab.core, SERVER, 1, WINDOW);
  const before = holdings(lab.pub).cpu;
  const { sent, answered, lost, seconds } = await ask(lab, lab.core, SERVER, SECONDS, WINDOW);
  const cpu = holdings(lab.pub).cpu - before;
  return {
    perSecond: answered / seconds,
    perCore: answered / cpu,
    lostShare: (100 * lost) / sent,
  };
}

/** Samples of ours and of Miredo's, of `rounds` rounds. Nothing else may run in the server's namespace. */
export async function benchServers(
  lab: Lab,
  rounds: number,
): Promise<[ServerSample[], ServerSample[]]> {
  const ours: ServerSample[] = [];
  const theirs: ServerSample[] = [];
  for (let round = 0; round < rounds; round++)
    for (const [start, samples] of [
      [startUnlimitedServer, ours],
      [startMiredoServer, theirs],
    ] as const) {
      const server = await start(lab);
      samples.push(await measure(lab));
      await server.stop();
    }
  return [ours, theirs];
}
