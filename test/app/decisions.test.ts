// What a person decides in the window holds at once: a program that asks is allowed, reined in, and forgotten again; the tunnel is paused and resumed.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { en } from '../../renderer/words/index.ts';
import { openApp } from './kit/app.ts';
import type { App } from './kit/app.ts';

const WAIT = { timeout: 30_000, interval: 200 };

let app: App;
beforeAll(async () => {
  app = await openApp();
  await app.call('finishFirstRun', {});
  await app.call('changeBuiltIn', { change: 'speed', speed: 5 });
});
afterAll(() => app.close());

/** The next dialogue that asks where to is answered with a file of that name. */
function saveAs(name: string): Promise<string> {
  return app.electron.evaluate(({ app: main, dialog }, wanted) => {
    const filePath = `${main.getPath('home')}/${wanted}`;
    dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath });
    return filePath;
  }, name);
}

async function photos(): Promise<{ received: number; refused: number }> {
  const { programs } = await app.call('builtIn', {});
  return programs.find(({ name }) => name === 'Photos')!;
}

test('a program that asks waits in the list, and one press lets it through', async () => {
  const { page } = app;
  await page.getByRole('button', { name: en.common.screens.applications }).click();
  const waiting = page.getByRole('region', { name: en.applications.waiting });
  await waiting.getByText('photos').first().waitFor({ timeout: 20_000 });
  expect(await photos()).toMatchObject({ received: 0 });
  await waiting.getByRole('button', { name: en.applications.answerAllow, exact: true }).click();
  await page
    .getByRole('region', { name: en.applications.rules })
    .getByText('photos', { exact: true })
    .waitFor();
  await waiting.waitFor({ state: 'hidden' });
  await vi.waitFor(async () => expect((await photos()).received).toBeGreaterThan(0), WAIT);
});

test('its switch stops it at once, and undo lets it go on', async () => {
  const { page } = app;
  const out = page.getByRole('switch', { name: 'photos may connect out' });
  await out.click();
  await page.getByText('Changed photos.').waitFor();
  await vi.waitFor(async () => expect(await out.isChecked()).toBe(false), WAIT);
  const before = await photos();
  await vi.waitFor(
    async () => expect((await photos()).refused).toBeGreaterThan(before.refused),
    WAIT,
  );
  expect((await photos()).received - before.received).toBeLessThanOrEqual(1);
  await page.getByRole('button', { name: en.common.undo }).click();
  await vi.waitFor(async () => expect(await out.isChecked()).toBe(true), WAIT);
});

test('what was decided can be forgotten', async () => {
  const { page } = app;
  await page.getByRole('button', { name: 'More about photos' }).click();
  await page.getByRole('menuitem', { name: en.applications.forget }).click();
  await page.getByText('Forgot photos.').waitFor();
  expect((await app.call('apps', {})).map(({ name }) => name)).not.toContain('photos');
});

test('a pause is told, nobody passes meanwhile, and resuming needs one press', async () => {
  const { page } = app;
  await page.getByRole('button', { name: en.common.screens.status }).click();
  await page.getByRole('button', { name: en.status.pause }).click();
  await page.getByRole('menuitem', { name: en.status.pauseOpen }).click();
  await page.getByRole('heading', { name: en.states.head.paused }).waitFor();
  expect((await app.call('status', {})).reason.code).toBe('paused');
  await page.getByRole('button', { name: en.status.resume }).click();
  await page.getByRole('heading', { name: en.states.head.paused }).waitFor({ state: 'hidden' });
  expect((await app.call('status', {})).reason.code).not.toBe('paused');
});

test('the next server takes over at one press', async () => {
  const { page } = app;
  await app.call('ping', { address: '2001:db8::80', timeoutMs: 10_000 });
  const before = (await app.call('status', {})).server;
  await page.getByRole('button', { name: en.common.screens.servers }).click();
  await page.getByRole('button', { name: en.servers.next }).click();
  await page.getByText('teredo-2.example serves you now.').waitFor({ timeout: 20_000 });
  expect((await app.call('status', {})).server).not.toBe(before);
  await page.getByRole('button', { name: en.common.screens.status }).click();
});

