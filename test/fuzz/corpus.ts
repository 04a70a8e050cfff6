// Module test/fuzz/corpus keeps the inputs from which fuzzing starts: one file for each target, one input a line, in hexadecimal.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const pathOf = (target: string): string =>
  fileURLToPath(new URL(`corpus/${target}.txt`, import.meta.url));

export function readCorpus(target: string): Uint8Array[] {
  const path = pathOf(target);
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => Uint8Array.from(Buffer.from(line, 'hex')));
}

/** The shortest first, so that a person can read it. */
export function writeCorpus(target: string, inputs: readonly Uint8Array[]): void {
  const lines = inputs.map((each) => Buffer.from(each).toString('hex'));
  lines.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  writeFileSync(pathOf(target), `${lines.filter((line) => line !== '').join('\n')}\n`);
}
