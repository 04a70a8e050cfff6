// The desktop app as a person has it, in real Electron with its sandbox, on the built-in network: tray, questions, pause, language, end.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchApp, outcome, RUNTIME, wrapper } from './kit/app.ts';
import type { App } from './kit/app.ts';
import { LoginManager } from './kit/login-manager.ts';
import { openSession, ROOT } from './kit/session.ts';
import type { Session } from './kit/session.ts';
import { soon } from './kit/soon.ts';
import { TrayHost } from './kit/tray-host.ts';

let session: Session;
let tray: TrayHost;
let logins: LoginManager;
let app: App;
const opened: (() => unknown)[] = [];
const undo = async (): Promise<void> => {
  for (const close of opened.splice(0).reverse()) await close();
};
beforeAll(async () => {
  session = await openSession();
  opened.push(() => session.close());
  tray = await TrayHost.open(session.bus);
  opened.push(() => tray.close());
  logins = await LoginManager.open(session);
  opened.push(() => logins.close());
  app = await launchApp(session);
  opened.push(() => app.close());
});
afterAll(async () => {
  await undo();
});

const control = (): string => join(session.env['XDG_RUNTIME_DIR']!, 'shipworm', 'control.sock');
const visible = (): Promise<boolean> =>
  app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.isVisible());
const title = (): Promise<string> =>
  app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.getTitle());

describe('the first minute', () => {
  it('runs as an ordinary user, with every process of a page in the sandbox', async () => {
    const status = readFileSync(`/proc/${app.pid}/status`, 'utf8');
    expect(/^Uid:\s+(\d+)/m.exec(status)![1]).toBe(String(61_233));
    expect(readFileSync(`/proc/${app.pid}/cmdline`, 'utf8')).not.toContain('no-sandbox');
    const [renderer] = await app.electron.evaluate(({ app: main }) =>
      main.getAppMetrics().filter(({ type, sandboxed }) => type === 'Tab' && sandboxed !== false),
    );
    // Chromium's second layer: a filter of system calls.
    const filtered = readFileSync(`/proc/${renderer!.pid}/status`, 'utf8');
    expect(/^Seccomp:\s+(\d)/m.exec(filtered)![1]).toBe('2');
  });

  it('qualifies, says that the network is built in, and what it runs on', async () => {
    await soon(async () => {
      const status = await app.call('status', {});
      expect(status.builtIn).toBe(true);
      expect(status.address).toMatch(/^2001:0:/);
    });
    expect(await title()).toContain('built-in network');
    expect(await visible()).toBe(true);
  });

  it('shows a window that fills itself', async () => {
    await soon(async () => {
      const text = await app.page.evaluate<string>('document.body.innerText');
      expect(text.length).toBeGreaterThan(20);
    });
  });

  it('answers the command line, too', async () => {
    const { code, out } = await run(join(ROOT, 'bin', 'shipworm'), ['status', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ builtIn: true });
  });
});

describe('the tray', () => {
  it('has an icon, a tip in words and a menu', async () => {
    await soon(async () => {
      expect(tray.items).toHaveLength(1);
      expect(await tray.tip()).toMatch(/Shipworm: (Working|Asleep).* — built-in network/);
    });
    const { width } = await tray.icon();
    expect(width).toBeGreaterThanOrEqual(22);
    const labels = (await tray.menu()).map(({ label }) => label);
    expect(labels).toEqual(
      expect.arrayContaining(['Copy address', 'Pause', 'Applications', 'Open Shipworm', 'Quit']),
    );
  });

  it('copies the address', async () => {
    const { address } = await app.call('status', {});
    await tray.click('Copy address');
    await soon(async () => {
      expect(await app.electron.evaluate(({ clipboard }) => clipboard.readText())).toBe(address);
    });
  });

  it('switches an application off and on, at once, with the ports that it had', async () => {
    const [first] = await app.call('apps', {});
    await app.call('setApp', {
      path: first!.path!,
      connectOut: true,
      beReached: [8080],
      never: false,
    });
    const [before] = await app.call('apps', {});
    const item = async (): Promise<boolean | null | undefined> =>
      (await tray.menu())
        .find(({ label }) => label === 'Applications')!
        .children.find(({ label }) => label === before!.name)?.checked;
    await soon(async () => expect(await item()).toBe(true));
    await tray.click('Applications', before!.name);
    await soon(async () => {
      const [after] = await app.call('apps', {});
      expect(after).toMatchObject({ name: before!.name, connectOut: false, beReached: 'none' });
      expect(await item()).toBe(false);
    });
    await tray.click('Applications', before!.name);
    await soon(async () => {
      expect(await app.call('apps', {})).toEqual([
        expect.objectContaining({ name: before!.name, connectOut: true, beReached: [8080] }),
      ]);
    });
  });

  it('pauses and resumes', async () => {
    await tray.click('Pause', 'For 5 minutes');
    await soon(async () => {
      expect(await app.call('status', {})).toMatchObject({
        state: 'off',
        reason: { code: 'paused' },
      });
      expect(await tray.tip()).toMatch(/Paused until \d/);
    });
    await tray.click('Resume');
    await soon(async () => expect((await app.call('status', {})).state).not.toBe('off'));
  });
});

