// Holds our client to figure 1 of RFC 6081: what it promises works, and the first packet needs no second try.
import { describe, expect, test } from 'vitest';
import { endOf, FIGURE, FIGURE_KINDS } from './matrix/figure.ts';
import { tryPair } from './matrix/try.ts';

/** Two trips by a server and two direct ones, over four lines each of which takes 5 ms; a bubble is repeated after 2 s. */
const WITHOUT_REPEAT_MS = 400;

describe('RFC 6081, figure 1', () => {
  for (const [i, a] of FIGURE_KINDS.entries())
    for (const [j, b] of FIGURE_KINDS.entries()) {
      const promise = FIGURE[i]![j]!;
      if (promise === 'No') continue;
      test(`${a} to ${b}: ${promise}`, () => {
        const result = tryPair(endOf(a), endOf(b));
        expect(result).toMatchObject({ works: true, back: true });
        expect(result.works && result.ms).toBeLessThan(WITHOUT_REPEAT_MS);
      });
    }
});
