// The table of a relay's clients: the same as a plain map, found in a few steps however many there are, and small.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../engine/host/garbage.ts';
import { hashKey, hashWords } from '../../../engine/relay/hash.ts';
import { ClientTable, PIECE } from '../../../engine/relay/table.ts';
import type { Place } from '../../../engine/relay/table.ts';
import type { Endpoint, Ip6 } from '../../../engine/wire/index.ts';
import { encodeTeredo } from '../../../engine/wire/index.ts';
import { countedRandom } from '../machine.ts';

/** The cost of each is the same from here on; `test/long` has a million in a real relay. */
const MANY = 200_000;
const FIRST = encodeTeredo({
  server: 0xc0000201,
  flags: 0,
  client: { ip: 0xc6336400, port: 1024 },
});
/** As a hostile host would choose them: one after another. */
const clientOf = (n: number): Ip6 => FIRST ^ (BigInt(n) << 16n);
const endpointOf = (n: number): Endpoint => ({
  ip: 0xc6336400 + (n >>> 14),
  port: 1 + (n & 0x3fff),
});

test('the hash is HalfSipHash-1-3: the vector of Linux, lib/tests/siphash_kunit.c, for the bytes 0 to 15', () => {
  const key = hashKey(Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7));
  const hash = hashWords(key, 0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c);
  expect(hash >>> 0).toBe(0x8b31d501);
});

interface Row {
  readonly endpoint: Endpoint;
  readonly received: number;
  readonly announced: number;
}
const rowOf = (table: ClientTable, place: Place): [Ip6, Row] => [
  table.address(place),
  {
    endpoint: table.endpoint(place),
    received: table.received(place),
    announced: table.announced(place),
  },
];

describe('whatever is done to it, it is what a plain map would be', () => {
  const address = fc.oneof(
    fc.integer({ min: 0, max: 40 }).map(clientOf),
    fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
  );
  const endpoint = fc.record({ ip: fc.nat(0xffffffff), port: fc.nat(0xffff) });
  const step = fc.oneof(
    fc.record({ act: fc.constant('set' as const), address, endpoint, time: fc.nat(1_000) }),
    fc.record({ act: fc.constantFrom('remove' as const, 'announce' as const), address }),
    fc.record({ act: fc.constant('sweep' as const), before: fc.nat(1_000), span: fc.nat(60) }),
  );

  test('entries, their order, and what a look over them finds', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 300 }), (steps) => {
        const table = new ClientTable(countedRandom());
        const model = new Map<Ip6, Row>();
        let from = 0;
        for (const each of steps) {
          if (each.act === 'sweep') {
            const { before, span } = each;
            const seen: Ip6[] = [];
            const next = table.sweep(from, span, before, (place) =>
              seen.push(table.address(place)),
            );
            const all = [...model].filter(([, row]) => row.received < before).map(([a]) => a);
            expect(all).toEqual(expect.arrayContaining(seen));
            if (from === 0 && next === 0 && span > 0) expect(seen).toHaveLength(all.length);
            from = next;
            continue;
          }
          const place = table.find(each.address);
          const row = model.get(each.address);
          expect(place === undefined ? place : rowOf(table, place)[1]).toEqual(row);
          if (each.act === 'set') {
            const found = place ?? table.add(each.address, each.endpoint);
            table.renew(found);
            table.setEndpoint(found, each.endpoint);
            table.setReceived(found, each.time);
            model.delete(each.address);
            const { endpoint, time: received } = each;
            model.set(each.address, { endpoint, received, announced: row?.announced ?? -Infinity });
          } else if (place !== undefined && each.act === 'remove') {
            table.remove(place);
            model.delete(each.address);
          } else if (place !== undefined) {
            table.setAnnounced(place, 7);
            model.set(each.address, { ...row!, announced: 7 });
          }
        }
        expect([...table.latest()].reverse().map((p) => rowOf(table, p))).toEqual([...model]);
        expect(table.eldest(5).map((p) => table.address(p))).toEqual([...model.keys()].slice(0, 5));
        expect(table.size).toBe(model.size);
      }),
      { numRuns: 300 },
    );
  });

  test('also while pieces and buckets come and go by the ten thousand', () => {
    const table = new ClientTable(countedRandom());
    const model = new Set<number>();
    const places = new Map<number, Place>();
    const add = (n: number): void => {
      places.set(n, table.add(clientOf(n), endpointOf(n)));
      table.setReceived(places.get(n)!, n);
      model.add(n);
    };
    const remove = (n: number): void => {
      table.remove(places.get(n)!);
      model.delete(n);
    };
    const check = (): void => {
      expect(table.size).toBe(model.size);
      for (let n = 0; n < 6 * PIECE; n++)
        if (table.find(clientOf(n)) !== (model.has(n) ? places.get(n) : undefined))
          throw new Error(`${n}`);
      const swept: number[] = [];
      let from = 0;
      do from = table.sweep(from, 1_000, Infinity, (place) => swept.push(table.received(place)));
      while (from !== 0);
      expect(swept.sort((a, b) => a - b)).toEqual([...model].sort((a, b) => a - b));
      expect([...table.latest()].map((place) => table.received(place)).reverse()).toEqual([
        ...model,
      ]);
    };
    for (let n = 0; n < 5 * PIECE; n++) add(n);
    check();
    // Pieces in the middle and at the end, then every other of what is left.
    for (let n = PIECE; n < 2 * PIECE; n++) remove(n);
    for (let n = 4 * PIECE; n < 5 * PIECE; n++) remove(n);
    check();
    for (const n of [...model]) if (n % 2 === 0) remove(n);
    check();
    for (let n = 5 * PIECE; n < 6 * PIECE; n++) add(n);
    check();
    for (const n of [...model]) remove(n);
    check();
    add(7);
    check();
  });
});

test('who looks through it meets what is there throughout once, whatever comes, goes or is renewed', () => {
  const table = new ClientTable(countedRandom());
  const places = Array.from({ length: 10 }, (_, n) => table.add(clientOf(n), endpointOf(n)));
  const seen: number[] = [];
  for (const place of table.latest()) {
    seen.push(places.indexOf(place));
    if (seen.length === 3) {
      // The one that is next, the one after it, one that was seen, and a new one.
      table.remove(places[6]!);
      table.renew(places[5]!);
      table.remove(places[9]!);
      table.add(clientOf(20), endpointOf(20));
    }
  }
  expect(seen).toEqual([9, 8, 7, 4, 3, 2, 1, 0]);
});

test('many clients take less than 64 bytes each, a look-up meets few others, and all of it is given back', () => {
  const used = (): number => {
    collectGarbage();
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    return arrayBuffers + heapUsed;
  };
  const before = used();
  const table = new ClientTable({ bytes: (length) => randomBytes(length) });
  table.add(clientOf(0), endpointOf(0));
  expect(used() - before).toBeLessThan(500_000);
  for (let n = 1; n < MANY; n++) {
    table.add(clientOf(n), endpointOf(n));
    // However many there are: with a load of at most one a bucket of random hashes is that long once in millions of tables.
    if ((n & (n + 1)) === 0) expect(table.longestBucket()).toBeLessThan(20);
  }
  expect((used() - before) / MANY).toBeLessThan(64);
  for (let n = 0; n < MANY; n += 999) expect(table.find(clientOf(n))).toBeDefined();
  for (let n = 0; n < MANY; n++) {
    table.remove(table.find(clientOf(n))!);
    if ((n & (n + 1)) === 0) expect(table.longestBucket()).toBeLessThan(20);
  }
  expect(table.size).toBe(0);
  expect(used() - before).toBeLessThan(1_000_000);
});
