// Module sim/random makes the chance of a simulation: a seeded generator from which every component takes a stream of its own.
import type { Random } from '../wire/index.ts';

/** FNV-1a over the UTF-16 units of `text`, continued from `state`; 32 bits. */
function hashText(text: string, state = 0x811c9dc5): number {
  let hash = state >>> 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Spreads 32 bits over all others (the finalizer of MurmurHash3). */
function spread(value: number): number {
  let v = value >>> 0;
  v = Math.imul(v ^ (v >>> 16), 0x85ebca6b);
  v = Math.imul(v ^ (v >>> 13), 0xc2b2ae35);
  return (v ^ (v >>> 16)) >>> 0;
}

/** Small fast counting generator (sfc32). Not for secrets. Same seed, same numbers, on every machine. */
export class SeededRandom implements Random {
  readonly #seed: number;
  readonly #forks = new Map<string, number>();
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** `seed`: any number; its fraction is dropped and it is taken modulo 2^32. */
  constructor(seed: number) {
    this.#seed = seed >>> 0;
    this.#a = spread(this.#seed);
    this.#b = spread(this.#seed ^ 0x9e3779b9);
    this.#c = spread(this.#seed + 0x7f4a7c15);
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** 0..2^32-1. */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }

  /** 0 (included) to 1 (not). */
  float(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** Whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.float() * (high - low + 1));
  }

  /** True with probability `p`. Draws nothing when the outcome is certain. */
  chance(p: number): boolean {
    if (p <= 0) return false;
    return p >= 1 || this.float() < p;
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)]!;
  }

  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i++) out[i] = this.uint32() >>> 24;
    return out;
  }

  /**
   * A generator of its own for the component `label`. It depends on this generator's seed, the label, and how many forks of
   * that label came before; never on how many numbers were drawn, so that a new component doesn't disturb the others.
   */
  fork(label: string): SeededRandom {
    const nth = this.#forks.get(label) ?? 0;
    this.#forks.set(label, nth + 1);
    return new SeededRandom(hashText(`${label}#${nth}`, spread(this.#seed ^ 0x5bd1e995)));
  }
}
