// Module test/fuzz/native builds the libFuzzer targets of the C++ parts with ASan and UBSan and runs them for a time.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readCorpus, writeCorpus } from './corpus.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Each target, and what of `native/` it needs. */
export const NATIVE_TARGETS: Readonly<Record<string, readonly string[]>> = {
  packet: [],
  answers: ['datapath/answers.cc', 'datapath/sources.cc', 'datapath/checksum.cc'],
  segment: ['datapath/segment.cc', 'datapath/checksum.cc'],
  coalesce: ['datapath/coalesce.cc', 'datapath/segment.cc', 'datapath/checksum.cc'],
  helper: ['helper/protocol.cc'],
  frames: ['owners/frames.cc'],
  policy: ['policy/policy.cc', 'policy/json.cc'],
};
const FLAGS = ['-std=c++20', '-g', '-O1', '-fno-sanitize-recover=all'];
const SANITIZERS = '-fsanitize=fuzzer,address,undefined';
/** Longer than any packet that is looked at. */
const MAX_BYTES = 4_096;

/** Compiles target `name`; gives the program's path. Throws with what the compiler said. */
export function buildNative(name: string): string {
  const folder = join(root, 'build', 'fuzz');
  mkdirSync(folder, { recursive: true });
  const program = join(folder, name);
  const sources = NATIVE_TARGETS[name]!.map((source) => join('native', source));
  const main = join('test', 'fuzz', 'native', `${name}.cc`);
  const result = spawnSync('clang++', [...FLAGS, SANITIZERS, '-o', program, main, ...sources], {
    cwd: root,
    encoding: 'utf8',
  });
  if (result.status !== 0) throw new Error(result.error?.message ?? result.stderr);
  return program;
}

/**
 * Runs `program` of target `name` for `seconds` from its kept corpus. Gives how many inputs it tried. Throws with the sanitizer's
 * words and the input in hexadecimal when one broke something. `keep`: the kept corpus becomes the smallest with the same coverage.
 */
export function runNative(program: string, name: string, seconds: number, keep = false): number {
  const folder = mkdtempSync(join(tmpdir(), 'shipworm-fuzz-'));
  const found = join(folder, 'found');
  const kept = join(folder, 'kept');
  const merged = join(folder, 'merged');
  try {
    for (const each of [found, kept, merged]) mkdirSync(each);
    readCorpus(name).forEach((input, i) => writeFileSync(join(kept, String(i)), input));
    const options = [`-max_total_time=${seconds}`, `-max_len=${MAX_BYTES}`, '-print_final_stats=1'];
    const result = spawnSync(program, [...options, `-artifact_prefix=${folder}/`, found, kept], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    if (result.status !== 0) {
      const bad = readdirSync(folder).find((file) => /^(crash|leak|timeout|oom)-/.test(file));
      const input = bad ? readFileSync(join(folder, bad)).toString('hex') : 'none kept';
      throw new Error(`${name}: ${result.stderr.slice(-4_000)}\ninput: ${input}`);
    }
    if (keep) {
      spawnSync(program, ['-merge=1', merged, found, kept]);
      writeCorpus(
        name,
        readdirSync(merged).map((file) => readFileSync(join(merged, file))),
      );
    }
    return Number(/number_of_executed_units:\s*(\d+)/.exec(result.stderr)?.[1] ?? 0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
