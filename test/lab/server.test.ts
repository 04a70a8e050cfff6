// Tries our server with Miredo's clients and with ours: addresses, paths, native hosts, and its end.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { callStatus } from '../../engine/service/control-client.ts';
import type { ServerStatus } from '../../engine/service/api.ts';
import { crowd, holdings } from './kit/blast.ts';
import { Lab, NATIVE, noLab, SERVER, SERVER2 } from './kit/lab.ts';
import { eventually, pidsIn } from './kit/processes.ts';
import type { Program } from './kit/processes.ts';
import {
  leavesNothing,
  PLAIN_BUILD,
  Place,
  QUALIFIED_MS,
  SHIPWORM,
  startMiredoClient,
  startMiredoRelay,
  startShipworm,
  SLOW,
} from './kit/programs.ts';
import type { Shipworm } from './kit/programs.ts';
import { answers } from './kit/traffic.ts';

/** Several times as many as the sources whose rate is remembered (16,384). */
const CROWD = 120_000;
const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

describe.skipIf(reason !== null)('our server', () => {
  let lab: Lab;
  let place: Place;
  let server: Program;
  const started: Program[] = [];
  beforeAll(async () => {
    lab = new Lab();
    await startMiredoRelay(lab);
  });
  afterAll(() => lab.close());
  afterEach(async () => {
    await Promise.all(started.splice(0).map((program) => program.stop()));
    await server.stop();
    await eventually('nothing is left', 3_000 * SLOW, () => pidsIn(lab.pub).length === 0);
  });

  async function start(settings: object = {}): Promise<void> {
    place = new Place(lab, 'server');
    writeFileSync(place.config, JSON.stringify(settings));
    const options = ['--primary', SERVER, '--secondary', SERVER2, '--config', place.config];
    const args = ['server', ...options];
    server = lab.start(lab.pub, SHIPWORM, args, place.env);
    await server.says(/Serving at 192\.0\.2\.1 and 192\.0\.2\.2, UDP port 3544\./, 5_000 * SLOW);
  }
  const status = async (): Promise<ServerStatus> =>
    (await callStatus([place.control])) as ServerStatus;

  test('Miredo’s clients in two homes reach each other and a native host', async () => {
    await start();
    lab.setNat(lab.home1, 'restricted');
    lab.setNat(lab.home2, 'restricted');
    const one = startMiredoClient(lab, lab.home1);
    const two = startMiredoClient(lab, lab.home2);
    started.push(one.program, two.program);
    await one.address();
    const address = await two.address();
    await answers(lab, lab.home1, address);
    await answers(lab, lab.home1, NATIVE);
    const { counters, nativePings } = await status();
    expect(nativePings).toBe(true);
    expect(counters.answered).toBeGreaterThanOrEqual(2);
    expect(counters.forwarded).toBeGreaterThan(0);
    expect(counters.native).toBeGreaterThan(0);
  });

  test('our client qualifies, names its NAT, and reaches a native host', async () => {
    await start();
    lab.setNat(lab.home1, 'restricted');
    const ours = startShipworm(lab, lab.home1, ['--expose-all']);
    started.push(ours.program);
    await ours.address();
    await ours.becomes('restricted', QUALIFIED_MS, ({ nat }) => nat === 'restricted');
    await answers(lab, lab.home1, NATIVE);
    await ours.program.stop();
    await leavesNothing(lab.home1, ours.place);
  });

  test('a symmetric NAT is named: the second address shows it', async () => {
    await start();
    lab.setNat(lab.home1, 'symmetric');
    const ours = startShipworm(lab, lab.home1);
    started.push(ours.program);
    await ours.becomes('symmetric', QUALIFIED_MS, ({ nat }) => nat === 'symmetric');
  });

  test('killed and started again in the middle: clients, ours and Miredo’s, go on and open new ways', async () => {
    await start();
    for (const home of [lab.home1, lab.home2]) lab.setNat(home, 'restricted');
    const ours = startShipworm(lab, lab.home1, ['--expose-all']);
    const theirs = startMiredoClient(lab, lab.home2);
    started.push(ours.program, theirs.program);
    const [our, their] = [await ours.address(), await theirs.address()];
    const ping = lab.run(lab.home1.space, 'ping', ['-n', '-i0.1', '-c40', '-W1', their]);
    await answers(lab, lab.home1, their);
    server.signal('SIGKILL');
    await server.end(3_000 * SLOW);
    // What is open needs no server; a new way does.
    await answers(lab, lab.home2, our);
    await start();
    await answers(lab, lab.home1, NATIVE);
    await answers(lab, lab.home2, NATIVE);
    expect((await ping).out).toMatch(/ 40 received/);
    expect((await ours.status()).address).toBe(our);
    expect(await theirs.address()).toBe(their);
  });

  test('R-spoofed-server: a keyed client qualifies with its key, and with another’s it is told', async () => {
    await start({ clients: { alice: 'correct horse' } });
    lab.setNat(lab.home1, 'restricted');
    const keyed = (clientId: string, key: string): Shipworm => {
      const file = join(lab.folder, `${clientId}.json`);
      writeFileSync(file, JSON.stringify({ clientId, key }));
      const client = startShipworm(lab, lab.home1, ['--expose-all', '--config', file]);
      started.push(client.program);
      return client;
    };
    const alice = keyed('alice', 'correct horse');
    await alice.address();
    await answers(lab, lab.home1, NATIVE);
    await alice.program.stop();
    const mallory = keyed('mallory', 'correct horse');
    const { state, reason: why } = await mallory.becomes(
      'refused',
      QUALIFIED_MS,
      (told) => told.reason.code === 'key-refused',
    );
    expect([state, why.code]).toEqual(['refused', 'key-refused']);
    await mallory.program.stop();
    const { answered } = (await status()).counters;
    const forger = keyed('alice', 'wrong');
    await eventually('the forger is counted', QUALIFIED_MS, async () => {
      return ((await status()).counters.discards['authenticationFailed'] ?? 0) > 0;
    });
    expect((await status()).counters.answered).toBe(answered);
    expect((await forger.status()).address).toBeNull();
  });

  test('a crowd of clients, each at an address of its own, takes no memory that grows', async () => {
    await start();
    const counted = async (): Promise<number> => {
      const { answered, discards } = (await status()).counters;
      // The lab has no way back to them: what the core says of that is no error of the server's.
      return answered + (discards['sendFailed'] ?? 0) + (discards['sendQueueFull'] ?? 0);
    };
    const wave = (from: string, count: number): Promise<unknown> =>
      crowd(lab, lab.core, from, SERVER, 60_000, count);
    // More than the sources whose rate is remembered.
    await wave('8.0.0.0', 40_000);
    const before = holdings(lab.pub);
    const answered = await counted();
    // What a busy machine had no time for comes again, from others.
    let from = 9;
    await eventually(`${CROWD / 2} of them were heard`, 20_000 * SLOW, async () => {
      await wave(`${from++}.0.0.0`, CROWD);
      return (await counted()) - answered > CROWD / 2;
    });
    const after = holdings(lab.pub);
    if (PLAIN_BUILD) expect(after.anonymousKb - before.anonymousKb).toBeLessThan(4_096);
    expect(after.fds).toBe(before.fds);
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)('%s leaves nothing', async (signal) => {
    await start();
    expect(await status()).toMatchObject({ role: 'server', primary: SERVER, port: 3544 });
    server.signal(signal);
    const { code } = await server.end(3_000 * SLOW);
    expect(code).toBe(signal === 'SIGKILL' ? null : 0);
    await eventually('the control socket and all processes are gone', 3_000 * SLOW, async () => {
      const gone = await status().then(
        () => false,
        () => true,
      );
      return gone && pidsIn(lab.pub).length === 0;
    });
  });
});
