// The Settings screen in the real app: every single setting found, changed, refused with a sentence and reset; secrets and the address hook.
import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { settingsSchema } from '../../engine/service/settings-schema.ts';
import { en, ja } from '../../renderer/words/index.ts';
import { openApp } from './kit/app.ts';
import type { App } from './kit/app.ts';
import { soon } from './kit/soon.ts';

let app: App;
let file: string;
beforeAll(async () => {
  app = await openApp();
  await app.call('finishFirstRun', {});
  file = (await app.call('settings', {})).file;
  await app.page.locator('[data-screen="settings"]').click();
  await app.page.getByRole('radio', { name: en.settings.areas.tunnel }).click();
});
afterAll(() => app.close());

const stored = (): unknown => JSON.parse(readFileSync(file, 'utf8'));
const seek = (text: string): Promise<void> =>
  app.page.getByRole('searchbox', { name: en.common.search }).fill(text);

test('each setting is there, once, and is found by its name, a word of it, or its meaning', async () => {
  const { page } = app;
  const names = await page.locator('.origin code').allInnerTexts();
  const hidden = ['dnsUpdate', 'dnsKey', 'clientId', 'key'];
  expect([...names].sort()).toEqual(
    Object.keys(settingsSchema.shape)
      .filter((name) => !hidden.includes(name))
      .sort(),
  );
  for (const heading of [en.addressChange.title, en.single.groups.secure])
    await page.getByRole('heading', { name: heading }).waitFor();
  for (const words of ['birthday', 'strict routers', 'hundred packets']) {
    await seek(words);
    expect(await page.locator('.origin code').allInnerTexts()).toContain('birthdayProbing');
    expect(await page.locator('.origin code').count()).toBeLessThan(4);
  }
  await seek('no such thing');
  await page.getByText(en.single.none).waitFor();
  await seek('');
});

test('a number is typed, saved by Enter, said to count later, and reset', async () => {
  const { page } = app;
  const field = page.getByRole('textbox', { name: en.single.name.port });
  await field.fill('4545');
  await field.press('Enter');
  await page.getByText(en.single.savedRestart).first().waitFor();
  expect(stored()).toEqual({ port: 4545 });
  const reset = page.getByRole('button', {
    name: en.single.reset.replace('{{name}}', en.single.name.port),
  });
  await reset.click();
  await soon(() => expect(stored()).toEqual({}));
  await soon(async () => expect(await field.inputValue()).toBe('0'));
});

test('a value that does not fit is refused in a sentence, kept for mending, and nothing is written', async () => {
  const { page } = app;
  const field = page.getByRole('textbox', { name: en.single.name.refreshInterval });
  await field.fill('3');
  await field.press('Enter');
  await page.getByText('"refreshInterval" must be 5 to 120 seconds.').waitFor();
  expect(await field.inputValue()).toBe('3');
  expect(await field.getAttribute('aria-invalid')).toBe('true');
  expect(stored()).toEqual({});
  await app.call('setLanguage', { language: 'ja' });
  const same = page.getByRole('textbox', { name: ja.single.name.refreshInterval });
  await same.press('Enter');
  await page
    .getByText(ja.single.wrongNumber.replace('{{min}}', '5').replace('{{max}}', '120'))
    .waitFor();
  await app.call('setLanguage', { language: 'en' });
  await field.fill('45');
  await field.press('Enter');
  await soon(() => expect(stored()).toEqual({ refreshInterval: 45 }));
});

test('what opens this PC is asked about first', async () => {
  const { page } = app;
  const risk = page.getByRole('switch', { name: en.single.name.exposeAll });
  await risk.click();
  await page.getByRole('button', { name: en.single.risk }).waitFor();
  expect(stored()).not.toHaveProperty('exposeAll');
  await page.getByRole('button', { name: en.common.cancel }).click();
  await risk.click();
  await page.getByRole('button', { name: en.single.risk }).click();
  await soon(() => expect(stored()).toHaveProperty('exposeAll', true));
  await risk.click();
  await soon(() => expect(stored()).toHaveProperty('exposeAll', false));
});

test('the identity is taken whole or not at all, kept for the user alone, never shown, and forgotten', async () => {
  const { page } = app;
  await page.getByRole('button', { name: en.single.secret.change }).click();
  await page.getByLabel(en.single.name.clientId, { exact: true }).fill('home-1');
  const save = page.getByRole('button', { name: en.single.secret.save });
  await save.click();
  await page.getByText(en.single.secret.both).waitFor();
  const key = page.getByLabel(en.single.name.key, { exact: true });
  expect(await key.getAttribute('type')).toBe('password');
  await key.fill('between us two');
  await save.click();
  await page.getByText(en.single.secret.set).waitFor();
  expect(stored()).toMatchObject({ clientId: 'home-1', key: 'between us two' });
  expect(statSync(file).mode & 0o077).toBe(0);
  const { rows } = await app.call('settings', {});
  expect(rows.find(({ name }) => name === 'key')).toMatchObject({ value: true });
  await page.getByRole('button', { name: en.single.secret.forget }).click();
  await page.getByText(en.single.secret.unset).waitFor();
  expect(stored()).not.toHaveProperty('key');
});

test('what a new address sets off: a command with its words, a DNS record with its key', async () => {
  const { page } = app;
  const command = page.getByRole('textbox', { name: en.single.name.addressCommand });
  await command.fill('/usr/bin/logger "my address"');
  await command.press('Enter');
  await soon(() =>
    expect(stored()).toMatchObject({ addressCommand: ['/usr/bin/logger', 'my address'] }),
  );
  await page.getByRole('button', { name: en.addressChange.set }).click();
  const { part } = en.addressChange;
  for (const [label, text] of [
    [part.server, 'ns1.example.net'],
    [part.zone, 'example.net'],
    [part.name, 'home.example.org'],
    [part.keyName, 'home-key'],
  ] as const)
    await page.getByLabel(label, { exact: true }).fill(text);
  await page.getByLabel(en.single.name.dnsKey).fill('MDEyMzQ1Njc4OWFiY2RlZg==');
  const save = page.getByRole('button', { name: en.addressChange.save });
  await save.click();
  await page.getByText('home.example.org is not in the zone example.net').waitFor();
  await page.getByLabel(part.name, { exact: true }).fill('home.example.net');
  await save.click();
  await page.getByText('home.example.net follows your address; ns1.example.net is told.').waitFor();
  expect(stored()).toMatchObject({
    dnsUpdate: { server: 'ns1.example.net', name: 'home.example.net', keyName: 'home-key' },
    dnsKey: 'MDEyMzQ1Njc4OWFiY2RlZg==',
  });
  await page.getByRole('button', { name: en.addressChange.remove }).click();
  await soon(() => expect(stored()).not.toHaveProperty('dnsUpdate'));
  expect(stored()).not.toHaveProperty('dnsKey');
});
