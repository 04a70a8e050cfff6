// Tries the kernel's own verdicts: who owns a packet, what of it passes, and what another program on the machine can't get.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { allows, FAR, Field, NEAR } from './kit/field.ts';
import { noLab } from './kit/lab.ts';
import { eventually } from './kit/processes.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** Longer than anything takes that shall not come. */
const QUIET_MS = 300;
const SOON_MS = 10_000;

describe.skipIf(reason !== null)('the owners of sockets, by programs in the kernel', () => {
  const field = new Field();
  let allowed = '';
  let forbidden = '';
  beforeAll(async () => {
    await field.open();
    allowed = field.program('allowed');
    forbidden = field.program('forbidden');
  });
  afterEach(() => field.clear());
  afterAll(() => field.close());

  test('the programs are in force', () => {
    expect(field.owners).toMatchObject({ mode: 'programs', why: null });
  });

  test('an allowed program gets out, by UDP and TCP, and has its answers', async () => {
    field.decide = allows(allowed);
    const near = await field.act(allowed);
    const far = await field.act(forbidden, true);
    for (const command of ['udp u', `bind u :: 4000`, 'tcp t', 'bind t :: 4001', 'listen t'])
      expect(await far.do(command)).toBe('ok');
    await near.do('udp u');
    await near.do(`connect u ${FAR} 4000 5`);
    expect(await near.do('write u hello')).toBe('ok');
    expect(await far.do(`recv u ${SOON_MS}`)).toBe('hello');
    await near.do('tcp t');
    expect(await near.do(`connect t ${FAR} 4001 5`)).toMatch(/^ok /);
    expect(await far.do(`accept t c ${SOON_MS}`)).toBe('ok');
    expect(await far.do('write c answer')).toBe('ok');
    expect(await near.do(`recv t ${SOON_MS}`)).toBe('answer');
    expect(field.asked.map((one) => one.owner?.identities[0]?.path)).toContain(allowed);
    expect(field.asked[0]!.owner).toMatchObject({ confidence: 'exact', comm: 'allowed' });
  });

  test('a forbidden program is refused at once, by UDP and TCP', async () => {
    field.decide = allows(allowed);
    const near = await field.act(forbidden);
    const far = await field.act(allowed, true);
    await far.do('udp u');
    await far.do('bind u :: 4000');
    await near.do('udp u');
    // The first packet tells who it is; it goes no further.
    await near.do(`send u ${FAR} 4000 secret`);
    await eventually('it was judged', SOON_MS, () => field.asked.length > 0);
    await eventually(
      'it is refused',
      SOON_MS,
      async () => (await near.do(`send u ${FAR} 4000 secret`)) === 'EPERM',
    );
    const { error, ms } = await near.connects(`${FAR} 4001`);
    expect(error).toMatch(/^E(ACCES|PERM)$/);
    expect(ms).toBeLessThan(900);
    expect(await far.do(`recv u ${QUIET_MS}`)).toBe('nothing');
    expect(field.events.some((event) => event.kind === 'attempt')).toBe(true);
  });

  test('Multipath TCP, whose inner sockets the kernel makes, is its program’s', async () => {
    field.decide = allows(allowed);
    const far = await field.act(allowed, true);
    for (const line of ['tcp l', 'bind l :: 4003', 'listen l'])
      expect(await far.do(line)).toBe('ok');
    const good = await field.act(allowed);
    expect(await good.do('mptcp m')).toBe('ok');
    expect(await good.do(`connect m ${FAR} 4003 5`)).toMatch(/^ok/);
    const bad = await field.act(forbidden);
    expect(await bad.do('mptcp m')).toBe('ok');
    expect(await bad.do(`connect m ${FAR} 4003 1`)).not.toMatch(/^ok/);
    // And the other way round.
    for (const [actor, port] of [
      [good, 4300],
      [bad, 4301],
    ] as const) {
      for (const line of ['mptcp l', `bind l :: ${port}`, 'listen l'])
        expect(await actor.do(line)).toBe('ok');
    }
    await far.do('tcp c');
    expect(await far.do(`connect c ${NEAR} 4300 5`)).toMatch(/^ok/);
    await far.do('tcp d');
    expect(await far.do(`connect d ${NEAR} 4301 1`)).not.toMatch(/^ok/);
    const listening = await field.owners.listeners();
    const owner = listening.find(({ port }) => port === 4300)?.owner;
    expect(owner?.identities[0]?.path).toBe(allowed);
  });

  test('of two programs that share a port each is judged by itself', async () => {
    field.decide = allows(allowed);
    const one = await field.act(allowed);
    const other = await field.act(forbidden);
    const far = await field.act(allowed, true);
    await far.do('udp u');
    await far.do('bind u :: 4000');
    for (const actor of [one, other]) {
      expect(await actor.do('udp u share')).toBe('ok');
      expect(await actor.do('bind u :: 4100')).toBe('ok');
    }
    await one.do(`send u ${FAR} 4000 good`);
    expect(await far.do(`recv u ${SOON_MS}`)).toBe('good');
    // The same flow by its addresses and ports, and another socket.
    for (let i = 0; i < 20; i++) {
      expect(await other.do(`send u ${FAR} 4000 bad`)).toBe('EPERM');
      expect(await one.do(`send u ${FAR} 4000 good`)).toBe('ok');
      expect(await far.do(`recv u ${SOON_MS}`)).toBe('good');
    }
    expect(await far.do(`recv u ${QUIET_MS}`)).toBe('nothing');
  });

  test('a port taken over the instant its owner closes it is closed', async () => {
    field.decide = allows(allowed);
    const far = await field.act(allowed, true);
    await far.do('udp u');
    await far.do('bind u :: 4000');
    const one = await field.act(allowed);
    const other = await field.act(forbidden);
    for (let i = 0; i < 10; i++) {
      await one.do('udp u reuse');
      await one.do('bind u :: 4200');
      await other.do('udp u reuse');
      // The flow is given free once the engine forgot it.
      await eventually('it may send', SOON_MS, async () => {
        await one.do(`send u ${FAR} 4000 good`);
        return (await far.do('recv u 100')) === 'good';
      });
      const closing = one.do('close u');
      const taking = [other.do('bind u :: 4200'), other.do(`send u ${FAR} 4000 bad`)];
      await Promise.all([closing, ...taking]);
      await other.do('close u');
    }
    let heard = '';
    for (; heard !== 'nothing'; heard = await far.do(`recv u ${QUIET_MS}`))
      expect(['', 'good']).toContain(heard);
  });

  test('what a stranger sends reaches the allowed listener alone', async () => {
    field.decide = allows(allowed);
    const far = await field.act(allowed, true);
    const one = await field.act(allowed);
    const other = await field.act(forbidden);
    await one.do('tcp t');
    await one.do('bind t :: 5000');
    await one.do('listen t');
    await other.do('tcp t');
    await other.do('bind t :: 5001');
    await other.do('listen t');
    await far.do('tcp a');
    expect(await far.do(`connect a ${NEAR} 5000 5`)).toMatch(/^ok /);
    expect(await one.do(`accept t c ${SOON_MS}`)).toBe('ok');
    // What the listener may, its children may, also after it has gone.
    await one.do('close t');
    expect(await one.do('write c hello')).toBe('ok');
    expect(await far.do(`recv a ${SOON_MS}`)).toBe('hello');
    expect(await far.do('write a back')).toBe('ok');
    expect(await one.do(`recv c ${SOON_MS}`)).toBe('back');
    await far.do('tcp b');
    expect(await far.do(`connect b ${NEAR} 5001 1`)).toMatch(/^E(INPROGRESS|TIMEDOUT|AGAIN) /);
    expect(await other.do(`accept t c ${QUIET_MS}`)).toBe('nothing');
  });

  test('a verdict taken back cuts what is under way', async () => {
    field.decide = allows(allowed);
    const far = await field.act(allowed, true);
    const one = await field.act(allowed);
    await far.do('udp u');
    await far.do('bind u :: 4000');
    await one.do('udp u');
    await one.do('bind u :: 4300');
    await one.do(`send u ${FAR} 4000 first`);
    expect(await far.do(`recv u ${SOON_MS}`)).toBe('first');
    const { cookie } = field.asked.find(({ flow, passed }) => passed && flow.localPort === 4300)!;
    field.decide = () => ({ out: 'deny', in: 'none' });
    await field.owners.setVerdict(cookie!, { out: 'deny', in: 'none' });
    expect(await one.do(`send u ${FAR} 4000 second`)).toBe('EPERM');
    await far.do(`send u ${NEAR} 4300 answer`);
    expect(await one.do(`recv u ${QUIET_MS}`)).toBe('nothing');
  });
});
