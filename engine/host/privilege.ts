// Module host/privilege finds or starts the privileged helper, and gives root's rights up.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nativeAddon, nativePath } from './addon.ts';
import type { NativeAddon } from './addon.ts';
import type { HelperFacts } from './probe-types.ts';
import { HostError } from './types.ts';

/** Where helper services listen: one for the machine's services, one for the desktop; the variable is for another one. */
const serviceSockets = (): string[] => {
  const other = process.env['SHIPWORM_HELPER_SOCKET'];
  return other === undefined
    ? ['/run/shipworm-helper/helper.sock', '/run/shipworm-helper/desktop.sock']
    : [other];
};
/** The installed helper: root's, hash-checked at installation. */
export const INSTALLED_HELPER = '/usr/lib/shipworm/shipworm-helper';
const PKEXEC = '/usr/bin/pkexec';

/** How long a password may take, ms; a helper that runs already needs none. */
const ASKING_MS = 180_000;
const RUNNING_MS = 5_000;

/** A connection to a helper that has not said anything yet. */
export interface HelperLink {
  readonly fd: number;
  /** How long the first answer may take, ms. */
  readonly helloMs: number;
  /** What it means when the other side goes without an answer. */
  readonly refusal: HostError;
}

/** A user to become: name for messages, numeric ids for the system. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const isRoot = (): boolean => process.getuid!() === 0;
const besideAddon = (name: string): string => join(dirname(nativePath()), name);

/** Nobody but root can have put this file there or can change it. */
function isRootsAlone(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.uid === 0 && (stat.mode & 0o022) === 0;
}

/** A helper that this user may be able to start lies where root put it. It is not started. */
export function isHelperInstalled(): boolean {
  return existsSync(PKEXEC) && isRootsAlone(INSTALLED_HELPER);
}

/**
 * A connection to a helper: our own if we are root, else the service, else one that the user's own password (pkexec)
 * starts. Throws HostError 'no-privilege' with the command to run instead; `purpose` says what for.
 */
export function connectHelper(purpose: string): HelperLink {
  const addon = nativeAddon();
  if (isRoot()) {
    const helper = besideAddon('shipworm-helper');
    const broken = `The helper ${helper} did not start; build it anew with "make -C native".`;
    return startHelper(addon, helper, ['--fd', '3', '--uid', '0'], 3, {
      helloMs: RUNNING_MS,
      refusal: new HostError('helper-missing', broken),
    });
  }
  for (const socket of serviceSockets()) {
    try {
      const refused = `The helper service at ${socket} does not serve this user. Allow it with --allow-uid ${process.getuid!()} there${otherwise(', or run')}`;
      return {
        fd: addon.connectUnixSeqpacket(socket),
        helloMs: RUNNING_MS,
        refusal: new HostError('no-privilege', refused),
      };
    } catch {
      // No service there: the user may be asked.
    }
  }
  if (isHelperInstalled()) {
    const denied = `Shipworm was not allowed to ${purpose}. Allow it${otherwise(', or run')}`;
    return startHelper(addon, PKEXEC, [INSTALLED_HELPER, '--stdin'], 0, {
      helloMs: ASKING_MS,
      refusal: new HostError('no-privilege', denied),
    });
  }
  throw new HostError(
    'no-privilege',
    `Shipworm needs its helper to ${purpose}${otherwise('. Run', '. Install it in the settings.')}`,
  );
}

/** Whether a helper could be had now, without trying; null: only a try would tell. */
export function helperReady(): HelperFacts {
  const socket = serviceSockets().find((path) => existsSync(path));
  if (isRoot())
    return existsSync(besideAddon('shipworm-helper'))
      ? { ready: true, state: 'root', at: null }
      : { ready: false, state: 'not-built', at: null };
  if (socket !== undefined) return { ready: true, state: 'service', at: socket };
  if (isHelperInstalled()) return { ready: null, state: 'installed', at: INSTALLED_HELPER };
  return { ready: false, state: 'missing', at: null };
}

