// Fuzzes every target for a time and counts what was tried: fuzz [--minutes N] [--target NAME] [--from SEED] [--keep].
import { parseArgs } from 'node:util';
import { playFor, TARGETS } from './machines/run.ts';
import { buildNative, NATIVE_TARGETS, runNative } from './native.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    target: { type: 'string' },
    from: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const all = [...Object.keys(NATIVE_TARGETS), ...Object.keys(TARGETS)];
const minutes = Number(values.minutes);
if (!(minutes > 0) || (values.target !== undefined && !all.includes(values.target))) {
  process.stderr.write(
    `fuzz: --minutes takes a number above 0, --target one of ${all.join(', ')}\n`,
  );
  process.exit(2);
}
const names = values.target === undefined ? all : [values.target];
const seconds = Math.max(1, Math.round((minutes * 60) / names.length));
const from = values.from === undefined ? Date.now() % 1_000_000_000 : Number(values.from);
let total = 0;
let failed = 0;
for (const name of names) {
  process.stdout.write(`${name.padEnd(10)} ${seconds} s … `);
  try {
    const end = Date.now() + seconds * 1_000;
    const executions =
      name in NATIVE_TARGETS
        ? runNative(buildNative(name), name, seconds, values.keep)
        : playFor(name, from, () => Date.now() >= end).executions;
    total += executions;
    process.stdout.write(`${executions.toLocaleString('en')} inputs\n`);
  } catch (error) {
    failed += 1;
    process.stdout.write(`FAILED\n${(error as Error).stack ?? ''}\n`);
  }
}
process.stdout.write(`${total.toLocaleString('en')} inputs in all, ${failed} targets failed\n`);
process.exitCode = failed > 0 ? 1 : 0;
