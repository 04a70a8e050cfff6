// Writes docs/nat-matrix.md from the simulator: nat-matrix; a progress line, and how long it took.
import { writeFileSync } from 'node:fs';
import { document } from './tables.ts';

const PATH = 'docs/nat-matrix.md';
const started = Date.now();
process.stderr.write('Trying every pair of NATs in the simulator...\n');
writeFileSync(PATH, document());
process.stdout.write(`${PATH} written in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
