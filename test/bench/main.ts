// Bench: Shipworm and Miredo in one lab and one run, alternating; prints medians side by side and their ratio.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Lab, NATIVE, noLab } from '../lab/kit/lab.ts';
import type { Home } from '../lab/kit/lab.ts';
import { pidsIn, sleep } from '../lab/kit/processes.ts';
import type { Program } from '../lab/kit/processes.ts';
import {
  startMiredoClient,
  startMiredoRelay,
  startMiredoServer,
  startRelay,
  startShipworm,
} from '../lab/kit/programs.ts';
import { benchServers, SERVER_ROWS } from './server.ts';

const TCP_SECONDS = 5;
const IDLE_SECONDS = 60;

/** What is measured; `better` says which way is good. */
const ROWS = [
  { key: 'startMs', label: 'start to address, ms', better: 'lower' },
  { key: 'firstTeredoMs', label: 'first packet to a new Teredo peer, ms', better: 'lower' },
  { key: 'firstNativeMs', label: 'first packet to a new native host, ms', better: 'lower' },
  { key: 'rttMs', label: 'round trip between two clients, ms', better: 'lower' },
  { key: 'tcpMbits', label: 'one TCP stream between two clients, Mbit/s', better: 'higher' },
  { key: 'retransmits', label: 'TCP retransmits in that time', better: 'lower' },
  { key: 'relayMbits', label: 'one TCP stream through the relay, Mbit/s', better: 'higher' },
  { key: 'relayRetransmits', label: 'TCP retransmits in that time', better: 'lower' },
  { key: 'memoryKb', label: 'memory of a client, kB (PSS)', better: 'lower' },
  { key: 'idlePerMinute', label: 'packets a minute when idle, both ways', better: 'lower' },
] as const;
type Key = (typeof ROWS)[number]['key'];
type Sample = Partial<Record<Key, number>>;

/** A product under test, with a relay of its own. `start` begins a client and gives its address once it is on the adapter. */
interface Product {
  readonly name: string;
  readonly startRelay: () => Promise<Program>;
  readonly start: (home: Home) => { address: () => Promise<string>; stop: () => Promise<unknown> };
}

function products(lab: Lab): Product[] {
  return [
    {
      name: 'Shipworm',
      startRelay: async () => (await startRelay(lab, lab.relay)).program,
      start: (home) => {
        const client = startShipworm(lab, home, ['--expose-all']);
        return { address: () => client.address(), stop: () => client.program.stop() };
      },
    },
    {
      name: 'Miredo',
      startRelay: () => startMiredoRelay(lab),
      start: (home) => {
        const client = startMiredoClient(lab, home);
        return { address: () => client.address(), stop: () => client.program.stop() };
      },
    },
  ];
}

