// Does all set-up, runs every check and every test, and ends with the line that counts them.
import { join } from 'node:path';
import { installDebianPackages, root, setup } from './setup.mjs';
import { check, finish, modules, noApp, noLab, tests } from './testing.mjs';

setup();
check('prettier', [
  join(modules, 'prettier', 'bin', 'prettier.cjs'),
  '--check',
  '--log-level=warn',
  '.',
]);
check('eslint', [join(modules, 'eslint', 'bin', 'eslint.js'), '--max-warnings=0', '.']);
check('types', [join(modules, 'typescript', 'bin', 'tsc'), '-p', '.']);
check('types of the window', [join(modules, 'typescript', 'bin', 'tsc'), '-p', 'renderer']);
check('types of the stand-in runtime', [
  join(modules, 'typescript', 'bin', 'tsc'),
  ...['-p', join('electron', 'tsconfig.electron25.json')],
]);
for (const part of ['renderer', 'app'])
  check(`types of test/${part}`, [
    join(modules, 'typescript', 'bin', 'tsc'),
    ...['-p', join('test', part)],
  ]);
check('rooms', [join(root, 'scripts', 'check-rooms.mjs')]);
tests(['unit', 'renderer', 'sim']);
const clang = installDebianPackages(['fuzz']);
if (clang) console.log(`Fuzzing is skipped: it needs clang; run: ${clang}`);
else tests(['fuzz']);
const why = noLab();
if (why) console.log(`Lab tests are skipped: ${why}.`);
else tests(['lab', 'lab-alone']);
const whyNot = noApp();
if (whyNot) console.log(`Tests of the desktop app are skipped: ${whyNot}.`);
else tests(['app']);

finish();
