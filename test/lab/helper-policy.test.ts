// Tests that the helper enforces the machine policy by itself: an engine that asks for more than it allows does not get it.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nativeAddon } from '../../engine/host/addon.ts';
import { helperFrames } from '../../engine/host/helper-protocol.ts';
import { parseIp6 } from '../../engine/wire/index.ts';
import { buildAddon } from '../unit/native/line.ts';
import {
  closeHelpers,
  eventually,
  ip,
  makeNamespace,
  noPrivilege,
  removeNamespace,
  startHelper,
  statusOf,
  traces,
} from './helper-bench.ts';
import type { Started } from './helper-bench.ts';
import { FAR, Field, NEAR, withEtc } from './kit/field.ts';
import type { Actor } from './kit/field.ts';
import { eventually as soon } from './kit/processes.ts';

const reason = noPrivilege();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const ADDRESS = parseIp6('2001:0:c000:201:1234:56:7890:1')!;
const POLICY_FORBIDS = 12;
const STRANGER = 34_567;
const QUIET_MS = 300;
const SOON_MS = 10_000;

describe.skipIf(reason !== null)('the helper and the machine policy', () => {
  let etc: string;
  let directory: string;
  beforeAll(() => buildAddon());
  beforeEach(() => {
    etc = mkdtempSync(join(tmpdir(), 'shipworm-etc-'));
    chmodSync(etc, 0o755);
    directory = join(etc, 'shipworm', 'policy.d');
  });
  afterEach(() => rmSync(etc, { recursive: true }));

  function write(name: string, policy: unknown): string {
    mkdirSync(directory, { recursive: true });
    const path = join(directory, name);
    writeFileSync(path, typeof policy === 'string' ? policy : JSON.stringify(policy));
    return path;
  }

  describe('an adapter', () => {
    let helper: Started;
    let fds: number[] = [];
    beforeAll(() => makeNamespace());
    afterAll(() => removeNamespace());
    afterEach(async () => {
      for (const fd of fds.splice(0)) nativeAddon().closeFd(fd);
      await helper.close();
      await closeHelpers();
    });

    async function open(): Promise<void> {
      helper = startHelper(...withEtc(etc, []));
      await helper.call(helperFrames.hello());
      const reply = await helper.call(helperFrames.openAdapter('teredo', 1280, 1));
      expect(statusOf(reply)).toEqual({ status: 0, text: '' });
      fds = [...reply.fds];
    }
    const isUp = (): boolean =>
      (ip('link', 'show', 'teredo')[0]!['flags'] as string[]).includes('UP');
    const setAddress = async (): Promise<{ status: number; text: string }> =>
      statusOf(await helper.call(helperFrames.setAddress(ADDRESS, true)));
    const refused = {
      status: POLICY_FORBIDS,
      text: expect.stringMatching(/policy of this machine/) as string,
    };

    test.each([
      ['disabled', { state: 'disabled' }],
      ['locked off', { lockedSettings: { enabled: false } }],
      ['not understood', '{"state":'],
    ])('%s: down, without address and route, until the policy allows it', async (_, policy) => {
      const path = write('10-site.json', policy);
      await open();
      expect(isUp()).toBe(false);
      expect(await setAddress()).toEqual(refused);
      expect(statusOf(await helper.call(helperFrames.defaultRoute(true))).status).toBe(0);
      expect(traces()).toEqual([]);
      rmSync(path);
      await eventually('it is up', isUp);
      expect(await setAddress()).toEqual({ status: 0, text: '' });
      expect(traces()).not.toEqual([]);
    });

    test('a policy that comes while it runs takes it down, a stranger’s does not', async () => {
      await open();
      expect(await setAddress()).toEqual({ status: 0, text: '' });
      chownSync(write('20-strangers.json', { state: 'disabled' }), STRANGER, STRANGER);
      write('10-harmless.json', { state: 'client' });
      expect(await setAddress()).toEqual({ status: 0, text: '' });
      expect(isUp()).toBe(true);
      write('30-site.json', { state: 'disabled' });
      await eventually('it is down', () => !isUp());
      expect(traces()).toEqual([]);
      expect(await setAddress()).toEqual(refused);
      expect(statusOf(await helper.call(helperFrames.removeAddress(ADDRESS))).status).toBe(0);
    });

    test('who must judge programs can’t do without asking for owners, nor without programs in the kernel', async () => {
      write('10-site.json', { lockedSettings: { exposeAll: false } });
      await open();
      expect(isUp()).toBe(false);
      expect(await setAddress()).toEqual(refused);
      const owners = await helper.call(helperFrames.openOwners(true));
      expect(statusOf(owners)).toEqual({ status: 0, text: '' });
      fds.push(...owners.fds);
      expect(isUp()).toBe(true);
      expect(await setAddress()).toEqual({ status: 0, text: '' });
    });
  });

  describe('what an engine allows', () => {
    let field: Field;
    let program = '';
    let other = '';
    let far: Actor;
    beforeEach(() => {
      field = new Field();
    });
    afterEach(() => field.close());

    /** The engine of `user` lets everything pass, whoever it is. */
    async function start(user = 0): Promise<void> {
      await field.open({ etc, user });
      field.decide = () => ({ out: 'allow', in: 'all' });
      far = await field.act(field.program('far'), true);
      await far.do('udp u');
      await far.do('bind u :: 4000');
    }
    /** Its first packet waits for an engine, and a lying one may send it on; but no answer comes, and it can send no other. */
    async function isShut(actor: Actor): Promise<void> {
      await actor.do('bind u :: 5000');
      await actor.do(`send u ${FAR} 4000 first`);
      await far.do(`recv u ${QUIET_MS}`);
      await far.do(`send u ${NEAR} 5000 answer`);
      expect(await actor.do(`recv u ${QUIET_MS}`)).toBe('nothing');
      expect(await actor.do(`send u ${FAR} 4000 no`)).toBe('EPERM');
      expect(await far.do(`recv u ${QUIET_MS}`)).toBe('nothing');
    }
    const arrives = async (actor: Actor, text: string): Promise<boolean> => {
      await actor.do(`send u ${FAR} 4000 ${text}`);
      return (await far.do(`recv u ${SOON_MS}`)) === text;
    };
    const sender = async (path: string): Promise<Actor> => {
      const actor = await field.act(path);
      await actor.do('udp u');
      return actor;
    };

    test('a forbidden program stays out, one forbidden later is cut off, and others pass', async () => {
      program = field.program('program');
      other = field.program('other');
      write('10-site.json', { forbiddenApplications: [{ path: program }] });
      await start();
      expect(field.owners.mode).toBe('programs');
      const [bad, good] = [await sender(program), await sender(other)];
      await isShut(bad);
      expect(await arrives(good, 'yes')).toBe(true);
      write('20-site.json', { forbiddenApplications: [{ path: other }] });
      await soon('it is refused', SOON_MS, async () =>
        (await good.do(`send u ${FAR} 4000 no`)) === 'EPERM' ? true : null,
      );
    });

    test('nobody but root opens what another user’s program made, nor sees a packet of it', async () => {
      program = field.program('program');
      mkdirSync(directory, { recursive: true });
      await start(STRANGER);
      const others = await sender(program);
      await others.do('bind u :: 5000');
      // Not one of those that may wait for an engine.
      for (let i = 0; i < 3; i++)
        expect(await others.do(`send u ${FAR} 4000 secret`)).toBe('EPERM');
      await others.do('tcp t');
      expect(await others.do(`connect t ${FAR} 4000 5`)).toMatch(/^ECONNREFUSED /);
      expect(await far.do(`recv u ${QUIET_MS}`)).toBe('nothing');
      expect(field.asked).toEqual([]);
      await far.do(`send u ${NEAR} 5000 answer`);
      expect(await others.do(`recv u ${QUIET_MS}`)).toBe('nothing');
      const own = await field.act('setpriv', false, [
        ...['--reuid', String(STRANGER), '--clear-groups', '--regid', String(STRANGER)],
        program,
      ]);
      await own.do('udp u');
      expect(await arrives(own, 'yes')).toBe(true);
    });
  });
});
