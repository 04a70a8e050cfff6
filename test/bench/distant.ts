// Module bench/distant puts a delay line between the PCs, the servers and the relay, and counts how many round trips each beginning takes.
import { NATIVE } from '../lab/kit/lab.ts';
import type { Lab } from '../lab/kit/lab.ts';
import type { NatKind } from '../lab/kit/nat.ts';
import { sleep } from '../lab/kit/processes.ts';
import { startMiredoServer } from '../lab/kit/programs.ts';
import { inTurns } from './group.ts';
import type { Group, Row, Sample } from './group.ts';
import { ping } from './meters.ts';
import { PRODUCTS, products } from './products.ts';
import type { Product } from './products.ts';

/** One way through the core, ms: a round trip between two of its ends takes twice as long: so long that noise of the machine counts little. */
const DELAY_MS = 100;
const ROUND_TRIP_MS = 2 * DELAY_MS;
/** No NAT on the way, and the most usual one. */
const KINDS = ['open', 'restricted'] as const satisfies readonly NatKind[];
/** What is begun, with its label. */
const BEGINNINGS = [
  ['address', 'start to address'],
  ['teredo', 'first packet to a new Teredo peer'],
  ['native', 'first packet to a new native host'],
] as const;

type Times = Record<(typeof BEGINNINGS)[number][0], number>;

async function begin(lab: Lab, product: Product, kind: NatKind): Promise<Times> {
  const { home1, home2 } = lab;
  lab.setNat(home1, kind);
  lab.setNat(home2, 'restricted');
  const relay = await product.startRelay();
  const peer = product.start(home2);
  const peerAddress = await peer.address();
  const started = performance.now();
  const client = product.start(home1);
  await client.address();
  const address = performance.now() - started;
  // What comes at once after the address is not mistaken for what the first packet needs.
  await sleep(4 * ROUND_TRIP_MS);
  const [teredo = NaN] = await ping(lab, home1.space, peerAddress, 1, 1);
  const [native = NaN] = await ping(lab, home1.space, NATIVE, 1, 1);
  await client.stop();
  await peer.stop();
  await relay.stop();
  return { address, teredo, native };
}

/** Each beginning without and with the delay: what it costs more is round trips. */
async function measure(lab: Lab, product: Product): Promise<Sample> {
  const sample: Record<string, number> = {};
  for (const kind of KINDS) {
    await lab.setDelay(0);
    const near = await begin(lab, product, kind);
    await lab.setDelay(DELAY_MS);
    const far = await begin(lab, product, kind);
    await lab.setDelay(0);
    for (const [name] of BEGINNINGS) {
      sample[`${kind}-${name}-ms`] = far[name];
      sample[`${kind}-${name}-trips`] = (far[name] - near[name]) / ROUND_TRIP_MS;
    }
  }
  return sample;
}

const rows = KINDS.flatMap((kind) =>
  BEGINNINGS.flatMap(([name, label]): Row[] => [
    { key: `${kind}-${name}-ms`, label: `${kind}: ${label}, ms`, better: 'lower' },
    { key: `${kind}-${name}-trips`, label: '  the same in round trips', better: 'lower' },
  ]),
);

export const distant: Group = {
  name: 'distant',
  title: `With ${ROUND_TRIP_MS} ms of round trip`,
  columns: PRODUCTS,
  rows,
  // The delay is so long that two rounds say it.
  measure: async (lab, { rounds, quick }) => {
    if (quick) return [];
    await startMiredoServer(lab);
    const columns = products(lab).map((product) => ({
      name: product.name,
      sample: () => measure(lab, product),
    }));
    return inTurns(columns, Math.min(rounds, 2));
  },
};
