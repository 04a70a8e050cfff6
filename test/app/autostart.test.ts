// The session starts the app by the entry that the Settings screen made: in the tray alone, with no window until it is asked for.
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { en } from '../../renderer/words/index.ts';
import { launchApp } from './kit/app.ts';
import { asGuest, openSession } from './kit/session.ts';
import type { Session } from './kit/session.ts';
import { soon } from './kit/soon.ts';
import { TrayHost } from './kit/tray-host.ts';

let session: Session;
let tray: TrayHost;
let entry: string;
const opened: (() => unknown)[] = [];
beforeAll(async () => {
  session = await openSession();
  opened.push(() => session.close());
  tray = await TrayHost.open(session.bus);
  opened.push(() => tray.close());
  entry = join(session.env['XDG_CONFIG_HOME']!, 'autostart', 'shipworm.desktop');
});
afterAll(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

const control = (): string => join(session.env['XDG_RUNTIME_DIR']!, 'shipworm', 'control.sock');
/** What X knows of the window; empty when there is none. */
const shown = (): string =>
  spawnSync('xwininfo', ['-display', session.display, '-name', 'Shipworm — built-in network'], {
    encoding: 'utf8',
  }).stdout;

it('the switch in the settings makes the entry', async () => {
  const app = await launchApp(session, { args: ['--demo'] });
  opened.push(() => app.close());
  await app.call('finishFirstRun', {});
  await app.page.locator('[data-screen="settings"]').click();
  const knob = app.page.getByRole('switch', { name: en.settings.autostart, exact: true });
  expect(await knob.isChecked()).toBe(false);
  await knob.click();
  await soon(async () => expect(await knob.isChecked()).toBe(true));
  expect(existsSync(entry)).toBe(true);
  await app.close();
  await soon(() => expect(existsSync(control())).toBe(false));
});

it('a session that starts what the entry says has the icon, and a window only when it is asked for', async () => {
  const before = tray.items.length;
  // The launcher of GLib, which desktops use.
  const [command, ...words] = [...asGuest(session.folder), 'gio', 'launch', entry];
  const launcher = spawn(command, words, { env: session.env, stdio: 'ignore' });
  await new Promise((resolve) => launcher.once('exit', resolve));
  opened.push(() => tray.click('Quit').catch(() => undefined));
  await soon(async () => {
    expect(tray.items.length).toBe(before + 1);
    expect(await tray.tip()).toMatch(/Shipworm: (Working|Asleep)/);
  });
  expect(shown()).toBe('');
  await tray.click('Open Shipworm');
  await soon(() => expect(shown()).toContain('IsViewable'));
  await tray.click('Quit').catch(() => undefined);
  await soon(() => expect(existsSync(control())).toBe(false));
});

it('an entry that the session’s own tools switched off counts as off', async () => {
  appendFileSync(entry, 'Hidden=true\n');
  const app = await launchApp(session);
  opened.push(() => app.close());
  await app.page.locator('[data-screen="settings"]').click();
  const knob = app.page.getByRole('switch', { name: en.settings.autostart, exact: true });
  expect(await knob.isChecked()).toBe(false);
  await knob.click();
  await soon(async () => expect(await knob.isChecked()).toBe(true));
  await knob.click();
  await soon(() => expect(existsSync(entry)).toBe(false));
});
