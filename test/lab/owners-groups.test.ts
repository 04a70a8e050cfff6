// Tries the groups of programs with real control groups and root folders, laid out as their managers lay them out.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Group, Identity } from '../../engine/gate/types.ts';
import type { OwnerEvent } from '../../engine/host/types.ts';
import { copyActor, FAR, Field } from './kit/field.ts';
import type { Actor } from './kit/field.ts';
import { noLab } from './kit/lab.ts';
import { eventually } from './kit/processes.ts';
import { SLOW } from './kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const SOON_MS = 5_000 * SLOW;
const HEX = 'ab12'.repeat(16);
const UUID = '0b9e4f0e-6e35-4c79-8f1d-0123456789ab';
/** Joins a control group, which \`ip netns exec\` hides. */
const JOIN = 'echo $$ > "$0/cgroup.procs" && shift 0 && exec "$@"';
/** A root folder of its own, made as root makes that of a sandbox; what it needs of the system is mounted into it. */
const SANDBOX = `set -e
root=$0
mount --make-rprivate /
mount -t tmpfs tmpfs "$root"
for each in usr lib lib64 proc; do
  [ -e "/$each" ] || continue
  mkdir -p "$root/$each"
  mount --rbind "/$each" "$root/$each"
done
mkdir -p "$root/old" "$root$(dirname "$2")"
cp "$1" "$root$2"
[ -z "$3" ] || printf '[Application]\\nname=%s\\nruntime=x\\n' "$3" > "$root/.flatpak-info"
cd "$root"
pivot_root . old
umount -l old
exec "$2"`;

/** The cgroup2 hierarchy's folder. */
const hierarchy = (): string =>
  readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, , kind]) => kind === 'cgroup2')![1]!;