describe('a question', () => {
  let asker: { readonly name: string; readonly path: string };

  it('is in the tray and told once, and its answer takes effect', async () => {
    await tray.click('Open Shipworm');
    await app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.hide());
    const quiet = await tray.icon();
    const { programs } = await app.call('builtIn', {});
    asker = programs.find(({ allowed }) => !allowed)!;
    const { name } = asker;
    await app.call('changeBuiltIn', { change: 'program', name, running: true });
    await soon(async () => {
      expect((await tray.icon()).bytes.equals(quiet.bytes)).toBe(false);
      const asks = (await tray.menu()).find(({ label }) => /asks?$/.test(label))!;
      expect(asks.children.length).toBeGreaterThan(0);
      expect(tray.notified.length).toBeGreaterThan(0);
    });
    const [question] = await app.call('questions', {});
    expect(tray.notified[0]!.title).toContain(question!.name);
    await tray.click(/asks?$/, question!.name, 'Allow');
    await soon(async () => {
      expect((await app.call('apps', {})).map((each) => each.name)).toContain(question!.name);
      const { programs: now } = await app.call('builtIn', {});
      const program = now.find((each) => each.path === question!.path)!;
      expect(program.received).toBeGreaterThan(0);
    });
    expect(tray.notified.filter(({ title: each }) => each.includes(question!.name))).toHaveLength(
      1,
    );
  });

  it('can be answered with never: the program stays out and is not asked about again', async () => {
    const { name, path } = asker;
    await app.call('forgetApp', { which: path });
    await app.call('changeBuiltIn', { change: 'program', name, running: false });
    await app.call('changeBuiltIn', { change: 'program', name, running: true });
    await soon(async () => {
      const open = (await app.call('questions', {})).filter(({ answered }) => !answered);
      expect(open.map((each) => each.path)).toContain(path);
    });
    const question = (await app.call('questions', {})).find((each) => each.path === path)!;
    await soon(() => tray.click(/asks?$/, question.name, 'Never'));
    await soon(async () => {
      expect(await app.call('apps', {})).toEqual(
        expect.arrayContaining([expect.objectContaining({ path, never: true })]),
      );
      expect((await tray.menu()).some(({ label }) => /asks?$/.test(label))).toBe(false);
    });
    // It was told of today already.
    expect(tray.notified.filter(({ title: each }) => each.includes(question.name))).toHaveLength(1);
  });
});

describe('language and theme', () => {
  it('speaks Japanese and English, and remembers', async () => {
    await app.call('setLanguage', { language: 'ja' });
    await soon(async () => {
      expect((await tray.menu()).map(({ label }) => label)).toContain('終了');
      expect(await title()).toContain('内蔵ネットワーク');
    });
    const kept = join(session.env['XDG_CONFIG_HOME']!, 'Shipworm', 'shell.json');
    expect(JSON.parse(readFileSync(kept, 'utf8'))).toMatchObject({ language: 'ja' });
    await app.call('setLanguage', { language: 'en' });
    await soon(async () => expect((await tray.menu()).map(({ label }) => label)).toContain('Quit'));
  });

  it('is dark when it is told to be', async () => {
    const dark = (): Promise<boolean> =>
      app.page.evaluate<boolean>('matchMedia("(prefers-color-scheme: dark)").matches');
    await app.call('setTheme', { theme: 'dark' });
    await soon(async () => expect(await dark()).toBe(true));
    await app.call('setTheme', { theme: 'light' });
    await soon(async () => expect(await dark()).toBe(false));
  });
});

