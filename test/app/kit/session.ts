// Module test/app/kit/session makes a desktop session for one ordinary user: a screen, a session bus, a home; and takes it away again.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** A user that no machine has, and that can become nobody else. */
export const GUEST = 61_233;
/** Who is an ordinary user already is one. */
const isRoot = process.getuid!() === 0;
/** Room for the largest window that is looked at. */
const SCREEN = '1700x1100x24';

/** A session as a terminal has it: the user, a home, and a bus. */
export interface Place {
  readonly folder: string;
  readonly home: string;
  readonly bus: string;
  /** Where a system bus would be; there is none unless somebody starts one. */
  readonly systemBus: string;
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export interface Session extends Place {
  readonly display: string;
  /** Words before a command that bring it onto another machine's files. */
  readonly enter?: readonly string[];
}

// The script is plain JavaScript, so its types are said here.
const script = new URL('../../../scripts/desktop-user.mjs', import.meta.url).href;
const { hiddenFolder, REVEAL } = (await import(script)) as {
  hiddenFolder: (path: string) => string;
  REVEAL: string;
};
export const ROOT = resolve(import.meta.dirname, '..', '..', '..');

/** Becomes the guest, with a name, where the repository can be seen, in a mount namespace of its own; the pid stays. */
const BECOME = `set -e
home=$1 root=$2 hidden=$3
shift 3
mount --bind "$home/passwd" /etc/passwd
mount --bind "$home/group" /etc/group
${REVEAL}
exec setpriv --reuid ${GUEST} --regid ${GUEST} --clear-groups "$@"`;

/** The words before a command that make it the guest's. `repository`: a folder that it shall see; another machine has none. */
export const asGuest = (folder: string, repository: string | null = ROOT): string[] => {
  const places = repository === null ? ['', ''] : [repository, hiddenFolder(repository)];
  return isRoot ? ['unshare', '-m', 'sh', '-c', BECOME, 'sh', folder, ...places] : [];
};

/** The command of a message bus at `address`. Nothing is started by name there: what is not there is not there. */
export function busCommand(folder: string, name: string, address: string): string[] {
  const config = join(folder, `${name}.conf`);
  writeFileSync(
    config,
    `<busconfig><type>session</type><listen>${address}</listen>
<policy context="default"><allow user="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`,
  );
  return ['dbus-daemon', `--config-file=${config}`, '--nofork', '--print-address=1'];
}

/** Throws when the bus can't be had. */
export async function openPlace(language = 'en_US.UTF-8'): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'shipworm-app-'));
  chmodSync(folder, 0o755);
  const [home, run] = [join(folder, 'home'), join(folder, 'run')];
  for (const each of [home, run]) {
    mkdirSync(each, { mode: 0o700 });
    if (isRoot) chownSync(each, GUEST, GUEST);
  }
  for (const [file, line] of [
    ['passwd', `guest:x:${GUEST}:${GUEST}:Guest:${home}:/bin/sh`],
    ['group', `guest:x:${GUEST}:`],
  ] as const)
    writeFileSync(join(folder, file), `${readFileSync(`/etc/${file}`, 'utf8')}${line}\n`);
  const systemBus = `unix:path=${join(run, 'system-bus')}`;
  const env = {
    HOME: home,
    XDG_RUNTIME_DIR: run,
    XDG_CONFIG_HOME: join(home, '.config'),
    LANG: language,
    PATH: process.env['PATH']!,
    // Accessibility's own bus would be started for each program.
    NO_AT_BRIDGE: '1',
    DBUS_SYSTEM_BUS_ADDRESS: systemBus,
  };
  const daemon = busCommand(folder, 'session-bus', `unix:path=${join(run, 'bus')}`);
  const [command, ...words] = [...asGuest(folder), ...daemon];
  const child = spawn(command!, words, { stdio: ['ignore', 'pipe', 'inherit'], env });
  const close = async (): Promise<void> => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const bus = await firstLine(child);
    return {
      ...{ folder, home, bus, systemBus, close },
      env: { ...env, DBUS_SESSION_BUS_ADDRESS: bus },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Throws when screen or bus can't be had. */
export async function openSession(language = 'en_US.UTF-8'): Promise<Session> {
  const screen = ['Xvfb', '-displayfd', '1', '-screen', '0', SCREEN, '-nolisten', 'tcp'];
  const xvfb = spawn(screen[0]!, screen.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const display = `:${await firstLine(xvfb)}`;
    const place = await openPlace(language);
    return {
      ...{ ...place, display },
      env: { ...place.env, DISPLAY: display },
      close: async () => {
        await place.close();
        await ended(xvfb);
      },
    };
  } catch (error) {
    await ended(xvfb);
    throw error;
  }
}

export async function firstLine(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) return line;
  throw new Error(`${child.spawnfile} ended without a word.`);
}

export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill();
  });
}
