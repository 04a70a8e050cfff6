// Tries the machine policy on a running client: it rules over the user, a stranger's file is ignored, and disabled means not one packet.
import { chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { CallResult } from '../../engine/service/api.ts';
import { withEtc } from './kit/field.ts';
import { Lab, NATIVE, noLab, RELAY, SERVER } from './kit/lab.ts';
import { eventually } from './kit/processes.ts';
import {
  leavesNothing,
  Place,
  QUALIFIED_MS,
  SLOW,
  Shipworm,
  SHIPWORM,
  startMiredoRelay,
  startMiredoServer,
} from './kit/programs.ts';
import { startWebServer, WEB_PAGE } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const HELPER = resolve('build/native/shipworm-helper');
const STRANGER = 34_567;
const SOON_MS = 5_000 * SLOW;

describe.skipIf(reason !== null)('the machine policy', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    await Promise.all([
      startMiredoServer(lab),
      startMiredoRelay(lab),
      startWebServer(lab, lab.native, NATIVE),
    ]);
    lab.keep();
  });
  afterEach(() => lab.stopPrograms());
  afterAll(() => lab.close());

  /** Starts a client under `policy`, beside which a stranger put a file of his. */
  function start(name: string, policy: unknown, ...args: string[]): Shipworm {
    const directory = join(lab.folder, name, 'policy.d');
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    writeFileSync(join(directory, '10-site.json'), JSON.stringify(policy));
    const strangers = join(directory, '20-mine.json');
    writeFileSync(strangers, '{"state":"client","allowedApplications":[{"path":"/usr/bin/curl"}]}');
    chownSync(strangers, STRANGER, STRANGER);
    const place = new Place(lab, `${name}-place`);
    const env = { ...place.env, SHIPWORM_POLICY: directory };
    const options = ['client', '--server', SERVER, ...args];
    return new Shipworm(lab, lab.home1, place, lab.start(lab.home1.space, SHIPWORM, options, env));
  }

  const write = (name: string, file: string, policy: unknown): string => {
    const path = join(lab.folder, name, 'policy.d', file);
    writeFileSync(path, JSON.stringify(policy));
    return path;
  };
  const fetch = () =>
    lab.run(lab.home1.space, '/usr/bin/curl', ['-sS', '-m', '10', `http://[${NATIVE}]/`]);

  async function end(client: Shipworm): Promise<void> {
    expect(await client.program.stop()).toEqual({ code: 0, signal: null });
    await leavesNothing(client.home, client.place);
  }

  test('forbids what the user allowed, locks settings, and says where each comes from', async () => {
    const client = start(
      'forbid',
      {
        forbiddenApplications: [{ path: '/usr/bin/curl' }],
        lockedSettings: { exposeAll: false },
      },
      '--expose-all',
    );
    await client.address();
    expect((await client.status()).exposure.mode).toBe('closed');
    const allow = await client.cli('apps', 'allow', '/usr/bin/curl');
    expect(allow.err).toMatch(/machine policy decides/);
    // What it forbids is not counted, and what nobody heeds is said.
    expect((await client.status()).exposure.mode).toBe('closed');
    expect(client.program.err).toMatch(/20-mine\.json: It is ignored: it can be written by others/);
    const curl = await lab.run(lab.home1.space, '/usr/bin/curl', ['-sS', `http://[${NATIVE}]/`]);
    expect(curl.code).toBe(7);
    expect(curl.ms).toBeLessThan(3_000 * SLOW);
    const { out } = await client.cli('policy', '--json');
    const { files, values } = JSON.parse(out) as CallResult<'policy'>;
    expect(files).toMatchObject([
      { error: null },
      { error: expect.stringMatching(/ignored/) as string },
    ]);
    expect(values).toContainEqual({
      name: 'exposeAll',
      value: false,
      source: files[0]!.path,
      locked: true,
    });
    const forget = await client.cli('apps', 'forget', 'policy-1');
    expect(forget.err).toMatch(/only root can change/);
    await end(client);
  });

  test('H-server-switch: the policy’s server is asked whatever the user sets, and another setting than before is told', async () => {
    const elsewhere = '192.0.2.66';
    const client = start('server', { serverName: SERVER }, '--server', elsewhere);
    await client.address();
    expect((await client.status()).server).toBe(`${SERVER}:3544`);
    const { out } = await client.cli('policy', '--json');
    const { files, values } = JSON.parse(out) as CallResult<'policy'>;
    expect(values).toContainEqual({
      name: 'serverName',
      value: [SERVER],
      source: files[0]!.path,
      locked: true,
    });
    await client.program.stop();
    // The same place, its state with it, under another policy.
    const directory = join(lab.folder, 'server', 'policy.d');
    writeFileSync(
      join(directory, '10-site.json'),
      JSON.stringify({ serverName: [SERVER, elsewhere] }),
    );
    const env = { ...client.place.env, SHIPWORM_POLICY: directory };
    const program = lab.start(lab.home1.space, SHIPWORM, ['client', '--expose-all'], env);
    const again = new Shipworm(lab, lab.home1, client.place, program);
    const { reason: why } = await again.becomes(
      'qualified',
      QUALIFIED_MS,
      ({ state }) => state === 'qualified',
    );
    expect(why.code).toBe('server-setting-changed');
    expect(why.text).toContain(directory);
    expect(program.err).toMatch(/The Teredo server is set to 192\.0\.2\.1, 192\.0\.2\.66 now/);
    await end(again);
  });

  test('disabled: managed, with the reason, no address and no socket', async () => {
    const client = start('disabled', { state: 'disabled' });
    const { reason: why, address } = await client.becomes(
      'managed',
      10_000,
      ({ state }) => state === 'managed',
    );
    expect(why.code).toBe('policy-disabled');
    expect(address).toBeNull();
    expect((await lab.run(lab.home1.space, 'ss', ['-uanH'])).out.trim()).toBe('');
    await end(client);
  });

  test('counts at once, also while it runs: off, on again, an application, and a lock', async () => {
    const client = start('live', {}, '--expose-all');
    // Qualified, and with the address on the adapter.
    await client.address();
    expect((await fetch()).out).toBe(WEB_PAGE);
    const off = write('live', '30-off.json', { state: 'disabled' });
    const managed = await client.becomes('managed', SOON_MS, ({ state }) => state === 'managed');
    expect(managed).toMatchObject({ address: null, reason: { code: 'policy-disabled' } });
    const routes = () => lab.run(lab.home1.space, 'ip', ['-6', 'route']);
    await eventually('no route', SOON_MS, async () => !(await routes()).out.includes('2001::'));
    const closed = write('live', '40-closed.json', { lockedSettings: { exposeAll: false } });
    rmSync(off);
    await client.address();
    expect((await client.status()).exposure.mode).toBe('closed');
    expect((await fetch()).code).toBe(7);
    write('live', '50-curl.json', { allowedApplications: [{ path: '/usr/bin/curl' }] });
    await eventually('curl is allowed', SOON_MS, async () => (await fetch()).out === WEB_PAGE);
    const { out } = await client.cli('policy', '--json');
    expect((JSON.parse(out) as CallResult<'policy'>).values).toContainEqual({
      name: 'exposeAll',
      value: false,
      source: closed,
      locked: true,
    });
    await end(client);
  });

  test('another server, port and refresh interval count at once, awake on the same adapter', async () => {
    const other = lab.start(
      lab.relay,
      SHIPWORM,
      ['server', '--primary', RELAY],
      new Place(lab, 'other').env,
    );
    await other.says(/Serving/, SOON_MS);
    const client = start('renewed', { clientPort: 4321 }, '--expose-all');
    const first = await client.address();
    const index = async (): Promise<unknown> =>
      JSON.parse((await lab.run(lab.home1.space, 'ip', ['-j', 'link', 'show', 'teredo'])).out);
    const adapter = await index();
    const ports = async (): Promise<string> =>
      (await lab.run(lab.home1.space, 'ss', ['-uanH'])).out;
    expect(await ports()).toContain(':4321 ');
    expect((await fetch()).out).toBe(WEB_PAGE);

    write('renewed', '10-site.json', { clientPort: 4444, serverName: RELAY, refreshRate: 17 });
    // The adapter has the new address a moment after the server's answer.
    await client.becomes(
      'another server, another address',
      QUALIFIED_MS,
      ({ server, state, address }) =>
        server === `${RELAY}:3544` && state === 'qualified' && address !== first,
    );
    expect(await ports()).toContain(':4444 ');
    expect(await ports()).not.toContain(':4321 ');
    expect(await index()).toEqual(adapter);
    expect(client.program.err).toMatch(/The Teredo server is set to 203\.0\.114\.3 now/);
    await eventually('the web by it', SOON_MS, async () => (await fetch()).out === WEB_PAGE);
    const { out } = await client.cli('policy', '--json');
    expect((JSON.parse(out) as CallResult<'policy'>).values).toContainEqual(
      expect.objectContaining({ name: 'refreshRate', value: 17 }),
    );

    // A port that another program has is not taken; the tunnel goes on.
    const taken = lab.start(lab.home1.space, 'socat', ['UDP4-RECV:4555', 'STDOUT']);
    await eventually('it is taken', SOON_MS, async () => (await ports()).includes(':4555 '));
    write('renewed', '10-site.json', { clientPort: 4555, serverName: SERVER, refreshRate: 17 });
    await client.becomes(
      'back',
      QUALIFIED_MS,
      ({ server, state }) => server === `${SERVER}:3544` && state === 'qualified',
    );
    expect(client.program.err).toMatch(/UDP port 4555 is in use by another program/);
    expect(await ports()).toContain(':4444 ');
    expect(await index()).toEqual(adapter);
    await taken.stop();
    await end(client);
  });

  test('a damaged configuration changes nothing, a mended one counts with a reload', async () => {
    const place = new Place(lab, 'reload-place');
    const config = join(lab.folder, 'reload.json');
    writeFileSync(config, '{}');
    const args = ['client', '--server', SERVER, '--config', config];
    const program = lab.start(lab.home1.space, SHIPWORM, args, place.env);
    const client = new Shipworm(lab, lab.home1, place, program);
    await client.address();
    writeFileSync(config, '{"enabled":');
    expect((await client.cli('reload')).code).not.toBe(0);
    expect((await client.status()).state).not.toBe('off');
    writeFileSync(config, '{"enabled":false,"sleepAfter":5}');
    process.kill(program.pid, 'SIGHUP');
    await client.becomes('off', SOON_MS, ({ state }) => state === 'off');
    writeFileSync(config, '{"enabled":true,"sleepAfter":5}');
    expect((await client.cli('reload')).out).toMatch(/new: .*gate/);
    await client.address();
    const { out } = await client.cli('policy', '--json');
    expect((JSON.parse(out) as CallResult<'policy'>).values).toContainEqual(
      expect.objectContaining({ name: 'sleepAfter', value: 5, source: config }),
    );
    await end(client);
  });

  test('a user’s client that knows nothing of a policy gets no adapter that works', async () => {
    const etc = join(lab.folder, 'helpers-etc');
    mkdirSync(join(etc, 'shipworm', 'policy.d'), { recursive: true });
    const site = join(etc, 'shipworm', 'policy.d', '10-site.json');
    writeFileSync(site, JSON.stringify({ state: 'disabled' }));
    const place = new Place(lab, 'lying-place', STRANGER);
    const socket = join(lab.folder, 'lying-place', 'helper', 'helper.sock');
    const serve = [HELPER, '--listen', socket, '--allow-uid', String(STRANGER)];
    const [command, ...args] = withEtc(etc, serve);
    const helper = lab.start(lab.home1.space, command!, args);
    await eventually('the helper listens', SOON_MS, () => existsSync(socket));
    const user = ['--reuid', String(STRANGER), '--regid', String(STRANGER), '--clear-groups'];
    const program = lab.start(
      lab.home1.space,
      'setpriv',
      [...user, SHIPWORM, 'client', '--server', SERVER],
      { ...place.env, SHIPWORM_HELPER_SOCKET: socket },
    );
    const client = new Shipworm(lab, lab.home1, place, program);
    await program.says(
      /policy of this machine \(\/etc\/shipworm\/policy.d\) switches Teredo off/,
      QUALIFIED_MS,
    );
    // Its own view has no policy, and an address that nobody can use.
    expect((await client.call('policy', {})).files).toEqual([]);
    const ip = (...words: string[]) => lab.run(lab.home1.space, 'ip', words);
    expect((await ip('link', 'show', 'teredo')).out).toMatch(/state DOWN/);
    expect((await ip('-6', 'addr', 'show', 'scope', 'global')).out).toBe('');
    expect((await ip('-6', 'route')).out).not.toMatch(/teredo/);
    expect((await fetch()).code).toBe(7);
    expect(await client.program.stop()).toEqual({ code: 0, signal: null });
    await leavesNothing(client.home, place, [helper.pid]);
    await helper.stop();
  });
});
