// Plays the first hour of an ordinary user, who has the helper service and nothing else: nothing allowed, curl, a refused program, a listener, sleep.
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab, NATIVE, noLab, SERVER } from './kit/lab.ts';
import { eventually, sleep } from './kit/processes.ts';
import type { Program, Result } from './kit/processes.ts';
import {
  leavesNothing,
  Place,
  Shipworm,
  SHIPWORM,
  SLOW,
  startMiredoRelay,
  startMiredoServer,
} from './kit/programs.ts';
import { startWebServer, WEB_PAGE } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const HELPER = resolve('build/native/shipworm-helper');
const USER = 34_568;
const SLEEP_AFTER = 2;
const SOON_MS = 5_000 * SLOW;
const QUIET_MS = 2_000;
const PORT = 8_081;
const AS_USER = [
  ...['setpriv', '--reuid', String(USER), '--regid', String(USER), '--clear-groups'],
] as const;

describe.skipIf(reason !== null)('a new user', () => {
  let lab: Lab;
  let place: Place;
  let helper: Program;
  let client: Shipworm;
  const home = (): string => lab.home1.space;
  beforeAll(async () => {
    lab = new Lab();
    await Promise.all([
      startMiredoServer(lab),
      startMiredoRelay(lab),
      startWebServer(lab, lab.native, NATIVE),
    ]);
    place = new Place(lab, 'new-user', USER);
    const config = join(lab.folder, 'new-user.json');
    writeFileSync(config, JSON.stringify({ server: SERVER, sleepAfter: SLEEP_AFTER }));
    const socket = join(lab.folder, 'new-user', 'helper', 'helper.sock');
    const listen = ['--listen', socket, '--allow-uid', String(USER)];
    helper = lab.start(home(), HELPER, listen);
    await eventually('the helper listens', SOON_MS, () => existsSync(socket));
    const [command, ...args] = [...AS_USER, SHIPWORM, 'client', '--config', config];
    const env = { ...place.env, SHIPWORM_HELPER_SOCKET: socket };
    client = new Shipworm(lab, lab.home1, place, lab.start(home(), command, args, env));
    lab.keep();
    await client.address();
  });
  afterAll(async () => {
    expect(await client.program.stop()).toEqual({ code: 0, signal: null });
    await leavesNothing(lab.home1, place, [helper.pid]);
    await lab.close();
  });

  /** What the user types at his PC. */
  const types = (...command: string[]): Promise<Result> => {
    const [first, ...rest] = [...AS_USER, ...command];
    return lab.run(home(), first, rest, { env: place.env, timeoutMs: 30_000 });
  };
  const shipworm = (...verb: string[]): Promise<Result> => types(SHIPWORM, ...verb);
  const asleep = () => client.becomes('asleep', SOON_MS, ({ state }) => state === 'dormant');

  async function isSilent(): Promise<void> {
    const pcap = join(lab.folder, 'quiet.pcap');
    const capture = lab.start(home(), 'tcpdump', ['-i', 'e0', '-U', '-w', pcap, 'udp']);
    await capture.says(/listening on e0/, SOON_MS);
    await sleep(QUIET_MS);
    await capture.stop();
    expect((await lab.run(home(), 'tcpdump', ['-nr', pcap])).out).toBe('');
  }

  test('nothing allowed: status says dormant and why, and there is silence', async () => {
    await asleep();
    const { out } = await shipworm('status');
    expect(out).toMatch(/dormant/);
    expect(out).toMatch(/No application is allowed to use the tunnel/);
    await isSilent();
  });

  test('shipworm apps allow /usr/bin/curl: curl works, python’s fetch of the same is refused at once and asked about', async () => {
    expect((await shipworm('apps', 'allow', '/usr/bin/curl')).out).toMatch(/curl may connect out/);
    const page = await types('/usr/bin/curl', '-sS', '-m', '20', `http://[${NATIVE}]/`);
    expect(page).toMatchObject({ code: 0, out: WEB_PAGE });
    const fetch = `import urllib.request; urllib.request.urlopen('http://[${NATIVE}]/', timeout=10)`;
    const python = await types('/usr/bin/python3', '-c', fetch);
    expect(python.err).toMatch(/Permission denied|Operation not permitted/);
    expect(python.ms).toBeLessThan(3_000 * SLOW);
    expect((await shipworm('questions')).out).toMatch(/python3/);
    // Another user's curl is another program.
    const other = await lab.run(home(), '/usr/bin/curl', ['-m', '10', `http://[${NATIVE}]/`]);
    expect(other.code).not.toBe(0);
  });

  test('ping is refused at once and says why, until it is allowed', async () => {
    const ping = (): Promise<Result> =>
      types('/usr/bin/ping', '-6', '-n', '-c', '1', '-W', '20', NATIVE);
    const refused = await ping();
    expect(refused.code).toBe(1);
    expect(refused.out).toMatch(/Destination unreachable: Administratively prohibited/);
    // It heard so, and did not wait for an answer.
    expect(refused.ms).toBeLessThan(15_000);
    expect((await shipworm('questions')).out).toMatch(/ ping /);
    expect((await shipworm('apps', 'allow', '/usr/bin/ping')).out).toMatch(/ping may connect out/);
    expect(await ping()).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringMatching(/ 0% packet loss/) as string,
    });
    expect((await shipworm('apps', 'forget', 'ping')).code).toBe(0);
    expect((await ping()).out).toMatch(/Administratively prohibited/);
  });

  test('what listens is not reachable until it is allowed to be; when all are gone the tunnel sleeps', async () => {
    const listen = (): Program => {
      const [first, ...rest] = [...AS_USER, '/usr/bin/socat', `TCP6-LISTEN:${PORT}`, 'STDOUT'];
      return lab.start(home(), first, rest);
    };
    const { address } = await client.status();
    const knock = async (): Promise<number | null> => {
      const hello = `echo hello > /dev/tcp/${address!}/${PORT}`;
      return (await lab.run(lab.native, 'timeout', ['3', 'bash', '-c', hello])).code;
    };
    const closed = listen();
    expect((await types('/usr/bin/curl', '-sS', `http://[${NATIVE}]/`)).code).toBe(0);
    expect(await knock()).toBe(124);
    expect((await shipworm('apps', 'reachable')).out).toMatch(
      new RegExp(`socat.*${PORT}|${PORT}.*socat`),
    );
    const told = await shipworm('apps', 'allow', '--no-out', '--reachable', String(PORT), 'socat');
    expect(told).toMatchObject({
      err: '',
      out: expect.stringMatching(/may be reached on port 8081/) as string,
    });
    await client.becomes('awake', SOON_MS, ({ state }) => state === 'qualified');
    await eventually('it is reached', SOON_MS, async () => (await knock()) === 0);
    await closed.says(/hello/, SOON_MS);
    await closed.stop();
    await asleep();
    await isSilent();
  });
});