test('servers are asked at one press, and a server is kept on a list of one’s own until it is removed', async () => {
  const { page } = app;
  await page.getByRole('button', { name: en.common.screens.servers }).click();
  await page.getByRole('button', { name: en.servers.askAll }).click();
  const set = page.getByRole('region', { name: en.servers.from.settings });
  await vi.waitFor(
    async () => expect(await set.getByText(en.servers.code.answers).count()).toBe(2),
    WAIT,
  );
  const own = page.getByRole('region', { name: en.servers.from.own });
  await own.getByRole('textbox', { name: en.settings.server }).fill('teredo.example.org');
  await page.keyboard.press('Enter');
  await page.getByText('Added teredo.example.org.').waitFor();
  await own.getByText(en.servers.code['not-asked']).waitFor();
  await own.getByRole('button', { name: 'Remove teredo.example.org' }).click();
  await own.getByText(en.servers.ownNone).waitFor();
});

test('one’s own server and relay are looked at from here, and the last look stays', async () => {
  const { page } = app;
  await page.getByRole('button', { name: en.common.screens.servers }).click();
  const own = page.getByRole('region', { name: en.servers.own.title });
  const field = (name: 'server' | 'relay' | 'native') =>
    own.getByRole('textbox', { name: en.servers.own[name], exact: true });
  const look = own.getByRole('button', { name: en.servers.own.look });
  await field('server').fill('teredo-1.example');
  await field('relay').fill('192.0.2');
  await own.getByText(en.servers.own.relayWrong).waitFor();
  expect(await look.isDisabled()).toBe(true);
  await field('relay').fill('192.0.2.66');
  await field('native').fill('website.example');
  await look.click();
  await own.getByText(en.servers.own.verdict.works).waitFor({ timeout: 60_000 });
  const relay = page.getByRole('region', { name: en.servers.own.ofRelay });
  await relay.getByText(/^192\.0\.2\.66:\d+ brought the answer: it is yours\.$/).waitFor();
  await page.getByRole('button', { name: en.common.screens.status }).click();
  await page.getByRole('button', { name: en.common.screens.servers }).click();
  await own.getByText(en.servers.own.verdict.works).waitFor();
  expect(await field('native').inputValue()).toBe('website.example');
});

test('another home gets a name, is tested at once, renamed, forgotten, and had back', async () => {
  const { page } = app;
  const { hosts } = await app.call('builtIn', {});
  const ana = hosts.find(({ name }) => name === 'Ana')!.address!;
  await page.getByRole('button', { name: en.common.screens.knownPcs }).click();
  await page.getByRole('button', { name: en.knownPcs.add }).click();
  await page.getByRole('textbox', { name: en.knownPcs.name }).fill('Ana’s PC');
  await page.getByRole('textbox', { name: en.knownPcs.target }).fill(ana);
  await page.keyboard.press('Enter');
  const list = page.getByRole('region', { name: en.knownPcs.list });
  await list.getByText(/^Answered in .+ bubbles/).waitFor({ timeout: 20_000 });
  await page.getByRole('button', { name: 'More about Ana’s PC' }).click();
  await page.getByRole('menuitem', { name: en.knownPcs.edit }).click();
  await list.getByRole('textbox', { name: en.knownPcs.name }).fill('The other home');
  await list.getByRole('button', { name: en.common.save }).click();
  await page.getByText('Changed The other home.').waitFor();
  expect(await app.call('pcs', {})).toMatchObject([{ name: 'The other home', address: ana }]);
  await page.getByRole('button', { name: 'More about The other home' }).click();
  await page.getByRole('menuitem', { name: en.knownPcs.forget }).click();
  await list.getByText(en.knownPcs.none).waitFor();
  await page.getByRole('button', { name: en.common.undo }).click();
  await list.getByText('The other home').waitFor();
});

