// Does all set-up, then takes the pictures of the desktop app that the guide shows, in docs/pictures.
import { join } from 'node:path';
import { become, buildApp, installDebianPackages, nodePath, root, setup, stop } from './setup.mjs';

setup();
const command = installDebianPackages(['app', 'app-test', 'pictures']);
if (command) stop(`packages for the pictures are missing. Run: ${command}`);
buildApp();
become(nodePath(), [join(root, 'test', 'app', 'pictures.ts'), join(root, 'docs', 'pictures')]);
