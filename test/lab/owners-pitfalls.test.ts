// Tries the pitfalls of naming an owner: short lives, inheritance, passing on, other files, other namespaces, shadowed sockets.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Identity, Owner } from '../../engine/gate/types.ts';
import { allows, FAR, Field, NEAR } from './kit/field.ts';
import type { Actor } from './kit/field.ts';
import { noLab } from './kit/lab.ts';
import { eventually, inside, run } from './kit/processes.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const QUIET_MS = 300;
const SOON_MS = 10_000;

describe.skipIf(reason !== null)('pitfalls of owners', () => {
  const field = new Field();
  let allowed = '';
  let forbidden = '';
  let far: Actor;
  beforeAll(async () => {
    await field.open();
    allowed = field.program('allowed');
    forbidden = field.program('forbidden');
  });
  afterEach(() => field.clear());
  afterAll(() => field.close());

  /** Somebody on the far side who takes what comes to UDP port 4000. */
  async function start(): Promise<void> {
    field.decide = allows(allowed);
    far = await field.act(allowed, true);
    await far.do('udp u');
    await far.do('bind u :: 4000');
  }

  /** The owner of the last question about a packet to port 4000. */
  const lastOwner = (): Promise<Owner> =>
    eventually('its owner was named', SOON_MS, () => {
      const asked = field.asked.filter(({ flow }) => flow.remotePort === 4000);
      return asked.at(-1)?.owner;
    });

  /** What `actor` sends by its socket `name` arrives, or does not. */
  async function arrives(actor: Actor, name: string, text: string, passes: boolean): Promise<void> {
    await actor.do(`send ${name} ${FAR} 4000 ${text}`);
    const heard = await far.do(`recv u ${passes ? SOON_MS : QUIET_MS}`);
    expect(heard).toBe(passes ? text : 'nothing');
  }

  const identityOf = async (actor: Actor): Promise<Identity> => {
    await actor.do('udp u');
    field.asked.length = 0;
    await actor.do(`send u ${FAR} 4000 x`);
    return (await lastOwner()).identities[0]!;
  };

  test('a sender that lives only as long as its one datagram is named, if its file is watched', async () => {
    await start();
    field.owners.watch([allowed], [], []);
    await field.owners.listeners();
    for (let i = 0; i < 20; i++) {
      const [good, bad] = await Promise.all([
        run(field.nearSpace, allowed, ['--shot', FAR, '4000', `good${i}`]),
        run(field.nearSpace, forbidden, ['--shot', FAR, '4000', 'bad']),
      ]);
      expect([good.code, bad.code]).toEqual([0, 0]);
      expect(await far.do(`recv u ${SOON_MS}`)).toBe(`good${i}`);
    }
    expect(await far.do(`recv u ${QUIET_MS}`)).toBe('nothing');
  });

  test('a child has what its parent made', async () => {
    await start();
    for (const [program, passes] of [
      [allowed, true],
      [forbidden, false],
    ] as const) {
      const actor = await field.act(program);
      await actor.do('udp u');
      await actor.do('fork');
      await arrives(actor, 'u', 'child', passes);
      // Also when the maker has gone before its socket was ever used.
      const watching = '"$0"; echo ended; kill -STOP $$';
      const orphan = await field.act('sh', false, ['-c', watching, program]);
      await orphan.do('udp u');
      await field.owners.listeners();
      const said = [await orphan.do('fork away'), await orphan.heard()];
      expect(said.sort()).toEqual(['ended', 'ok']);
      await arrives(orphan, 'u', 'orphan', passes);
    }
  });

  test('a socket made before an exec is not the new program’s', async () => {
    await start();
    const actor = await field.act(forbidden);
    // One that was looked at, and one that had no time for it.
    await actor.do('udp early');
    await eventually('it was looked at', SOON_MS, async () => {
      await actor.do(`send early ${FAR} 4000 bad`);
      return field.asked.length > 0;
    });
    await field.unseen(async () => {
      await actor.do('udp late');
      expect(await actor.do(`exec ${allowed}`)).toBe('ready');
    });
    for (const name of ['early', 'late']) await arrives(actor, name, 'bad', false);
    await actor.do('udp own');
    await arrives(actor, 'own', 'good', true);
  });

  test('a descriptor passed on stays its maker’s', async () => {
    await start();
    const giver = await field.act(forbidden);
    const taker = await field.act(allowed);
    const path = join(field.folder, 'link');
    await giver.do('udp u');
    expect(await taker.do(`take t ${path}`)).toBe('waiting');
    await giver.do(`pass u ${path}`);
    expect(await taker.heard()).toBe('ok');
    await arrives(taker, 't', 'bad', false);
    rmSync(path);
    await taker.do('udp u');
    expect(await giver.do(`take t ${path}`)).toBe('waiting');
    await taker.do(`pass u ${path}`);
    expect(await giver.heard()).toBe('ok');
    await arrives(giver, 't', 'good', true);
  });

  test('a file that was replaced keeps its identity while it runs', async () => {
    await start();
    const program = field.program('updated');
    const hash = createHash('sha256').update(readFileSync(program)).digest('hex');
    const actor = await field.act(program);
    rmSync(program);
    field.program('updated');
    const identity = await identityOf(actor);
    expect(identity).toMatchObject({ path: program, replaced: true, foreign: false, hash });
    const fresh = await field.act(program);
    expect(await identityOf(fresh)).toMatchObject({ path: program, replaced: false, hash });
  });

  test('a file that only root can change needs no hash, another has one', async () => {
    await start();
    const identity = await identityOf(await field.act(allowed));
    expect(identity).toMatchObject({
      writable: true,
      user: 0,
      group: null,
      hash: createHash('sha256').update(readFileSync(allowed)).digest('hex'),
    });
    await run(field.nearSpace, 'bash', [
      '-c',
      `exec 3<>/dev/udp/${FAR}/4000; echo x >&3; sleep 0.3; :`,
    ]);
    await eventually('bash was asked about', SOON_MS, () =>
      field.asked.some(({ owner }) => owner?.comm === 'bash'),
    );
    expect((await lastOwner()).identities[0]).toMatchObject({ writable: false, hash: null });
  });

  test('what an interpreter runs is inferred: a process says so of itself', async () => {
    await start();
    const script = join(field.folder, 'good.sh');
    const text = `exec 3<>/dev/udp/${FAR}/4000; echo x >&3; sleep 0.3; :\n`;
    writeFileSync(script, text);
    // Its own text, and another one under its name.
    for (const [args, stdin] of [
      [[script], ''],
      [['-s', script], text],
    ] as const) {
      field.asked.length = 0;
      const shell = spawn('ip', inside(field.nearSpace, '/bin/bash', args), {
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      shell.stdin.end(stdin);
      const owner = await lastOwner();
      expect(owner).toMatchObject({ confidence: 'inferred', identities: [{ script }] });
      await once(shell, 'close');
    }
  });

  test.each([
    ['root', ['unshare', '-m']],
    [
      'an ordinary user',
      ['setpriv', '--reuid=12345', '--regid=12345', '--clear-groups', 'unshare', '-rm'],
    ],
  ])('a program of %s at the allowed path, in mounts of its own, is foreign', async (_, wrap) => {
    await start();
    const script = `mount -t tmpfs none ${field.folder} && cp /proc/self/fd/9 ${allowed} && exec ${allowed}`;
    const actor = await field.act(wrap[0]!, false, [
      ...wrap.slice(1),
      'bash',
      '-c',
      `exec 9<${forbidden}; ${script}`,
    ]);
    const identity = await identityOf(actor);
    expect(identity).toMatchObject({ path: allowed, foreign: true });
    await arrives(actor, 'u', 'bad', false);
  });

  test('a process that hides from its own user is named all the same', async () => {
    await start();
    const actor = await field.act(allowed);
    expect(await actor.do('hide')).toBe('ok');
    await actor.do('udp u');
    await arrives(actor, 'u', 'good', true);
  });

  test('what comes to a connected socket is not its neighbour’s', async () => {
    await start();
    const open = await field.act(allowed);
    const shadow = await field.act(forbidden);
    for (const actor of [open, shadow]) {
      await actor.do('udp u reuse');
      await actor.do('bind u :: 5000');
    }
    await shadow.do(`connect u ${FAR} 4000 1`);
    await far.do(`send u ${NEAR} 5000 shadowed`);
    // The kernel gives it to the connected one, which may not have it.
    expect(await open.do(`recv u ${QUIET_MS}`)).toBe('nothing');
    expect(await shadow.do(`recv u ${QUIET_MS}`)).toBe('nothing');
    await far.do('udp v');
    await far.do('bind v :: 4010');
    await far.do(`send v ${NEAR} 5000 open`);
    expect(await open.do(`recv u ${SOON_MS}`)).toBe('open');
  });

  test('a stranger to a connected socket, and a listener elsewhere, are nobody', async () => {
    await start();
    await field.callNobody(far, await field.act(allowed));
  });

  test('listeners are told with their address and whether they are IPv6 alone', async () => {
    const actor = await field.act(allowed);
    const lines = [
      ['tcp a', 'bind a :: 6000', 'listen a'],
      ['tcp b only6', 'bind b :: 6001', 'listen b'],
      ['tcp c', 'bind c ::1 6002', 'listen c'],
      ['udp d', 'bind d :: 6003'],
      ['udp4 e', 'bind4 e 6004'],
      ['tcp f', 'bind f :: 6005'],
    ];
    for (const line of lines.flat()) expect(await actor.do(line)).toBe('ok');
    const rows = (await field.owners.listeners()).filter(({ port }) => port >= 6000 && port < 6010);
    const brief = rows.map(({ protocol, port, address, v6only, owner }) => ({
      protocol,
      port,
      address,
      v6only,
      path: owner?.identities[0]?.path,
    }));
    expect(brief.sort((a, b) => a.port - b.port)).toEqual([
      { protocol: 6, port: 6000, address: 0n, v6only: false, path: allowed },
      { protocol: 6, port: 6001, address: 0n, v6only: true, path: allowed },
      { protocol: 6, port: 6002, address: 1n, v6only: true, path: allowed },
      { protocol: 17, port: 6003, address: 0n, v6only: false, path: allowed },
    ]);
  });

  test('watched programs are told as they start, listen and end', async () => {
    field.owners.watch([allowed], [], []);
    const other = await field.act(forbidden);
    const actor = await field.act(allowed);
    const told = (kind: string): Promise<unknown> =>
      eventually(kind, SOON_MS, () => field.events.find((event) => event.kind === kind));
    expect(await told('exec')).toMatchObject({ identity: { path: allowed, user: 0 } });
    for (const each of [other, actor]) {
      const port = each === actor ? 6100 : 6101;
      for (const line of ['tcp l', `bind l :: ${port}`, 'listen l'])
        expect(await each.do(line)).toBe('ok');
    }
    await eventually('it listens', SOON_MS, () =>
      field.events.some(
        (event) => event.kind === 'listener' && event.listening && event.port === 6100,
      ),
    );
    await actor.do('close l');
    await eventually('it ceased', SOON_MS, () =>
      field.events.some((event) => event.kind === 'listener' && !event.listening),
    );
    actor.kill();
    await told('exit');
    expect(field.events.filter(({ kind }) => kind === 'exec')).toHaveLength(1);
    expect(field.events.some((event) => event.kind === 'listener' && event.port === 6101)).toBe(
      false,
    );
  });
});

describe.skipIf(reason !== null).each([
  ['with programs in the kernel', false],
  ['without them', true],
] as const)('the owners of sockets, told to an ordinary user %s', (_, withoutPrograms) => {
  const USER = 12_345;
  const field = new Field();
  beforeAll(() => field.open({ user: USER, withoutPrograms }));
  afterAll(() => field.close());

  test('his own programs are named; what others send never comes to him, whoever they are', async () => {
    const program = field.program('any');
    const as = (user: number): string[] => [
      ...['--reuid', String(user), '--regid', String(user), '--clear-groups'],
      program,
    ];
    for (const user of [0, USER + 1]) {
      const other = await field.act('setpriv', false, as(user));
      await other.do('udp u');
      expect(await other.do(`send u ${FAR} 4000 x`)).toBe('EPERM');
    }
    const actor = await field.act('setpriv', false, as(USER));
    await actor.do('udp u');
    expect(await actor.do(`send u ${FAR} 4000 x`)).toBe('ok');
    await eventually('it was asked about', SOON_MS, () => field.asked.length > 0);
    expect(field.asked).toEqual([
      expect.objectContaining({
        owner: expect.objectContaining({
          comm: 'any',
          identities: [expect.objectContaining({ path: program, user: USER })],
        }) as unknown,
      }),
    ]);
  });

  test('of others’ listeners he hears only whose they are', async () => {
    const other = await field.act(field.program('other'));
    await other.do('tcp l');
    await other.do('bind l :: 6200');
    await other.do('listen l');
    const found = await eventually('it is listed', SOON_MS, async () =>
      (await field.owners.listeners()).find(({ port }) => port === 6200),
    );
    expect(found.owner).toMatchObject({
      comm: '',
      process: null,
      identities: [{ user: 0, path: null, file: null, hash: null, group: null, script: null }],
    });
  });
});
