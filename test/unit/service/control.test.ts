// The control socket as it is: modes, leftovers, a second start, and what strangers may write into it.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Api } from '../../../engine/service/api.ts';
import { callService } from '../../../engine/service/control-client.ts';
import { listenControl } from '../../../engine/service/control-server.ts';
import type { ControlServer } from '../../../engine/service/control-server.ts';
import { ServiceError } from '../../../engine/service/errors.ts';

let folder: string;
let path: string;
const open: ControlServer[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shipworm-control-'));
  path = join(folder, 'run', 'control.sock');
});
afterEach(() => {
  for (const server of open.splice(0)) server.close();
  rmSync(folder, { recursive: true });
});

const PEER = {
  address: '2001:db8::80',
  kind: 'native',
  endpoint: '192.0.2.66:3544',
  path: 'relay',
  trusted: true,
  rttMs: 12.5,
  bytesIn: 1,
  bytesOut: 2,
  lastHeardMs: 3,
} as const;
/** Some of the calls: the others would be answered likewise. */
const api = {
  status: () => Promise.reject(new ServiceError('failed', 'No status today.')),
  peers: () => Promise.resolve([PEER]),
  reload: () => Promise.resolve({ applied: [], needRestart: [] }),
  ping: ({ address }) =>
    Promise.resolve({ ok: false, code: 'no-path', text: `No path to ${address}.` }),
} as Partial<Api> as Api;

async function listen(): Promise<ControlServer> {
  const server = await listenControl(path);
  open.push(server);
  return server;
}

/** The lines that come back for `text`, until the connection ends or as many as `count` have come. */
function raw(text: string, count: number): Promise<string[]> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.write(text));
    let heard = '';
    const done = (): void => resolve(heard.split('\n').filter((line) => line !== ''));
    socket.setEncoding('utf8');
    socket.on('error', () => undefined);
    socket.on('close', done);
    socket.on('data', (chunk: string) => {
      heard += chunk;
      if (heard.split('\n').length > count) socket.destroy();
    });
  });
}

it('answers calls, and errors cross as data', async () => {
  (await listen()).serve(api);
  expect(await callService([path], 'peers', {})).toEqual([PEER]);
  expect(await callService([path], 'ping', { address: '::1', timeoutMs: 100 })).toMatchObject({
    code: 'no-path',
  });
  await expect(callService([path], 'status', {})).rejects.toMatchObject({
    code: 'failed',
    message: 'No status today.',
  });
});

it('nobody else may connect', async () => {
  await listen();
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it('calls wait until the service is there', async () => {
  const server = await listen();
  const answer = callService([path], 'peers', {});
  server.serve(api);
  expect(await answer).toEqual([PEER]);
});

it('a running one is left alone, and said', async () => {
  (await listen()).serve(api);
  await expect(listenControl(path)).rejects.toMatchObject({ code: 'already-running' });
  expect(await callService([path], 'peers', {})).toEqual([PEER]);
});

it('a socket that a dead process left is replaced', async () => {
  path = join(folder, 'control.sock');
  const { execFileSync } = await import('node:child_process');
  const program = `require('node:net').createServer().listen(${JSON.stringify(path)},()=>process.kill(process.pid,'SIGKILL'))`;
  expect(() => execFileSync(process.execPath, ['-e', program])).toThrow();
  expect(statSync(path).isSocket()).toBe(true);
  await expect(callService([path], 'peers', {})).rejects.toMatchObject({ code: 'not-running' });
  (await listen()).serve(api);
  expect(await callService([path], 'peers', {})).toEqual([PEER]);
});

it('a living one that accepts nobody just now is no leftover', async () => {
  path = join(folder, 'busy.sock');
  const program = `require('node:net').createServer().listen({path:${JSON.stringify(path)},backlog:1},()=>process.kill(process.pid,'SIGSTOP'))`;
  const child = spawn(process.execPath, ['-e', program], { stdio: 'ignore' });
  const fillers: Socket[] = [];
  try {
    await vi.waitFor(
      () => expect(readFileSync(`/proc/${child.pid!}/stat`, 'latin1')).toContain(') T '),
      5_000,
    );
    // The queue is full when a connection is refused with EAGAIN.
    const full = new Promise<string | undefined>((resolve) => {
      const fill = (): void => {
        const socket = connect(path, fill);
        socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
        fillers.push(socket);
      };
      fill();
    });
    expect(await full).toBe('EAGAIN');
    await expect(listenControl(path)).rejects.toMatchObject({ code: 'already-running' });
    expect(statSync(path).isSocket()).toBe(true);
  } finally {
    for (const socket of fillers) socket.destroy();
    child.kill('SIGKILL');
  }
});

it('a file that is no socket is never removed', async () => {
  path = join(folder, 'notes.txt');
  writeFileSync(path, 'mine');
  await expect(listenControl(path)).rejects.toMatchObject({ code: 'control-failed' });
  expect(statSync(path).isFile()).toBe(true);
});

it('nobody there is said', async () => {
  await expect(callService([path], 'status', {})).rejects.toMatchObject({ code: 'not-running' });
});

it('wrong requests are named and harm nobody', async () => {
  (await listen()).serve(api);
  const lines = await raw(
    'nonsense\n{"id":1}\n{"id":2,"call":"constructor"}\n{"id":3,"call":"ping","params":{"address":7}}\n',
    4,
  );
  const codes = lines.map((line) => (JSON.parse(line) as { error: { code: string } }).error.code);
  expect(codes.toSorted()).toEqual(['bad-request', 'bad-request', 'bad-request', 'unknown-call']);
  expect(await raw('x'.repeat(100_000), 1)).toEqual([]);
  expect(await callService([path], 'peers', {})).toEqual([PEER]);
});

it('a service that never answers is not waited for', async () => {
  path = join(folder, 'mute.sock');
  const mute = createServer(() => undefined);
  await new Promise<void>((resolve) => void mute.listen(path, resolve));
  await expect(callService([path], 'peers', {}, 100)).rejects.toMatchObject({ code: 'failed' });
  mute.close();
});

it.each(['nonsense', '{"id":1,"result":[{"address":1}]}'])(
  'an answer of another version (%s) is one sentence',
  async (answer) => {
    const other = createServer((socket) => socket.on('data', () => socket.write(`${answer}\n`)));
    const at = join(folder, 'other.sock');
    await new Promise<void>((resolve) => other.listen(at, resolve));
    try {
      await expect(callService([at], 'peers', {})).rejects.toThrow(
        /in another way than this version/,
      );
    } finally {
      other.close();
    }
  },
);
