// The contract of engine/datapath/types.ts as a test suite that every datapath runs through.
import { afterEach, beforeEach, describe } from 'vitest';
import { Bench } from './bench.ts';
import type { DatapathHarness } from './bench.ts';
import { contractFlows } from './contractFlows.ts';
import { contractMatching } from './contractMatching.ts';
import { contractRings } from './contractRings.ts';

export type { DatapathHarness, Taken } from './bench.ts';

/**
 * Declares the suite. `makeDatapath` gives a fresh datapath whose peers stay valid for `validMs`; on a real clock
 * the suite waits for about that long in a few tests.
 */
export function datapathContract(
  name: string,
  makeDatapath: (options: { validMs: number }) => Promise<DatapathHarness>,
): void {
  const validMs = 300;
  describe(`datapath contract: ${name}`, () => {
    const bench = new Bench(validMs);
    beforeEach(async () => bench.set(await makeDatapath({ validMs })));
    afterEach(() => bench.harness.close());
    contractMatching(bench);
    contractFlows(bench);
    contractRings(bench);
  });
}
