// Tries the owners of sockets without programs in the kernel: exact questions, holders, and the window that remains.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { allows, FAR, Field, NEAR } from './kit/field.ts';
import type { Actor } from './kit/field.ts';
import { noLab } from './kit/lab.ts';
import { eventually } from './kit/processes.ts';
import { SLOW } from './kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const QUIET_MS = 300;
const SOON_MS = 10_000;
/** The kernel tells of a closed socket within a millisecond; a lost message is made up for by the look each 5 s. */
const CLOSED_MS = 1_000 * SLOW;

describe.skipIf(reason !== null)('the owners of sockets, by sock_diag', () => {
  const field = new Field();
  let allowed = '';
  let forbidden = '';
  let far: Actor;
  beforeAll(async () => {
    await field.open({ withoutPrograms: true });
    allowed = field.program('allowed');
    forbidden = field.program('forbidden');
  });
  afterEach(() => field.clear());
  afterAll(() => field.close());

  async function start(): Promise<void> {
    field.decide = allows(allowed);
    far = await field.act(allowed, true);
    await far.do('udp u');
    await far.do('bind u :: 4000');
  }

  test('it is said, with the reason', () => {
    expect(field.owners).toMatchObject({ mode: 'sock-diag', why: 'they were not asked for' });
  });

  test('an allowed program gets out and is reached; a forbidden one hears EACCES at once', async () => {
    await start();
    const good = await field.act(allowed);
    const bad = await field.act(forbidden);
    await good.do('udp u');
    await good.do('bind u :: 5000');
    expect(await good.do(`send u ${FAR} 4000 hello`)).toBe('ok');
    expect(await far.do(`recv u ${SOON_MS}`)).toBe('hello');
    await far.do(`send u ${NEAR} 5000 back`);
    expect(await good.do(`recv u ${SOON_MS}`)).toBe('back');
    const { error, ms } = await bad.connects(`${FAR} 4000`);
    expect(error).toBe('EACCES');
    expect(ms).toBeLessThan(900);
    await bad.do('udp u');
    await bad.do(`connect u ${FAR} 4000 1`);
    await bad.do('write u secret');
    await eventually(
      'it is told',
      SOON_MS,
      async () => (await bad.do('write u secret')) === 'EACCES',
    );
    await bad.do('udp l');
    await bad.do('bind l :: 5001');
    await far.do(`send u ${NEAR} 5001 stranger`);
    expect(await bad.do(`recv l ${QUIET_MS}`)).toBe('nothing');
    expect(await far.do(`recv u ${QUIET_MS}`)).toBe('nothing');
    expect(field.asked[0]!.owner).toMatchObject({ confidence: 'exact', comm: 'allowed' });
  });

  test('a sender that is gone when it is looked for stays closed', async () => {
    await start();
    // Somebody who may was the last to be named.
    const good = await field.act(allowed);
    await good.do('udp u');
    await good.do(`send u ${FAR} 4000 good`);
    expect(await far.do(`recv u ${SOON_MS}`)).toBe('good');
    field.asked.length = 0;
    const actor = await field.act(forbidden);
    const shots = 20;
    for (let i = 0; i < shots; i++) await actor.do(`shot - ${FAR} 4000 gone`);
    const asked = await eventually('all were asked about', SOON_MS, () => {
      const found = field.asked.filter(({ flow }) => flow.remotePort === 4000);
      return found.length >= shots ? found : null;
    });
    for (const { owner } of asked)
      expect([undefined, forbidden]).toContain(owner?.identities[0]?.path);
    expect(await far.do(`recv u ${QUIET_MS}`)).toBe('nothing');
  });

  test('a stranger to a connected socket, and a listener elsewhere, are nobody', async () => {
    await start();
    await field.callNobody(far, await field.act(allowed));
  });

  test('of programs that share a port or a socket all must be allowed', async () => {
    await start();
    const good = await field.act(allowed);
    const bad = await field.act(forbidden);
    await good.do('udp u share');
    await good.do('bind u :: 5100');
    expect(await good.do(`send u ${FAR} 4000 alone`)).toBe('ok');
    expect(await far.do(`recv u ${SOON_MS}`)).toBe('alone');
    await bad.do('udp u share');
    await bad.do('bind u :: 5100');
    await good.do(`send u ${FAR} 4001 shared`);
    const shared = await eventually('both were named', SOON_MS, () =>
      field.asked.find(({ flow }) => flow.remotePort === 4001),
    );
    expect(shared.owner).toMatchObject({ confidence: 'shared' });
    expect(shared.owner!.identities.map(({ path }) => path).sort()).toEqual([allowed, forbidden]);
    expect(shared.passed).toBe(false);
  });

  test('the end of a socket is told, so that its flows can be forgotten', async () => {
    await start();
    const actor = await field.act(allowed);
    for (let i = 0; i < 5; i++) {
      await actor.do('udp u');
      await actor.do(`bind u :: ${5200 + i}`);
      // On a busy machine the search for its owner may be given up, and the first one refused.
      await eventually('it arrives', SOON_MS, async () => {
        await actor.do(`send u ${FAR} 4000 hello`);
        return (await far.do('recv u 1000')) === 'hello';
      });
      const { cookie } = field.asked.findLast(({ flow }) => flow.localPort === 5200 + i)!;
      const begin = performance.now();
      await actor.do('close u');
      await eventually('its end was told', CLOSED_MS, () =>
        field.events.some((event) => event.kind === 'closed' && event.cookie === cookie),
      );
      expect(performance.now() - begin).toBeLessThan(CLOSED_MS);
    }
  });
});
