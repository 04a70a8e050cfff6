// The Built-in network screen, by its own controls: another router, a program that asks, a server that falls silent, blocked UDP and what the doctor says, a home that is pinged.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { en } from '../../renderer/words/index.ts';
import { openApp } from './kit/app.ts';
import type { App } from './kit/app.ts';
import { soon } from './kit/soon.ts';

let app: App;
beforeAll(async () => {
  app = await openApp();
  await app.call('finishFirstRun', {});
});
afterAll(() => app.close());

const words = en.builtIn;
const open = (screen: string): Promise<void> =>
  app.page.locator(`[data-screen="${screen}"]`).click();
const turn = async (name: string, on: boolean): Promise<void> => {
  await open('builtIn');
  const knob = app.page.getByRole('switch', { name, exact: true });
  await knob.click();
  await soon(async () => expect(await knob.isChecked()).toBe(on));
};
const heading = (text: string): Promise<void> =>
  app.page.getByRole('heading', { name: text }).waitFor({ timeout: 30_000 });

test('it says in the title, on every screen and on the Status screen that nothing here is real', async () => {
  const { page } = app;
  for (const screen of ['status', 'settings']) {
    await open(screen);
    await page.locator('.ribbon').getByText(en.common.screens.builtIn, { exact: true }).waitFor();
  }
  const title = await app.electron.evaluate(({ BrowserWindow }) =>
    BrowserWindow.getAllWindows()[0]!.getTitle(),
  );
  expect(title).toBe('Shipworm — built-in network');
});

test('behind another router it qualifies anew, and the Status screen names the kind', async () => {
  const { page } = app;
  await open('builtIn');
  await page
    .getByRole('radio', { name: words.speedOf.replace('{{speed}}', '10'), exact: true })
    .click();
  const router = page.getByRole('combobox', { name: words.router });
  expect(await router.locator('option').count()).toBe(Object.keys(words.kinds).length);
  await router.selectOption({ label: words.kinds.symmetric });
  await open('status');
  await heading(en.states.head.qualified);
  await page
    .getByText(/symmetric NAT/)
    .first()
    .waitFor({ timeout: 30_000 });
  await open('builtIn');
  await router.selectOption({ label: words.kinds.portRestricted });
  await open('status');
  await page
    .getByText(/restricted NAT/)
    .first()
    .waitFor({ timeout: 30_000 });
  await heading(en.states.head.qualified);
});

test('a program that is started asks, and counts as refused until then', async () => {
  const { page } = app;
  const name = words.runs.replace('{{name}}', 'Photos');
  await soon(async () => {
    const { programs } = await app.call('builtIn', {});
    expect(programs.find((each) => each.name === 'Photos')!.refused).toBeGreaterThan(0);
  });
  await turn(name, false);
  await turn(name, true);
  await open('applications');
  await page
    .getByRole('region', { name: en.applications.waiting })
    .getByText('photos')
    .first()
    .waitFor();
});

test('a home that is pinged shows how the way opened', async () => {
  const { page } = app;
  await open('builtIn');
  await page.getByRole('button', { name: words.ping.replace('{{name}}', 'Ben') }).click();
  await page.getByText(/ answered in .+ms\. /).waitFor({ timeout: 20_000 });
  await open('peers');
  const ben = (await app.call('builtIn', {})).hosts.find(({ name }) => name === 'Ben')!;
  const row = page.getByRole('row').filter({ hasText: ben.address!.slice(-9) });
  await row.first().waitFor();
});

test('a server that falls silent is said at the head, not that all is well, until it answers again', async () => {
  const { page } = app;
  await turn(words.fault.server, true);
  await open('status');
  await heading(en.states.head.silent);
  await page.getByText(en.states.state.silent, { exact: true }).waitFor();
  await page.getByRole('img', { name: /Router to server: no answer/ }).waitFor();
  await turn(words.fault.server, false);
  await open('status');
  await heading(en.states.head.qualified);
});

test('blocked UDP is found by the doctor, in one sentence', async () => {
  const { page } = app;
  await turn(words.fault.udp, true);
  await open('builtIn');
  await page
    .getByRole('combobox', { name: words.router })
    .selectOption({ label: words.kinds.linux });
  await open('status');
  await page.getByText(en.states.reason['no-answer']).waitFor({ timeout: 30_000 });
  await open('doctor');
  await page.getByRole('button', { name: en.doctor.look }).click();
  await page.getByText(en.doctor.verdict.prevented).waitFor({ timeout: 30_000 });
  const { verdict } = await app.call('doctor', {});
  expect(verdict.text).toMatch(/UDP/);
  await turn(words.fault.udp, false);
  await open('status');
  await heading(en.states.head.qualified);
});

test('when no program needs it any longer it falls asleep, and says so', async () => {
  await turn(words.runs.replace('{{name}}', 'Chess'), false);
  await open('status');
  await heading(en.states.head.dormant);
});
