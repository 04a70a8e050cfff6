// Another thousand random networks, beside those of random.test.ts: two files run at the same time.
import { describe } from 'vitest';
import { keepEveryRule } from './random/keep.ts';

describe('more random networks', () => {
  keepEveryRule(1_001, 2_000);
});