describe('hardening', () => {
  it('gives the page nothing but its two functions', async () => {
    expect(
      await app.page.evaluate<unknown>(
        '[typeof require, typeof process, typeof module, Object.keys(shipworm).sort()]',
      ),
    ).toEqual(['undefined', 'undefined', 'undefined', ['call', 'watch']]);
  });

  it.each([
    ['a host', 'fetch("https://192.0.2.1/")'],
    ['a file', 'fetch("file:///etc/passwd")'],
    ['a file beside the page', 'fetch("shipworm://app/../main.cjs")'],
    ['itself', 'fetch("shipworm://app/index.html")'],
    ['the camera', 'navigator.mediaDevices.getUserMedia({ video: true })'],
    ['the clipboard', 'navigator.clipboard.readText()'],
    ['the place', 'new Promise((y, n) => navigator.geolocation.getCurrentPosition(y, n))'],
  ])('keeps it from %s', async (_, code) => {
    expect(await app.page.evaluate<string>(`${code}.then(() => 'had', () => 'refused')`)).toBe(
      'refused',
    );
  });

  it('runs no text that got into the page', async () => {
    const ran = await app.page.evaluate<unknown>(`(() => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.planted = 1';
      document.body.append(script);
      const frame = document.createElement('iframe');
      frame.srcdoc = '<script>parent.planted = 2</script>';
      document.body.append(frame);
      return new Promise((resolve) => setTimeout(() => {
        script.remove();
        frame.remove();
        resolve(globalThis.planted ?? 'nothing');
      }, 300));
    })()`);
    expect(ran).toBe('nothing');
  });

  it('lets it go nowhere and open nothing', async () => {
    expect(await app.page.evaluate<boolean>('window.open("https://192.0.2.1/") === null')).toBe(
      true,
    );
    await app.page.evaluate('void (location.href = "https://192.0.2.1/")').catch(() => undefined);
    expect(app.page.url()).toMatch(/^shipworm:\/\/app\//);
    expect(app.electron.windows()).toHaveLength(1);
  });

  it('serves nothing outside its folder', async () => {
    const statuses = await app.electron.evaluate(async ({ session: sessions }) => {
      const paths = [
        'index.html',
        '../main.cjs',
        '%2e%2e/main.cjs',
        '..%2fmain.cjs',
        'nothing.html',
      ];
      const one = async (path: string): Promise<number> =>
        (await sessions.defaultSession.fetch(`shipworm://app/${path}`)).status;
      return Promise.all(paths.map(one));
    });
    expect(statuses).toEqual([200, 404, 404, 404, 404]);
  });

  it('refuses calls that do not exist or whose arguments are wrong', async () => {
    const codes = await app.page.evaluate<string[]>(`Promise.all([
      shipworm.call('constructor', {}), shipworm.call('eval', {}), shipworm.call(7, {}),
      shipworm.call('pause', { minutes: 1e9 }), shipworm.call('pause', { minutes: 5, more: 1 }),
      shipworm.call('setApp', { path: 'relative', connectOut: true, beReached: 'none', never: false }),
    ].map(async (each) => (await each).error.code))`);
    expect(codes).toEqual([
      ...Array<string>(3).fill('unknown-call'),
      ...Array<string>(3).fill('bad-request'),
    ]);
  });

  it('hears only its own window', async () => {
    const answer = await app.electron.evaluate(async ({ BrowserWindow, app: main }) => {
      const preload = `${main.getAppPath()}/build/app/preload.cjs`;
      const other = new BrowserWindow({ show: false, webPreferences: { preload, sandbox: true } });
      await other.loadURL('shipworm://app/index.html');
      const said: unknown = await other.webContents.executeJavaScript(
        'shipworm.call("pause", { minutes: 5 })',
      );
      other.destroy();
      return said;
    });
    expect(answer).toMatchObject({ ok: false, error: { code: 'bad-request' } });
  });
});

describe('what goes wrong', () => {
  it('a failure of the engine is shown, and the other network still works', async () => {
    await app.call('chooseNetwork', { kind: 'real', server: '192.0.2.1' });
    await soon(async () => {
      expect(await tray.tip()).toContain('Needs you');
      const answer = await outcome(app.page, 'status', {});
      expect(answer).toMatchObject({ ok: false });
    });
    await app.call('chooseNetwork', { kind: 'built-in' });
    await soon(async () => expect((await app.call('status', {})).builtIn).toBe(true));
  });

  it('a second start shows the first one’s window and ends', async () => {
    await app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.hide());
    const { code } = await run(wrapper(session, RUNTIME.executable), ['--disable-gpu', ROOT]);
    expect(code).toBe(0);
    await soon(async () => expect(await visible()).toBe(true));
  });
});

