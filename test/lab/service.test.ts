// Tries an ordinary user's client with the helper as a service: who is served, who is refused, and what stays when either is killed.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDatapath } from '../../engine/host/linux-datapath.ts';
import { Lab, NATIVE, noLab, SERVER } from './kit/lab.ts';
import type { Program } from './kit/processes.ts';
import {
  leavesNothing,
  Place,
  Shipworm,
  SHIPWORM,
  startMiredoRelay,
  startMiredoServer,
  SLOW,
} from './kit/programs.ts';
import { answers } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const USER = 23_456;
const STRANGER = 34_567;
const identity = (uid: number): string[] => [
  `--reuid=${uid}`,
  `--regid=${uid}`,
  '--clear-groups',
  '--inh-caps=-all',
];

/** What a process with all capabilities gets here; in some containers that is no more than others get. */
function buffersOfRoot(): Record<string, number> {
  const datapath = openDatapath({
    adapter: null,
    bind: { ip: 0x7f000001, port: 0 },
    validMs: 1,
    offloads: false,
    onUpcalls: () => undefined,
    onFailed: (error) => {
      throw error;
    },
  });
  const { receiveBufferBytes, sendBufferBytes } = datapath.counters();
  datapath.close();
  return { receiveBufferBytes: receiveBufferBytes!, sendBufferBytes: sendBufferBytes! };
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);

describe.skipIf(reason !== null)('an ordinary user with the helper as a service', () => {
  let lab: Lab;
  let socket = '';
  let helperProgram = '';
  let attachQueue = '';
  let service: Program;
  let place: Place;
  beforeAll(async () => {
    lab = new Lab();
    const folder = join(lab.folder, 'service');
    mkdirSync(folder, { mode: 0o755 });
    helperProgram = join(folder, 'shipworm-helper');
    copyFileSync('build/native/shipworm-helper', helperProgram);
    socket = join(folder, 'helper.sock');
    attachQueue = join(folder, 'attach-queue');
    execFileSync('g++', ['-std=c++20', '-o', attachQueue, 'test/lab/attach-queue.cc']);
    await Promise.all([startMiredoServer(lab), startMiredoRelay(lab)]);
    lab.keep();
  });
  afterAll(() => lab.close());
  // What a failed test left must not fail the next one.
  afterEach(() => lab.stopPrograms());
  beforeEach(async () => {
    place = new Place(lab, 'user', USER);
    service = lab.start(lab.home1.space, helperProgram, [
      ...['--listen', socket, '--allow-uid', String(USER)],
    ]);
    await expect.poll(() => statSync(socket, { throwIfNoEntry: false })).toBeTruthy();
  });
  afterEach(async () => {
    await service.stop();
    await leavesNothing(lab.home1, place);
  });

  const as = (uid: number, ...args: string[]): [string, string[]] => [
    'setpriv',
    [...identity(uid), ...args],
  ];

  async function start(...args: string[]): Promise<Shipworm> {
    const program = lab.start(
      lab.home1.space,
      ...as(USER, SHIPWORM, 'client', '--server', SERVER, ...args),
      { ...place.env, SHIPWORM_HELPER_SOCKET: socket },
    );
    const client = new Shipworm(lab, lab.home1, place, program);
    await client.address();
    return client;
  }

  test('the client runs as the user and works', async () => {
    const client = await start('--expose-all');
    const status = readFileSync(`/proc/${client.program.pid}/status`, 'utf8');
    expect(status).toMatch(new RegExp(`^Uid:(\\t${USER}){4}$`, 'm'));
    expect(status).toMatch(/^CapEff:\t0{16}$/m);
    expect(status).toMatch(/^CapPrm:\t0{16}$/m);
    expect(statSync(place.control)).toMatchObject({ uid: USER });
    expect(statSync(place.control).mode & 0o777).toBe(0o600);
    await answers(lab, lab.home1, NATIVE);
    // The helper gives its socket what root may have, whatever net.core.rmem_max allows a user.
    const { counters } = await client.status();
    expect(counters.datapath).toMatchObject(buffersOfRoot());
    // Only the user may ask it.
    const ask = (uid: number): Promise<{ code: number | null; err: string }> =>
      lab.run(lab.home1.space, ...as(uid, SHIPWORM, 'status', '--control', place.control));
    expect((await ask(USER)).code).toBe(0);
    const refused = await ask(STRANGER);
    expect(refused.code).toBe(3);
    expect(refused.err).toMatch(/belongs to another user/);
    client.program.signal('SIGINT');
    expect(await client.program.end(3_000 * SLOW)).toEqual({ code: 0, signal: null });
    await leavesNothing(lab.home1, place, [service.pid]);
  });

  test('no user can attach to the adapter, not even its own', async () => {
    const client = await start();
    const attach = async (uid: number): Promise<string> =>
      (await lab.run(lab.home1.space, ...as(uid, attachQueue, 'teredo', 'one'))).out;
    expect(await attach(STRANGER)).toBe('Operation not permitted\n');
    expect(await attach(USER)).toBe('Operation not permitted\n');
    await client.program.stop();
  });

  test('a user who is not on the list is refused in one sentence', async () => {
    const other = new Place(lab, 'stranger', STRANGER);
    const { code, out, err } = await lab.run(
      lab.home1.space,
      ...as(STRANGER, SHIPWORM, 'client', '--server', SERVER),
      { env: { ...other.env, SHIPWORM_HELPER_SOCKET: socket } },
    );
    expect({ code, out }).toEqual({ code: 4, out: '' });
    expect(err).toMatch(/^shipworm: .*does not serve this user.*--allow-uid 34567.*\n$/);
    await leavesNothing(lab.home1, other, [service.pid]);
  });

  test('kill -9 of the client leaves only the service, which serves the next', async () => {
    for (let i = 0; i < 2; i++) {
      const client = await start();
      client.program.signal('SIGKILL');
      await client.program.end(3_000 * SLOW);
      await leavesNothing(lab.home1, place, [service.pid]);
    }
  });

  test.each([
    ['the service', (): number[] => [service.pid]],
    ['the session', (): number[] => childrenOf(service.pid)],
    [
      'the session’s process for owners',
      (): number[] => childrenOf(service.pid).flatMap(childrenOf),
    ],
  ])('kill -9 of %s ends the client with a sentence', async (_, victims) => {
    const client = await start();
    const pids = victims();
    expect(pids).toHaveLength(1);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    expect(await client.program.end(3_000 * SLOW)).toEqual({ code: 4, signal: null });
    expect(client.program.err.trim().split('\n').at(-1)).toMatch(/helper has ended.*\.$/);
    await leavesNothing(lab.home1, place, [service.pid]);
  });
});
