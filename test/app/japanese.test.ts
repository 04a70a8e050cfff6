// The window in Japanese, full and in trouble: no English sentence on any screen, in the doctor's findings, the log, or the invitation.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppResult } from '../../engine/service/bridge.ts';
import { SCREENS } from '../../renderer/app/store.ts';
import { ja } from '../../renderer/words/index.ts';
import { openApp, outcome } from './kit/app.ts';
import type { App } from './kit/app.ts';
import { soon } from './kit/soon.ts';

/** Four words in a row, as no name or command has them. */
const ENGLISH = /\b[A-Za-z’']+(?:,? [a-z’']+){3,}/g;

let app: App;
beforeAll(async () => {
  app = await openApp();
  await app.call('finishFirstRun', {});
  await app.call('setLanguage', { language: 'ja' });
  for (const { address } of (await app.call('builtIn', {})).hosts)
    if (address !== null) await app.call('ping', { address, timeoutMs: 3_000 });
});
afterAll(() => app.close());

const english = async (): Promise<string[]> => {
  const text = await app.page.locator('body').innerText();
  return [...text.matchAll(ENGLISH)].map(([found]) => found);
};
const open = (screen: string): Promise<void> =>
  app.page.locator(`[data-screen="${screen}"]`).click();
const look = async (): Promise<AppResult<'doctor'>> => {
  await open('doctor');
  const report = await app.call('doctor', {});
  await app.page.getByText(ja.doctor.again).waitFor();
  await soon(async () => expect(await app.page.locator('.check').count()).toBeGreaterThan(10));
  return report;
};

test.each(SCREENS)('%s', async (screen) => {
  await open(screen);
  expect(await english()).toEqual([]);
});

test('every single setting', async () => {
  await open('settings');
  await app.page.getByRole('radio', { name: ja.settings.areas.tunnel }).click();
  expect(await english()).toEqual([]);
});

test('what the doctor finds where all is well, and where UDP does not get out', async () => {
  await look();
  expect(await english()).toEqual([]);
  await app.call('changeBuiltIn', { change: 'fault', name: 'udp' });
  await app.call('changeBuiltIn', { change: 'speed', speed: 10 });
  await app.call('changeBuiltIn', { change: 'nat', kind: 'symmetric' });
  await soon(async () => expect((await app.call('status', {})).reason.code).toBe('no-answer'));
  const { verdict } = await look();
  expect(['prevented', 'unclear']).toContain(verdict.code);
  await app.page
    .getByText(ja.findings[verdict.code as 'prevented'])
    .first()
    .waitFor();
  expect(await english()).toEqual([]);
});

test('the log: state, router, servers and peers', async () => {
  await app.call('changeBuiltIn', { change: 'reset' });
  await open('activity');
  await app.page.getByRole('radio', { name: ja.activity.log }).click();
  const lines = app.page.locator('.table-space .table-row');
  await soon(async () => expect(await lines.count()).toBeGreaterThan(4));
  expect(await english()).toEqual([]);
});

test('the invitation', async () => {
  await open('knownPcs');
  await app.page.getByRole('button', { name: ja.knownPcs.invite }).click();
  await app.page.locator('.letter').waitFor();
  expect(await english()).toEqual([]);
});

test('what was refused, and why', async () => {
  const { page } = app;
  const told = async (text: string | RegExp): Promise<void> => {
    await page.locator('.toast').getByText(text).waitFor();
    expect(await english()).toEqual([]);
  };
  await open('applications');
  await page.getByRole('button', { name: ja.applications.allow }).click();
  await page.getByRole('textbox', { name: ja.applications.path }).fill('/no/such/program');
  await page.keyboard.press('Enter');
  await told(/\/no\/such\/program がないか/);
  await open('knownPcs');
  await page.getByRole('button', { name: ja.knownPcs.add }).click();
  await page.getByRole('textbox', { name: ja.knownPcs.name }).fill('Ana');
  await page.getByRole('textbox', { name: ja.knownPcs.target }).fill('ff02::1');
  await page.keyboard.press('Enter');
  await told(/ff02::1 はインターネット上の PC の/);
  for (const [name, params] of [
    ['runHook', {}],
    ['forgetApp', { which: 'nobody' }],
    ['answer', { id: 'gone', answer: 'allow' }],
    ['removeServer', { name: 'nowhere.example' }],
    ['updatePc', { name: 'Ben' }],
  ] as const) {
    const answer = await outcome(app.page, name, params as never);
    expect(answer).toMatchObject({ ok: false });
    if (!answer.ok) expect(Object.keys(ja.failures.code)).toContain(answer.error.code);
    if (!answer.ok) expect(answer.error.code).not.toBe('failed');
  }
  await app.call('chooseNetwork', { kind: 'real', server: '192.0.2.1' });
  await open('status');
  await page.getByRole('heading', { name: ja.states.head.failed }).waitFor();
  expect(await english()).toEqual([]);
});
