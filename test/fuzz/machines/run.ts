// Module test/fuzz/machines/run plays conversations of one target for a time, each from a seed of its own that repeats it.
import { SeededRandom } from '../../../engine/sim/index.ts';
import { SAMPLES } from '../../unit/wire/samples.ts';
import { Corpus } from './bytes.ts';
import { clientTarget } from './client-target.ts';
import type { Target } from './promises.ts';
import { relayTarget, serverTarget, wire } from './targets.ts';

export const TARGETS: Readonly<Record<string, Target>> = {
  wire,
  client: clientTarget,
  server: serverTarget,
  relay: relayTarget,
};

/** Conversations that share one corpus: a finding depends on no more than these. */
const ROUND = 200;

export interface Played {
  /** Inputs given in all. */
  readonly executions: number;
  /** Samples that led somewhere new, of the last round. */
  readonly kept: number;
}

/**
 * Plays rounds from the seeds `from`, `from` + 1, … until `done` says so after one of them. Throws Error with the seed of the round
 * that broke a promise.
 */
export function playFor(
  name: string,
  from: number,
  done: (rounds: number) => boolean,
  targets: Readonly<Record<string, Target>> = TARGETS,
): Played {
  const target = targets[name];
  if (!target) throw new Error(`no fuzz target ${name}; there are ${Object.keys(targets).join()}`);
  let executions = 0;
  for (let rounds = 0; ; rounds++) {
    const seed = from + rounds;
    const random = new SeededRandom(seed);
    const corpus = new Corpus(SAMPLES);
    try {
      for (let i = 0; i < ROUND; i++) executions += target(random.fork(`${i}`), corpus);
    } catch (error) {
      throw new Error(`${name}, seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    if (done(rounds + 1)) return { executions, kept: corpus.size };
  }
}
