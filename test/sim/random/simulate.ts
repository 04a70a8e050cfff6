// Plays many random networks on all cores: simulate [--runs N] [--from SEED] [--crowd]; a progress bar, and each failure shrunk.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { CrowdReport } from './crowd-report.ts';
import type { News, Work } from './worker.ts';

const BAR = 30;
/** More failures than this say nothing new. */
const MOST_FAILURES = 10;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '100000' },
    from: { type: 'string', default: '1' },
    // Among a hundred hostile hosts, with a report for each row of docs/security.md.
    crowd: { type: 'boolean', default: false },
  },
});
const runs = Number(values.runs);
const from = Number(values.from);
const { crowd } = values;
const rows = new CrowdReport();
if (!Number.isSafeInteger(runs) || !Number.isSafeInteger(from) || runs < 1 || from < 0) {
  process.stderr.write(
    'simulate: --runs and --from take whole numbers; for example --runs 1000 --from 1\n',
  );
  process.exit(2);
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const started = Date.now();
let played = 0;
let delivered = 0;
let failures = 0;

function showProgress(): void {
  const part = played / runs;
  const left = played > 0 ? ((Date.now() - started) / played) * (runs - played) : 0;
  const bar = '#'.repeat(Math.floor(part * BAR)).padEnd(BAR, '.');
  const text = `[${bar}] ${played}/${runs} networks, ${failures} failed, ${Math.ceil(left / 1000)} s left`;
  if (process.stderr.isTTY) process.stderr.write(`\r${text} `);
  else if (Math.floor(part * 20) !== Math.floor(((played - 25) / runs) * 20))
    process.stderr.write(`${text}\n`);
}

function take(news: News): void {
  if (news.kind === 'played') {
    played += news.runs;
    delivered += news.delivered;
    showProgress();
    return;
  }
  if (news.kind === 'rows') {
    rows.merge(news.rows);
    return;
  }
  failures++;
  const how = `--runs 1 --from ${news.seed}${crowd ? ' --crowd' : ''}`;
  say(`\n${news.text}\nrepeat: npm run simulate -- ${how}\n`);
  if (failures >= MOST_FAILURES) {
    say(`${failures} failures: enough.`);
    process.exit(1);
  }
}

const threads = Math.min(availableParallelism(), runs);
await Promise.all(
  Array.from({ length: threads }, (_, i) => {
    const workerData: Work = { from: from + i, to: from + runs, step: threads, crowd };
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData });
    worker.on('message', take);
    return new Promise<void>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('exit', () => resolve());
    });
  }),
);
const seconds = (Date.now() - started) / 1000;
say(
  `\n${played} random networks, ${delivered} packets delivered, ${failures} broke a rule; ${seconds.toFixed(0)} s`,
);
if (crowd) say(rows.lines().join('\n'));
process.exitCode = failures > 0 ? 1 : 0;
