// The packages as npm run make gives them: fuses read back from the executable, and a .deb that needs nothing but what it names, on a bare Debian too, and leaves no trace.
import { spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chownSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BareRoot } from '../app/kit/bare-root.ts';
import { ended, GUEST, openSession } from '../app/kit/session.ts';
import type { Session } from '../app/kit/session.ts';
import { soon } from '../app/kit/soon.ts';
import { TrayHost } from '../app/kit/tray-host.ts';

const ROOT = resolve(import.meta.dirname, '..', '..');
const MADE = join(ROOT, 'out', 'make');
/** Of the window. */
const TITLE = 'Shipworm — built-in network';
let deb: string;

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ended with ${String(status)}: ${stderr}${stdout}`);
  return stdout;
}

beforeAll(() => {
  run(process.execPath, [join(ROOT, 'scripts', 'make.mjs')]);
  deb = join(
    MADE,
    readdirSync(MADE).find((name) => name.endsWith('.deb'))!,
  );
}, 900_000);

it('the executable is no Node, can’t be inspected, and loads nothing but its own archive', async () => {
  const wire = await getCurrentFuseWire(
    join(ROOT, 'out', 'Shipworm-linux-x64', 'shipworm-desktop'),
  );
  const { ENABLE, DISABLE } = FuseState;
  expect(wire[FuseV1Options.RunAsNode]).toBe(DISABLE);
  expect(wire[FuseV1Options.EnableCookieEncryption]).toBe(ENABLE);
  expect(wire[FuseV1Options.EnableNodeOptionsEnvironmentVariable]).toBe(DISABLE);
  expect(wire[FuseV1Options.EnableNodeCliInspectArguments]).toBe(DISABLE);
  expect(wire[FuseV1Options.EnableEmbeddedAsarIntegrityValidation]).toBe(ENABLE);
  expect(wire[FuseV1Options.OnlyLoadAppFromAsar]).toBe(ENABLE);
  // Older runtimes have no such fuse.
  expect([DISABLE, undefined]).toContain(wire[FuseV1Options.GrantFileProtocolExtraPrivileges]);
});

it('the .deb says what it is and has all parts', () => {
  const version = run('dpkg-deb', ['-f', deb, 'Version']).trim();
  expect(version).toMatch(/^\d+\.\d+\.\d+(~trial)?$/);
  const files = run('dpkg-deb', ['-c', deb]);
  for (const part of [
    /^-rwsr-xr-x root\/root .* \.\/usr\/lib\/shipworm\/chrome-sandbox$/m,
    /^-rwxr-xr-x root\/root .* \.\/usr\/lib\/shipworm\/shipworm-helper$/m,
    /\.\/usr\/bin\/shipworm -> \.\.\/lib\/shipworm\/resources\/cli\/shipworm$/m,
    /\.\/usr\/bin\/shipworm-desktop -> /m,
    /\.\/usr\/share\/man\/man1\/shipworm\.1\.gz$/m,
    /\.\/usr\/share\/applications\/shipworm\.desktop$/m,
    /\.\/usr\/share\/icons\/hicolor\/256x256\/apps\/shipworm\.png$/m,
    /\.\/usr\/share\/polkit-1\/actions\/org\.shipworm\.helper\.policy$/m,
    /\.\/usr\/lib\/systemd\/system\/shipworm-server\.service$/m,
  ])
    expect(files).toMatch(part);
});

it('installs, runs its command with its own Node, and is gone without a trace', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shipworm-install-'));
  try {
    // A copy of this machine that is written nowhere.
    const script = `set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay none -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /proc "$1/root/proc"
