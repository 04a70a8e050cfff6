// Tries the running client with programs in the kernel: scanned from outside, two at once, stopped, and its ports taken over.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Actor, copyActor } from './kit/field.ts';
import { Lab, NATIVE, noLab } from './kit/lab.ts';
import type { Home } from './kit/lab.ts';
import { eventually, pidsIn } from './kit/processes.ts';
import {
  SHIPWORM,
  SLOW,
  startMiredoRelay,
  startMiredoServer,
  startShipworm,
} from './kit/programs.ts';
import type { Shipworm } from './kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const SOON_MS = 3_000 * SLOW;
const QUIET_MS = 700;
const FIRST_PORT = 9_000;
const PORTS = Array.from({ length: 10 }, (_, i) => FIRST_PORT + i);
const OPEN_PORT = 9_004;

describe.skipIf(reason !== null)('a client with programs in the kernel', () => {
  let lab: Lab;
  let one: Shipworm;
  let two: Shipworm;
  let allowed = '';
  let forbidden = '';
  let outside: Actor | undefined;
  const actors: Actor[] = [];
  beforeAll(async () => {
    lab = new Lab();
    await Promise.all([startMiredoServer(lab), startMiredoRelay(lab)]);
    allowed = copyActor(join(lab.folder, 'allowed'));
    forbidden = copyActor(join(lab.folder, 'forbidden'));
    [one, two] = [startShipworm(lab, lab.home1), startShipworm(lab, lab.home2)];
    lab.keep();
    await Promise.all([one.address(), two.address()]);
    const rule = ['apps', 'allow', '--reachable', String(OPEN_PORT), allowed];
    const told = await lab.run(one.home.space, SHIPWORM, rule, { env: one.place.env });
    expect(told).toMatchObject({ code: 0 });
    outside = await act({ space: lab.native }, allowed);
    actors.pop();
    for (const line of ['udp u', 'bind u :: 4000']) await outside.do(line);
  });
  afterEach(() => {
    for (const actor of actors.splice(0)) actor.kill();
  });
  afterAll(async () => {
    outside?.kill();
    await Promise.all([one.program.stop(), two.program.stop()]);
    await lab.close();
  });

  async function act(home: Pick<Home, 'space'>, command: string): Promise<Actor> {
    const actor = new Actor(home.space, command, []);
    actors.push(actor);
    expect(await actor.heard()).toBe('ready');
    return actor;
  }

  /** What `actor` sends to the native host arrives there. */
  async function reaches(actor: Actor, name: string, text: string): Promise<boolean> {
    await actor.do(`send ${name} ${NATIVE} 4000 ${text}`);
    return (await outside!.do(`recv u ${QUIET_MS}`)) === text;
  }

  test('each judges its own programs: what one allows the other does not', async () => {
    expect([(await one.status()).attribution, (await two.status()).attribution]).toEqual([
      'programs',
      'programs',
    ]);
    const actor = await act(lab.home1, allowed);
    await actor.do('udp u');
    await eventually('it gets out', SOON_MS, () => reaches(actor, 'u', 'one'));
    const other = await act(lab.home2, allowed);
    await other.do('udp u');
    expect(await reaches(other, 'u', 'two')).toBe(false);
    expect(await reaches(actor, 'u', 'again')).toBe(true);
  });

  test('a scan of ten listeners from outside finds the one that is allowed', async () => {
    const { address } = await one.status();
    const good = await act(lab.home1, allowed);
    const bad = await act(lab.home1, forbidden);
    for (const port of PORTS) {
      const listener = port % 2 === 0 ? good : bad;
      for (const line of [`tcp l${port}`, `bind l${port} :: ${port}`, `listen l${port}`])
        expect(await listener.do(line)).toBe('ok');
    }
    await one.becomes('awake', SOON_MS, ({ state }) => state === 'qualified');
    const knock = async (port: number): Promise<boolean> => {
      const script = `echo hello > /dev/tcp/${address!}/${port}`;
      const { code } = await lab.run(lab.native, 'timeout', ['2', 'bash', '-c', script]);
      return code === 0;
    };
    const found = await Promise.all(PORTS.map(knock));
    expect(PORTS.filter((_, i) => found[i])).toEqual([OPEN_PORT]);
    // Its port in another program's hands is as closed as the others.
    await good.do(`close l${OPEN_PORT}`);
    for (const line of [`tcp t reuse`, `bind t :: ${OPEN_PORT}`, 'listen t'])
      await eventually('the port is free', SOON_MS, async () => (await bad.do(line)) === 'ok');
    expect(await knock(OPEN_PORT)).toBe(false);
    expect(await bad.do('accept t c 50')).toBe('nothing');
  });

  test('fragments go with the first of them, both ways', async () => {
    const { address } = await one.status();
    const good = await act(lab.home1, allowed);
    const bad = await act(lab.home1, forbidden);
    for (const [actor, port] of [
      [good, OPEN_PORT],
      [bad, FIRST_PORT],
    ] as const)
      for (const line of ['udp f', `bind f :: ${port}`]) expect(await actor.do(line)).toBe('ok');
    await eventually('it gets out', SOON_MS, () => reaches(good, 'f', 'small'));
    // Four fragments each way.
    await good.do(`big f ${NATIVE} 4000 4500`);
    expect(await outside!.do(`recv u ${SOON_MS}`)).toBe('4500');
    // The sender has to learn the tunnel's MTU from the relay first.
    await eventually('it comes in', SOON_MS, async () => {
      await outside!.do(`big u ${address!} ${OPEN_PORT} 4400`);
      return (await good.do(`recv f ${QUIET_MS}`)) === '4400';
    });
    // To the other one nothing comes, and nothing from it goes.
    await outside!.do(`big u ${address!} ${FIRST_PORT} 4300`);
    expect(await bad.do(`recv f ${QUIET_MS}`)).toBe('nothing');
    await bad.do(`big f ${NATIVE} 4000 4200`);
    expect(await outside!.do(`recv u ${QUIET_MS}`)).toBe('nothing');
  });

  test('a client that hangs opens nothing, and goes on when it is back', async () => {
    const good = await act(lab.home1, allowed);
    const bad = await act(lab.home1, forbidden);
    await good.do('udp u');
    await good.do('bind u :: 5000');
    await eventually('it gets out', SOON_MS, () => reaches(good, 'u', 'before'));
    const { pid } = one.program;
    process.kill(pid, 'SIGSTOP');
    try {
      await bad.do('udp u reuse');
      expect(await reaches(bad, 'u', 'bad')).toBe(false);
      // The port and the flow of the allowed one, while nobody is there to notice.
      await good.do('close u');
      await bad.do('udp t');
      expect(await bad.do('bind t :: 5000')).toBe('ok');
      await bad.do(`send t ${NATIVE} 4000 bad`);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    expect(await outside!.do(`recv u ${QUIET_MS}`)).toBe('nothing');
    await good.do('udp v');
    await eventually('it gets out again', SOON_MS, () => reaches(good, 'v', 'after'));
  });

  test('a killed client leaves nothing open', async () => {
    const bad = await act(lab.home2, forbidden);
    await bad.do('udp u');
    two.program.signal('SIGKILL');
    await two.program.ended;
    expect(await reaches(bad, 'u', 'bad')).toBe(false);
    expect(await bad.do(`send u ${NATIVE} 4000 bad`)).toBe('ENETUNREACH');
    // The other one goes on.
    const good = await act(lab.home1, allowed);
    await good.do('udp u');
    expect(await reaches(good, 'u', 'good')).toBe(true);
  });

  test('a killed helper leaves nothing open, not even for the allowed one', async () => {
    const good = await act(lab.home1, allowed);
    await good.do('udp u');
    await eventually('it gets out', SOON_MS, () => reaches(good, 'u', 'before'));
    const helpers = pidsIn(lab.home1.space).filter(
      (pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'shipworm-helper',
    );
    expect(helpers).toHaveLength(2);
    for (const pid of helpers) process.kill(pid, 'SIGKILL');
    const { code } = await one.program.ended;
    expect(code).toBe(4);
    expect(one.program.err).toMatch(/helper/);
    expect(await good.do(`send u ${NATIVE} 4000 after`)).toBe('ENETUNREACH');
    expect(await outside!.do(`recv u ${QUIET_MS}`)).toBe('nothing');
  });
});
