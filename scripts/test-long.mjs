// Does all set-up, runs the tests that are too long for every day, and ends with the line that counts them.
import { setup } from './setup.mjs';
import { finish, noLab, tests } from './testing.mjs';

setup();
const why = noLab(['lab', 'app', 'app-test', 'long']);
if (why) console.log(`The long tests are skipped: ${why}.`);
else tests(['long']);
finish();
