// Does all set-up, then takes the pictures of the desktop app that the guide shows, in docs/pictures.
import { join } from 'node:path';
import { become, installDebianPackages, nodePath, root, run, setup } from './setup.mjs';

setup();
const command = installDebianPackages(['app', 'app-test', 'pictures']);
if (command) {
  console.error(`shipworm: packages for the pictures are missing. Run: ${command}`);
  process.exit(1);
}
const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
for (const [config, SHIPWORM_BUNDLE] of [
  ['vite.electron.config.ts', 'main'],
  ['vite.electron.config.ts', 'preload'],
  ['vite.renderer.config.ts', ''],
]) {
  const env = { ...process.env, SHIPWORM_BUNDLE };
  if (!run(nodePath(), [vite, 'build', '--logLevel', 'error', '--config', config], { env }))
    process.exit(1);
}
become(nodePath(), [join(root, 'test', 'app', 'pictures.ts'), join(root, 'docs', 'pictures')]);
