// The app on a real network, as an ordinary user has it: the one elevation by a real polkit, then the real adapter, helper and server; the switch on the Applications screen is what makes curl pass or fail.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { en } from '../../renderer/words/index.ts';
import { Lab, NATIVE, noLab, SERVER } from '../lab/kit/lab.ts';
import {
  leavesNothing,
  QUALIFIED_MS,
  SLOW,
  startMiredoRelay,
  startMiredoServer,
} from '../lab/kit/programs.ts';
import { startWebServer, WEB_PAGE } from '../lab/kit/traffic.ts';
import { launchApp, outcome } from './kit/app.ts';
import type { App } from './kit/app.ts';
import { openGateway } from './kit/gateway.ts';
import type { Gateway } from './kit/gateway.ts';
import { Machine } from './kit/machine.ts';
import { GUEST, openSession, ROOT } from './kit/session.ts';
import { soon } from './kit/soon.ts';
import { TrayHost } from './kit/tray-host.ts';

const reason =
  noLab() ?? (existsSync('/usr/sbin/miredo-server') ? null : 'miredo-server is not installed');
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** What curl says when it was not let through: the kernel gave its connection back. */
const REFUSED = /^7: .*(Permission denied|Failed to connect|Couldn't connect)/;
const HELPER = '/usr/lib/shipworm/shipworm-helper';
const ACTION = '/usr/share/polkit-1/actions/org.shipworm.helper.policy';

describe.skipIf(reason !== null)('on a real network', () => {
  let lab: Lab;
  let machine: Machine;
  let gateway: Gateway;
  let app: App;
  /** What runs there besides the app. */
  let staying: number[];
  const opened: (() => unknown)[] = [];
  beforeAll(async () => {
    lab = new Lab();
    opened.push(() => lab.close());
    const session = await openSession();
    opened.push(() => session.close());
    // Without a tray a hidden window would come back by itself.
    const tray = await TrayHost.open(session.bus);
    opened.push(() => tray.close());
    [machine] = await Promise.all([
      Machine.open(session, lab.home1.space),
      startMiredoServer(lab),
      startMiredoRelay(lab),
      startWebServer(lab, lab.native, NATIVE),
    ]);
    opened.push(() => machine.close());
    gateway = await openGateway(session.folder, machine.session.enter!);
    opened.push(() => gateway.close());
    staying = machine.run('ip', 'netns', 'pids', lab.home1.space).split('\n').map(Number);
    expect(staying.length).toBeGreaterThan(0);
    app = await launchApp(machine.session, { ports: gateway.ports });
  });
  afterAll(async () => {
    await app.close().catch(() => undefined);
    for (const close of opened.splice(0).reverse()) await close();
  });

  const press = (name: string): Promise<void> =>
    app.page.getByRole('button', { name, exact: true }).click();
  /** What the guest's curl says, or that it got the page. */
  const fetch = async (): Promise<string> => {
    const { code, out, err } = await lab.run(lab.home1.space, 'setpriv', [
      ...['--reuid', String(GUEST), '--regid', String(GUEST), '--clear-groups'],
      ...['curl', '-sS', '-6', '-m', '20', `http://[${NATIVE}]/`],
    ]);
    return code === 0 && out === WEB_PAGE ? 'the page' : `${String(code)}: ${err}`;
  };

  it('the first run takes a server; a refused permission is said in one line, and nothing was changed', async () => {
    const { page } = app;
    await press(en.common.next);
    await page.getByRole('radio', { name: en.firstRun.given }).check();
    await page.getByRole('textbox', { name: en.settings.server }).fill(SERVER);
    await press(en.common.next);
    await page.getByRole('heading', { name: en.firstRun.admit }).waitFor();
    await press(en.firstRun.install);
    await page.getByText(en.firstRun.admitRefused).waitFor();
    expect(machine.run('ls', '/usr/lib/shipworm')).toBe('');
    const result = await app.call('installHelper', {});
    expect(result.state).toBe('refused');
    expect(result.text).toMatch(
      /^The helper was not installed \(.+\)\. The built-in network works/,
    );
  });

  it('when it is allowed, the helper is root’s and the very one that came along, with its own action', async () => {
    machine.permit('org.freedesktop.policykit.exec', 'org.shipworm.helper.run');
    await soon(async () => {
      expect(await app.call('installHelper', {})).toEqual({
        state: 'installed',
        text: 'The helper is installed.',
      });
    });
    const helper = readFileSync(join(ROOT, 'build', 'native', 'shipworm-helper'));
    const digest = createHash('sha256').update(helper).digest('hex');
    expect(machine.run('stat', '-c', '%u %a', HELPER)).toBe('0 755');
    expect(machine.run('sha256sum', HELPER)).toContain(digest);
    // polkit has read it, and knows the program as its own action's.
    await soon(() =>
      expect(
        machine.run('pkaction', '--verbose', '--action-id', 'org.shipworm.helper.run'),
      ).toContain(HELPER),
    );
    expect(existsSync(HELPER)).toBe(false);
    expect(existsSync(ACTION)).toBe(false);
  });

  it('then the app starts its helper by pkexec, and has an address of that server', async () => {
    await soon(async () => {
      const status = await app.call('status', {});
      expect(status.builtIn).toBe(false);
      expect(status.address).toMatch(/^2001:0:c000:201:/);
    }, QUALIFIED_MS);
    await press(en.firstRun.finish);
    await app.page.locator('[data-screen="applications"]').waitFor();
  });

  it('asleep, with its window hidden, nothing of the app’s own runs by itself', async () => {
    await app.call('setSettings', { values: { sleepAfter: 1 } });
    await soon(async () => expect((await app.call('status', {})).state).toBe('dormant'), 60_000);
    await app.call('setSettings', { values: { sleepAfter: null } });
    await app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.hide());
    /** The kinds of what ran in the app since the last time, but for the asking. */
    const ran = (): Promise<string[]> =>
      app.electron.evaluate<string[]>(`(() => {
        const before = globalThis.ran ?? [];
        if (!globalThis.ran) {
          const kinds = new Map();
          process.mainModule.require('node:async_hooks').createHook({
            init: (id, kind) => kinds.set(id, kind),
            before: (id) => globalThis.ran.push(kinds.get(id) ?? 'older'),
          }).enable();
        }
        globalThis.ran = [];
        return before.filter((kind) => kind !== 'PROMISE');
      })()`);
    await ran();
    const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    await soon(async () => {
      await ran();
      await wait(3_000);
      expect(await ran()).toEqual([]);
    }, 60_000);
    // It would have been seen.
    await app.electron.evaluate('void setTimeout(() => undefined, 100)');
    await soon(async () => expect(await ran()).toContain('Timeout'));
    await app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.show());
  });

  it('curl is refused and asks; the switch on the Applications screen lets it through, and stops it', async () => {
    const { page } = app;
    expect(await fetch()).toMatch(REFUSED);
    await page.locator('[data-screen="applications"]').click();
    const waiting = page.getByRole('region', { name: en.applications.waiting });
    await waiting.getByText('curl').first().waitFor();
    await waiting.getByRole('button', { name: en.applications.answerAllow, exact: true }).click();
    const out = page.getByRole('switch', { name: 'curl may connect out' });
    await out.waitFor();
    expect(await fetch()).toBe('the page');
    await out.click();
    await soon(async () => expect(await out.isChecked()).toBe(false));
    expect(await fetch()).toMatch(REFUSED);
    await out.click();
    await soon(async () => expect(await out.isChecked()).toBe(true));
    expect(await fetch()).toBe('the page');
  });

  it('a network that goes away is said, and one that comes back heals it', async () => {
    const { space, inside } = lab.home1;
    const gateway4 = inside.replace(/10$/, '1');
    const ip = (...args: string[]): Promise<unknown> => lab.run(space, 'ip', args);
    const reason = async (): Promise<string> => (await app.call('status', {})).reason.code;
    await ip('link', 'set', 'e0', 'down');
    await soon(async () => expect(await reason()).toBe('no-network'));
    await ip('link', 'set', 'e0', 'up');
    await ip('route', 'add', 'default', 'via', gateway4);
    await soon(async () => expect(await reason()).toBe('qualified'), QUALIFIED_MS * SLOW);
    expect(await fetch()).toBe('the page');
  });

  it('quitting leaves the machine as it was', async () => {
    const ended = new Promise((resolve) => app.electron.process().once('exit', resolve));
    await app.call('quit', {}).catch(() => undefined);
    expect(await ended).toBe(0);
    await leavesNothing(lab.home1, undefined, staying);
  });

  it('a start whose permission is refused says so in one line, and one press asks again', async () => {
    machine.permit();
    app = await launchApp(machine.session, { ports: gateway.ports });
    const { page } = app;
    await page.getByText(en.status.permissionRefused).waitFor();
    const answer = await outcome(page, 'status', {});
    expect(answer).toMatchObject({
      ok: false,
      error: {
        code: 'no-privilege',
        text: 'Shipworm was not allowed to make a network adapter. Allow it.',
      },
    });
    // The doctor looks all the same.
    await page.locator('[data-screen="doctor"]').click();
    await press(en.doctor.look);
    await page.getByText(en.doctor.verdict.ready).first().waitFor({ timeout: 30_000 });
    const { report } = await app.call('doctorState', {});
    expect(report).toMatchObject({ client: false, builtIn: false });
    const result = Object.fromEntries(report!.checks.map((each) => [each.code, each.result]));
    expect(result).toMatchObject({ helper: 'unknown', primary: 'good', secondary: 'good' });
    machine.permit('org.shipworm.helper.run');
    await page.locator('[data-screen="status"]').click();
    await press(en.status.askAgain);
    await soon(
      async () => expect((await app.call('status', {})).address).toMatch(/^2001:0:/),
      QUALIFIED_MS * SLOW,
    );
  });

  it('killed at one blow, it leaves the machine as it was', async () => {
    const ended = new Promise((resolve) => app.electron.process().once('exit', resolve));
    process.kill(app.pid, 'SIGKILL');
    await ended;
    await leavesNothing(lab.home1, undefined, staying);
  });

  it('with the helper as a service the next start is on the same network, and nobody is asked', async () => {
    const socket = join(machine.session.folder, 'helper.sock');
    machine.permit();
    const service = machine.start(HELPER, '--listen', socket, '--allow-uid', String(GUEST));
    opened.push(() => service.kill());
    await soon(() => expect(existsSync(socket)).toBe(true));
    app = await launchApp(machine.session, {
      env: { SHIPWORM_HELPER_SOCKET: socket },
      ports: gateway.ports,
    });
    await soon(
      async () => expect((await app.call('status', {})).address).toMatch(/^2001:0:/),
      QUALIFIED_MS * SLOW,
    );
    expect(await fetch()).toBe('the page');
  });
});
