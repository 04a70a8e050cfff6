// The identity of secure qualification in the real app, with a real keychain: kept there and not in the file, and asked for by the keychain's own prompt.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { en } from '../../renderer/words/index.ts';
import { launchApp } from './kit/app.ts';
import type { App } from './kit/app.ts';
import { Keyring } from './kit/keyring.ts';
import { openSession } from './kit/session.ts';
import type { Session } from './kit/session.ts';
import { soon } from './kit/soon.ts';

let session: Session;
let keyring: Keyring;
let app: App;
const { secret } = en.single;

beforeAll(async () => {
  session = await openSession();
  keyring = await Keyring.open(session);
  await openTunnelSettings();
});
afterAll(async () => {
  await app.close();
  await keyring.close();
  await session.close();
});

async function openTunnelSettings(): Promise<void> {
  app = await launchApp(session, { args: ['--demo'] });
  await app.call('finishFirstRun', {});
  await app.page.locator('[data-screen="settings"]').click();
  await app.page.getByRole('radio', { name: en.settings.areas.tunnel }).click();
}

test('what is entered goes to the keychain, the screen says so, and no file has it', async () => {
  const { page } = app;
  await page.getByText(secret.would.keychain).waitFor();
  await page.getByRole('button', { name: secret.change }).click();
  await page.getByLabel(en.single.name.clientId, { exact: true }).fill('home-1');
  await page.getByLabel(en.single.name.key, { exact: true }).fill('between us two');
  await page.getByRole('button', { name: secret.save }).click();
  await page.getByText(secret.place.keychain).waitFor();
  const kept = JSON.parse((await keyring.kept())!) as unknown;
  expect(kept).toEqual({ clientId: 'home-1', key: 'between us two' });
  const { file } = await app.call('settings', {});
  expect(readFileSync(file, 'utf8')).not.toMatch(/home-1|between us two/);
});

test('locked it is not in use until a person unlocks it and says so; forgotten it is gone', async () => {
  await app.close();
  await keyring.lock();
  await openTunnelSettings();
  const { page } = app;
  await page.getByText(secret.place.locked).waitFor();
  // Nobody shows its prompt here: it stays as it is, and may be tried again.
  const unlock = page.getByRole('button', { name: secret.unlock });
  await unlock.click();
  await soon(async () => expect(await unlock.isEnabled()).toBe(true));
  await page.getByText(secret.place.locked).waitFor();
  await keyring.unlock();
  await unlock.click();
  await page.getByText(secret.place.keychain).waitFor();
  await page.getByRole('button', { name: secret.forget }).click();
  await page.getByText(secret.unset).waitFor();
  expect(await keyring.kept()).toBeNull();
});
