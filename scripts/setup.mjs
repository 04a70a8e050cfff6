// Sets a fresh clone up: npm packages, Debian packages, the native parts and the command-line bundle; does only what is missing.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const LOCKFILE_STAMP = join(root, 'node_modules', '.package-lock.json');
/** Keeps maintainer scripts from starting the daemons of what is installed. */
const POLICY = '/usr/sbin/policy-rc.d';

/** Ends the program with one sentence. */
export function stop(sentence) {
  console.error(`shipworm: ${sentence}`);
  process.exit(1);
}

/** Runs a command to its end; its output goes to stderr. False when it failed. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  return result.status === 0;
}

/** The Node to use: the repository's own if it is there, else the one running this. */
export function nodePath() {
  const own = join(root, 'node_modules', '.bin', 'node');
  if (existsSync(own)) return own;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 13)) return process.execPath;
  return stop(`Node ${process.versions.node} is too old here; install Node 22.13 or newer.`);
}

/** The environment for child processes: the repository's tools come first. */
export function toolEnvironment() {
  return {
    ...process.env,
    PATH: join(root, 'node_modules', '.bin') + delimiter + process.env.PATH,
  };
}

function installNpmPackages() {
  const lock = join(root, 'package-lock.json');
  if (existsSync(LOCKFILE_STAMP) && statSync(LOCKFILE_STAMP).mtimeMs >= statSync(lock).mtimeMs)
    return;
  console.error('Installing npm packages ...');
  if (!run('npm', ['ci', '--ignore-scripts', '--loglevel=error', '--no-progress']))
    stop('npm ci failed; see above, and run it again when the network is there.');
  // Packages keep the times of their publication: mark when this installation was made.
  writeFileSync(LOCKFILE_STAMP, readFileSync(LOCKFILE_STAMP));
}

function missingDebianPackages(names) {
  const query = spawnSync('dpkg-query', ['-W', '-f=${Package} ${db:Status-Abbrev}\n', ...names]);
  if (query.error) return [];
  const installed = new Set(
    query.stdout
      .toString()
      .split('\n')
      .filter((line) => / ii\s*$/.test(line))
      .map((line) => line.split(' ')[0].split(':')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

/**
 * Installs what is missing of the groups in packages.json. Not root: returns the one command to run.
 * Daemons among the packages are not started.
 */
export function installDebianPackages(groups) {
  const all = JSON.parse(readFileSync(join(root, 'scripts', 'packages.json'), 'utf8'));
  const missing = missingDebianPackages(groups.flatMap((group) => all[group]));
  if (missing.length === 0) return null;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0) return `sudo ${command}`;
  console.error(`Installing Debian packages: ${missing.join(' ')} ...`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const ownPolicy = !existsSync(POLICY);
  if (ownPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const install = () => run('apt-get', [...command.split(' ').slice(1), '-qq'], { env });
    if (install()) return null;
    if (run('apt-get', ['update', '-qq'], { env }) && install()) return null;
  } finally {
    if (ownPolicy) rmSync(POLICY, { force: true });
  }
  return command;
}

function buildNative() {
  if (!existsSync(join(root, 'build', 'native'))) console.error('Building the native parts ...');
  if (!run('make', ['-s', '-C', 'native', '-j2']))
    stop('The native parts did not build; see above.');
}

/** Newest modification time of the files below `paths`, ms. */
function newest(paths) {
  let time = 0;
  for (const path of paths) {
    const stat = statSync(path);
    const own = stat.isDirectory()
      ? newest(readdirSync(path).map((name) => join(path, name)))
      : stat.mtimeMs;
    time = Math.max(time, own);
  }
  return time;
}

function buildCli() {
  const bundle = join(root, 'build', 'cli.mjs');
  const inputs = ['cli', 'engine', 'vite.cli.config.ts', 'vite.absent.ts', 'package.json'].map(
    (path) => join(root, path),
  );
  if (existsSync(bundle) && statSync(bundle).mtimeMs > newest(inputs)) return;
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  if (!run(nodePath(), [vite, 'build', '--logLevel', 'warn', '--config', 'vite.cli.config.ts']))
    stop('The command-line bundle did not build; see above.');
  keepCompiled(bundle);
}

/** Keeps what Node compiles of the command. The demo runs most of what a client runs; should it fail, the command compiles as it starts. */
function keepCompiled(bundle) {
  const folder = join(root, 'build', 'compiled');
  rmSync(folder, { recursive: true, force: true });
  const env = { ...process.env, NODE_COMPILE_CACHE: folder };
  run(nodePath(), [bundle, 'demo', '--fast'], { env, stdio: 'ignore' });
  if (!existsSync(folder)) return;
  // Whoever may read the command may read this.
  for (const name of readdirSync(folder, { recursive: true })) {
    const path = join(folder, name);
    chmodSync(path, statSync(path).isDirectory() ? 0o755 : 0o644);
  }
}

/** The bundles of the desktop app: main process, preload script, window. */
export function buildApp() {
  const app = join(root, 'build', 'app');
  const inputs = ['electron', 'renderer', 'engine', 'assets', 'vite.absent.ts', 'package.json'].map(
    (path) => join(root, path),
  );
  const bundles = ['main.cjs', 'preload.cjs', join('renderer', 'index.html')].map((name) =>
    join(app, name),
  );
  const time = newest(inputs);
  if (bundles.every((file) => existsSync(file) && statSync(file).mtimeMs > time)) return;
  console.error('Building the app ...');
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  for (const [config, SHIPWORM_BUNDLE] of [
    ['vite.electron.config.ts', 'main'],
    ['vite.electron.config.ts', 'preload'],
    ['vite.renderer.config.ts', ''],
  ]) {
    const env = { ...process.env, SHIPWORM_BUNDLE };
    if (!run(nodePath(), [vite, 'build', '--logLevel', 'warn', '--config', config], { env }))
      stop('The desktop app did not build; see above.');
  }
}

/** Everything that running needs. Ends the program with one sentence when it can't be had. */
export function setup() {
  installNpmPackages();
  const command = installDebianPackages(['build']);
  if (command) stop(`a compiler is missing. Run: ${command}`);
  nodePath();
  buildNative();
  buildCli();
}

/** Runs `command` in the foreground and ends with its exit code; TERM and INT are passed on. */
export function become(command, args, env = toolEnvironment()) {
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', env });
  // INT reaches the child by the terminal; a second one from here would look like impatience.
  process.on('SIGINT', () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setup();
