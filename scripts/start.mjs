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
    // What the app says is for the terminal; what Chromium says of a system without a bus or a GPU is not.
    const { file, argv, env } = asOrdinaryUser(session, executable, [
      '--log-level=3',
      root,
      ...args,
    ]);
    become(file, argv, env);
  } catch (error) {
    stop(error.message);
  }
}
