// Module test/fuzz/fuzz.test gives every fuzz target a few seconds; `npm run fuzz` gives them as long as one likes.
import { describe, expect, test } from 'vitest';
import { Corpus } from './machines/bytes.ts';
import { reached } from './machines/client-target.ts';
import { playFor, TARGETS } from './machines/run.ts';
import { buildNative, NATIVE_TARGETS, runNative } from './native.ts';

const SECONDS = 3;
/** Seeds that once broke a promise. */
const REGRESSIONS: readonly [string, number][] = [['relay', 1]];

describe('native', () => {
  for (const name of Object.keys(NATIVE_TARGETS))
    test(`${name}: no input breaks it`, () => {
      const executions = runNative(buildNative(name), name, SECONDS);
      expect(executions).toBeGreaterThan(100);
    });

  test('a fault is found, with its input', () => {
    expect(() => runNative('/bin/false', 'packet', 1)).toThrow(/packet: .*input: none kept/s);
  });
});

describe('machines', () => {
  for (const name of Object.keys(TARGETS))
    test(`${name}: keeps its promises whatever comes`, () => {
      // A seed of its own each day and machine would make a red day unrepeatable: the seed is printed, and `--from` repeats it.
      const from = Date.now() % 1_000_000_000;
      const end = Date.now() + SECONDS * 1_000;
      const { executions } = playFor(name, from, () => Date.now() >= end);
      expect(executions).toBeGreaterThan(100);
    });

  test('client: guesses ports, uses side ports, finds neighbours and searches the interval', () => {
    // Two rounds of seeds of their own: what a slow machine had no time for above.
    playFor('client', 1, (rounds) => rounds >= 2);
    const optional = ['probe', 'echo-test', 'listen', 'discovery', 'join', 'interval-test'];
    expect([...reached]).toEqual(expect.arrayContaining([...optional, 'interval', 'wantServer']));
  });

  for (const [name, seed] of REGRESSIONS)
    test(`${name}, seed ${seed}`, () => {
      expect(playFor(name, seed, () => true).executions).toBeGreaterThan(0);
    });

  test('a broken promise names the seed that repeats it', () => {
    const broken = (): number => {
      throw new Error('planted');
    };
    expect(() => playFor('planted', 7, () => true, { planted: broken })).toThrow(
      'planted, seed 7: planted',
    );
  });

  test('what led somewhere new is kept, and only that', () => {
    const corpus = new Corpus([Uint8Array.of(1)]);
    corpus.note(Uint8Array.of(2), 'new');
    corpus.note(Uint8Array.of(3), 'new');
    expect(corpus.size).toBe(2);
  });
});
