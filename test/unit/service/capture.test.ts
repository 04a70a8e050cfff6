// Tests the capture of datagrams on the built-in network: what is in the file, its bounds, its end, who may read it.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Params } from '../../../engine/service/api.ts';
import { startBuiltIn } from '../../../engine/service/builtin/start.ts';
import type { RunningBuiltIn } from '../../../engine/service/builtin/start.ts';
import { captureInto } from '../../../engine/service/capture/file.ts';
import type { CaptureSource } from '../../../engine/service/capture/file.ts';

vi.setConfig({ testTimeout: 30_000 });
let client: RunningBuiltIn;
let folder: string;
let path: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'shipworm-capture-'));
  path = join(folder, 'a.pcapng');
  client = await startBuiltIn(
    { control: null, speed: 20 },
    { log: () => undefined, onFailed: () => undefined },
  );
});
afterEach(async () => {
  await client.close();
  rmSync(folder, { recursive: true });
});

const source = (asked: Params<'beginCapture'> = {}): CaptureSource => ({
  begin: () => client.api.beginCapture(asked),
  take: () => client.api.takeCaptured({}),
  end: () => client.api.endCapture({}),
});
const packets = async (): Promise<number> => (await client.api.captureState({})).packets;

interface Block {
  readonly type: number;
  readonly body: Buffer;
}

/** The blocks of a pcapng file (draft-ietf-opsawg-pcapng §3.1): both lengths the same, multiples of 4, and nothing left over. */
function blocksOf(file: Buffer): Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < file.length;) {
    const length = file.readUInt32LE(at + 4);
    expect(length % 4).toBe(0);
    expect(file.readUInt32LE(at + length - 4)).toBe(length);
    blocks.push({ type: file.readUInt32LE(at), body: file.subarray(at + 8, at + length - 4) });
    at += length;
  }
  return blocks;
}

it('both ways are in it, behind headers with a right checksum, and only its owner may read it', async () => {
  const writing = await captureInto(source(), path, { replace: false });
  await vi.waitFor(async () => expect(await packets()).toBeGreaterThan(20), 20_000);
  writing.stop();
  const state = await writing.finished;
  expect(state).toMatchObject({ running: false, dropped: 0, end: null, text: null });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const blocks = blocksOf(readFileSync(path));
  expect(blocks.map(({ type }) => type)).toEqual([
    ...[0x0a0d0d0a, 1],
    ...Array.from({ length: state.packets }, () => 6),
    5,
  ]);
  expect(blocks[1]!.body.readUInt16LE(0)).toBe(228);
  expect(readFileSync(path)).toHaveLength(state.bytes);
  const ways = new Set<number>();
  for (const { body } of blocks.filter(({ type }) => type === 6)) {
    const length = body.readUInt32LE(12);
    const packet = body.subarray(20, 20 + length);
    expect([packet[0], packet.readUInt16BE(2), packet[9]]).toEqual([0x45, length, 17]);
    expect(packet.readUInt16BE(24)).toBe(length - 20);
    let sum = 0;
    for (let i = 0; i < 20; i += 2) sum += packet.readUInt16BE(i);
    expect((sum & 0xffff) + (sum >>> 16)).toBe(0xffff);
    const options = body.subarray(20 + ((length + 3) & ~3));
    expect([options.readUInt16LE(0), options.readUInt16LE(2)]).toEqual([2, 4]);
    ways.add(options.readUInt32LE(4));
    // The time is today's.
    const time = body.readUInt32LE(4) * 2 ** 32 + body.readUInt32LE(8);
    expect(Math.abs(Date.now() - time / 1000)).toBeLessThan(60_000);
  }
  expect([...ways].sort()).toEqual([1, 2]);
});

it('of what is inside alone: IPv6 packets of their whole length, both ways, and no datagram without one', async () => {
  const writing = await captureInto(source({ inner: true }), path, { replace: false });
  await vi.waitFor(async () => expect(await packets()).toBeGreaterThan(20), 20_000);
  writing.stop();
  await writing.finished;
  const blocks = blocksOf(readFileSync(path));
  // LINKTYPE_IPV6
  expect(blocks[1]!.body.readUInt16LE(0)).toBe(229);
  const ways = new Set<number>();
  for (const { body } of blocks.filter(({ type }) => type === 6)) {
    const length = body.readUInt32LE(12);
    const packet = body.subarray(20, 20 + length);
    // RFC 8200 §3: the version, and the length of what follows the header of 40 bytes.
    expect([packet[0]! >> 4, packet.readUInt16BE(4) + 40]).toEqual([6, length]);
    ways.add(body.subarray(20 + ((length + 3) & ~3)).readUInt32LE(4));
  }
  expect([...ways].sort()).toEqual([1, 2]);
});

it('it ends by itself at its size, never above it but for the last block', async () => {
  const writing = await captureInto(source({ limitBytes: 10_000 }), path, { replace: false });
  expect(await writing.finished).toMatchObject({ end: 'full', running: false });
  const file = readFileSync(path);
  expect(file.length).toBeLessThanOrEqual(10_100);
  expect(file.length).toBeGreaterThan(5_000);
  expect(blocksOf(file).at(-1)!.type).toBe(5);
});

it('a file that is there is left alone, unless it is to be replaced; then it is nobody else’s any more', async () => {
  writeFileSync(path, 'mine', { mode: 0o644 });
  await expect(captureInto(source(), path, { replace: false })).rejects.toThrow(/there already/);
  expect(readFileSync(path, 'utf8')).toBe('mine');
  expect((await client.api.captureState({})).startedAt).toBeNull();
  const writing = await captureInto(source(), path, { replace: true });
  writing.stop();
  await writing.finished;
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await expect(captureInto(source(), join(folder, 'no', 'b'), { replace: true })).rejects.toThrow(
    /could not be written/,
  );
});

it('it ends when nobody takes what was captured', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  try {
    await client.api.beginCapture({});
    await vi.advanceTimersByTimeAsync(9_000);
    expect((await client.api.captureState({})).running).toBe(true);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await client.api.captureState({})).toMatchObject({
      ...{ running: false, end: 'nobody-reads', text: expect.stringMatching(/nobody/) as string },
    });
  } finally {
    vi.useRealTimers();
  }
});
