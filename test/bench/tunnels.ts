// Module bench/tunnels measures what a tunnel carries and costs beside the other product's and the kernel's own.
import { readFileSync } from 'node:fs';
import { holdings } from '../lab/kit/blast.ts';
import type { Lab } from '../lab/kit/lab.ts';
import type { Program } from '../lab/kit/processes.ts';
import { sleep } from '../lab/kit/processes.ts';
import { startMiredoServer } from '../lab/kit/programs.ts';
import { inTurns } from './group.ts';
import type { Group, Sample } from './group.ts';
import { mostPackets, roundTrip } from './packets.ts';
import type { Search } from './packets.ts';
import { PATHS, PORTS } from './paths.ts';
import type { Path, PathKind } from './paths.ts';

/** How long each thing is measured, s, how the most packets are looked for, and how many round trips. */
interface Lengths {
  readonly stream: number;
  readonly packets: Search;
  readonly trips: number;
  readonly settleMs: number;
}
const FULL: Lengths = {
  stream: 2,
  packets: { seconds: 0.5, tries: 3, step: 1 },
  trips: 1_000,
  settleMs: 5_000,
};
const QUICK: Lengths = {
  stream: 1,
  packets: { seconds: 0.3, tries: 2, step: 2 },
  trips: 300,
  settleMs: 500,
};

interface Iperf {
  readonly mbits: number;
  readonly retransmits: number;
  readonly gigabytes: number;
  /** CPU time of the sending program, s. */
  readonly cpu: number;
}

async function iperf(
  lab: Lab,
  space: string,
  to: string,
  seconds: number,
  ...more: string[]
): Promise<Iperf> {
  const args = ['-c', to, '-t', `${seconds}`, '-J', ...more];
  const { out } = await lab.run(space, 'iperf3', args, { timeoutMs: 60_000 });
  const { end, error } = JSON.parse(out) as {
    error?: string;
    end: {
      sum_received: { bits_per_second: number; bytes: number };
      sum_sent: { retransmits: number };
      cpu_utilization_percent: { host_total: number };
    };
  };
  if (error !== undefined) throw new Error(`iperf3 to ${to}: ${error}`);
  return {
    mbits: end.sum_received.bits_per_second / 1e6,
    retransmits: end.sum_sent.retransmits,
    gigabytes: end.sum_received.bytes / 1e9,
    cpu: (end.cpu_utilization_percent.host_total / 100) * seconds,
  };
}

/** CPU time of the whole machine that was not idle, s, since it started. */
function machineCpu(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = readFileSync(
    '/proc/stat',
    'utf8',
  )
    .split('\n')[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) / 100;
}

const labCpu = (lab: Lab): number =>
  [lab.home1.space, lab.home2.space].reduce((sum, space) => sum + holdings(space).cpu, 0);

async function listen(lab: Lab, space: string, port: number): Promise<Program> {
  const server = lab.start(space, 'iperf3', ['-s', '-p', `${port}`, '--forceflush']);
  await server.says(/listening/, 5_000);
  return server;
}

async function streams(lab: Lab, path: Path, seconds: number): Promise<Sample> {
  const [here, there] = [lab.home1.space, lab.home2.space];
  const servers = [
    await listen(lab, there, PORTS.iperf),
    await listen(lab, here, PORTS.iperfBack),
    ...(path.native === null ? [] : [await listen(lab, lab.native, PORTS.iperf)]),
  ];
  const before = { machine: machineCpu(), lab: labCpu(lab) };
  const one = await iperf(lab, here, path.to, seconds);
  const used = { machine: machineCpu() - before.machine, lab: labCpu(lab) - before.lab + one.cpu };
  const eight = await iperf(lab, here, path.to, seconds, '-P', '8');
  const both = await Promise.all([
    iperf(lab, here, path.to, seconds),
    iperf(lab, there, path.from, seconds, '-p', `${PORTS.iperfBack}`),
  ]);
  const load = iperf(lab, here, path.to, seconds + 1);
  await sleep(300);
  const loaded = await roundTrip(lab, path, seconds * 300);
  await load;
  const relayed = path.native === null ? null : await iperf(lab, here, path.native, seconds);
  await Promise.all(servers.map((server) => server.stop()));
  return {
    tcpMbits: one.mbits,
    retransmits: (one.retransmits * 10) / seconds,
    machineCpuPerGb: used.machine / one.gigabytes,
    labCpuPerGb: used.lab / one.gigabytes,
    tcp8Mbits: eight.mbits,
    bothMbits: both[0].mbits + both[1].mbits,
    ...{ loadedP50: loaded.p50, loadedP99: loaded.p99 },
    ...(relayed && {
      relayMbits: relayed.mbits,
      relayRetransmits: (relayed.retransmits * 10) / seconds,
    }),
  };
}

