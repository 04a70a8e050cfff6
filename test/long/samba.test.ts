// Module test/long/samba.test tries the two ways in which Windows networks meet the tunnel: shared files, and a domain controller.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { CallResult } from '../../engine/service/api.ts';
import { Lab, noLab, SERVER } from '../lab/kit/lab.ts';
import { eventually, ipBatch } from '../lab/kit/processes.ts';
import type { Program, Result } from '../lab/kit/processes.ts';
import {
  leavesNothing,
  Place,
  Shipworm,
  SHIPWORM,
  SLOW,
  startMiredoClient,
  startMiredoRelay,
  startMiredoServer,
  startShipworm,
} from '../lab/kit/programs.ts';

const reason = noLab();
const SOON_MS = 10_000 * SLOW;
const DOMAIN = 'corp.example';
const CONTROLLER = '192.168.1.1';
const OPEN_PORT = 8_080;
/** Samba's folders, without which it starts nothing, for this process alone. */
const OWN_FOLDERS = `set -e
mount --make-rprivate /
for each in /var/lib/samba /run/samba /var/cache/samba /var/log/samba; do
  mkdir -p "$each"
  mount -t tmpfs tmpfs "$each"
done
mkdir /var/lib/samba/private
exec "$@"`;
/** Both end their process group as they end, so that they get one of their own. */
const owned = (...command: string[]): string[] => ['-m', 'sh', '-c', OWN_FOLDERS, 'sh', ...command];

