// `npm start` as root on a desktop that is nobody's: the app runs as a guest with a session bus of its own, says what it is, and leaves nothing.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSession, ROOT } from './kit/session.ts';
import type { Session } from './kit/session.ts';
import { soon } from './kit/soon.ts';

let session: Session;
/** A /tmp of this run's own. */
let temporary: string;
beforeAll(async () => {
  session = await openSession();
  temporary = join(session.folder, 'tmp');
  mkdirSync(temporary);
  chmodSync(temporary, 0o1777);
});
afterAll(() => session.close());

const guests = (): string[] =>
  readdirSync(temporary).filter((name) => name.startsWith('shipworm-guest-'));

/** What `pid` was given; nothing once it has ended. */
function environmentOf(pid: string): string {
  try {
    return readFileSync(join('/proc', pid, 'environ'), 'utf8');
  } catch {
    return '';
  }
}

/** The session bus of what runs with the home `home`. Chromium writes its title over what it was given, its helpers do not. */
const busOf = (home: string): string | undefined =>
  readdirSync('/proc')
    .filter((each) => /^\d+$/.test(each))
    .map(environmentOf)
    .filter((text) => text.includes(`\0HOME=${home}/home\0`) || text.startsWith(`HOME=${home}/`))
    .map((text) => /(?:^|\0)DBUS_SESSION_BUS_ADDRESS=([^\0]*)/.exec(text)?.[1])
    .find((each) => each !== undefined);

it.skipIf(process.getuid!() !== 0)(
  'shows its window, and ends with 0 when it is told to',
  async () => {
    const { DISPLAY, PATH } = session.env;
    const env = { DISPLAY, PATH, HOME: '/root', LANG: 'C.UTF-8', TMPDIR: temporary };
    const app = spawn(process.execPath, [join(ROOT, 'scripts', 'start.mjs')], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    app.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    try {
      await soon(() => {
        const title = ['-name', 'Shipworm — built-in network'];
        const { stdout } = spawnSync('xwininfo', ['-display', DISPLAY!, ...title], {
          encoding: 'utf8',
        });
        expect(stdout).toContain('IsViewable');
      }, 40_000);
      await soon(() => expect(said).toContain('Qualified: 2001:0:'));
      expect(said).toContain('the app runs as a guest');
      expect(said).not.toMatch(/ERROR|dbus/);
      // Its bus let it in.
      const home = join(temporary, guests()[0]!);
      const { uid } = statSync(join(home, 'run'));
      const address = busOf(home);
      const guest = String(uid);
      const names = spawnSync(
        'setpriv',
        [
          ...['--reuid', guest, '--regid', guest, '--clear-groups'],
          ...[
            'dbus-send',
            `--bus=${address ?? ''}`,
            '--print-reply',
            '--dest=org.freedesktop.DBus',
          ],
          ...['/', 'org.freedesktop.DBus.ListNames'],
        ],
        { encoding: 'utf8' },
      ).stdout;
      // One is the asker's own.
      expect(new Set(names.match(/:1\.\d+/g)).size).toBeGreaterThan(1);
    } finally {
      app.kill('SIGTERM');
      await soon(() => expect(app.exitCode).not.toBeNull());
    }
    expect(app.exitCode).toBe(0);
    expect(guests()).toEqual([]);
  },
);
