// Module bench/clients measures a client from its start: first packets, round trip, memory, idle traffic.
import { execFileSync } from 'node:child_process';
import { NATIVE } from '../lab/kit/lab.ts';
import type { Home, Lab } from '../lab/kit/lab.ts';
import { sleep } from '../lab/kit/processes.ts';
import { startMiredoServer } from '../lab/kit/programs.ts';
import { inTurns } from './group.ts';
import type { Group, Sample } from './group.ts';
import { ping } from './meters.ts';
import { memory, PRODUCTS, products } from './products.ts';
import type { Product } from './products.ts';
import { median } from './report.ts';

const IDLE_SECONDS = 30;
/** What a client says at its start is no idle traffic. */
const SETTLE_MS = 20_000;

/** UDP datagrams that pass the router's outer interface in a minute while nobody uses the tunnel. */
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
  const [firstTeredoMs] = await ping(lab, home1.space, peerAddress, 1, 1);
  const [firstNativeMs] = await ping(lab, home1.space, NATIVE, 1, 1);
  const rttMs = median(await ping(lab, home1.space, peerAddress, 500, 0.002));
  const memoryKb = memory(home1);
  const quiet = withIdle ? { idlePerMinute: (await sleep(SETTLE_MS), await idle(home1)) } : {};
  await client.stop();
  await peer.stop();
  await relay.stop();
  return {
    ...{ startMs, firstTeredoMs, firstNativeMs, rttMs, memoryKb },
    ...quiet,
  };
}

export const clients: Group = {
  name: 'clients',
  title: 'A client from its start',
  columns: PRODUCTS,
  rows: [
    { key: 'startMs', label: 'start to address, ms', better: 'lower' },
    { key: 'firstTeredoMs', label: 'first packet to a new Teredo peer, ms', better: 'lower' },
    { key: 'firstNativeMs', label: 'first packet to a new native host, ms', better: 'lower' },
    { key: 'rttMs', label: 'round trip between two clients, ms', better: 'lower' },
    { key: 'memoryKb', label: 'memory of a client, kB (PSS)', better: 'lower' },
    { key: 'idlePerMinute', label: 'packets a minute when idle, both ways', better: 'lower' },
  ],
  measure: async (lab, { rounds, quick }) => {
    await startMiredoServer(lab);
    const columns = products(lab).map((product) => ({
      name: product.name,
      sample: (round: number) => measure(lab, product, round === 0 && !quick),
    }));
    return inTurns(columns, rounds);
  },
};
