// Ends the client in every way at random moments, and looks whether anything stays.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Lab, NATIVE, noLab } from './kit/lab.ts';
import type { Home } from './kit/lab.ts';
import { eventually, pidsIn, sleep } from './kit/processes.ts';
import {
  leavesNothing,
  SLOW,
  startMiredoRelay,
  startMiredoServer,
  startShipworm,
} from './kit/programs.ts';
import type { Shipworm } from './kit/programs.ts';
import { answers } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** How long a start takes, ms, from the command to the first packet, generously. */
const START_MS = 400;
const MOMENTS = ['during start', 'qualified', 'under traffic'] as const;
type Moment = (typeof MOMENTS)[number];
/** Tries of each; the moment within a start is drawn anew each time. */
const TRIES = { 'during start': 4, qualified: 1, 'under traffic': 1 } as const;

const named =
  (name: string) =>
  (pid: number): boolean => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8') === `${name}\n`;
    } catch {
      return false;
    }
  };

describe.skipIf(reason !== null)('the end of a client', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    await Promise.all([startMiredoServer(lab), startMiredoRelay(lab)]);
    lab.keep();
  });
  afterAll(() => lab.close());
  // What a failed test left must not fail the next one.
  afterEach(() => lab.stopPrograms());

  /** A client at `moment` of its life; `stop` ends what else was started. */
  async function reach(
    moment: Moment,
    home: Home,
  ): Promise<{ client: Shipworm; stop: () => Promise<unknown> }> {
    const client = startShipworm(lab, home, ['--expose-all']);
    if (moment === 'during start') return { client, stop: () => Promise.resolve() };
    await client.address();
    if (moment === 'qualified') return { client, stop: () => Promise.resolve() };
    await answers(lab, home, NATIVE);
    const flood = lab.start(home.space, 'ping', ['-q', '-f', NATIVE]);
    await sleep(100);
    return { client, stop: () => flood.stop() };
  }

  const helperOf = (home: Home): number | undefined =>
    pidsIn(home.space).find(named('shipworm-helper'));

  for (const moment of MOMENTS)
    for (const victim of ['client', 'helper', 'both'] as const)
      test(`kill -9 of ${victim} ${moment} leaves nothing`, async () => {
        for (let i = 0; i < TRIES[moment]; i++) {
          const { client, stop } = await reach(moment, lab.home1);
          const { program, home, place } = client;
          let helper = helperOf(home);
          if (moment === 'during start') {
            if (victim !== 'client')
              helper = await eventually('a helper', 5_000 * SLOW, () => helperOf(home));
            await sleep(Math.random() * (victim === 'client' ? START_MS : 100));
          }
          if (victim !== 'helper') program.signal('SIGKILL');
          if (victim !== 'client') process.kill(helper!, 'SIGKILL');
          await stop();
          const ending = await program.end(3_000 * SLOW);
          await leavesNothing(home, place);
          if (victim !== 'helper') continue;
          // It goes by itself, and says why.
          expect(ending).toEqual({ code: 4, signal: null });
          const lines = program.err.trim().split('\n');
          expect(lines.at(-1)).toMatch(/helper.*\.$/);
          expect(
            lines.filter((line) => line.includes('helper')),
            program.err,
          ).toHaveLength(1);
        }
      });

  for (const moment of MOMENTS)
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      test(`${signal} ${moment} ends with 0 and leaves nothing`, async () => {
        for (let i = 0; i < TRIES[moment]; i++) {
          const { client, stop } = await reach(moment, lab.home2);
          const { program, home, place } = client;
          // From the first line of the log on, a signal is heard.
          if (moment === 'during start') await program.says(/\n/, 5_000 * SLOW);
          program.signal(signal);
          await stop();
          expect(await program.end(3_000 * SLOW)).toEqual({ code: 0, signal: null });
          await leavesNothing(home, place);
        }
      });

  test('a signal before the first line of the log leaves nothing either', async () => {
    for (let i = 0; i < 4; i++) {
      const { client } = await reach('during start', lab.home2);
      await sleep(Math.random() * START_MS);
      client.program.signal('SIGINT');
      const { code, signal } = await client.program.end(3_000 * SLOW);
      expect(code ?? signal).toSatisfy((end: unknown) => end === 0 || end === 'SIGINT');
      await leavesNothing(client.home, client.place);
    }
  });
});
