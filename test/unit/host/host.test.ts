// Tests the Linux host without privileges: names, the network's state, the user to become, and the sweeper.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createHost, targetUser } from '../../../engine/host/index.ts';
import { parseIp4 } from '../../../engine/wire/index.ts';
import { buildAddon, until } from '../native/line.ts';

beforeAll(() => buildAddon(), 120_000);

const LINUX = process.platform;
afterEach(() => {
  vi.unstubAllEnvs();
  Object.defineProperty(process, 'platform', { value: LINUX });
});

test('another platform is refused in one sentence', () => {
  Object.defineProperty(process, 'platform', { value: 'win32' });
  expect(() => createHost()).toThrow(expect.objectContaining({ code: 'platform' }) as Error);
});

test('a dotted quad is its own answer, a local name is looked up, an unknown one is said', async () => {
  const host = createHost();
  expect(await host.resolve('192.0.2.7')).toEqual([parseIp4('192.0.2.7')]);
  expect(await host.resolve('localhost')).toContain(parseIp4('127.0.0.1'));
  // RFC 6761 §6.4: `invalid` never resolves.
  await expect(host.resolve('teredo.invalid')).rejects.toThrow('teredo.invalid');
});

test('loopback is no network of this host', async () => {
  const { networks } = await createHost().networkState();
  expect(networks.map((network) => network.interface)).not.toContain('lo');
});

describe.runIf(process.getuid!() === 0)('the user to become', () => {
  test('is who called sudo', () => {
    vi.stubEnv('SUDO_UID', '1234');
    vi.stubEnv('SUDO_GID', '1235');
    expect(targetUser()).toMatchObject({ uid: 1234, gid: 1235 });
  });

  test.each(['0', '', '-1', '1.5', 'x'])('is never root, nor SUDO_UID "%s"', (uid) => {
    vi.stubEnv('SUDO_UID', uid);
    vi.stubEnv('SUDO_GID', '1235');
    expect(['shipworm', 'nobody']).toContain(targetUser()!.name);
    expect(targetUser()!.uid).toBeGreaterThan(0);
  });
});

describe('the sweeper', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shipworm-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const ended = (child: ChildProcess): Promise<number | null> =>
    new Promise((resolve) => child.once('exit', resolve));
  const sweep = (path: string): ChildProcess =>
    spawn('build/native/shipworm-sweep', [path], { stdio: ['pipe', 'ignore', 'ignore'] });

  /** A process that listens at `path`. */
  const listener = async (path: string): Promise<ChildProcess> => {
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)})`;
    const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
    await until('the socket', () => existsSync(path));
    return child;
  };
  /** The sweeper has looked at its socket once it is in the socket's folder. */
  const settled = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 100));

  test('removes the socket of a killed process, and outlives INT, TERM and HUP until then', async () => {
    const path = join(folder, 'killed.sock');
    const owner = await listener(path);
    const sweeper = sweep(path);
    await settled();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) sweeper.kill(signal);
    owner.kill('SIGKILL');
    await ended(owner);
    expect(existsSync(path)).toBe(true);
    const end = ended(sweeper);
    sweeper.stdin!.end();
    expect(await end).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test('leaves a socket that somebody listens on', async () => {
    const path = join(folder, 'living.sock');
    const server = createServer().listen(path);
    const sweeper = sweep(path);
    await settled();
    const end = ended(sweeper);
    sweeper.stdin!.end();
    expect(await end).toBe(0);
    expect(existsSync(path)).toBe(true);
    server.close();
  });

  test('leaves a file that is no socket', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const sweeper = sweep(file);
    const end = ended(sweeper);
    sweeper.stdin!.end();
    expect(await end).toBe(0);
    expect(existsSync(file)).toBe(true);
  });
});

test('Miredo fault 18: random bytes are the system’s and as many as were asked for, whatever the length', () => {
  const { random } = createHost();
  for (const length of [1, 8, 16, 255, 257, 100_000]) {
    const bytes = random.bytes(length);
    expect(bytes).toHaveLength(length);
    if (length >= 8) expect(bytes).not.toEqual(random.bytes(length));
  }
  // No part stays as it was: of 100,000 bytes each sixteenth has zeros as seldom as chance has them.
  const long = random.bytes(160_000);
  for (let part = 0; part < 16; part++) {
    const zeros = long.subarray(part * 10_000, (part + 1) * 10_000).filter((b) => b === 0).length;
    expect(zeros).toBeLessThan(120);
  }
});
