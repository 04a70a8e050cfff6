// Does all set-up and runs the benchmarks; --quick takes under two minutes, all some 16.
import { installDebianPackages, nodePath, root, run, setup, toolEnvironment } from './setup.mjs';

setup();
const command = installDebianPackages(['lab']);
if (command) {
  console.error(`shipworm: the bench needs some Debian packages. Run: ${command}`);
  process.exit(1);
}
const args = ['test/bench/main.ts', ...process.argv.slice(2)];
const ran = run(nodePath(), args, { cwd: root, stdio: 'inherit', env: toolEnvironment() });
process.exitCode = ran ? 0 : 1;