describe('autostart and the end', () => {
  it('starts with the session if wanted, by an entry that is gone when not', async () => {
    const entry = join(session.env['XDG_CONFIG_HOME']!, 'autostart', 'shipworm.desktop');
    await app.call('setAutostart', { on: true });
    expect(readFileSync(entry, 'utf8')).toMatch(/^Exec=".*electron" ".*" "--hidden"$/m);
    await app.call('setAutostart', { on: false });
    expect(existsSync(entry)).toBe(false);
  });

  it('a page that crashes comes back, and the tunnel never went', async () => {
    const { address } = await app.call('status', {});
    // A driver holds a page that crashed for dead, so the app itself is asked.
    const ask = (): Promise<unknown> =>
      app.electron.evaluate(async ({ BrowserWindow }) => {
        const { webContents } = BrowserWindow.getAllWindows()[0]!;
        const pid = webContents.getOSProcessId();
        const answer: unknown = await webContents.executeJavaScript('shipworm.call("status", {})');
        return { pid, answer };
      });
    const { pid } = (await ask()) as { pid: number };
    await app.electron.evaluate(({ BrowserWindow }) => {
      const [window] = BrowserWindow.getAllWindows();
      window!.show();
      window!.webContents.forcefullyCrashRenderer();
    });
    await soon(async () => {
      // A page that dies while it is asked never answers.
      const silent = new Promise((_, reject) => setTimeout(reject, 1_000, new Error('no answer')));
      const after = (await Promise.race([ask(), silent])) as { pid: number };
      expect(after).toMatchObject({ answer: { ok: true, result: { address } } });
      expect(after.pid).not.toBe(pid);
    });
  });

  it('closing the window leaves the app in the tray', async () => {
    await app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close());
    await soon(async () => expect(await visible()).toBe(false));
    expect(existsSync(control())).toBe(true);
  });

  it('sleep is told once; a pause that ran out meanwhile has ended, and the tunnel works', async () => {
    let said = '';
    app.electron.process().stderr!.on('data', (text: Buffer) => (said += text.toString()));
    await tray.click('Pause', 'For 5 minutes');
    await soon(async () => expect(await tray.tip()).toMatch(/Paused until/));
    // Timers stand still while the clock goes on. The driver's own connection ends with the sleep, as all of Chromium's do.
    await app.electron.evaluate(({ powerMonitor }) => {
      powerMonitor.once('suspend', () => {
        const { now } = Date;
        Date.now = () => now() + 600_000;
      });
    });
    logins.tell(true);
    await soon(() => expect(said).toContain('goes to sleep'));
    logins.tell(false);
    await soon(() => expect(said).toContain('woke up'));
    expect(said.match(/goes to sleep|woke up/g)).toEqual(['goes to sleep', 'woke up']);
    await soon(async () => {
      expect(await tray.tip()).not.toMatch(/Paused/);
      const { out } = await run(join(ROOT, 'bin', 'shipworm'), ['status', '--json']);
      expect((JSON.parse(out) as { state: string }).state).toMatch(/^(qualified|dormant)$/);
    });
  });

  it('Quit ends it with 0 and leaves nothing', async () => {
    const process = app.electron.process();
    const ended = new Promise((resolve) => process.once('exit', resolve));
    // It may be gone before it answers.
    await tray.click('Quit').catch(() => undefined);
    expect(await ended).toBe(0);
    await soon(() => expect(existsSync(control())).toBe(false));
  });
});

/** Runs a command as the guest's session would. */
function run(file: string, args: readonly string[]): Promise<{ code: number | null; out: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: session.env, stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out }));
  });
}
