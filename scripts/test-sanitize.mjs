// Runs the lab's tests with the native parts built by AddressSanitizer and UBSan, then by ThreadSanitizer; any report of theirs is a failure.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodePath, root, run, setup, toolEnvironment } from './setup.mjs';
import { count, finish, noLab, tests } from './testing.mjs';

/**
 * A report ends the program with it, so that its test fails, too. Node itself is not instrumented: what it does is not looked at. Memory is its collector's, so leaks are not looked for.
 */
const KINDS = {
  address: {
    sanitize: 'address,undefined',
    libraries: ['libasan.so', 'libubsan.so'],
    flags: '-O1 -g1',
    options: {
      ASAN_OPTIONS: 'detect_leaks=0:quarantine_size_mb=1',
      UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    },
  },
  thread: {
    sanitize: 'thread',
    libraries: ['libtsan.so'],
    // It knows no fences of their own (-Wtsan); each of ours stands beside a sequentially consistent access, which it knows.
    flags: '-O1 -g1 -Wno-tsan',
    options: {
      TSAN_OPTIONS: 'ignore_noninstrumented_modules=1:report_signal_unsafe=0:halt_on_error=1',
    },
  },
};

/** Builds the native parts and writes the command that runs with it; gives the command and the folder of its reports. */
function prepare(name, { sanitize, libraries, flags, options }) {
  const folder = join(root, 'build', 'sanitize', name);
  const reports = join(folder, 'reports');
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  chmodSync(reports, 0o1777);
  const build = ['-s', '-C', 'native', '-j2', `SANITIZE=${sanitize}`, `OUT=${folder}`];
  if (!run('make', build, { env: { ...toolEnvironment(), CXXFLAGS: flags } })) return null;
  const preload = libraries.map((library) =>
    execFileSync('g++', [`-print-file-name=${library}`], { encoding: 'utf8' }).trim(),
  );
  const set = Object.entries(options).map(
    ([key, value]) => `export ${key}='${value}:log_path=${join(reports, 'report')}'`,
  );
  const command = join(folder, 'shipworm');
  const forget = 'data:text/javascript,delete process.env.LD_PRELOAD';
  const lines = [
    '#!/bin/sh',
    `# Runs shipworm with native parts that ${name} sanitizing watches.`,
    ...set,
    `export SHIPWORM_NATIVE='${join(folder, 'shipworm.node')}'`,
    // The thread sanitizer wants memory where it expects it, and in Node alone: shells don't bear it.
    `exec setarch -R env LD_PRELOAD='${preload.join(':')}' '${nodePath()}' --import '${forget}' '${join(root, 'build', 'cli.mjs')}' "$@"`,
  ];
  writeFileSync(command, `${lines.join('\n')}\n`, { mode: 0o755 });
  return { command, reports };
}

setup();
const why = noLab();
if (why) console.log(`The sanitized lab is skipped: ${why}.`);
const kinds = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(KINDS);
for (const name of why ? [] : kinds) {
  const made = KINDS[name] && prepare(name, KINDS[name]);
  if (!made) {
    count(`${name}: the native parts did not build`, false);
    continue;
  }
  console.log(`The lab with the ${name} sanitizer:`);
  tests(['lab', 'lab-alone'], { SHIPWORM_TEST_COMMAND: made.command, SHIPWORM_TEST_SLOW: '3' });
  const reports = readdirSync(made.reports);
  for (const report of reports) console.log(readFileSync(join(made.reports, report), 'utf8'));
  count(`${name}: no report`, reports.length === 0);
}
finish();
