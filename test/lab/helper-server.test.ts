// Tests the privileged helper in the role of a server: one raw socket, and no right beyond it.
import { readFileSync, readdirSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { nativeAddon } from '../../engine/host/addon.ts';
import { helperFrames } from '../../engine/host/helper-protocol.ts';
import { buildEcho, parseIp6 } from '../../engine/wire/index.ts';
import { buildAddon } from '../unit/native/line.ts';
import {
  closeHelpers,
  devices,
  makeNamespace,
  noPrivilege,
  removeNamespace,
  startHelper,
  statusOf,
} from './helper-bench.ts';

const reason = noPrivilege();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

describe.skipIf(reason !== null)('the helper of a server', () => {
  beforeAll(() => {
    buildAddon();
    makeNamespace();
  });
  afterEach(() => closeHelpers());
  afterAll(() => removeNamespace());

  test('in the role of a server gives one raw socket and keeps no capability', async () => {
    const helper = startHelper();
    await helper.call(helperFrames.helloServer());
    const status = readFileSync(`/proc/${helper.pid}/status`, 'utf8');
    for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
      expect(status).toMatch(new RegExp(`^${set}:\\s+0{16}$`, 'm'));
    for (const frame of [
      helperFrames.openAdapter('teredo', 1280, 1),
      helperFrames.defaultRoute(true),
      helperFrames.hello(),
    ])
      expect(statusOf(await helper.call(frame)).status).toBe(4);
    const reply = await helper.call(helperFrames.openRaw6());
    expect(statusOf(reply)).toEqual({ status: 0, text: '' });
    expect(reply.fds).toHaveLength(1);
    const again = await helper.call(helperFrames.openRaw6());
    expect(statusOf(again).status).toBe(4);
    expect(again.fds).toEqual([]);
    // Standard streams and the client: the socket is the server's alone.
    expect(readdirSync(`/proc/${helper.pid}/fd`)).toHaveLength(4);
    // A namespace with nothing but loopback has no way to a native host, but sockets.
    const ping = buildEcho({
      reply: false,
      source: parseIp6('2001:0:c000:201:1234:56:7890:1')!,
      destination: parseIp6('2001:db8::80')!,
      identifier: 1,
      sequence: 1,
      data: new Uint8Array(8),
    });
    const send = (packet: Uint8Array): void => nativeAddon().sendRaw6(reply.fds[0]!, packet);
    expect(() => send(ping)).toThrow(expect.objectContaining({ code: 'ENETUNREACH' }) as Error);
    expect(() => send(ping.subarray(0, 39))).toThrow(
      expect.objectContaining({ code: 'EINVAL' }) as Error,
    );
    expect(() => nativeAddon().sendRaw6(-1, ping)).toThrow(
      expect.objectContaining({ code: 'EBADF', syscall: 'sendto' }) as Error,
    );
    nativeAddon().closeFd(reply.fds[0]!);
    await helper.close();
    expect(await helper.ended).toBe(0);
    expect(devices()).toEqual([]);
  });
});
