// Writes the table of docs/healing.md from the simulator: healing; says how long it took.
import { readFileSync, writeFileSync } from 'node:fs';
import { withTable } from './table.ts';

const PATH = 'docs/healing.md';
const started = Date.now();
process.stderr.write('Playing every fault in the simulator...\n');
writeFileSync(PATH, withTable(readFileSync(PATH, 'utf8')));
process.stdout.write(`${PATH} written in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
