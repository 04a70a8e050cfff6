// What the window writes to files and takes from them, in real Electron; only the dialogues that ask for a name are answered by the test.
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { en } from '../../renderer/words/index.ts';
import { openApp, outcome } from './kit/app.ts';
import type { App } from './kit/app.ts';

const WAIT = { timeout: 30_000, interval: 200 };

let app: App;
let home: string;
beforeAll(async () => {
  app = await openApp();
  await app.call('finishFirstRun', {});
  home = await app.electron.evaluate(({ app: main }) => main.getPath('home'));
});
afterAll(() => app.close());

/** From now on the person names this file, or (null) thinks better of it. */
async function names(path: string | null): Promise<void> {
  await app.electron.evaluate(({ dialog }, chosen) => {
    const canceled = chosen === null;
    dialog.showSaveDialog = () => Promise.resolve({ canceled, filePath: chosen ?? '' });
    const filePaths = chosen === null ? [] : [chosen];
    dialog.showOpenDialog = () => Promise.resolve({ canceled, filePaths });
  }, path);
}
const press = (region: string, button: string): Promise<void> =>
  app.page.getByRole('region', { name: region }).getByRole('button', { name: button }).click();
const told = (text: string): Promise<void> => app.page.getByText(text).first().waitFor();
const screen = (name: keyof typeof en.common.screens): Promise<void> =>
  app.page.getByRole('button', { name: en.common.screens[name], exact: true }).click();
const setting = async (name: string): Promise<unknown> =>
  (await app.call('settings', {})).rows.find((row) => row.name === name)!.value;

describe('settings', () => {
  beforeAll(() => screen('settings'));
  const file = (): string => join(home, 'settings.json');

  test('are saved for their owner alone, without what was never set', async () => {
    await app.call('setSettings', { values: { refreshInterval: 25, dnsKey: null } });
    await names(file());
    await press(en.settings.carry, en.settings.saveAs);
    await told('Saved as ~/settings.json.');
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toMatchObject({
      settings: { refreshInterval: 25 },
    });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  test('come back from the file', async () => {
    await app.call('setSettings', { values: { refreshInterval: null } });
    expect(await setting('refreshInterval')).not.toBe(25);
    await names(file());
    await press(en.settings.carry, en.settings.openFile);
    await vi.waitFor(
      async () =>
        expect(await app.page.locator('body').innerText()).toMatch(/The settings are taken/),
      WAIT,
    );
    const { document } = await app.call('exportSettings', {});
    expect(JSON.parse(document)).toEqual(JSON.parse(readFileSync(file(), 'utf8')));
  });

  test('that would open this PC are refused whole, until it is said once more', async () => {
    const before = (await app.call('exportSettings', {})).document;
    const opening = join(home, 'opening.json');
    const document = JSON.parse(before) as { settings: object };
    const settings = { ...document.settings, exposeAll: true };
    writeFileSync(opening, JSON.stringify({ ...document, settings }));
    await names(opening);
    await press(en.settings.carry, en.settings.openFile);
    await app.page
      .getByText(`~/opening.json would set: ${en.single.name.exposeAll}. That opens`)
      .waitFor();
    expect((await app.call('exportSettings', {})).document).toBe(before);
    // What was asked about is taken, and nobody is asked for a file again.
    await names(null);
    rmSync(opening);
    await press(en.settings.carry, en.settings.importAnyway);
    await vi.waitFor(
      async () =>
        expect(JSON.parse((await app.call('exportSettings', {})).document)).toMatchObject({
          settings: { exposeAll: true },
        }),
      WAIT,
    );
    await app.call('setSettings', { values: { exposeAll: null } });
  });

  test.each([
    ['a file that is not there', 'nothing.json', null, '~/nothing.json could not be read: it is'],
    ['a file of another kind', 'letter.json', 'Dear Ana', 'Not imported: it is no JSON'],
    ['another program’s settings', 'other.json', '{"settings":{"volume":11}}', 'Not imported: '],
  ])('%s is told, and changes nothing', async (_, name, content, said) => {
    const before = (await app.call('exportSettings', {})).document;
    const path = join(home, name);
    if (content !== null) writeFileSync(path, content);
    await names(path);
    const answer = await outcome(app.page, 'openSettings', {});
    expect(answer).toMatchObject({ ok: false });
    await press(en.settings.carry, en.settings.openFile);
    await told(said);
    expect((await app.call('exportSettings', {})).document).toBe(before);
  });
});

describe('whoever thinks better of it', () => {
  beforeEach(() => names(null));

  test('writes and takes nothing, and is told nothing', async () => {
    const before = readdirSync(home).sort();
    for (const what of ['log', 'flows', 'settings', 'report'] as const)
      expect(await app.call('save', { what })).toEqual({ path: null });
    expect(await app.call('openSettings', {})).toEqual({
      ...{ path: null, applied: [], needRestart: [] },
    });
    expect(await app.call('startCapture', {})).toEqual({ path: null });
    expect((await app.call('captureState', {})).running).toBe(false);
    expect(readdirSync(home).sort()).toEqual(before);
  });
});

describe('a place that can’t be written to', () => {
  const place = '/proc/shipworm.json';
  beforeEach(() => names(place));

  test.each(['log', 'flows', 'settings', 'report'] as const)('%s: says so', async (what) => {
    expect(await outcome(app.page, 'save', { what })).toMatchObject({
      ok: false,
      error: { code: 'file-unwritable', text: expect.stringContaining(place) as string },
    });
  });

  test('a capture says so, and another one can begin', async () => {
    expect(await outcome(app.page, 'startCapture', {})).toMatchObject({ ok: false });
    expect((await app.call('captureState', {})).running).toBe(false);
    const file = join(home, 'second.pcapng');
    await names(file);
    expect(await app.call('startCapture', {})).toEqual({ path: file });
    expect(await outcome(app.page, 'startCapture', {})).toMatchObject({ ok: false });
    await app.call('stopCapture', {});
    await vi.waitFor(
      async () => expect((await app.call('captureState', {})).running).toBe(false),
      WAIT,
    );
    expect(existsSync(file)).toBe(true);
  });
});

describe('Activity', () => {
  test.each([
    ['flows', 'flows'],
    ['log', 'log'],
  ] as const)('its %s go into a file of rows', async (what, view) => {
    const file = join(home, `${what}.json`);
    await names(file);
    await screen('activity');
    await vi.waitFor(
      async () => expect((await app.call('flows', {})).length).toBeGreaterThan(0),
      WAIT,
    );
    await app.page.getByRole('radio', { name: en.activity[view] }).click();
    await app.page.getByRole('button', { name: en.activity.save }).click();
    await told(`~/${what}.json`);
    const rows = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>[];
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(row).toHaveProperty(what === 'log' ? 'text' : 'verdict');
    expect(dirname(file)).toBe(home);
  });
});
