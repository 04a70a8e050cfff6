// Long lists: the page that was asked for, at a cost that does not grow with the list.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { PeerList } from '../../../engine/client/peers.ts';
import { clientConfig } from '../../../engine/client/config.ts';
import { relayLimits } from '../../../engine/relay/config.ts';
import { RelayPeers } from '../../../engine/relay/peers.ts';
import type { RelayPeerRow } from '../../../engine/relay/types.ts';
import { PAGE_ROWS, pageOf, pageOfLatest, pageSchema } from '../../../engine/service/paging.ts';
import type { Page } from '../../../engine/service/paging.ts';

const numbers = Array.from({ length: 2_500 }, (_, i) => ({ n: i, name: `Row ${i}` }));
const page = (asked: Parameters<typeof pageOf>[0]): number[] =>
  pageOf(asked, (choose) => choose(numbers)).map(({ n }) => n);

describe('a page', () => {
  it('is the latest rows in their order, unless others are asked for', () => {
    expect(page({})).toEqual(Array.from({ length: PAGE_ROWS }, (_, i) => 1_500 + i));
    expect(page({ limit: 3 })).toEqual([2_497, 2_498, 2_499]);
    expect(page({ limit: 3, offset: 2 })).toEqual([2_495, 2_496, 2_497]);
    expect(page({ limit: 3, offset: 2_498 })).toEqual([0, 1]);
    expect(page({ offset: 2_500 })).toEqual([]);
    expect(page({ limit: 100_000 })).toHaveLength(2_500);
  });

  it('has only rows with the text, of the whole list, upper and lower case alike', () => {
    expect(page({ match: 'row 12', limit: 4 })).toEqual([1_296, 1_297, 1_298, 1_299]);
    expect(page({ match: 'ROW 1249' })).toEqual([1_249]);
    expect(page({ match: 'nothing' })).toEqual([]);
  });

  it.each([{ limit: 0 }, { limit: 1.5 }, { offset: -1 }, { match: '' }, { rows: 5 }])(
    'refuses %j',
    (asked) => expect(pageSchema.safeParse(asked).success).toBe(false),
  );
});

describe('with as many peers as there may be', () => {
  it('a client asks the datapath about those on the page alone', () => {
    let asked = 0;
    const stamps = (): undefined => {
      asked++;
    };
    const { limits } = clientConfig({ server: 1, server2: 2, localPort: 3 });
    const { maxPeers } = limits;
    const peers = new PeerList(limits, stamps, () => undefined);
    for (let i = 0; i < maxPeers; i++) peers.add(BigInt(i), null, false, i);
    expect(peers.size).toBe(maxPeers);
    const rows = pageOf({}, (choose) => peers.rows(maxPeers, choose));
    expect(rows.at(-1)!.address).toBe(BigInt(maxPeers - 1));
    expect(rows).toHaveLength(PAGE_ROWS);
    expect(asked).toBe(PAGE_ROWS);
    // No path is open to one that was never heard: there is nothing to ask.
    expect(peers.counts(maxPeers)).toEqual({ known: maxPeers, open: 0 });
    expect(asked).toBe(PAGE_ROWS);
  });

  it('a relay likewise; a search through all of its clients leaves others their turn', async () => {
    let asked = 0;
    const count = (): undefined => {
      asked++;
    };
    const limits = relayLimits({ maxPeers: 65_536 });
    const random = { bytes: (length: number): Uint8Array => new Uint8Array(length) };
    const peers = new RelayPeers(limits, count, random);
    for (let i = 0; i < limits.maxPeers; i++)
      peers.setProven(BigInt(i), { ip: i, port: 1 }, i, () => undefined);
    const before = asked;
    const page = (given: Page): Promise<RelayPeerRow[]> =>
      pageOfLatest(given, peers.latest(limits.maxPeers), nextTurn);
    const numbers = (rows: readonly RelayPeerRow[]): number[] =>
      rows.map((row) => Number(row.address));
    const from = (first: number, count: number): number[] =>
      Array.from({ length: count }, (_, i) => first + i);
    expect(numbers(await page({ limit: 50 }))).toEqual(from(limits.maxPeers - 50, 50));
    expect(numbers(await page({ limit: 50, offset: 60_000 }))).toEqual(from(5_486, 50));
    expect(await page({ offset: 65_536 })).toEqual([]);
    expect(asked - before).toBeLessThanOrEqual(3 * 100);
    function* named(): Generator<() => string[], void> {
      for (const row of peers.latest(limits.maxPeers)) yield () => [`Client ${row().address}.`];
    }
    let turns = 0;
    let ticking = setImmediate(function tick() {
      turns += 1;
      ticking = setImmediate(tick);
    });
    expect(
      await pageOfLatest({ match: 'client 77', limit: 3, offset: 1 }, named(), nextTurn),
    ).toEqual([['Client 7796.'], ['Client 7797.'], ['Client 7798.']]);
    clearImmediate(ticking);
    expect(turns).toBeGreaterThan(50);
  });
});
