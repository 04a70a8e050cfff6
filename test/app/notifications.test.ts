// Notifications in real Electron with a real notification daemon: a button answers at once, nobody else can press it, and what was answered elsewhere is taken away.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import dbus from 'dbus-next';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchApp } from './kit/app.ts';
import type { App } from './kit/app.ts';
import { asGuest, ended, openSession } from './kit/session.ts';
import type { Session } from './kit/session.ts';
import { soon } from './kit/soon.ts';
import { TrayHost } from './kit/tray-host.ts';

let session: Session;
let tray: TrayHost;
let app: App;
const opened: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function start(capabilities: readonly string[] | null): Promise<void> {
  session = await openSession();
  opened.push(() => session.close());
  tray = await TrayHost.open(session.bus, capabilities);
  opened.push(() => tray.close());
  const manager = spawn('openbox', [], { env: session.env, stdio: 'ignore' });
  opened.push(() => ended(manager));
}

async function startApp(): Promise<void> {
  app = await launchApp(session, { args: ['--demo', '--hidden'] });
  opened.push(() => app.close());
  await app.call('finishFirstRun', {});
  await hide();
}

/** What happens in the window needs no notification. */
const hide = (): Promise<void> =>
  app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.hide());
const visible = (): Promise<boolean> =>
  app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.isVisible());

/** Photos wants something that nobody has decided about; it was last told of a day ago. */
async function photosAsks(): Promise<void> {
  const path = '/opt/photos/photos';
  const change = (running: boolean): Promise<unknown> =>
    app.call('changeBuiltIn', { change: 'program', name: 'Photos', running });
  await change(false);
  for (const id of await asking()) await app.call('answer', { id, answer: 'never' });
  await app.call('forgetApp', { which: path }).catch(() => undefined);
  await app.electron.evaluate(() => {
    const { now } = Date;
    Date.now = () => now() + 86_400_000;
  });
  await change(true);
}
const asking = async (): Promise<string[]> =>
  (await app.call('questions', {})).filter(({ answered }) => !answered).map(({ id }) => id);
const photos = async (): Promise<unknown> =>
  (await app.call('apps', {})).find(({ name }) => name === 'photos');

