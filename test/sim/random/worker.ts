// Plays a range of seeds in a thread of its own and reports counts and failures, for `npm run simulate`.
import { parentPort, workerData } from 'node:worker_threads';
import { play } from './play.ts';
import { drawScenario } from './scenario.ts';
import { report, shrink } from './shrink.ts';

/** What the command gives each worker. */
export interface Work {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

/** What a worker tells. */
export type News =
  | { readonly kind: 'played'; readonly runs: number; readonly delivered: number }
  | { readonly kind: 'failed'; readonly seed: number; readonly text: string };

const REPORT_EVERY = 25;

const { from, to, step } = workerData as Work;
const tell = (news: News): void => parentPort!.postMessage(news);
let runs = 0;
let delivered = 0;
for (let seed = from; seed < to; seed += step) {
  const scenario = drawScenario(seed);
  const outcome = play(scenario);
  runs++;
  delivered += outcome.delivered;
  if (outcome.violation)
    tell({ kind: 'failed', seed, text: report(seed, shrink(scenario, outcome.violation.rule)) });
  if (runs === REPORT_EVERY) {
    tell({ kind: 'played', runs, delivered });
    runs = delivered = 0;
  }
}
tell({ kind: 'played', runs, delivered });
