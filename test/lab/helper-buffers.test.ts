// Tests which descriptors the privileged helper gives larger buffers to, and that it keeps none.
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { nativeAddon } from '../../engine/host/addon.ts';
import { helperFrames } from '../../engine/host/helper-protocol.ts';
import { buildAddon } from '../unit/native/line.ts';
import {
  closeFds,
  closeHelpers,
  eventually,
  makeNamespace,
  noPrivilege,
  opened,
  removeNamespace,
  statusOf,
} from './helper-bench.ts';

const reason = noPrivilege();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const boundSocket = (type: 'udp4' | 'udp6'): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = createSocket(type);
    socket
      .once('error', reject)
      .bind(0, type === 'udp4' ? '127.0.0.1' : '::1', () => resolve(socket));
  });
/** Node has it, but gives it to nobody. */
const descriptorOf = (socket: Socket): number => {
  const symbol = Object.getOwnPropertySymbols(socket).find((each) => /state/.test(String(each)))!;
  return (socket as unknown as Record<symbol, { handle: { fd: number } }>)[symbol]!.handle.fd;
};

describe.skipIf(reason !== null)('the helper', () => {
  beforeAll(() => {
    buildAddon();
    makeNamespace();
  });
  afterEach(() => closeHelpers());
  afterAll(() => removeNamespace());

  test('gives UDP sockets buffers of 8 MB, nothing else, and keeps no descriptor', async () => {
    const { helper, fds } = await opened();
    const udp = await Promise.all(
      Array.from({ length: 9 }, (_, i) => boundSocket(i === 8 ? 'udp6' : 'udp4')),
    );
    const six = descriptorOf(udp[8]!);
    const four = udp.slice(0, 8).map(descriptorOf);
    const sizes = (): number[] =>
      udp.flatMap((each) => [each.getRecvBufferSize(), each.getSendBufferSize()]);
    const before = sizes();
    const [pairA, pairB] = nativeAddon().socketpair();
    const grow = async (...passed: number[]): Promise<number> =>
      statusOf(await helper.call(helperFrames.growBuffers(), passed)).status;
    // Nothing, a UDP socket over IPv6, no UDP socket, no socket, one of these beside a good one, too many.
    for (const passed of [[], [six], [pairA], [fds[0]!], [four[0]!, six], [...four, four[0]!]])
      expect(await grow(...passed)).toBe(5);
    expect(sizes()).toEqual(before);
    // Descriptors that come with another command are of no use to it.
    expect(statusOf(await helper.call(helperFrames.hello(), four)).status).toBe(0);
    expect(sizes()).toEqual(before);
    for (let i = 0; i < 100; i++) expect(await grow(...four)).toBe(0);
    // The kernel doubles what is asked (socket(7)).
    expect(sizes().slice(0, 16)).toEqual(Array(16).fill(2 * (8 << 20)));
    expect(sizes().slice(16)).toEqual(before.slice(16));
    // What it has without them (see helper.test.ts); it answers before it closes.
    await eventually('none is left', () => readdirSync(`/proc/${helper.pid}/fd`).length === 9);
    for (const each of udp) each.close();
    closeFds([pairA, pairB, ...fds]);
    await helper.close();
  });
});
