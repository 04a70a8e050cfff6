// Module bench/products starts this product and Miredo, each with a relay of its own, in the bench's lab.
import { pidsIn } from '../lab/kit/processes.ts';
import type { Program } from '../lab/kit/processes.ts';
import { readFileSync } from 'node:fs';
import type { Home, Lab } from '../lab/kit/lab.ts';
import {
  startMiredoClient,
  startMiredoRelay,
  startRelay,
  startShipworm,
} from '../lab/kit/programs.ts';

/** A product under test, with a relay of its own. `start` begins a client and gives its address once it is on the adapter. */
export interface Product {
  readonly name: string;
  readonly startRelay: () => Promise<Program>;
  readonly start: (home: Home) => { address: () => Promise<string>; stop: () => Promise<unknown> };
}

export const PRODUCTS = ['Shipworm', 'Miredo'] as const;

export function products(lab: Lab): Product[] {
  return [
    {
      name: PRODUCTS[0],
      startRelay: async () => (await startRelay(lab, lab.relay)).program,
      start: (home) => {
        const client = startShipworm(lab, home, ['--expose-all']);
        return { address: () => client.address(), stop: () => client.program.stop() };
      },
    },
    {
      name: PRODUCTS[1],
      startRelay: () => startMiredoRelay(lab),
      start: (home) => {
        const client = startMiredoClient(lab, home);
        return { address: () => client.address(), stop: () => client.program.stop() };
      },
    },
  ];
}

/** Proportional set size of all processes in the PC's namespace, kB. */
export function memory(home: Home): number {
  return pidsIn(home.space)
    .map((pid) => /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')))
    .reduce((sum, match) => sum + Number(match?.[1] ?? 0), 0);
}
