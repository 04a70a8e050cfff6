// Plays a range of seeds in a thread of its own and reports counts and failures, for `npm run simulate`.
import { parentPort, workerData } from 'node:worker_threads';
import { play } from './play.ts';
import { CrowdReport } from './crowd-report.ts';
import type { RowSum } from './crowd-report.ts';
import { drawCrowd, drawScenario } from './scenario.ts';
import { report, shrink } from './shrink.ts';

/** What the command gives each worker. */
export interface Work {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  /** Each network among a hundred hostile hosts. */
  readonly crowd: boolean;
}

/** What a worker tells. */
export type News =
  | { readonly kind: 'played'; readonly runs: number; readonly delivered: number }
  | { readonly kind: 'failed'; readonly seed: number; readonly text: string }
  | { readonly kind: 'rows'; readonly rows: ReadonlyMap<string, RowSum> };

const REPORT_EVERY = 25;

const { from, to, step, crowd } = workerData as Work;
const rows = new CrowdReport();
const tell = (news: News): void => parentPort!.postMessage(news);
let runs = 0;
let delivered = 0;
for (let seed = from; seed < to; seed += step) {
  const scenario = (crowd ? drawCrowd : drawScenario)(seed);
  const outcome = play(scenario);
  runs++;
  rows.add(scenario, outcome.accounts);
  delivered += outcome.delivered;
  if (outcome.violation)
    tell({ kind: 'failed', seed, text: report(seed, shrink(scenario, outcome.violation.rule)) });
  if (runs === REPORT_EVERY) {
    tell({ kind: 'played', runs, delivered });
    runs = delivered = 0;
  }
}
tell({ kind: 'played', runs, delivered });
if (crowd) tell({ kind: 'rows', rows: rows.rows });
