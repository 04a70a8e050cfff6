// Does all set-up, then runs the terminal client on the built-in network; arguments are passed on.
import { join } from 'node:path';
import { become, root, setup } from './setup.mjs';

setup();
become(join(root, 'bin', 'shipworm'), ['demo', ...process.argv.slice(2)]);