/** Starts `command` with one end of a socket pair as its descriptor `at`; `link` is meant once it runs. */
function startHelper(
  addon: NativeAddon,
  command: string,
  args: readonly string[],
  at: 0 | 3,
  link: Omit<HelperLink, 'fd'>,
): HelperLink {
  if (!existsSync(command))
    throw new HostError(
      'helper-missing',
      `The helper ${command} is missing; build it with "make -C native".`,
    );
  const [ours, theirs] = socketPair(addon);
  const child = spawn(command, args, {
    stdio: at === 0 ? [theirs, 'ignore', 'inherit'] : ['ignore', 'ignore', 'inherit', theirs],
    // A helper must outlive the terminal's Ctrl-C until we are through; pkexec needs the terminal to ask.
    detached: at === 3,
  });
  const { helloMs } = link;
  let { refusal } = link;
  // Told before the other end can be seen to be closed.
  child.on('error', (error) => (refusal = cannot(`${command} can’t be started`, error)));
  child.unref();
  addon.closeFd(theirs);
  return {
    ...{ fd: ours, helloMs },
    get refusal() {
      return refusal;
    },
  };
}

function socketPair(addon: NativeAddon): [number, number] {
  try {
    return addon.socketpair();
  } catch (error) {
    throw cannot('The helper can’t be started: no sockets to talk with it', error);
  }
}

/** `what` could not be had from the system, for the reason that `error` has. */
function cannot(what: string, error: unknown): HostError {
  const { code = 'killed' } = error as NodeJS.ErrnoException;
  return new HostError(
    'no-privilege',
    `${what} (${code}); mend that (for EMFILE, raise the limit of open files: ulimit -n) and start again.`,
  );
}

/** The end of a sentence: `lead`, and what to run with sudo. The desktop app is never root; there it is `inApp`. */
function otherwise(lead: string, inApp = '.'): string {
  return 'electron' in process.versions ? inApp : `${lead}: sudo ${commandLine()}`;
}

/** What the user ran, to be repeated with sudo. */
function commandLine(): string {
  const command = existsSync('bin/shipworm') ? './bin/shipworm' : 'shipworm';
  return [command, ...process.argv.slice(2)].join(' ');
}

/**
 * The user to become when root started us: who called sudo, else `shipworm`, else `nobody`. Null when we are not root.
 */
export function targetUser(): User | null {
  if (!isRoot()) return null;
  const uid = Number(process.env['SUDO_UID']);
  const gid = Number(process.env['SUDO_GID']);
  if (Number.isInteger(uid) && uid > 0 && Number.isInteger(gid) && gid > 0)
    return { name: process.env['SUDO_USER'] ?? `user ${uid}`, uid, gid };
  for (const name of ['shipworm', 'nobody']) {
    try {
      const entry = execFileSync('getent', ['passwd', name], { encoding: 'utf8' }).split(':');
      return { name, uid: Number(entry[2]), gid: Number(entry[3]) };
    } catch (error) {
      const { status } = error as { readonly status?: number | null };
      // It ran and found no such user: the next one.
      if (typeof status === 'number') continue;
      throw cannot('The user to become can’t be looked up: getent could not be run', error);
    }
  }
  throw new HostError(
    'no-privilege',
    'There is no user "nobody" to become; create a user "shipworm".',
  );
}

/** Becomes `user` for good. Throws HostError when root's rights could be had back. */
export function dropPrivileges(user: User): void {
  process.setgroups!([]);
  process.setgid!(user.gid);
  process.setuid!(user.uid);
  nativeAddon().lockDown();
  try {
    process.setuid!(0);
  } catch {
    return;
  }
  throw new HostError(
    'no-privilege',
    'Root’s rights could not be given up, so Shipworm does not start.',
  );
}

/**
 * Sees to it that the socket at `path` is removed when this process is gone, however it goes. To be called before root's rights
 * are given up, if its folder is root's. Throws HostError 'helper-missing'.
 */
export function guardSocket(path: string): void {
  const program = besideAddon('shipworm-sweep');
  if (!existsSync(program))
    throw new HostError(
      'helper-missing',
      `The program ${program} is missing; build it with "make -C native".`,
    );
  const sweeper = spawn(program, [path], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  sweeper.on('error', () => undefined);
  sweeper.stdin.on('error', () => undefined);
  sweeper.unref();
  (sweeper.stdin as unknown as { unref(): void }).unref();
}