/** What the rounds before found, to begin the search there. */
const guesses = new Map<string, number>();

async function measure(
  lab: Lab,
  { name, open, packets }: PathKind,
  lengths: Lengths,
): Promise<Sample> {
  // A fresh router each time: no mapping of the round before.
  lab.setNat(lab.home1, 'restricted');
  lab.setNat(lab.home2, 'restricted');
  const server = await startMiredoServer(lab);
  const path = await open(lab);
  await roundTrip(lab, path, 20);
  // What programs do in the seconds after their start is no measure of the tunnel.
  await sleep(lengths.settleMs);
  const idle = await roundTrip(lab, path, lengths.trips);
  const sample: Record<string, number> = { idleP50: idle.p50, idleP99: idle.p99 };
  for (const bytes of [1_200, 64]) {
    const key = `udp${bytes}`;
    const guess = guesses.get(name + key) ?? packets;
    sample[key] = await mostPackets(lab, path, bytes, guess, lengths.packets);
    if (sample[key] > 0) guesses.set(name + key, sample[key]);
  }
  Object.assign(sample, await streams(lab, path, lengths.stream));
  await path.close();
  await server.stop();
  await lab.stopPrograms();
  return sample;
}

export const tunnels: Group = {
  name: 'tunnels',
  title: 'From one PC to another',
  columns: PATHS.map(({ name }) => name),
  rows: [
    { key: 'tcpMbits', label: 'one TCP stream, Mbit/s', better: 'higher', aim: 8 },
    { key: 'tcp8Mbits', label: 'eight TCP streams, Mbit/s', better: 'higher' },
    { key: 'bothMbits', label: 'both directions at once, sum, Mbit/s', better: 'higher' },
    {
      key: 'retransmits',
      label: 'TCP retransmits in 10 s of one stream',
      better: 'lower',
      aim: 0.01,
    },
    {
      key: 'machineCpuPerGb',
      label: 'CPU seconds per GB, whole machine',
      better: 'lower',
      aim: 0.125,
    },
    { key: 'labCpuPerGb', label: 'CPU seconds per GB, programs at both ends', better: 'lower' },
    {
      key: 'udp1200',
      label: 'UDP packets of 1,200 bytes a second, loss < 0.5 %',
      better: 'higher',
      aim: 1.6,
    },
    { key: 'udp64', label: 'UDP packets of 64 bytes a second, loss < 0.5 %', better: 'higher' },
    { key: 'idleP50', label: 'round trip, median, us', better: 'lower', aim: 1 },
    { key: 'idleP99', label: 'round trip, 99 of 100, us', better: 'lower', aim: 1 },
    {
      key: 'loadedP50',
      label: 'round trip beside a TCP stream, median, us',
      better: 'lower',
      aim: 1,
    },
    {
      key: 'loadedP99',
      label: 'round trip beside a TCP stream, 99 of 100, us',
      better: 'lower',
      aim: 1,
    },
    {
      key: 'relayMbits',
      label: 'one TCP stream through the relay, Mbit/s',
      better: 'higher',
      aim: 7,
    },
    { key: 'relayRetransmits', label: 'TCP retransmits in 10 s of that', better: 'lower' },
  ],
  measure: (lab, { rounds, quick }) =>
    inTurns(
      PATHS.map((kind) => ({
        name: kind.name,
        sample: () => measure(lab, kind, quick ? QUICK : FULL),
      })),
      rounds,
    ),
};
