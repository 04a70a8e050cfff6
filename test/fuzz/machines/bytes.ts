// Module test/fuzz/machines/bytes changes datagrams and packets at random, and keeps those that led somewhere new.
import type { SeededRandom } from '../../../engine/sim/index.ts';

/** Values that lie at borders of lengths, types and ports. */
const BORDERS = [0, 1, 2, 3, 4, 5, 8, 20, 39, 40, 41, 58, 59, 64, 127, 128, 133, 134, 254, 255];
/** No datagram of the tests is longer. */
const MAX_BYTES = 2_000;
const MAX_KEPT = 2_000;

/** A copy of `bytes` with one to eight changes: flipped, overwritten, removed, repeated, or continued with another sample's end. */
export function mutate(
  bytes: Uint8Array,
  random: SeededRandom,
  other: () => Uint8Array,
): Uint8Array {
  let out = [...bytes];
  for (let n = random.between(1, 8); n > 0; n--) {
    const at = random.between(0, Math.max(0, out.length - 1));
    switch (random.between(0, 6)) {
      case 0:
        out[at] = (out[at] ?? 0) ^ (1 << random.between(0, 7));
        break;
      case 1:
        out[at] = random.pick(BORDERS);
        break;
      case 2:
        out[at] = random.between(0, 255);
        break;
      case 3:
        out.splice(at, random.between(1, 8));
        break;
      case 4:
        out.splice(at, 0, ...out.slice(at, at + random.between(1, 16)));
        break;
      case 5: {
        const tail = other();
        out = [...out.slice(0, at), ...tail.subarray(random.between(0, tail.length))];
        break;
      }
      default: {
        // A length or a port of two bytes, a little off.
        const value = (((out[at] ?? 0) << 8) | (out[at + 1] ?? 0)) + random.between(-2, 2);
        out[at] = (value >> 8) & 255;
        out[at + 1] = value & 255;
      }
    }
  }
  return Uint8Array.from(out.slice(0, MAX_BYTES));
}

/** Samples to start from, and whatever had an effect that none had before. */
export class Corpus {
  private readonly samples: Uint8Array[];
  private readonly effects = new Set<string>();

  constructor(samples: readonly Uint8Array[]) {
    this.samples = [...samples];
  }

  get size(): number {
    return this.samples.length;
  }

  any(random: SeededRandom): Uint8Array {
    return random.pick(this.samples);
  }

  /** As it is, or changed. */
  draw(random: SeededRandom): Uint8Array {
    const sample = this.any(random);
    return random.chance(0.2) ? sample : mutate(sample, random, () => this.any(random));
  }

  /** Keeps `bytes` when `effect` (what the machine did with it) is new. */
  note(bytes: Uint8Array, effect: string): void {
    if (this.effects.has(effect) || this.samples.length >= MAX_KEPT) return;
    this.effects.add(effect);
    this.samples.push(bytes);
  }
}