describe('with a daemon that has buttons', () => {
  let chosen: string;
  /** A command of the guest's, on the session's bus. */
  const asked = (...words: string[]): Promise<string> => {
    const [command, ...rest] = [...asGuest(session.folder), ...words];
    const child = spawn(command!, rest, { env: session.env, stdio: ['ignore', 'pipe', 'ignore'] });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    return new Promise((resolve) => child.on('close', () => resolve(out.trim())));
  };
  const shown = async (): Promise<number> => Number(await asked('dunstctl', 'count', 'displayed'));
  /** Chooses a button as a person does, from the daemon's own menu. */
  const press = async (label: string): Promise<string> => {
    writeFileSync(chosen, label);
    writeFileSync(`${chosen}.offered`, '');
    await asked('dunstctl', 'context');
    const offered = (): string => readFileSync(`${chosen}.offered`, 'utf8');
    await soon(() => expect(offered()).toContain(label));
    return offered();
  };

  beforeAll(async () => {
    await start(null);
    chosen = join(session.folder, 'chosen');
    const menu = join(session.folder, 'menu');
    // It gets the buttons of all notifications, one a line, and prints the line of the one that it chose.
    writeFileSync(
      menu,
      `#!/bin/sh\ntee '${chosen}.offered' | grep -F "$(cat '${chosen}')" | head -1\n`,
    );
    chmodSync(menu, 0o755);
    for (const file of [chosen, `${chosen}.offered`]) {
      writeFileSync(file, '');
      chmodSync(file, 0o666);
    }
    const settings = join(session.folder, 'dunstrc');
    writeFileSync(
      settings,
      `[global]\ndmenu = ${menu}\nnotification_limit = 5\nidle_threshold = 0\n`,
    );
    const [command, ...words] = [...asGuest(session.folder), 'dunst', '-conf', settings];
    const daemon: ChildProcess = spawn(command, words, { env: session.env, stdio: 'inherit' });
    opened.push(() => ended(daemon));
    await soon(async () => expect(await asked('dunstctl', 'is-paused')).toBe('false'));
    await startApp();
  });
  afterAll(async () => {
    for (const close of opened.splice(0).reverse()) await close();
  });

  it('Allow lets the program through at once, and the notification goes', async () => {
    await photosAsks();
    await soon(async () => expect(await shown()).toBe(1));
    const offered = await press('#Allow');
    for (const label of ['Allow', 'Not now', 'Never']) expect(offered).toContain(`#${label}`);
    await soon(async () => {
      expect(await photos()).toMatchObject({ connectOut: true });
      const { programs } = await app.call('builtIn', {});
      expect(programs.find(({ name }) => name === 'Photos')!.received).toBeGreaterThan(0);
      expect(await shown()).toBe(0);
    });
    expect(await visible()).toBe(false);
  });

  it('what is answered elsewhere is taken away', async () => {
    await photosAsks();
    await soon(async () => expect(await shown()).toBe(1));
    const [id] = await asking();
    await app.call('answer', { id: id!, answer: 'never' });
    await soon(async () => expect(await shown()).toBe(0));
  });

  it('a click on it opens the window, and decides nothing', async () => {
    await photosAsks();
    await soon(async () => expect(await shown()).toBe(1));
    await asked('dunstctl', 'action', '0');
    await soon(async () => expect(await visible()).toBe(true));
    expect(await asking()).toHaveLength(1);
    expect(await photos()).toBeUndefined();
    await hide();
  });

  it('another program of the session can’t press a button', async () => {
    await photosAsks();
    await soon(async () => expect(await shown()).toBe(1));
    const bus = dbus.sessionBus({ busAddress: session.bus });
    try {
      const list = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus' };
      const names = await bus.call(
        new dbus.Message({ ...list, interface: 'org.freedesktop.DBus', member: 'ListNames' }),
      );
      const all = (names!.body[0] as string[]).filter((name) => name.startsWith(':'));
      expect(all.length).toBeGreaterThan(2);
      for (const destination of all)
        for (let id = 1; id < 20; id++)
          bus.send(
            new dbus.Message({
              ...{ type: dbus.MessageType.SIGNAL, destination, signature: 'us', body: [id, '0'] },
              path: '/org/freedesktop/Notifications',
              interface: 'org.freedesktop.Notifications',
              member: 'ActionInvoked',
            }),
          );
      // What comes after them has come after all of them.
      await bus.call(
        new dbus.Message({ ...list, interface: 'org.freedesktop.DBus', member: 'GetId' }),
      );
    } finally {
      bus.disconnect();
    }
    // The button itself works, and finds the question still open.
    await press('#Never');
    await soon(async () => {
      expect(await photos()).toMatchObject({ never: true });
      expect(await shown()).toBe(0);
    });
  });

  it('nothing is shown over a program that fills the screen, but once it is gone', async () => {
    const game = await app.electron.evaluateHandle(async ({ BrowserWindow }) => {
      const window = new BrowserWindow({ fullscreen: true, title: 'game' });
      await window.loadURL('about:blank').catch(() => undefined);
      window.focus();
      return window;
    });
    const active = async (): Promise<string> => {
      const id = /0x[1-9a-f]\w*/.exec(await asked('xprop', '-root', '_NET_ACTIVE_WINDOW'))?.[0];
      return id === undefined ? '' : asked('xprop', '-id', id, 'WM_NAME', '_NET_WM_STATE');
    };
    await soon(async () => expect(await active()).toContain('_NET_WM_STATE_FULLSCREEN'));
    await photosAsks();
    await soon(async () => {
      expect(await asking()).toHaveLength(1);
      expect((await tray.menu()).some(({ label }) => /asks?$/.test(label))).toBe(true);
    });
    expect(await shown()).toBe(0);
    await game.evaluate((window) => window.destroy());
    await photosAsks();
    await soon(async () => expect(await shown()).toBe(1));
  });
});

describe('with a daemon that has no buttons', () => {
  beforeAll(async () => {
    await start(['body']);
    await startApp();
  });

  it('it is told of all the same', async () => {
    await photosAsks();
    await soon(() => expect(tray.notified).toHaveLength(1));
    expect(tray.notified[0]).toMatchObject({
      title: 'photos wants to use the tunnel',
      actions: [],
    });
  });
});
