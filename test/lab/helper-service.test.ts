// Tests the helper as a service: whom it serves, and that its socket and its clients' adapters end with it.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { nativeAddon } from '../../engine/host/addon.ts';
import { openLinuxAdapter } from '../../engine/host/linux-adapter.ts';
import { HostError } from '../../engine/host/types.ts';
import type { Adapter } from '../../engine/host/types.ts';
import { buildAddon } from '../unit/native/line.ts';
import {
  HELPER,
  NAMESPACE,
  devices,
  eventually,
  makeNamespace,
  noPrivilege,
  removeNamespace,
} from './helper-bench.ts';

const reason = noPrivilege();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

describe.skipIf(reason !== null)('the helper service', () => {
  let folder = '';
  let socket = '';
  const services: ChildProcess[] = [];
  beforeAll(() => {
    buildAddon();
    makeNamespace();
    folder = mkdtempSync(join(tmpdir(), 'shipworm-'));
    chmodSync(folder, 0o755);
    socket = join(folder, 'run', 'helper.sock');
  });
  afterEach(async () => {
    for (const service of services.splice(0)) service.kill('SIGKILL');
    await eventually('no device is left', () => devices().length === 0);
  });
  afterAll(() => {
    removeNamespace();
    rmSync(folder, { recursive: true });
  });

  const listens = (): boolean => {
    try {
      nativeAddon().closeFd(nativeAddon().connectUnixSeqpacket(socket));
      return true;
    } catch {
      return false;
    }
  };
  async function startService(...args: string[]): Promise<ChildProcess> {
    rmSync(socket, { force: true });
    const command = ['netns', 'exec', NAMESPACE, HELPER, '--listen', socket, ...args];
    const child = spawn('ip', command, { stdio: ['ignore', 'ignore', 'inherit'] });
    services.push(child);
    await eventually('the service listens', listens);
    return child;
  }
  const connect = async (): Promise<Adapter> =>
    openLinuxAdapter(
      nativeAddon(),
      {
        fd: nativeAddon().connectUnixSeqpacket(socket),
        helloMs: 5000,
        refusal: new HostError('no-privilege', 'refused'),
      },
      { name: 'teredo', mtu: 1280, queues: 1, offloads: true },
    );
  const ADAPTER = `openAdapter({ name: 'teredo', mtu: 1280, queues: 1, offloads: true })`;
  /** Opens an adapter (or what `call` says) as another user by the host itself; prints what came of it. */
  const asUser = (uid: number, call = ADAPTER): string => {
    const script = `
      import { createHost, dropPrivileges } from './engine/host/index.ts';
      const host = createHost();
      host.now();
      dropPrivileges({ name: 'stranger', uid: ${uid}, gid: ${uid} });
      host.${call}.then(
        (opened) => opened.close().then(() => console.log('opened')),
        (error) => console.log(error.code));`;
    const env = { ...process.env, SHIPWORM_HELPER_SOCKET: socket };
    const out = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      env,
      encoding: 'utf8',
    });
    return out.stdout + out.stderr;
  };

  test('serves root and the users it was told, and nobody else', async () => {
    await startService('--allow-uid', '12345');
    expect(statSync(socket).mode & 0o777).toBe(0o666);
    expect(statSync(join(folder, 'run')).mode & 0o777).toBe(0o755);
    const adapter = await connect();
    expect(devices()).toEqual(['teredo']);
    await adapter.close();
    await eventually('the device went', () => devices().length === 0);
    expect(asUser(12345)).toBe('opened\n');
    expect(asUser(12346)).toBe('no-privilege\n');
  });

  test('lends the raw socket of a server, which can send with any source, to no user but those named for it', async () => {
    await startService('--allow-uid', '12345', '--allow-server-uid', '12346');
    expect(asUser(12345, 'openRaw6()')).toBe('helper-refused\n');
    expect(asUser(12346, 'openRaw6()')).toBe('opened\n');
    expect(asUser(12346)).toBe('opened\n');
  });

  test('lends the adapter of a relay, which carries others’ packets, to no user but those named for it', async () => {
    await startService('--allow-uid', '12345', '--allow-server-uid', '12346');
    const call = `openRelayAdapter({ name: 'teredo', mtu: 1280, queues: 1 })`;
    expect(asUser(12345, call)).toBe('helper-refused\n');
    expect(asUser(12346, call)).toBe('opened\n');
  });

  test('goes on after clients that say nothing or nonsense', async () => {
    await startService();
    const addon = nativeAddon();
    const silent = [1, 2, 3].map(() => addon.connectUnixSeqpacket(socket));
    await addon.helperCall(silent[0]!, new Uint8Array(100), 5000);
    const adapter = await connect();
    await adapter.close();
    for (const fd of silent) addon.closeFd(fd);
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)(
    '%s ends its clients too',
    async (signal) => {
      const service = await startService();
      const adapter = await connect();
      const lost = new Promise<HostError>((resolve) => adapter.onLost(resolve));
      const end = new Promise((resolve) => service.once('exit', resolve));
      service.kill(signal);
      await end;
      expect((await lost).code).toBe('helper-lost');
      await adapter.close();
      expect(existsSync(socket)).toBe(signal === 'SIGKILL');
    },
  );

  test('takes a dead service’s place, not a living one’s, nor a folder that others can write', async () => {
    const run = (path: string): number | null =>
      spawnSync(HELPER, ['--listen', path], { timeout: 3000 }).status;
    const first = await startService();
    expect(run(socket)).toBe(1);
    const end = new Promise((resolve) => first.once('exit', resolve));
    first.kill('SIGKILL');
    await end;
    const second = spawn('ip', ['netns', 'exec', NAMESPACE, HELPER, '--listen', socket]);
    services.push(second);
    await eventually('the second listens', listens);
    const adapter = await connect();
    expect(devices()).toEqual(['teredo']);
    await adapter.close();
    const open = join(folder, 'open');
    spawnSync('mkdir', ['-m', '777', open]);
    expect(run(join(open, 'helper.sock'))).toBe(1);
    expect(existsSync(join(open, 'helper.sock'))).toBe(false);
  });
});
