// Tests the helper's process for owners: its privileges, its end, and what it makes of bytes that no engine sends.
import { readFileSync, readdirSync } from 'node:fs';
import { Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { nativeAddon } from '../../engine/host/addon.ts';
import { helperFrames } from '../../engine/host/helper-protocol.ts';
import { ownerFrames } from '../../engine/host/owner-frames.ts';
import { buildAddon } from '../unit/native/line.ts';
import {
  alive,
  closeHelpers,
  eventually,
  makeNamespace,
  noPrivilege,
  removeNamespace,
  startHelper,
  statusOf,
} from './helper-bench.ts';
import type { Started } from './helper-bench.ts';

const reason = noPrivilege();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const closeFds = (fds: readonly number[]): void => fds.forEach((fd) => nativeAddon().closeFd(fd));

describe.skipIf(reason !== null)('the helper’s process for owners', () => {
  beforeAll(() => {
    buildAddon();
    makeNamespace();
  });
  afterAll(() => removeNamespace());
  afterEach(() => closeHelpers());

  /** A helper that made `teredo`; `pid` is its process for owners. */
  async function opened(): Promise<{ helper: Started; fds: readonly number[]; pid: number }> {
    const helper = startHelper();
    await helper.call(helperFrames.hello());
    const { fds } = await helper.call(helperFrames.openAdapter('teredo', 1280, 1));
    const children = `/proc/${helper.pid}/task/${helper.pid}/children`;
    return { helper, fds, pid: Number(readFileSync(children, 'utf8')) };
  }

  test('its process for owners keeps what reading of processes needs, in every thread', async () => {
    const { helper, fds, pid } = await opened();
    const owners = await helper.call(helperFrames.openOwners(false));
    expect(statusOf(owners)).toEqual({ status: 0, text: '' });
    expect(owners.fds).toHaveLength(1);
    const [sysPtrace, readSearch] = [1n << 19n, 1n << 2n];
    const looking = (sysPtrace | readSearch).toString(16).padStart(16, '0');
    // The second thread hashes files; it begins once the privileges were given up.
    const threads = (): string[] => readdirSync(`/proc/${pid}/task`);
    await eventually('it is confined', () => threads().length === 2);
    for (const thread of threads()) {
      const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
      const line = (name: string): string =>
        new RegExp(`^${name}:(.*)$`, 'm').exec(status)![1]!.trim().replace(/\s+/g, ' ');
      expect(['CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs'].map(line)).toEqual([
        looking,
        looking,
        '0'.repeat(16),
        '0'.repeat(16),
        '1',
      ]);
      expect(line('Uid')).toBe('65534 65534 65534 65534');
    }
    // It is asked for once.
    expect(statusOf(await helper.call(helperFrames.openOwners(false))).status).toBe(4);
    closeFds([...fds, ...owners.fds]);
    await helper.close();
    await eventually('it ended with the helper', () => !alive(pid));
  });

  test('bytes that no engine sends end the conversation, and it', async () => {
    const frame = ownerFrames.forgotten(1n);
    const damaged = fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
      const bytes = frame.slice();
      bytes[at] = bytes[at]! ^ by;
      return bytes;
    });
    const samples = fc.sample(
      fc.oneof(damaged, fc.uint8Array({ minLength: 16, maxLength: 600 })),
      8,
    );
    for (const bytes of samples) {
      const { helper, fds, pid } = await opened();
      const owners = await helper.call(helperFrames.openOwners(true));
      const socket = new Socket({ fd: owners.fds[0]!, readable: true, writable: true });
      socket.on('error', () => undefined).resume();
      socket.end(bytes);
      await eventually('it ended', () => !alive(pid));
      // The session is another process, and goes with its client.
      expect(alive(helper.pid)).toBe(true);
      closeFds(fds);
      await helper.close();
    }
  });
});
