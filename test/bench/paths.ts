// Module bench/paths opens what the bench compares: a tunnel of each product, kernel VXLAN, and the same four hops without a tunnel.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compiled } from '../lab/kit/compile.ts';
import { NATIVE } from '../lab/kit/lab.ts';
import type { Home, Lab } from '../lab/kit/lab.ts';
import { eventually, ipBatch } from '../lab/kit/processes.ts';
import {
  SLOW,
  startMiredoClient,
  startMiredoRelay,
  startRelay,
  startShipworm,
} from '../lab/kit/programs.ts';
import type { Shipworm } from '../lab/kit/programs.ts';

/** Ports of the bench's own programs. */
export const PORTS = { iperf: 5201, iperfBack: 5202, count: 5000, echo: 5001 } as const;
export const UDP_TOOL = resolve(compiled('udp-rate'));
const INNER_MTU = 1280;

/** A way from home 1 to home 2. */
export interface Path {
  /** Of the far end, and of this one. */
  readonly to: string;
  readonly from: string;
  /** The native host behind the relay, if there is one. */
  readonly native: string | null;
  readonly close: () => Promise<unknown>;
}

export interface PathKind {
  readonly name: string;
  readonly open: (lab: Lab) => Promise<Path>;
  /** UDP packets a second that it may carry: where the search for the most begins. */
  readonly packets: number;
}

/** With the gate closed but for the programs of the bench, as somebody would use it. */
async function startAllowed(lab: Lab, home: Home): Promise<Shipworm> {
  const file = join(lab.folder, `allowed-${home.line}.json`);
  writeFileSync(file, JSON.stringify({ sleepAfter: 3_600 }));
  const client = startShipworm(lab, home, ['--config', file]);
  const ports = ['--reachable', Object.values(PORTS).join(',')];
  await client.address();
  for (const program of ['iperf3', UDP_TOOL]) {
    const { code, err } = await client.cli('apps', 'allow', ...ports, program);
    if (code !== 0) throw new Error(err);
  }
  return client;
}

async function openShipworm(lab: Lab): Promise<Path> {
  const relay = await startRelay(lab, lab.relay);
  const clients = await Promise.all([lab.home1, lab.home2].map((home) => startAllowed(lab, home)));
  const awake = async (client: Shipworm): Promise<string> => {
    const echo = lab.start(client.home.space, UDP_TOOL, ['echo', `${PORTS.echo}`]);
    await echo.says(/ready/, 3_000);
    const { address } = await client.becomes(
      'awake',
      10_000 * SLOW,
      ({ state }) => state === 'qualified',
    );
    return address!;
  };
  const [from, to] = [await awake(clients[0]!), await awake(clients[1]!)];
  return {
    ...{ from, to, native: NATIVE },
    close: () => Promise.all([...clients.map((c) => c.program.stop()), relay.program.stop()]),
  };
}

async function openMiredo(lab: Lab): Promise<Path> {
  const relay = await startMiredoRelay(lab);
  const clients = [lab.home1, lab.home2].map((home) => startMiredoClient(lab, home));
  const [from, to] = await Promise.all(clients.map((client) => client.address()));
  for (const home of [lab.home1, lab.home2]) {
    const echo = lab.start(home.space, UDP_TOOL, ['echo', `${PORTS.echo}`]);
    await echo.says(/ready/, 3_000);
  }
  return {
    ...{ from: from!, to: to!, native: NATIVE },
    close: () => Promise.all([...clients.map((c) => c.program.stop()), relay.stop()]),
  };
}

/** The four hops without address translation, so that IPv4 goes from one PC to the other. */
function openHops(lab: Lab): void {
  for (const { router } of [lab.home1, lab.home2])
    execFileSync('ip', ['netns', 'exec', router, 'nft', 'flush', 'ruleset']);
  ipBatch(
    [lab.home1, lab.home2].map(
      (home) => `route replace ${home.inside.replace(/10$/, '0')}/24 via ${home.outside}`,
    ),
    lab.core,
  );
}

async function openPlain(lab: Lab): Promise<Path> {
  openHops(lab);
  const { home1, home2 } = lab;
  for (const home of [home1, home2]) {
    const echo = lab.start(home.space, UDP_TOOL, ['echo', `${PORTS.echo}`]);
    await echo.says(/ready/, 3_000);
  }
  return { from: home1.inside, to: home2.inside, native: null, close: () => Promise.resolve() };
}

async function openVxlan(lab: Lab): Promise<Path> {
  const plain = await openPlain(lab);
  const ends = [
    { home: lab.home1, remote: lab.home2, address: 'fd00:7::1' },
    { home: lab.home2, remote: lab.home1, address: 'fd00:7::2' },
  ];
  for (const { home, remote, address } of ends)
    ipBatch(
      [
        `link add vx0 type vxlan id 7 local ${home.inside} remote ${remote.inside} dstport 4789`,
        `link set vx0 mtu ${INNER_MTU} up`,
        `addr add ${address}/64 dev vx0 nodad`,
      ],
      home.space,
    );
  await eventually('VXLAN carries', 5_000, async () => {
    const args = ['-6', '-c', '1', '-W', '1', ends[1]!.address];
    return (await lab.run(lab.home1.space, 'ping', args)).code === 0;
  });
  return {
    ...{ from: ends[0]!.address, to: ends[1]!.address, native: null },
    close: async () => {
      for (const { home } of ends) ipBatch(['link del vx0'], home.space);
      await plain.close();
    },
  };
}

/** Ours, Miredo's, then the references. */
export const PATHS: readonly PathKind[] = [
  { name: 'Shipworm', open: openShipworm, packets: 300_000 },
  { name: 'Miredo', open: openMiredo, packets: 60_000 },
  { name: 'VXLAN', open: openVxlan, packets: 110_000 },
  { name: 'no tunnel', open: openPlain, packets: 160_000 },
];
