// Module bench/document puts what the bench measured into docs/performance.md, with the machine, and draws docs/performance.svg.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import type { Measured } from './group.ts';
import { picture } from './picture.ts';
import { markdownTable } from './report.ts';

const PAGE = 'docs/performance.md';
const PICTURE = 'docs/performance.svg';

/** Replaces what stands between the two marks of that name on the page. */
function put(name: string, text: string): void {
  const page = readFileSync(PAGE, 'utf8');
  const marks = new RegExp(`(<!-- ${name}: [^\\n]*-->\\n)[^]*(\\n<!-- end of ${name} -->)`);
  if (!marks.test(page)) throw new Error(`${PAGE} has lost its marks.`);
  const replaced = page.replace(
    marks,
    (_, begin: string, end: string) => `${begin}\n${text}\n${end}`,
  );
  writeFileSync(PAGE, replaced);
}

/** Where the time goes, a table. */
export const writeProfile = (table: string): void => put('profile', table);

/** What was measured, with its picture. */
export function writeDocument(all: readonly Measured[], rounds: number): void {
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const machine =
    `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${gigabytes} GB, Linux ${release()}; ` +
    `load of the last minute at the end ${loadavg()[0]!.toFixed(1)}. Median (least-most) of ${rounds} rounds.`;
  const tables = all.map(markdownTable).join('\n\n');
  put('measured', `${machine}\n\n${tables}`);
  writeFileSync(PICTURE, picture(all));
}
