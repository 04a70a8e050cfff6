// What the app makes of the desktop's panel, in real Electron: with no tray nothing strands it, a tray that comes gets its icon, and the icon has the panel's colours.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import dbus from 'dbus-next';
import type { MessageBus } from 'dbus-next';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { en } from '../../renderer/words/index.ts';
import { launchApp, RUNTIME, wrapper } from './kit/app.ts';
import type { App } from './kit/app.ts';
import { ended, openSession, ROOT } from './kit/session.ts';
import type { Session } from './kit/session.ts';
import { soon } from './kit/soon.ts';
import { TrayHost } from './kit/tray-host.ts';

/** What stands between a person and the app while it is out of sight, ms: five seconds of the app's own, and a slow machine. */
const SIGHT_MS = 20_000;

let session: Session;
let app: App;
const opened: (() => unknown)[] = [];
const undo = async (): Promise<void> => {
  for (const close of opened.splice(0).reverse()) await close();
};
beforeAll(async () => {
  session = await openSession();
  opened.push(() => session.close());
  const manager = spawn('openbox', [], { env: session.env, stdio: 'ignore' });
  opened.push(() => ended(manager));
});
afterAll(undo);

const start = async (...args: string[]): Promise<void> => {
  app = await launchApp(session, { args: ['--demo', ...args] });
};
const control = (): string => join(session.env['XDG_RUNTIME_DIR']!, 'shipworm', 'control.sock');
const closeWindow = (): Promise<void> =>
  app.electron
    .evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close())
    // It may be gone before it answers.
    .catch(() => undefined);
const windowIs = (state: 'isVisible' | 'isMinimized'): Promise<boolean> =>
  app.electron.evaluate(
    ({ BrowserWindow }, name) => BrowserWindow.getAllWindows()[0]![name](),
    state,
  );
const note = (): Promise<number> => app.page.getByText(en.common.noTray).count();

/** The portal that says whether the desktop's windows are to be dark (XDG Desktop Portal, "Settings"). */
class Portal extends dbus.interface.Interface {
  scheme = 0;
  constructor() {
    super('org.freedesktop.portal.Settings');
  }
  Read(): InstanceType<typeof dbus.Variant> {
    return new dbus.Variant('v', new dbus.Variant('u', this.scheme));
  }
  SettingChanged(): unknown[] {
    const value = new dbus.Variant('u', this.scheme);
    return ['org.freedesktop.appearance', 'color-scheme', value];
  }
}
Portal.configureMembers({
  methods: { Read: { inSignature: 'ss', outSignature: 'v' } },
  signals: { SettingChanged: { signature: 'ssv' } },
});

it('without a tray the window says what closing it does, and closing it ends the app whole', async () => {
  await start();
  await app.call('finishFirstRun', {});
  await soon(async () => expect(await note()).toBe(1));
  const process = app.electron.process();
  const gone = new Promise((resolve) => process.once('exit', resolve));
  await closeWindow();
  expect(await gone).toBe(0);
  await soon(() => expect(existsSync(control())).toBe(false));
});

it('without a tray a start that shows no window puts it among the others, and a second start brings it up', async () => {
  await start('--hidden');
  await soon(async () => expect(await windowIs('isMinimized')).toBe(true), SIGHT_MS);
  const [command, ...words] = [
    wrapper(session, RUNTIME.executable),
    ...['--disable-gpu', ROOT, '--demo'],
  ];
  const second = spawn(command, words, { env: session.env, stdio: 'ignore' });
  await new Promise((resolve) => second.once('exit', resolve));
  await soon(async () => {
    expect(await windowIs('isMinimized')).toBe(false);
    expect(await windowIs('isVisible')).toBe(true);
  });
});

it('a tray that comes later gets the icon, and closing the window goes there; one that goes is missed', async () => {
  const tray = await TrayHost.open(session.bus, null);
  opened.push(() => tray.close());
  await soon(async () => {
    expect(tray.items).toHaveLength(1);
    expect((await tray.menu()).map(({ label }) => label)).toContain('Quit');
    expect(await note()).toBe(0);
  });
  await closeWindow();
  await soon(async () => expect(await windowIs('isVisible')).toBe(false));
  expect(existsSync(control())).toBe(true);
  tray.close();
  await soon(async () => expect(await windowIs('isMinimized')).toBe(true), SIGHT_MS);
});

it('an older tray, which has icons as windows, is a tray, too', async () => {
  const old = spawn('trayer', ['--edge', 'bottom', '--widthtype', 'request'], {
    env: session.env,
    stdio: 'ignore',
  });
  opened.push(() => ended(old));
  await soon(() => {
    const tree = spawnSync('xwininfo', ['-display', session.display, '-root', '-tree'], {
      encoding: 'utf8',
    }).stdout;
    const panel = tree.slice(tree.indexOf('("panel" "trayer")'));
    expect(panel).toMatch(/^ +0x\w+ "electron"/m);
  });
  await app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.show());
  await soon(async () => expect(await note()).toBe(0));
  await closeWindow();
  await soon(async () => expect(await windowIs('isVisible')).toBe(false));
  expect(existsSync(control())).toBe(true);
});

it('the icon is light on a dark panel and dark on a light one, whatever the app’s own theme is', async () => {
  const tray = await TrayHost.open(session.bus, null);
  opened.push(() => tray.close());
  const bus: MessageBus = dbus.sessionBus({ busAddress: session.bus });
  opened.push(() => bus.disconnect());
  const portal = new Portal();
  bus.export('/org/freedesktop/portal/desktop', portal);
  await bus.requestName('org.freedesktop.portal.Desktop', 0);
  const says = (scheme: number): void => {
    portal.scheme = scheme;
    portal.SettingChanged();
  };
  /** The mean of the icon's opaque pixels, 0 to 255. */
  const brightness = async (): Promise<number> => {
    const { bytes } = await tray.icon();
    const pixels = Array.from({ length: bytes.length / 4 }, (_, i) =>
      bytes.subarray(4 * i, 4 * i + 4),
    );
    const drawn = pixels
      .filter(([alpha]) => alpha === 255)
      .map(([, r, g, b]) => (r! + g! + b!) / 3);
    return drawn.reduce((sum, each) => sum + each, 0) / drawn.length;
  };
  for (const theme of ['light', 'dark'] as const) {
    await app.call('setTheme', { theme });
    says(1);
    await soon(async () => expect(await brightness()).toBeGreaterThan(140));
    says(2);
    await soon(async () => expect(await brightness()).toBeLessThan(110));
  }
});
