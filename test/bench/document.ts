// Module bench/document puts what the bench measured into docs/performance.md, with the machine, and draws docs/performance.svg.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import type { Measured } from './group.ts';
import { picture } from './picture.ts';
import { markdownTable } from './report.ts';

const PAGE = 'docs/performance.md';
const PICTURE = 'docs/performance.svg';
const [BEGIN, END] = ['<!-- measured: written by npm run bench -->', '<!-- end of measured -->'];

/** Replaces what stands between the two marks of the page. */
export function writeDocument(all: readonly Measured[], rounds: number): void {
  const page = readFileSync(PAGE, 'utf8');
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`${PAGE} has lost its marks.`);
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const machine =
    `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${gigabytes} GB, Linux ${release()}; ` +
    `load of the last minute at the end ${loadavg()[0]!.toFixed(1)}. Median (least-most) of ${rounds} rounds.`;
  const tables = all.map(markdownTable).join('\n\n');
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${machine}\n\n${tables}\n\n${END}${after}`);
  writeFileSync(PICTURE, picture(all));
}