test('a home whose address has changed is offered the new one, and one press takes it', async () => {
  const { page } = app;
  const { hosts } = await app.call('builtIn', {});
  const ana = hosts.find(({ name }) => name === 'Ana')!.address!;
  await app.call('setPc', {
    name: 'Moved',
    target: ana.replace(/:[^:]+(?=(:[^:]+){2}$)/, ':1234'),
  });
  await page.getByRole('button', { name: en.common.screens.knownPcs }).click();
  const row = page.getByRole('listitem').filter({ hasText: 'Moved' });
  await row.getByRole('button', { name: 'Test now: Moved' }).click();
  await row.getByText(en.knownPcs.offer['peer-moved']).waitFor({ timeout: 20_000 });
  await row.getByRole('button', { name: en.knownPcs.take }).click();
  await page.getByText('Moved has its new address.').waitFor();
  const moved = (await app.call('pcs', {})).find(({ name }) => name === 'Moved');
  expect(moved).toMatchObject({ address: ana, target: ana, offer: null });
  await app.call('forgetPc', { name: 'Moved' });
});

test('an invitation holds the address and goes into the clipboard', async () => {
  const { page } = app;
  await page.getByRole('button', { name: en.knownPcs.invite }).click();
  await page.getByRole('button', { name: en.knownPcs.copyInvitation }).click();
  const { address } = await app.call('status', {});
  await vi.waitFor(async () => {
    const copied = await app.electron.evaluate(({ clipboard }) => clipboard.readText());
    expect(copied).toContain(address);
  }, WAIT);
});

test('a problem report is read before it is saved, and holds no address', async () => {
  const { page } = app;
  const { address } = await app.call('status', {});
  await page.getByRole('button', { name: en.common.screens.settings }).click();
  await page.getByRole('button', { name: en.settings.reportShow }).click();
  const text = await page.locator('.report').innerText();
  expect(text.length).toBeGreaterThan(200);
  expect(text).not.toContain(address);
  const file = await saveAs('report');
  const trouble = page.getByRole('region', { name: en.settings.trouble });
  await trouble.getByRole('button', { name: en.settings.saveAs }).click();
  await page.getByText('Saved as ~/report.').waitFor();
  expect(readFileSync(file, 'utf8')).toContain(text.slice(0, 40));
});

test('packets are recorded into a file of the kind that Wireshark reads', async () => {
  const { page } = app;
  const file = await saveAs('packets');
  await page.getByRole('button', { name: en.settings.captureStart }).click();
  await page.getByRole('menuitem', { name: en.settings.captureOuter }).click();
  const stop = page.getByRole('button', { name: en.settings.captureStop });
  await stop.waitFor();
  await app.call('ping', { address: '2001:db8::80', timeoutMs: 10_000 });
  await page.getByText(/^Recording: \d+ packets?,/).waitFor();
  await stop.click();
  await page.getByRole('button', { name: en.settings.captureStart }).waitFor();
  // The section header block of pcapng.
  const begin = readFileSync(file).subarray(0, 4);
  expect([...begin]).toEqual([0x0a, 0x0d, 0x0d, 0x0a]);
});

test('a failure is shown at its link, and the way to the doctor stands beside it', async () => {
  const { page } = app;
  await app.call('changeBuiltIn', { change: 'fault', name: 'udp' });
  await app.call('changeBuiltIn', { change: 'nat', kind: 'cone' });
  await page.getByRole('button', { name: en.common.screens.status }).click();
  await page.getByText(en.states.reason['no-answer']).waitFor({ timeout: 30_000 });
  await page.getByRole('img', { name: /Router to server: no answer/ }).waitFor();
  await page.getByRole('button', { name: en.status.runDoctor }).click();
  await page.getByRole('button', { name: en.doctor.look }).click();
  await page.getByText(en.doctor.verdict.prevented).waitFor({ timeout: 30_000 });
});