/** Round-trip times of `count` pings, ms. */
async function ping(
  lab: Lab,
  home: Home,
  to: string,
  count: number,
  interval: number,
): Promise<number[]> {
  const args = ['-6', '-n', '-c', `${count}`, '-i', `${interval}`, '-W', '5', to];
  const { out } = await lab.run(home.space, 'ping', args, { timeoutMs: 60_000 });
  return [...out.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
}

async function tcp(
  lab: Lab,
  from: Home,
  to: string,
  address: string,
): Promise<{ mbits: number; retransmits: number }> {
  const server = lab.start(to, 'iperf3', ['-s', '-1']);
  await sleep(300);
  const args = ['-c', address, '-t', `${TCP_SECONDS}`, '-J'];
  const { out } = await lab.run(from.space, 'iperf3', args, { timeoutMs: 60_000 });
  await server.stop();
  const { end } = JSON.parse(out) as {
    end: { sum_received: { bits_per_second: number }; sum_sent: { retransmits: number } };
  };
  return {
    mbits: end.sum_received.bits_per_second / 1e6,
    retransmits: end.sum_sent.retransmits,
  };
}

/** Proportional set size of all processes in the PC's namespace, kB. */
function memory(home: Home): number {
  return pidsIn(home.space)
    .map((pid) => /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')))
    .reduce((sum, match) => sum + Number(match?.[1] ?? 0), 0);
}

/** UDP datagrams that pass the router's outer interface while nobody uses the tunnel. */
async function idle(home: Home): Promise<number> {
  const count = (): number => {
    const text = execFileSync('ip', ['-n', home.router, '-s', '-j', 'link', 'show', 'e0'], {
      encoding: 'utf8',
    });
    const [link] = JSON.parse(text) as { stats64: Record<'rx' | 'tx', { packets: number }> }[];
    return link!.stats64.rx.packets + link!.stats64.tx.packets;
  };
  const before = count();
  await sleep(IDLE_SECONDS * 1000);
  return ((count() - before) * 60) / IDLE_SECONDS;
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
};

async function measure(lab: Lab, product: Product, withIdle: boolean): Promise<Sample> {
  const { home1, home2 } = lab;
  // A fresh router each time: no mapping of the round before.
  lab.setNat(home1, 'restricted');
  lab.setNat(home2, 'restricted');
  const relay = await product.startRelay();
  const peer = product.start(home2);
  const peerAddress = await peer.address();
  const begin = performance.now();
  const client = product.start(home1);
  await client.address();
  const startMs = performance.now() - begin;
  const [firstTeredoMs = NaN] = await ping(lab, home1, peerAddress, 1, 1);
  const [firstNativeMs = NaN] = await ping(lab, home1, NATIVE, 1, 1);
  const rttMs = median(await ping(lab, home1, peerAddress, 500, 0.002));
  const memoryKb = memory(home1);
  const stream = await tcp(lab, home1, home2.space, peerAddress);
  const relayed = await tcp(lab, home1, lab.native, NATIVE);
  const quiet = withIdle ? { idlePerMinute: (await sleep(35_000), await idle(home1)) } : {};
  await client.stop();
  await peer.stop();
  await relay.stop();
  return {
    ...{ startMs, firstTeredoMs, firstNativeMs, rttMs, memoryKb },
    ...{ tcpMbits: stream.mbits, retransmits: stream.retransmits },
    ...{ relayMbits: relayed.mbits, relayRetransmits: relayed.retransmits },
    ...quiet,
  };
}

interface Row {
  readonly key: string;
  readonly label: string;
  readonly better: string;
}

function report(
  all: readonly Row[],
  samples: readonly (readonly Partial<Record<string, number>>[])[],
  names: readonly string[],
): string {
  const cell = (n: number): string => (Number.isFinite(n) ? String(Number(n.toPrecision(3))) : '-');
  const head = ['', ...names, 'ratio', 'better'];
  const rows = all.map(({ key, label, better }) => {
    const [ours = NaN, theirs = NaN] = samples.map((s) =>
      median(s.map((sample) => sample[key]).filter((value) => value !== undefined)),
    );
    return [
      label,
      cell(ours),
      cell(theirs),
      theirs === 0 ? '-' : (ours / theirs).toFixed(2),
      better,
    ];
  });
  const table = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
  return table
    .map((row) =>
      row
        .map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)))
        .join('  '),
    )
    .join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
  const why = noLab();
  if (why) throw new Error(`The bench can't run: ${why}.`);
  const rounds = values.quick ? 2 : 5;
  const lab = new Lab();
  const samples: Sample[][] = [[], []];
  try {
    await startMiredoServer(lab);
    const both = products(lab);
    for (let round = 0; round < rounds; round++) {
      for (const [index, product] of both.entries()) {
        process.stderr.write(`round ${round + 1} of ${rounds}: ${product.name}\n`);
        samples[index]!.push(await measure(lab, product, round === 0 && !values.quick));
      }
    }
    const names = both.map((product) => product.name);
    process.stdout.write(`${report(ROWS, samples, names)}\n\n`);
    await lab.stopPrograms();
    process.stderr.write('servers\n');
    const servers = await benchServers(lab, values.quick ? 1 : rounds);
    process.stdout.write(`${report(SERVER_ROWS, servers, names)}\n`);
    process.stdout.write(
      `Medians of ${rounds} rounds; ratio is ours divided by Miredo's, in one run on one machine.\n`,
    );
  } finally {
    await lab.close();
  }
}

await main();
