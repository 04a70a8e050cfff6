// Runs checks and vitest projects, adds up what passed and failed, and ends with the line that counts them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { electronRuntime } from './electron-runtime.mjs';
import { buildApp, installDebianPackages, nodePath, root, toolEnvironment } from './setup.mjs';

const totals = { passed: 0, failed: 0, skipped: 0 };
export const modules = join(root, 'node_modules');

/** Counts and prints one result. */
export function count(name, good) {
  totals[good ? 'passed' : 'failed'] += 1;
  console.log(`${good ? 'ok  ' : 'FAIL'} ${name}`);
}

/** One check that passes or fails as a whole. */
export function check(name, args) {
  const result = spawnSync(nodePath(), args, {
    cwd: root,
    env: toolEnvironment(),
    encoding: 'utf8',
  });
  const good = result.status === 0;
  count(name, good);
  if (!good) console.log((result.stdout + result.stderr).trimEnd());
}

/** Runs vitest projects with `env` added to the environment and adds their counts. A run without a report is a failure. */
export function tests(projects, env = {}) {
  const report = join(root, 'build', 'reports', `${projects.join('-')}.json`);
  mkdirSync(join(root, 'build', 'reports'), { recursive: true });
  rmSync(report, { force: true });
  const args = [
    join(modules, 'vitest', 'vitest.mjs'),
    'run',
    ...projects.map((p) => `--project=${p}`),
  ];
  args.push('--reporter=default', '--reporter=json', `--outputFile.json=${report}`);
  args.push(`--reporter=${join(root, 'scripts', 'second-try-reporter.mjs')}`);
  const { status } = spawnSync(nodePath(), args, {
    cwd: root,
    env: { ...toolEnvironment(), ...env },
    stdio: 'inherit',
  });
  if (!existsSync(report)) {
    totals.failed += 1;
    return;
  }
  const counts = JSON.parse(readFileSync(report, 'utf8'));
  totals.passed += counts.numPassedTests;
  totals.failed += counts.numFailedTests;
  totals.skipped += counts.numPendingTests;
  // A file that could not be loaded, or a hook that failed, is no test but a failure all the same.
  if (status !== 0 && counts.numFailedTests === 0) totals.failed += 1;
}

/** Why programs that run as another user can't run from here, or null. */
function outOfReach() {
  for (let folder = root; folder !== dirname(folder); folder = dirname(folder))
    if ((statSync(folder).mode & 0o001) === 0)
      return `other users can't enter ${folder}; clone where they can, for example below /opt`;
  return null;
}

/** Why the lab can't run here, or null; installs the Debian packages of `groups` when it can. */
export function noLab(groups = ['lab']) {
  if (process.getuid?.() !== 0) return 'the lab needs root (network namespaces)';
  if (!existsSync('/dev/net/tun')) return 'this machine has no TUN device (/dev/net/tun)';
  const why = outOfReach();
  if (why) return why;
  const command = installDebianPackages(groups);
  return command ? `Debian packages could not be installed; run: ${command}` : null;
}

/** Why the app's tests can't run here, or null; installs and builds what they need when they can. */
export function noApp() {
  if (process.getuid?.() !== 0) return 'they need root, to become an ordinary user that nobody is';
  const why = outOfReach();
  if (why) return why;
  const command = installDebianPackages(['app', 'app-test']);
  if (command) return `Debian packages could not be installed; run: ${command}`;
  buildApp();
  try {
    electronRuntime();
    return null;
  } catch (error) {
    return error.message;
  }
}

/** Prints the line that counts and sets the exit code. */
export function finish() {
  if (totals.skipped > 0) console.log(`Skipped tests: ${totals.skipped}.`);
  console.log(`${totals.passed} passed, ${totals.failed} failed`);
  process.exitCode = totals.failed > 0 ? 1 : 0;
}
