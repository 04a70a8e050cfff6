// Test bench for the privileged helper: a network namespace of its own, helpers in it, and what the kernel says of them.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { nativeAddon } from '../../engine/host/addon.ts';
import type { HelperReply } from '../../engine/host/addon.ts';
import { helperFrames } from '../../engine/host/helper-protocol.ts';

export const HELPER = 'build/native/shipworm-helper';
/** Its owner's pid is in the name, as in those of a lab, which removes what killed tests left. */
export const NAMESPACE = `shipworm-lab-${process.pid}-helper`;

/** Why these tests can't run here, or null. */
export function noPrivilege(): string | null {
  if (process.getuid!() !== 0) return 'the helper is tested as root only';
  if (!existsSync('/dev/net/tun')) return 'this machine has no TUN device (/dev/net/tun)';
  return null;
}

/** Runs `ip` in the namespace; its output as JSON. */
export function ip(...args: string[]): Record<string, unknown>[] {
  const out = execFileSync('ip', ['-n', NAMESPACE, '-j', ...args], { encoding: 'utf8' });
  return (out.trim() === '' ? [] : JSON.parse(out)) as Record<string, unknown>[];
}

/** Names of the namespace's interfaces besides loopback. */
export const devices = (): string[] =>
  ip('link', 'show')
    .map((link) => link['ifname'] as string)
    .filter((name) => name !== 'lo');

/** Firewall tables of the namespace. */
export const tables = (): string[] =>
  execFileSync('ip', ['netns', 'exec', NAMESPACE, 'nft', 'list', 'tables'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '');

/** IPv6 addresses, and IPv6 routes outside the local table, of the namespace. */
export const traces = (): unknown[] => [
  ...ip('-6', 'addr', 'show', 'scope', 'global').filter((link) => Object.keys(link).length > 0),
  ...ip('-6', 'route', 'show'),
];

export const alive = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

/** Waits until `condition` holds; fails after five seconds. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`waited in vain: ${what}`);
}

export interface Started {
  readonly fd: number;
  readonly pid: number;
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  call(frame: Uint8Array, passed?: readonly number[]): Promise<HelperReply>;
  /** Closes the connection and waits for the helper's end. */
  close(): Promise<void>;
}

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => child.once('exit', (code) => resolve(code)));

const started: ChildProcess[] = [];

/** Ends the helpers that still run, and the devices in the namespace. */
export async function closeHelpers(): Promise<void> {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const end = ended(child);
    child.kill('SIGKILL');
    await end;
  }
  for (const name of devices()) spawnSync('ip', ['-n', NAMESPACE, 'link', 'del', name]);
}

/** A helper in the namespace, on one end of a socket pair; `wrap` is put before its command. */
export function startHelper(...wrap: string[]): Started {
  const addon = nativeAddon();
  const [fd, theirs] = addon.socketpair();
  const args = ['netns', 'exec', NAMESPACE, ...wrap, HELPER, '--fd', '3', '--uid', '0'];
  const child = spawn('ip', args, { stdio: ['ignore', 'ignore', 'inherit', theirs] });
  addon.closeFd(theirs);
  started.push(child);
  const end = ended(child);
  return {
    fd,
    pid: child.pid!,
    child,
    ended: end,
    call: (frame, passed) => addon.helperCall(fd, frame, 5000, passed),
    close: async () => {
      addon.closeFd(fd);
      await end;
    },
  };
}

/** Status and sentence of an answer. */
export function statusOf(reply: HelperReply): { status: number; text: string } {
  const bytes = Buffer.from(reply.reply);
  return { status: bytes.readUInt32BE(12), text: bytes.toString('utf8', 20) };
}

/** Makes the namespace; what an earlier run left is removed first. */
export function makeNamespace(): void {
  spawnSync('ip', ['netns', 'del', NAMESPACE], { stdio: 'ignore' });
  execFileSync('ip', ['netns', 'add', NAMESPACE]);
  execFileSync('ip', ['-n', NAMESPACE, 'link', 'set', 'lo', 'up']);
}

export function removeNamespace(): void {
  execFileSync('ip', ['netns', 'del', NAMESPACE]);
}

/** A helper that made `teredo`, and the adapter's queues. */
export async function opened(queues = 1): Promise<{ helper: Started; fds: readonly number[] }> {
  const helper = startHelper();
  await helper.call(helperFrames.hello());
  const reply = await helper.call(helperFrames.openAdapter('teredo', 1280, queues));
  const { status, text } = statusOf(reply);
  if (status !== 0) throw new Error(text);
  return { helper, fds: reply.fds };
}

export const closeFds = (fds: readonly number[]): void =>
  fds.forEach((fd) => nativeAddon().closeFd(fd));