describe.skipIf(reason !== null)('groups of programs', () => {
  const field = new Field();
  const made: string[] = [];
  let program = '';
  beforeAll(async () => {
    await field.open();
    program = field.program('program');
  });
  afterEach(() => field.clear());
  afterAll(async () => {
    await field.close();
    for (const folder of made.reverse())
      await eventually(`${folder} is empty`, SOON_MS, () => {
        try {
          rmdirSync(folder);
        } catch {
          return !existsSync(folder);
        }
        return true;
      });
  });

  /** Makes the control group and those above it that there are not. */
  function group(path: string): string {
    const folder = join(hierarchy(), path);
    if (!existsSync(folder)) {
      if (path.includes('/')) group(dirname(path));
      mkdirSync(folder);
      made.push(folder);
    }
    return folder;
  }

  /** Starts \`command\` in the control group at \`path\`. */
  const start = (path: string, ...command: string[]): Promise<Actor> =>
    field.act('nsenter', false, [
      ...['-t', String(process.pid), '-m', 'sh', '-c', JOIN, group(path)],
      ...command,
    ]);

  async function identityOf(actor: Actor): Promise<Identity> {
    await actor.do('udp u');
    await actor.do(`send u ${FAR} 4000 x`);
    return eventually('its owner was named', SOON_MS, () => {
      const owner = field.asked.find(({ flow }) => flow.remotePort === 4000)?.owner;
      return owner?.identities[0];
    });
  }

  const unique = `shipworm-lab-${process.pid}`;
  const CGROUPS: readonly [string, string, Group | null][] = [
    [
      'a service of the system',
      `system.slice/${unique}.service`,
      { kind: 'systemd', id: `${unique}.service` },
    ],
    [
      'a service below a slice of its own',
      `system.slice/system-x.slice/${unique}@1.service`,
      { kind: 'systemd', id: `${unique}@1.service` },
    ],
    [
      'a container of Docker',
      `system.slice/docker-${HEX}.scope`,
      { kind: 'container', id: `/system.slice/docker-${HEX}.scope` },
    ],
    [
      'a container of Docker with its own driver',
      `docker/${HEX}`,
      { kind: 'container', id: `/docker/${HEX}` },
    ],
    [
      'a container of Podman that a user started',
      `user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${HEX}.scope`,
      {
        kind: 'container',
        id: `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${HEX}.scope`,
      },
    ],
    [
      'a machine of systemd-nspawn',
      `machine.slice/machine-${unique}.scope`,
      { kind: 'container', id: `/machine.slice/machine-${unique}.scope` },
    ],
    [
      'what shipworm run started',
      `user.slice/shipworm-run-${unique}`,
      { kind: 'run', id: `/user.slice/shipworm-run-${unique}` },
    ],
    // A user's manager names its units as the user likes.
    [
      'a service of a user',
      `user.slice/user-1000.slice/user@1000.service/app.slice/${unique}.service`,
      null,
    ],
    // Its program does not lie where root mounts that Snap.
    [
      'what calls itself a Snap',
      `user.slice/user-1000.slice/user@1000.service/app.slice/snap.hello.hello-${UUID}.scope`,
      null,
    ],
  ];

  test.each(CGROUPS)('%s', async (_, path, expected) => {
    const actor = await start(path, program);
    expect((await identityOf(actor)).group).toEqual(expected);
  });

  async function sandboxed(path: string, inside: string, flatpak: string): Promise<Identity> {
    const root = join(field.folder, `root-${made.length}-${flatpak}`);
    mkdirSync(root, { recursive: true });
    const command = ['unshare', '-m', 'sh', '-c', SANDBOX, root, program, inside, flatpak];
    return identityOf(await start(path, ...command));
  }

  test('a Snap, in a root folder of its own where root mounts it', async () => {
    const path = `user.slice/user-1000.slice/user@1000.service/app.slice/snap.hello.hello-${UUID}.scope`;
    expect(await sandboxed(path, '/snap/hello/42/bin/hello', '')).toMatchObject({
      path: '/snap/hello/42/bin/hello',
      group: { kind: 'snap', id: 'hello' },
      foreign: true,
    });
    field.asked.length = 0;
    // Another one's cgroup makes nothing of it.
    expect((await sandboxed(path, '/snap/other/1/bin/hello', '')).group).toBeNull();
  });

  test('a Flatpak, by the file that its sandbox put into its root folder', async () => {
    const path = `user.slice/user-1000.slice/user@1000.service/app.slice/app-flatpak-org.example.App-77.scope`;
    expect(await sandboxed(path, '/app/bin/app', 'org.example.App')).toMatchObject({
      group: { kind: 'flatpak', id: 'org.example.App' },
      foreign: true,
    });
  });

  test('a program in a sandbox is not the system’s of the same path', async () => {
    const host = copyActor(join(field.folder, 'host'));
    copyFileSync(host, join(field.folder, 'spare'));
    const identity = await sandboxed('user.slice', host, '');
    expect(identity).toMatchObject({ foreign: true, group: null });
  });

  test('of a group that is watched it is told when one listens, and when it ends', async () => {
    const watched: Group = { kind: 'systemd', id: `${unique}.service` };
    field.owners.watch([], [], [watched]);
    await field.owners.listeners();
    const listens = (listening: boolean): Promise<OwnerEvent> =>
      eventually('it is told', SOON_MS, () =>
        field.events.find((event) => event.kind === 'listener' && event.listening === listening),
      );
    const stranger = await field.act(program);
    for (const line of ['udp u', 'bind u :: 7001']) expect(await stranger.do(line)).toBe('ok');
    const actor = await start(`system.slice/${unique}.service`, program);
    for (const line of ['tcp l', 'bind l :: 7000', 'listen l'])
      expect(await actor.do(line)).toBe('ok');
    expect(await listens(true)).toMatchObject({
      port: 7000,
      protocol: 6,
      owner: { identities: [{ group: watched }] },
    });
    actor.kill();
    expect(await listens(false)).toMatchObject({ port: 7000 });
    expect(field.events.filter((event) => event.kind === 'listener')).toHaveLength(2);
  });
});
