// The one elevation, with a real polkitd and system bus: an ordinary user is refused, and the app stays usable; allowed, the helper is root's.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { call, launchApp, soon } from './kit/app.ts';
import type { App } from './kit/app.ts';
import { openSession, ROOT } from './kit/session.ts';
import type { Session } from './kit/session.ts';

/** A machine of its own as far as polkit and the helper's places go: the host's files stay as they are. */
const MACHINE = `set -e
folder=$1
for each in /usr/lib /usr/share/polkit-1 /etc/polkit-1; do
  name=$(echo "$each" | tr / _)
  mkdir -p "$folder/layers/$name/upper" "$folder/layers/$name/work"
  mount -t overlay none -o "lowerdir=$each,upperdir=$folder/layers/$name/upper,workdir=$folder/layers/$name/work" "$each"
done
mount -t tmpfs none /run/dbus
mount --bind "$folder/passwd" /etc/passwd
mount --bind "$folder/group" /etc/group
rm -f /etc/polkit-1/rules.d/* /usr/share/polkit-1/rules.d/*
dbus-daemon --system --nofork --nopidfile &
bus=$!
trap 'kill $bus $polkit 2>/dev/null; wait' EXIT
trap 'exit 0' TERM
until [ -S /run/dbus/system_bus_socket ]; do sleep 0.1; done
/usr/lib/polkit-1/polkitd --no-debug >/dev/null 2>&1 &
polkit=$!
until dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.PolicyKit1 2>/dev/null | grep -q true; do sleep 0.2; done
echo ready
while kill -0 $polkit; do sleep 0.5; done`;

let session: Session;
let machine: ChildProcess;
let app: App;
const opened: (() => unknown)[] = [];
const enter = (): string[] => ['nsenter', `--mount=/proc/${machine.pid!}/ns/mnt`];
/** Runs a command on that machine, as root. */
function there(...command: string[]): string {
  const [nsenter, ...words] = enter();
  return spawnSync(nsenter!, [...words, ...command], { encoding: 'utf8' }).stdout.trim();
}

beforeAll(async () => {
  session = await openSession();
  opened.push(() => session.close());
  // Overlays need a file system of their own kind below them.
  const layers = join(session.folder, 'layers');
  mkdirSync(layers);
  spawnSync('mount', ['-t', 'tmpfs', 'none', layers]);
  opened.push(() => spawnSync('umount', ['-l', layers]));
  machine = spawn('unshare', ['-m', 'sh', '-c', MACHINE, 'sh', session.folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  opened.push(
    () =>
      new Promise((resolve) => {
        machine.once('exit', resolve);
        machine.kill();
      }),
  );
  for await (const line of createInterface({ input: machine.stdout! })) {
    expect(line).toBe('ready');
    break;
  }
  const env = Object.fromEntries(
    Object.entries(session.env).filter(([name]) => name !== 'DBUS_SYSTEM_BUS_ADDRESS'),
  );
  app = await launchApp({ ...session, env, enter: enter() });
  opened.push(() => app.electron.close());
});
afterAll(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

it('a refusal leaves everything as it was, says so in one line, and the app works on', async () => {
  const result = await call(app.page, 'installHelper', {});
  expect(result.state).toBe('refused');
  expect(result.text).toMatch(/^The helper was not installed \(.+\)\. The built-in network works/);
  expect(there('ls', '/usr/lib/shipworm')).toBe('');
  await soon(async () => expect((await call(app.page, 'status', {})).address).toMatch(/^2001:0:/));
});

it('when it is allowed, the helper is root’s and the very one that came along, with its own action', async () => {
  const rule = `polkit.addRule(function (action, subject) {
  if (action.id === 'org.freedesktop.policykit.exec' && subject.user === 'guest') return polkit.Result.YES;
});`;
  writeFileSync(join(session.folder, 'rule'), rule, { mode: 0o644 });
  there('cp', join(session.folder, 'rule'), '/etc/polkit-1/rules.d/10-guest.rules');
  await soon(async () => {
    expect(await call(app.page, 'installHelper', {})).toEqual({
      state: 'installed',
      text: 'The helper is installed.',
    });
  });
  const helper = readFileSync(join(ROOT, 'build', 'native', 'shipworm-helper'));
  const digest = createHash('sha256').update(helper).digest('hex');
  expect(there('stat', '-c', '%u %a', '/usr/lib/shipworm/shipworm-helper')).toBe('0 755');
  expect(there('sha256sum', '/usr/lib/shipworm/shipworm-helper')).toContain(digest);
  const action = '/usr/share/polkit-1/actions/org.shipworm.helper.policy';
  expect(there('cat', action)).toContain('/usr/lib/shipworm/shipworm-helper');
  // polkit has read it, and knows the program as its own action's.
  await soon(() =>
    expect(there('pkaction', '--verbose', '--action-id', 'org.shipworm.helper.run')).toMatch(
      /implicit active:\s+yes/,
    ),
  );
});

it('nothing of it is on the host', () => {
  expect(existsSync('/usr/lib/shipworm/shipworm-helper')).toBe(false);
  expect(existsSync('/usr/share/polkit-1/actions/org.shipworm.helper.policy')).toBe(false);
});