mount --bind /dev "$1/root/dev"
cp "$2" "$1/root/shipworm.deb"
there() { chroot "$1/root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "\${@:2}"; }
there "$1" dpkg -i /shipworm.deb >&2
there "$1" shipworm address decode 2001:0:c000:201:2811:3c3d:39cc:9bf8
there "$1" dpkg -P shipworm >&2
rm "$1/root/shipworm.deb"
cd "$1/upper"
find . -path ./var -prune -o -name '*shipworm*' -print -o -type f -print`;
    const out = run('unshare', ['-m', 'bash', '-c', script, 'bash', folder, deb]);
    expect(out).toContain('Client   198.51.100.7, UDP port 50114');
    // Whiteouts and caches aside, nothing of it is left.
    expect(out.split('\n').filter((line) => /shipworm/i.test(line))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe('on a bare Debian', () => {
  let session: Session;
  let tray: TrayHost;
  let machine: BareRoot;
  /** Why there is none. */
  let missing = '';
  /** The machine with what the package depends on, but without it. */
  let before: readonly string[];
  let app: ChildProcess | null = null;
  let said = '';
  const opened: (() => unknown)[] = [];
  /** What X knows of the window. */
  const shown = (): string => run('xwininfo', ['-display', session.display, '-name', TITLE]);
  beforeAll(async () => {
    session = await openSession();
    opened.push(() => session.close());
    tray = await TrayHost.open(session.bus);
    opened.push(() => tray.close());
    const made = await BareRoot.open(session);
    if (typeof made === 'string') {
      missing = made;
      return;
    }
    machine = made;
    opened.push(() => machine.close());
  }, 600_000);
  afterAll(async () => {
    if (app) await ended(app);
    for (const close of opened.splice(0).reverse()) await close();
  });

  it('what it depends on is all that it needs to be installed', ({ skip }) => {
    skip(missing !== '', missing);
    const [depends] = run('dpkg-deb', ['-f', deb, 'Depends']).split('\n');
    machine.install('update');
    machine.install(`satisfy --no-install-recommends '${depends!}'`);
    before = machine.files();
    machine.put(deb, '/shipworm.deb');
    machine.install('install --no-install-recommends /shipworm.deb');
    expect(machine.run("dpkg-query -W -f '${Status}' shipworm")).toBe('install ok installed');
  });

  it('the command, its page and the units are in their places, and nothing that they name is missing', ({
    skip,
  }) => {
    skip(missing !== '', missing);
    const decoded = machine.run('shipworm address decode 2001:0:c000:201:2811:3c3d:39cc:9bf8');
    expect(decoded).toContain('Client   198.51.100.7, UDP port 50114');
    expect(machine.run('zcat /usr/share/man/man1/shipworm.1.gz')).toMatch(/^\.TH SHIPWORM 1 /);
    const named =
      machine.run(`sed -n 's/^Exec[A-Za-z]*=\\([^ ]*\\).*/\\1/p' /usr/lib/systemd/system/shipworm-* \\
/usr/share/applications/shipworm.desktop
sed -n 's/.*exec.path">\\(.*\\)<.*/\\1/p' /usr/share/polkit-1/actions/org.shipworm.helper.policy`);
    const programs = named.trim().split('\n');
    expect(programs.length).toBeGreaterThanOrEqual(7);
    for (const program of programs) machine.run(`command -v ${program}`);
    const lost = machine.run(
      'find /usr/lib/shipworm -maxdepth 1 -type f -perm -1 -exec ldd {} + | grep "not found" || :',
    );
    expect(lost).toBe('');
  });

  it('the app starts for an ordinary user, with its window and its tray', async ({ skip }) => {
    skip(missing !== '', missing);
    app = machine.start('shipworm-desktop', '--disable-gpu');
    app.stderr!.on('data', (text: Buffer) => (said += text.toString()));
    await soon(async () => expect(await tray.tip()).toMatch(/^Shipworm: (Working|Asleep)/), 60_000);
    const labels = (await tray.menu()).map(({ label }) => label);
    expect(labels).toEqual(expect.arrayContaining(['Open Shipworm', 'Quit']));
    await soon(() => expect(shown()).toContain('IsViewable'));
    // By this a panel finds its entry, and that its picture and name.
    const entry = machine.run('cat /usr/share/applications/shipworm.desktop');
    const kind = /^StartupWMClass=(.+)$/m.exec(entry)![1]!;
    const id = /0x[0-9a-f]+/.exec(shown())![0];
    const properties = run('xprop', ['-display', session.display, '-id', id, 'WM_CLASS']);
    expect(properties).toContain(`"${kind}"`);
    // A page that is not drawn has one colour, or two.
    const picture = process.env['SHIPWORM_PICTURE'] ?? join(session.folder, 'screen.png');
    await soon(() => {
      run('import', ['-display', session.display, '-window', 'root', picture]);
      expect(Number(run('identify', ['-format', '%k', picture]))).toBeGreaterThan(200);
    });
    expect(said).not.toMatch(/error while loading|cannot open shared object/);
  });

  it('started without a window it tells of a program that asks, with buttons; a second start shows the window', async ({
    skip,
  }) => {
    skip(missing !== '', missing);
    await tray.click('Quit').catch(() => undefined);
    await soon(() => expect(app!.exitCode).toBe(0));
    const settings = join(session.env['XDG_CONFIG_HOME']!, 'Shipworm', 'shell.json');
    writeFileSync(settings, '{"firstRun":false}');
    chownSync(settings, GUEST, GUEST);
    app = machine.start('shipworm-desktop', '--disable-gpu', '--hidden');
    await soon(() => expect(tray.notified).toHaveLength(1), 60_000);
    const { title, actions } = tray.notified[0]!;
    expect(title).toBe('photos wants to use the tunnel');
    expect(actions).toEqual(expect.arrayContaining(['Allow', 'Not now', 'Never']));
    expect(shown).toThrow('No window with name');
    const second = machine.start('shipworm-desktop', '--disable-gpu');
    await soon(() => expect(second.exitCode).toBe(0));
    await soon(() => expect(shown()).toContain('IsViewable'));
  });

  it('purging it ends the app and leaves no file, user, unit or process', async ({ skip }) => {
    skip(missing !== '', missing);
    machine.install('purge shipworm');
    await soon(() => expect(app!.exitCode).toBe(0));
    machine.run('rm /shipworm.deb');
    await soon(() => expect(machine.processes()).toEqual([]));
    expect(machine.files()).toEqual(before);
  });
});
