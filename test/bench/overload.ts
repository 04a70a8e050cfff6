// Module bench/overload floods one end of a tunnel from its own router and looks what is left for those who are trusted.
import { execFileSync } from 'node:child_process';
import { holdings, junk } from '../lab/kit/blast.ts';
import type { Lab } from '../lab/kit/lab.ts';
import { sleep } from '../lab/kit/processes.ts';
import { SLOW, startMiredoServer } from '../lab/kit/programs.ts';
import { inTurns } from './group.ts';
import type { Group, Sample } from './group.ts';
import { roundTrip } from './packets.ts';
import { PATHS, PORTS, UDP_TOOL } from './paths.ts';
import type { PathKind } from './paths.ts';

/** More than either product can look at on one core. */
const FLOOD_PER_SECOND = 300_000;
const SECONDS = 2;
/** Trusted packets a second, of 1,200 bytes: what each product carries when nothing disturbs it. */
const TRUSTED_PER_SECOND = 20_000;
/** Nobody listens there. */
const CLOSED_PORT = 9;

/** The UDP port of the program that holds the tunnel in `space`: the one of whoever is not the bench's own. */
function tunnelPort(space: string): number {
  const text = execFileSync('ip', ['netns', 'exec', space, 'ss', '-4uanH'], { encoding: 'utf8' });
  const ports = [...text.matchAll(/^\S+\s+\d+\s+\d+\s+\S+:(\d+)\s/gm)].map((match) =>
    Number(match[1]),
  );
  const own: readonly number[] = Object.values(PORTS);
  const [port] = ports.filter((each) => !own.includes(each));
  if (port === undefined) throw new Error(`no tunnel listens in ${space}: ${text}`);
  return port;
}

interface Outcome {
  /** Trusted packets that arrived, a second. */
  readonly goodput: number;
  /** CPU time at the flooded end for each packet of the flood, us. */
  readonly cost: number;
}

async function flooded(lab: Lab, to: string, port: number, rate: number): Promise<Outcome> {
  const { home1, home2 } = lab;
  const count = lab.start(home2.space, UDP_TOOL, ['receive', `${PORTS.count}`, '0.5']);
  await count.says(/ready/, 3_000 * SLOW);
  const before = holdings(home2.space).cpu;
  const flood = junk(lab, home2.router, 'udp', [home2.inside, port], {
    rate,
    seconds: SECONDS + 1,
    inner: to,
  });
  await sleep(500);
  const args = ['send', to, `${PORTS.count}`, '1200', `${TRUSTED_PER_SECOND}`, `${SECONDS}`];
  await lab.run(home1.space, UDP_TOOL, args);
  const { sent } = await flood;
  const cpu = holdings(home2.space).cpu - before;
  await count.end(40_000);
  const { received } = JSON.parse(count.out) as { received: number };
  return { goodput: received / SECONDS, cost: (cpu * 1e6) / sent };
}

async function measure(lab: Lab, { open }: PathKind): Promise<Sample> {
  lab.setNat(lab.home1, 'restricted');
  lab.setNat(lab.home2, 'restricted');
  const server = await startMiredoServer(lab);
  const path = await open(lab);
  await roundTrip(lab, path, 20);
  const port = tunnelPort(lab.home2.space);
  // The programs are known and the way is open before anything is measured.
  await flooded(lab, path.to, CLOSED_PORT, 1);
  const closed = await flooded(lab, path.to, CLOSED_PORT, FLOOD_PER_SECOND);
  const ours = await flooded(lab, path.to, port, FLOOD_PER_SECOND);
  await path.close();
  await server.stop();
  await lab.stopPrograms();
  return {
    goodput: ours.goodput,
    share: ours.goodput / closed.goodput,
    refusedUs: Math.max(0, ours.cost - closed.cost),
  };
}

export const overload: Group = {
  name: 'overload',
  title: `Flood of ${FLOOD_PER_SECOND.toLocaleString('en')} refused packets a second`,
  columns: PATHS.slice(0, 2).map(({ name }) => name),
  rows: [
    {
      key: 'goodput',
      label: `trusted packets that arrive, of ${TRUSTED_PER_SECOND.toLocaleString('en')} a second`,
      better: 'higher',
    },
    {
      key: 'share',
      label: 'the same as a share of what arrives when the flood meets a closed port',
      better: 'higher',
    },
    { key: 'refusedUs', label: 'CPU time for a refused packet, us', better: 'lower' },
  ],
  measure: (lab, { rounds, quick }) =>
    quick
      ? Promise.resolve([])
      : inTurns(
          PATHS.slice(0, 2).map((kind) => ({ name: kind.name, sample: () => measure(lab, kind) })),
          rounds,
        ),
};
