// Does all set-up, then makes a .deb and a zip of the app in out/make; with a stand-in for Electron their version ends in ~trial.
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makeDeb } from './deb.mjs';
import { electronRuntime } from './electron-runtime.mjs';
import {
  buildApp,
  installDebianPackages,
  nodePath,
  root,
  run,
  setup,
  stop,
  toolEnvironment,
} from './setup.mjs';

const stage = join(root, 'build', 'stage');
const modules = join(root, 'node_modules');
const read = (file) => JSON.parse(readFileSync(join(root, file), 'utf8'));
const { version } = read('package.json');
const { productName, extraResources } = read('electron-builder.json');

/** What goes beside the app's archive. */
function fillStage() {
  rmSync(stage, { recursive: true, force: true });
  for (const { from } of extraResources) mkdirSync(join(root, from), { recursive: true });
  for (const name of ['shipworm.node', 'shipworm-helper', 'shipworm-sweep']) {
    cpSync(join(root, 'build', 'native', name), join(stage, 'native', name));
    if (!run('strip', ['--strip-unneeded', join(stage, 'native', name)])) stop('strip failed.');
  }
  cpSync(join(root, 'assets', 'icons'), join(stage, 'icons'), {
    recursive: true,
    filter: (path) => !path.endsWith('.svg'),
  });
  cpSync(join(root, 'docs'), join(stage, 'docs'), { recursive: true });
  cpSync(join(root, 'build', 'cli.mjs'), join(stage, 'cli', 'cli.mjs'));
  cpSync(join(root, 'assets', 'package', 'shipworm'), join(stage, 'cli', 'shipworm'));
  // The command line's own Node: the app's runtime must not serve as one.
  copyFileSync(nodePath(), join(stage, 'cli', 'node'));
}

/** The folder with the runtime's zip under the name that packagers look for, or null: they download it. */
function zipRuntime({ directory, trial }) {
  if (!trial) return null;
  const folder = join(root, 'build', 'electron-zips');
  const [wanted] = readFileSync(join(modules, 'electron', 'package.json'), 'utf8').match(
    /(?<="version": ")[^"]+/,
  );
  const zip = join(folder, `electron-v${wanted}-linux-x64.zip`);
  if (existsSync(zip)) return folder;
  mkdirSync(folder, { recursive: true });
  if (!run('zip', ['-qr1', zip, '.', '-x', 'resources/default_app.asar/*'], { cwd: directory }))
    stop('zip failed; install the Debian package zip.');
  return folder;
}

function make() {
  setup();
  const command = installDebianPackages(['app', 'make']);
  if (command) stop(`what packaging needs is missing. Run: ${command}`);
  buildApp();
  fillStage();
  const runtime = electronRuntime();
  const zips = zipRuntime(runtime);
  const full = runtime.trial ? `${version}~trial` : version;
  const forge = join(modules, '@electron-forge', 'cli', 'dist', 'electron-forge.js');
  const env = { ...toolEnvironment(), ...(zips && { SHIPWORM_ELECTRON_ZIPS: zips }) };
  if (!run(nodePath(), [forge, 'package'], { env })) stop('Packaging failed; see above.');
  const app = join(root, 'out', `${productName}-linux-x64`);
  const out = join(root, 'out', 'make');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const deb = join(out, `shipworm_${full}_amd64.deb`);
  makeDeb(app, full, deb);
  const zip = join(out, `shipworm-${full}-linux-x64.zip`);
  if (!run('zip', ['-qry1', zip, basename(app)], { cwd: dirname(app) })) stop('zip failed.');
  for (const file of [deb, zip]) console.log(file);
}

make();