describe.skipIf(reason !== null)('beside Samba', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    await Promise.all([startMiredoServer(lab), startMiredoRelay(lab)]);
    lab.keep();
  });
  afterEach(() => lab.stopPrograms());
  afterAll(() => lab.close());

  async function listens(space: string, port: number): Promise<void> {
    await eventually(`something listens at ${port}`, SOON_MS, async () => {
      const { out } = await lab.run(space, 'ss', ['-Htln', `sport = :${port}`]);
      return out !== '';
    });
  }

  test('shared files stay unreachable while another program may be reached', async () => {
    const folder = join(lab.folder, 'files');
    mkdirSync(join(folder, 'shared'), { recursive: true });
    writeFileSync(join(folder, 'shared', 'secret.txt'), 'secret');
    const config = join(folder, 'smb.conf');
    writeFileSync(
      config,
      `[global]
      server role = standalone server
      map to guest = Bad User
      guest account = nobody
      disable spoolss = yes
      [shared]
      path = ${join(folder, 'shared')}
      guest ok = yes
`,
    );
    const args = ['--foreground', '-s', config];
    const smbd = lab.start(lab.home1.space, 'unshare', owned('/usr/sbin/smbd', ...args));
    const client = startShipworm(lab, lab.home1);
    const peer = startMiredoClient(lab, lab.home2);
    await Promise.all([listens(lab.home1.space, 445), client.address(), peer.address()]);
    const get = (host: string): Promise<Result> =>
      lab.run(
        lab.home2.space,
        'timeout',
        ['8', 'smbclient', '-N', `//${host}/shared`, '-c', 'get secret.txt -'],
        { env: { HOME: folder } },
      );
    // It shares indeed, with whoever reaches it, by IPv6, too.
    const near = ['-N', '//::1/shared', '-c', 'get secret.txt -'];
    expect((await lab.run(lab.home1.space, 'smbclient', near)).out).toBe('secret');

    const allow = ['apps', 'allow', '--no-out', '--reachable', String(OPEN_PORT), 'socat'];
    expect((await client.cli(...allow)).code).toBe(0);
    const listen = `TCP6-LISTEN:${OPEN_PORT},reuseaddr,fork`;
    const open = lab.start(lab.home1.space, '/usr/bin/socat', [listen, 'SYSTEM:echo hello']);
    const { address } = await client.becomes(
      'awake',
      SOON_MS,
      ({ state }) => state === 'qualified',
    );
    const knock = (port: number): Promise<Result> =>
      lab.run(lab.home2.space, 'timeout', ['8', 'bash', '-c', `cat < /dev/tcp/${address}/${port}`]);
    await eventually('the allowed one is reached', SOON_MS, async () =>
      (await knock(OPEN_PORT)).out.includes('hello') ? true : null,
    );
    const shares = [445, 139].map(knock);
    expect((await Promise.all(shares)).map(({ code }) => code)).toEqual([124, 124]);
    const taken = await get(address!);
    expect(taken.code).not.toBe(0);
    expect(taken.out).not.toContain('secret');
    const reachable = await client.call('reachable', {});
    const smb = reachable.filter(({ port }) => port === 445);
    expect(smb).not.toEqual([]);
    for (const each of smb)
      expect(each).toMatchObject({ app: { path: '/usr/sbin/smbd' }, allowed: false });
    for (const each of [open, smbd]) await each.stop();
    expect(await client.program.stop()).toEqual({ code: 0, signal: null });
    await peer.program.stop();
    await leavesNothing(client.home, client.place);
  });

  /** A new domain on the router of the first home. */
  async function provision(): Promise<string> {
    const target = join(lab.folder, 'dc');
    const made = await lab.run(
      lab.home1.router,
      'unshare',
      owned(
        'samba-tool',
        ...['domain', 'provision', '--server-role=dc', '--dns-backend=SAMBA_INTERNAL'],
        ...[`--realm=${DOMAIN.toUpperCase()}`, '--domain=CORP', '--adminpass=Passw0rd.1'],
        ...[`--host-ip=${CONTROLLER}`, '--host-name=dc1', `--targetdir=${target}`],
      ),
      { timeoutMs: 300_000 },
    );
    if (made.code !== 0) throw new Error(made.err);
    return join(target, 'etc', 'smb.conf');
  }

  test('a domain controller appears: off, with the reason; an enterprise client stays', async () => {
    const config = await provision();
    const resolv = join(lab.folder, 'resolv.conf');
    writeFileSync(resolv, `search ${DOMAIN}\nnameserver ${CONTROLLER}\n`);
    const directory = join(lab.folder, 'dc-policy', 'policy.d');
    mkdirSync(directory, { recursive: true });
    const place = new Place(lab, 'beside-dc');
    const program = lab.start(
      lab.home1.space,
      'sh',
      [
        '-c',
        'mount --bind "$0" /etc/resolv.conf && exec "$@"',
        resolv,
        ...[SHIPWORM, 'client', '--server', SERVER],
      ],
      { ...place.env, SHIPWORM_POLICY: directory },
    );
    const client = new Shipworm(lab, lab.home1, place, program);
    await client.address();

    const args = ['-i', '-M', 'single', '-s', config];
    const controller: Program = lab.start(lab.home1.router, 'unshare', owned('samba', ...args));
    await Promise.all([listens(lab.home1.router, 53), listens(lab.home1.router, 389)]);
    // It is looked for again only before waking, or when the network changed.
    ipBatch(['addr add 192.168.1.77/24 dev e0'], lab.home1.space);
    expect((await client.cli('network', 'on')).code).toBe(0);
    await client.call('ping', { address: '2001:db8::80', timeoutMs: 1_000 }).catch(() => undefined);
    const managed = await client.becomes('managed', SOON_MS, ({ state }) => state === 'managed');
    expect(managed.reason).toMatchObject({ code: 'domain-controller' });
    expect(managed.reason.text).toMatch(/managed network .*domain controller/);
    expect((await lab.run(lab.home1.space, 'ss', ['-uanH'])).out.trim()).toBe('');
    const said = await client.cli('status');
    expect(said.out).toMatch(/domain controller answers/);

    // An administrator's override.
    writeFileSync(join(directory, '10.json'), '{"state":"enterprise-client"}');
    await client.becomes('not managed', SOON_MS, ({ state }) => state !== 'managed');
    const { values } = (await client.call('policy', {})) satisfies CallResult<'policy'>;
    expect(values).toContainEqual(
      expect.objectContaining({ name: 'state', value: 'enterprise-client', locked: true }),
    );
    await controller.stop();
    expect(await client.program.stop()).toEqual({ code: 0, signal: null });
    await leavesNothing(client.home, place);
  });
});
