// Random bytes come from a pool: none comes twice, and any number can be had.
import { expect, it } from 'vitest';
import { RandomPool } from '../../../engine/host/random.ts';

it('gives as many bytes as are asked for, and none of them again', () => {
  const pool = new RandomPool();
  const seen = new Set<string>();
  for (let i = 0; i < 1_000; i++) {
    const bytes = pool.bytes(16);
    expect(bytes).toHaveLength(16);
    seen.add(Buffer.from(bytes).toString('hex'));
  }
  expect(seen.size).toBe(1_000);
  expect(pool.bytes(0)).toHaveLength(0);
});

it('gives what does not fit in the pool, too, and what was given stays as it is', () => {
  const pool = new RandomPool();
  const first = pool.bytes(32);
  const copy = [...first];
  const large = pool.bytes(5_000);
  for (let i = 0; i < 100; i++) pool.bytes(32);
  expect([...first]).toEqual(copy);
  expect(large).toHaveLength(5_000);
  // Each value is some 20 times among them; one that is missing would be chance at 3 in a billion each.
  expect(new Set(large).size).toBeGreaterThan(250);
});
