// `npm start` as root on a desktop that is nobody's: the app runs as a guest with a session bus of its own, says what it is, and leaves nothing.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSession, ROOT } from './kit/session.ts';
import type { Session } from './kit/session.ts';
import { soon } from './kit/soon.ts';

let session: Session;
beforeAll(async () => {
  session = await openSession();
});
afterAll(() => session.close());

const guests = (): string[] =>
  readdirSync(tmpdir()).filter((name) => name.startsWith('shipworm-guest-'));

/** The session bus of what that user runs. Chromium writes its title over what it was given, its helpers do not. */
const busOf = (uid: number): string | undefined =>
  readdirSync('/proc')
    .filter(
      (each) =>
        /^\d+$/.test(each) && statSync(join('/proc', each), { throwIfNoEntry: false })?.uid === uid,
    )
    .map((each) => readFileSync(join('/proc', each, 'environ'), 'utf8'))
    .map((text) => /(?:^|\0)DBUS_SESSION_BUS_ADDRESS=([^\0]*)/.exec(text)?.[1])
    .find((each) => each !== undefined);

it.skipIf(process.getuid!() !== 0)(
  'shows its window, and ends with 0 when it is told to',
  async () => {
    const before = guests();
    const { DISPLAY, PATH } = session.env;
    const env = { DISPLAY, PATH, HOME: '/root', LANG: 'C.UTF-8' };
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
      const [home] = guests().filter((name) => !before.includes(name));
      const { uid } = statSync(join(tmpdir(), home!, 'run'));
      const address = busOf(uid);
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
    expect(guests()).toEqual(before);
  },
);
