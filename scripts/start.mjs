// Does all set-up, then runs the desktop app where there is a display, and else the terminal client, both on the built-in network.
import { join } from 'node:path';
import { asOrdinaryUser, sessionOf } from './desktop-user.mjs';
import { electronRuntime } from './electron-runtime.mjs';
import { become, buildApp, installDebianPackages, root, setup, stop } from './setup.mjs';

const args = process.argv.slice(2);
setup();
const session = sessionOf(process.env);
if (!session) become(join(root, 'bin', 'shipworm'), ['demo', ...args]);
else {
  const command = installDebianPackages(['app']);
  if (command) stop(`libraries for the window are missing. Run: ${command}`);
  buildApp();
  try {
    const { executable } = electronRuntime();
    const { file, argv, env } = asOrdinaryUser(session, executable, [root, ...args]);
    become(file, argv, env);
  } catch (error) {
    stop(error.message);
  }
}
