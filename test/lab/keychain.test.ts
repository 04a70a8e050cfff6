// The identity of secure qualification in a real keychain: kept, found by others, locked, absent, moved out of the file, deleted, and used with a server that asks for it.
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SecretService } from '../../engine/host/secret-service.ts';
import { callStatus } from '../../engine/service/control-client.ts';
import type { ServerStatus } from '../../engine/service/api.ts';
import { Keyring } from '../app/kit/keyring.ts';
import { asGuest, GUEST, openPlace } from '../app/kit/session.ts';
import type { Place as Desktop } from '../app/kit/session.ts';
import { Lab, noLab, SERVER, SERVER2 } from './kit/lab.ts';
import { eventually, run } from './kit/processes.ts';
import type { Program, Result } from './kit/processes.ts';
import { leavesNothing, Place, QUALIFIED_MS, Shipworm, SHIPWORM, SLOW } from './kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const HELPER = resolve('build/native/shipworm-helper');
const SOON_MS = 5_000 * SLOW;
const PURPOSE = { name: 'secure-qualification', label: 'Shipworm' };
const IDENTITY = { clientId: 'alice', key: 'correct horse' };
const TEXT = JSON.stringify(IDENTITY);

describe.skipIf(reason !== null)('the keychain', () => {
  let desktop: Desktop;
  let lab: Lab;
  let keyring: Keyring;
  const busAddress = process.env['DBUS_SESSION_BUS_ADDRESS'];
  beforeAll(async () => {
    lab = new Lab();
    desktop = await openPlace();
    keyring = await Keyring.open(desktop);
    process.env['DBUS_SESSION_BUS_ADDRESS'] = desktop.bus;
  });
  afterAll(async () => {
    await keyring.close();
    await desktop.close();
    await lab.close();
    if (busAddress === undefined) delete process.env['DBUS_SESSION_BUS_ADDRESS'];
    else process.env['DBUS_SESSION_BUS_ADDRESS'] = busAddress;
  });
  const service = async <T>(work: (keychain: SecretService) => Promise<T>): Promise<T> => {
    const keychain = (await SecretService.open())!;
    try {
      return await work(keychain);
    } finally {
      keychain.close();
    }
  };
  const text = async (): Promise<unknown> => {
    const kept = await service((keychain) => keychain.read(PURPOSE));
    return kept.state === 'found' ? Buffer.from(kept.secret).toString() : kept.state;
  };

  // ---- what the user types, without a client

  const config = (): string => join(desktop.home, '.config', 'shipworm', 'config.json');
  const inFile = (): Record<string, unknown> =>
    JSON.parse(readFileSync(config(), 'utf8')) as Record<string, unknown>;
  function write(settings: object): void {
    for (const folder of [dirname(dirname(config())), dirname(config())]) {
      mkdirSync(folder, { recursive: true });
      chownSync(folder, GUEST, GUEST);
    }
    writeFileSync(config(), JSON.stringify(settings), { mode: 0o600 });
    chownSync(config(), GUEST, GUEST);
  }
  async function shipwormIn(
    env: Readonly<Record<string, string>>,
    ...verb: string[]
  ): Promise<Result> {
    const [command, ...words] = [...asGuest(desktop.folder), SHIPWORM, ...verb];
    return run(lab.home2.space, command!, words, { env });
  }
  const shipworm = (...verb: string[]): Promise<Result> => shipwormIn(desktop.env, ...verb);
  const identity = async (): Promise<string> => {
    const { out } = await shipworm('settings', '--json');
    return (JSON.parse(out) as { readonly identity: string }).identity;
  };

  describe('as others see it', () => {
    test('what is kept another program finds, and what that changes is read; all is gone when it is removed', async () => {
      expect(await text()).toBe('none');
      await service((keychain) => keychain.write(PURPOSE, Buffer.from('first'), true));
      await service((keychain) => keychain.write(PURPOSE, Buffer.from(TEXT), true));
      expect(await keyring.kept()).toBe(TEXT);
      expect(await text()).toBe(TEXT);
      await service((keychain) => keychain.remove(PURPOSE));
      expect(await keyring.kept()).toBeNull();
      await service((keychain) => keychain.remove(PURPOSE));
    });

    test('locked it tells nobody what it keeps, and where nobody can be asked it says so at once', async () => {
      await service((keychain) => keychain.write(PURPOSE, Buffer.from(TEXT), true));
      await keyring.lock();
      expect(await text()).toBe('locked');
      const locked = { code: 'keychain-locked' };
      await service(async (keychain) => {
        await expect(keychain.unlock(PURPOSE)).rejects.toMatchObject(locked);
        await expect(keychain.remove(PURPOSE)).rejects.toMatchObject(locked);
        for (const asks of [true, false])
          await expect(keychain.write(PURPOSE, Buffer.from('x'), asks)).rejects.toMatchObject(
            locked,
          );
      });
      await keyring.unlock();
      expect(await text()).toBe(TEXT);
      await service((keychain) => keychain.remove(PURPOSE));
    });

    test('without a bus, or with one on which nobody keeps secrets, there is none', async () => {
      const other = await openPlace();
      try {
        for (const address of [other.bus, 'unix:path=/nonexistent', 'autolaunch:']) {
          process.env['DBUS_SESSION_BUS_ADDRESS'] = address;
          expect(await SecretService.open()).toBeNull();
        }
      } finally {
        process.env['DBUS_SESSION_BUS_ADDRESS'] = desktop.bus;
        await other.close();
      }
    });
  });

  describe('in the terminal', () => {
    test('an identity in the file moves over, whole and once; nothing that is shown or exported has it', async () => {
      write({ ...IDENTITY, port: 4000 });
      const { out } = await shipworm('settings');
      expect(out).toMatch(/kept in the desktop’s keychain, not in the file/);
      expect(out).toMatch(/^key +\(set, not shown\) +keychain$/m);
      expect(inFile()).toEqual({ port: 4000 });
      expect(await keyring.kept()).toBe(TEXT);
      for (const verb of [['settings', 'export'], ['settings', '--json'], ['report']])
        expect((await shipworm(...verb)).out).not.toMatch(/alice|correct horse/);
      // Half of one means: this half is another.
      write({ key: 'battery staple', port: 4000 });
      expect(await identity()).toBe('keychain');
      expect(inFile()).toEqual({ port: 4000 });
      const changed = { ...IDENTITY, key: 'battery staple' };
      expect(JSON.parse((await keyring.kept())!)).toEqual(changed);
    });

    test('a change goes there, an import leaves it, and forgetting deletes it', async () => {
      expect((await shipworm('settings', 'set', 'key', IDENTITY.key)).code).toBe(0);
      expect(await keyring.kept()).toBe(TEXT);
      expect((await shipworm('settings', 'reset', 'key')).err).toMatch(/belong together/);
      const document = join(desktop.home, 'carried.json');
      writeFileSync(document, (await shipworm('settings', 'export')).out);
      expect((await shipworm('settings', 'import', document)).code).toBe(0);
      expect(await keyring.kept()).toBe(TEXT);
      expect((await shipworm('settings', 'reset', 'clientId', 'key')).code).toBe(0);
      expect(await keyring.kept()).toBeNull();
      expect(inFile()).toEqual({ port: 4000 });
    });

    test('locked it is left alone: what is in the file stays there, and counts; what is set is refused', async () => {
      await keyring.lock();
      write(IDENTITY);
      const { out } = await shipworm('settings');
      expect(out).toMatch(/stay in the file while the desktop’s keychain is locked/);
      expect(inFile()).toEqual(IDENTITY);
      const { err, code } = await shipworm('settings', 'set', 'key', 'battery staple');
      expect([code, err]).toEqual([
        1,
        expect.stringMatching(/Not set: The keychain was not unlocked\./),
      ]);
      expect(inFile()).toEqual(IDENTITY);
      await keyring.unlock();
      expect(await identity()).toBe('keychain');
      expect(await keyring.kept()).toBe(TEXT);
      await keyring.lock();
      expect((await shipworm('settings')).out).toMatch(/which is locked, so they are not in use/);
      await keyring.unlock();
    });

    test('what can’t be written back stays in both places, and nothing is lost', async () => {
      await shipworm('settings', 'reset', 'clientId', 'key');
      write(IDENTITY);
      chmodSync(dirname(config()), 0o500);
      expect(await identity()).toBe('file-stays');
      expect(inFile()).toEqual(IDENTITY);
      expect(await keyring.kept()).toBe(TEXT);
      chmodSync(dirname(config()), 0o700);
      expect(await identity()).toBe('keychain');
      expect(inFile()).toEqual({});
    });

    test('where there is no keychain, and for root, the file is the place', async () => {
      write(IDENTITY);
      const none = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent' };
      expect((await shipworm('settings')).out).toMatch(/not in the file/);
      write(IDENTITY);
      const { out } = await shipwormIn({ ...desktop.env, ...none }, 'settings');
      expect(out).toMatch(/no keychain in this session: clientId and key are kept in the file/);
      expect(inFile()).toEqual(IDENTITY);
      const asRoot = await run(lab.home2.space, SHIPWORM, ['settings'], { env: desktop.env });
      expect(asRoot.out).toMatch(/no keychain in this session/);
      expect(inFile()).toEqual(IDENTITY);
    });
  });

  describe('with a client', () => {
    let helper: Program;
    let server: Program;
    let client: Shipworm;
    let place: Place;
    let its: Place;
    const socket = (): string => join(lab.folder, 'guest', 'helper', 'helper.sock');
    beforeAll(async () => {
      const settings = join(lab.folder, 'server.json');
      const clients = { [IDENTITY.clientId]: IDENTITY.key };
      writeFileSync(settings, JSON.stringify({ clients, requireAuthentication: true }));
      const options = ['--primary', SERVER, '--secondary', SERVER2, '--config', settings];
      its = new Place(lab, 'server');
      place = new Place(lab, 'guest', GUEST);
      server = lab.start(lab.pub, SHIPWORM, ['server', ...options], its.env);
      const allow = ['--listen', socket(), '--allow-uid', String(GUEST)];
      helper = lab.start(lab.home1.space, HELPER, allow);
      await server.says(/Serving at /, SOON_MS);
      await eventually('the helper listens', SOON_MS, () => existsSync(socket()));
      write({ ...IDENTITY, server: SERVER, exposeAll: true });
      await identity();
      await keyring.lock();
    });
    afterAll(async () => {
      expect(await client.program.stop()).toEqual({ code: 0, signal: null });
      await leavesNothing(lab.home1, client.place, [helper.pid]);
    });

    test('it starts without what is locked, says so once, and is refused by the server', async () => {
      const { XDG_CONFIG_HOME, DBUS_SESSION_BUS_ADDRESS, HOME } = desktop.env;
      const own = { XDG_CONFIG_HOME, DBUS_SESSION_BUS_ADDRESS, HOME } as Record<string, string>;
      const env = { ...place.env, ...own, SHIPWORM_HELPER_SOCKET: socket() };
      const [command, ...words] = [...asGuest(desktop.folder), SHIPWORM, 'client'];
      const program = lab.start(lab.home1.space, command, words, env);
      client = new Shipworm(lab, lab.home1, place, program);
      await program.says(/The keychain stayed locked: the tunnel qualifies without/, SOON_MS);
      await eventually('it is refused', QUALIFIED_MS, async () => {
        const { counters } = (await callStatus([its.control])) as ServerStatus;
        return (counters.discards['authenticationMissing'] ?? 0) > 0;
      });
      expect((await client.call('settings', {})).identity).toBe('locked');
      expect((await client.status()).address).toBeNull();
      expect(program.err.match(/stayed locked/g)).toHaveLength(1);
    });

    test('unlocked and told to reload, it qualifies at once with the key out of the keychain', async () => {
      await keyring.unlock();
      await client.call('reload', {});
      await client.address();
      expect((await client.call('settings', {})).identity).toBe('keychain');
      expect(inFile()).toEqual({ server: SERVER, exposeAll: true });
      const { text: report } = await client.call('report', {});
      for (const told of [report, client.program.err, JSON.stringify(await client.status())])
        expect(told).not.toContain(IDENTITY.key);
    });
  });
});
