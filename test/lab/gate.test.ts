// Tries least exposure as a new user would: nothing allowed, one program allowed, another refused, a listener, and sleep.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { CallResult } from '../../engine/service/api.ts';
import { copyActor } from './kit/field.ts';
import { Lab, NATIVE, noLab } from './kit/lab.ts';
import { eventually, sleep, wakeUps } from './kit/processes.ts';
import type { Program, Result } from './kit/processes.ts';
import {
  leavesNothing,
  SHIPWORM,
  PLAIN_BUILD,
  SLOW,
  startMiredoRelay,
  startMiredoServer,
  startShipworm,
} from './kit/programs.ts';
import type { Shipworm } from './kit/programs.ts';
import { startStream, startWebServer, WEB_PAGE } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** The tunnel sleeps so soon after the last use, s. */
const SLEEP_AFTER = 2;
const ASLEEP_MS = SLEEP_AFTER * 1_000 * SLOW;
/** Of silence, ms. */
const QUIET_MS = 3_000;
/** Longer than any timer that once ran asleep: sweeps of 5 s, and V8's of 8 s. */
const STILL_MS = 8_500;

describe.skipIf(reason !== null)('least exposure', () => {
  let lab: Lab;
  let client: Shipworm;
  beforeAll(async () => {
    lab = new Lab();
    await Promise.all([
      startMiredoServer(lab),
      startMiredoRelay(lab),
      startWebServer(lab, lab.native, NATIVE),
    ]);
    const config = join(lab.folder, 'gate.json');
    writeFileSync(config, JSON.stringify({ sleepAfter: SLEEP_AFTER }));
    countUdp();
    client = startShipworm(lab, lab.home1, ['--config', config]);
    lab.keep();
    await client.address();
  });
  afterEach(() => lab.stopPrograms());
  afterAll(async () => {
    expect(await client.program.stop()).toEqual({ code: 0, signal: null });
    await leavesNothing(client.home, client.place);
    await lab.close();
  });

  /** Counts every UDP packet that leaves the home or comes to it. */
  function countUdp(): void {
    execFileSync('ip', ['netns', 'exec', lab.home1.space, 'nft', '-f', '-'], {
      input: `table ip watch {
        counter datagrams { }
        chain out { type filter hook output priority 0; oifname "e0" meta l4proto udp counter name datagrams; }
        chain in { type filter hook prerouting priority 0; iifname "e0" meta l4proto udp counter name datagrams; }
      }`,
    });
  }

  function udpPackets(): number {
    const text = execFileSync(
      'ip',
      ['netns', 'exec', lab.home1.space, 'nft', 'list', 'counter', 'ip', 'watch', 'datagrams'],
      { encoding: 'utf8' },
    );
    return Number(/packets (\d+)/.exec(text)![1]);
  }

  const here = (command: string, ...args: string[]): Promise<Result> =>
    lab.run(lab.home1.space, command, args, { timeoutMs: 30_000 });

  const fetch = (...options: string[]): Promise<Result> =>
    here('curl', '-sS', '-6', '-m', '20', ...options, `http://[${NATIVE}]/`);

  async function json<T>(...verb: string[]): Promise<T> {
    const { code, out, err } = await client.cli(...verb, '--json');
    if (code !== 0) throw new Error(`${verb.join(' ')}: ${err}`);
    return JSON.parse(out) as T;
  }

  const asleep = () =>
    client.becomes('asleep', ASLEEP_MS + 10_000, ({ state }) => state === 'dormant');

  /** No thread of client and helper has a timer, so that none of them wakes. */
  async function isStill(): Promise<void> {
    let before = wakeUps(lab.home1.space);
    let since = performance.now();
    await eventually(`${STILL_MS} ms without a wake-up`, 12 * STILL_MS, async () => {
      await sleep(500);
      const now = wakeUps(lab.home1.space);
      if (now !== before) since = performance.now();
      before = now;
      return performance.now() - since > STILL_MS;
    });
  }

  test('nothing allowed: dormant, with the reason, no socket, not one packet and not one wake-up', async () => {
    const { reason: why, exposure, attribution } = await asleep();
    expect(why.code).toBe('nothing-allowed');
    expect(exposure.mode).toBe('closed');
    expect(attribution).toBe('programs');
    const said = await client.cli('status');
    expect(said.out).toMatch(/^State +dormant \(nothing-allowed\): No application is allowed/m);
    expect(said.out).toMatch(/^Exposure .* Allow one with: shipworm apps allow PROGRAM$/m);
    expect(said.out).toMatch(/^Enforced +in the kernel, socket by socket$/m);
    // Nothing about a server that nobody asks.
    expect(said.out).not.toMatch(/^(Server|Mapped|NAT|Peers)|unknown|not found/m);
    const before = udpPackets();
    if (PLAIN_BUILD) await isStill();
    expect(udpPackets()).toBe(before);
    const sockets = await here('ss', '-uanH');
    expect(sockets.out.trim()).toBe('');
    expect((await fetch()).code).not.toBe(0);
    expect((await client.status()).state).toBe('dormant');
    expect(udpPackets()).toBe(before);
  });

  test('an allowed program works from dormant; another is refused at once and shows up as a question', async () => {
    const allowed = await client.cli('apps', 'allow', 'curl');
    expect(allowed.out).toMatch(/^curl may connect out: \/.*curl$/m);
    expect((await client.status()).state).toBe('dormant');
    const noProgram = await client.cli('apps', 'allow', '/etc/passwd');
    expect(noProgram).toMatchObject({ code: 1, out: '' });
    expect(noProgram.err).toMatch(/passwd is no program: nobody may execute it/);
    // Not a packet is lost to waking, so that what sends once and sends no second time arrives.
    const once = copyActor(join(lab.folder, 'once'));
    expect((await client.cli('apps', 'allow', once)).code).toBe(0);
    const listening = ['-u', 'UDP6-RECV:4000', '-'];
    const listener = lab.start(lab.native, '/usr/bin/socat', listening);
    const bound = async () => (await lab.run(lab.native, 'ss', ['-Huln', 'sport = :4000'])).out;
    await eventually('it listens', 5_000 * SLOW, async () => (await bound()) !== '');
    expect((await here(once, '--shot', NATIVE, '4000', 'hello')).code).toBe(0);
    await listener.says(/hello/, 5_000 * SLOW);
    await asleep();
    const page = await fetch();
    expect(page.err).toBe('');
    expect(page.out).toBe(WEB_PAGE);
    expect((await client.status()).state).toBe('qualified');
    const slow = fetch('--limit-rate', '20k');
    const seen = await eventually('its flow is listed', 5_000 * SLOW, async () => {
      const flows = await json<CallResult<'flows'>>('flows');
      // The last acknowledgement of the page before may still come, from a socket that is nobody's any more: a row of its own.
      return flows.find(({ remote, verdict }) => remote === NATIVE && verdict === 'pass');
    });
    expect(seen).toMatchObject({
      app: { name: 'curl' },
      direction: 'out',
      verdict: 'pass',
      reason: 'allowed',
      confidence: 'exact',
    });
    expect((await slow).out).toBe(WEB_PAGE);
    const python = await here(
      '/usr/bin/python3',
      '-c',
      `import urllib.request; urllib.request.urlopen('http://[${NATIVE}]/', timeout=10)`,
    );
    expect(python.code).not.toBe(0);
    expect(python.err).toMatch(/Permission denied|Operation not permitted/);
    expect(python.ms).toBeLessThan(3_000 * SLOW);
    const questions = await json<CallResult<'questions'>>('questions');
    expect(questions).toMatchObject([
      { path: expect.stringContaining('python') as string, remote: NATIVE, confidence: 'exact' },
    ]);
    // A rule that ends with a program that is gone would be none.
    const { id } = questions[0]!;
    const late = await client.cli('questions', 'answer', id, 'until-quit');
    expect(late).toMatchObject({ code: 1, out: '' });
    expect(late.err).toMatch(/python\S* has ended already.*shipworm apps allow \S*python/);
    expect(await json<CallResult<'questions'>>('questions')).toEqual([]);
    await asleep();
    // What was on its way to us as the tunnel fell asleep is no packet of ours.
    await sleep(500);
    const before = udpPackets();
    await sleep(QUIET_MS);
    expect(udpPackets()).toBe(before);
  });

  test('a listener is not reachable until it is allowed to be, and keeps the tunnel awake', async () => {
    const { address } = await client.status();
    const listen = (): Program =>
      lab.start(lab.home1.space, '/usr/bin/socat', ['-u', 'TCP6-LISTEN:8080,reuseaddr', '-']);
    const closed = listen();
    const reachable = async () =>
      (await json<CallResult<'reachable'>>('apps', 'reachable')).find(({ port }) => port === 8080);
    await eventually('it listens', 3_000 * SLOW, reachable);
    expect(await reachable()).toMatchObject({
      app: { name: 'socat' },
      address: '::',
      allowed: false,
    });
    // Awake through curl, so that a packet from outside could come as far as this machine.
    expect((await fetch()).code).toBe(0);
    /** Says hello to port 8080 from outside; 124: nothing answered for so long. */
    const knock = (seconds: number): Promise<Result> => {
      const hello = `echo hello > /dev/tcp/${address}/8080`;
      return lab.run(lab.native, 'timeout', [String(seconds), 'bash', '-c', hello]);
    };
    expect((await knock(2)).code).toBe(124);
    expect(closed.out).toBe('');
    await closed.stop();

    const told = await client.cli('apps', 'allow', '--no-out', '--reachable', '8080', 'socat');
    expect(told.out).toMatch(/^socat may be reached on port 8080/);
    await asleep();
    const open = listen();
    await client.becomes('awake', 10_000 * SLOW, ({ state }) => state === 'qualified');
    await sleep(SLEEP_AFTER * 2_000);
    const awake = await client.status();
    expect(awake.state).toBe('qualified');
    expect(await reachable()).toMatchObject({ allowed: true });
    expect(await knock(10 * SLOW)).toMatchObject({ code: 0, err: '' });
    await open.says(/hello/, 2_000 * SLOW);
    await open.stop();
    await asleep();
  });

  test('another router with the same addresses is another network, which is remembered apart', async () => {
    const { space, router, inside } = lab.home1;
    const gateway = inside.replace(/10$/, '1');
    const shown = await lab.run(router, 'cat', ['/sys/class/net/in/address']);
    const moveTo = async (link: string): Promise<void> => {
      await here('ip', 'link', 'set', 'e0', 'down');
      await lab.run(router, 'ip', ['link', 'set', 'in', 'address', link]);
      await here('ip', 'link', 'set', 'e0', 'up');
      await here('ip', 'route', 'replace', 'default', 'via', gateway);
      // Somebody else speaks with it: by ourselves we send nothing to learn who it is.
      await lab.run(space, 'ping', ['-c', '1', '-W', '5', gateway]);
    };
    expect((await client.cli('network', 'off')).code).toBe(0);
    await client.becomes('off here', 30_000, ({ reason: { code } }) => code === 'network-off');
    await moveTo('02:00:00:00:00:99');
    await asleep();
    await moveTo(shown.out.trim());
    await client.becomes('off again', 30_000, ({ reason: { code } }) => code === 'network-off');
    expect((await client.cli('network', 'on')).code).toBe(0);
    await asleep();
  });

  test('shipworm run lets one program through until it ends, and no other of its name', async () => {
    const script = `import urllib.request; print(len(urllib.request.urlopen('http://[${NATIVE}]/', timeout=20).read()))`;
    // As a user's shell has it: \`ip netns exec\` hides the control groups.
    const outside = ['-m', '-t', String(process.pid)];
    const run = await here(
      'nsenter',
      ...outside,
      SHIPWORM,
      ...['run', '--control', client.place.control, '--'],
      ...['/usr/bin/python3', '-c', script],
    );
    expect(run).toMatchObject({ code: 0, out: `${WEB_PAGE.length}\n` });
    const other = await here('/usr/bin/python3', '-c', script);
    expect(other.code).toBe(1);
    const { length } = await json<CallResult<'apps'>>('apps');
    const failing = ['run', '--control', client.place.control, '--', 'sh', '-c', 'exit 7'];
    expect((await here('nsenter', ...outside, SHIPWORM, ...failing)).code).toBe(7);
    expect(await json<CallResult<'apps'>>('apps')).toHaveLength(length);
  });

  test('turning a rule off cuts its connections within a second', async () => {
    const warned = await client.cli('apps', 'allow', process.execPath);
    expect(warned.err).toMatch(/node runs what others wrote/);
    // A number each 50 ms, from outside to a program here.
    const reader = await startStream(
      lab,
      { from: lab.home1, space: lab.native, address: NATIVE },
      'to',
      1_000,
      50,
    );
    const numbers = (): number => reader.out.split('\n').length;
    await eventually('it flows', 10_000 * SLOW, () => numbers() > 10);
    expect((await client.cli('apps', 'forget', process.execPath)).code).toBe(0);
    let [heard, since] = [numbers(), performance.now()];
    await eventually('no number comes for a second', 1_000 + 1_000 * SLOW, () => {
      if (numbers() !== heard) [heard, since] = [numbers(), performance.now()];
      return performance.now() - since > 1_000;
    });
    const again = await here(process.execPath, '-e', `fetch('http://[${NATIVE}]/')`);
    expect(again.err).toMatch(/EACCES|EPERM/);
  });
});
