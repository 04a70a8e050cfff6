// Tests the privileged helper in the role of a relay: its route, forwarding, and that each setting comes back however it ends.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nativeAddon } from '../../engine/host/addon.ts';
import { helperFrames } from '../../engine/host/helper-protocol.ts';
import type { Forwarding } from '../../engine/host/helper-protocol.ts';
import { buildIp6Packet, checksum6, parseIp6, PROTOCOL } from '../../engine/wire/index.ts';
import { buildAddon } from '../unit/native/line.ts';
import {
  alive,
  closeHelpers,
  eventually,
  ip,
  makeNamespace,
  NAMESPACE,
  noPrivilege,
  removeNamespace,
  startHelper,
  statusOf,
} from './helper-bench.ts';
import type { Started } from './helper-bench.ts';
import { pidsIn } from './kit/processes.ts';

const reason = noPrivilege();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** The neighbours of the native interface, `six`; `other` is none of the relay's business. */
const FAR = `${NAMESPACE}-far`;
const CONF = 'net.ipv6.conf';

const sysctl = (...args: string[]): string =>
  execFileSync('ip', ['netns', 'exec', NAMESPACE, 'sysctl', ...args], { encoding: 'utf8' });
const set = (name: string, value: number): void => void sysctl('-qw', `${CONF}.${name}=${value}`);

/** Every setting that a router changes, of all interfaces but the adapter. */
function settings(): Record<string, number> {
  const lines = sysctl('-a', '--pattern', '\\.(forwarding|force_forwarding|accept_ra)$').split(
    '\n',
  );
  return Object.fromEntries(
    lines
      .map((line) => /^net\.ipv6\.conf\.(\S+) = (\d+)$/.exec(line))
      .filter((match) => match !== null && !match[1]!.startsWith('teredo.'))
      .map((match) => [match![1]!, Number(match![2])]),
  );
}

/** Does this kernel know forwarding on single interfaces (Linux 6.17)? */
const single =
  reason === null && spawnSync('sysctl', ['-n', `${CONF}.lo.force_forwarding`]).status === 0;
const WAYS: readonly Forwarding[] = single ? ['two', 'every'] : ['every'];

/** A default route from a router advertisement on `six`, as a neighbour sends it. */
async function advertiseRouter(): Promise<void> {
  const neighbour = startHelper('nsenter', `--net=/run/netns/${FAR}`);
  await neighbour.call(helperFrames.helloServer());
  const { fds } = await neighbour.call(helperFrames.openRaw6());
  const source = parseIp6('fe80::99')!;
  const destination = parseIp6('ff02::1')!;
  // RFC 4861 §4.2: current hop limit 64, router lifetime 1800 s.
  const body = new Uint8Array(16);
  body.set([134, 0, 0, 0, 64, 0, 0x07, 0x08]);
  new DataView(body.buffer).setUint16(2, checksum6(source, destination, PROTOCOL.icmp6, body));
  const fields = { source, destination, nextHeader: PROTOCOL.icmp6, hopLimit: 255 };
  nativeAddon().sendRaw6(fds[0]!, buildIp6Packet(fields, body));
  nativeAddon().closeFd(fds[0]!);
  await neighbour.close();
}
/** Duplicate address detection takes about a second. */
function hasLinkLocal(space: string, link: string): boolean {
  const args = ['-n', space, '-6', 'addr', 'show', link];
  const text = execFileSync('ip', args, { encoding: 'utf8' });
  return text.includes('fe80::') && !text.includes('tentative');
}
const hasDefaultRoute = (): boolean => ip('-6', 'route', 'show', 'default').length > 0;

describe.skipIf(reason !== null)('the helper of a relay', () => {
  beforeAll(() => {
    buildAddon();
    makeNamespace();
    spawnSync('ip', ['netns', 'del', FAR], { stdio: 'ignore' });
    execFileSync('ip', ['netns', 'add', FAR]);
  });
  beforeEach(() => {
    for (const name of ['six', 'other']) {
      const link = ['link', 'add', name, 'netns', NAMESPACE, 'type', 'veth'];
      execFileSync('ip', [...link, 'peer', 'name', `${name}-far`, 'netns', FAR]);
      execFileSync('ip', ['-n', NAMESPACE, 'link', 'set', name, 'up']);
    }
    execFileSync('ip', ['-n', FAR, 'link', 'set', 'six-far', 'up']);
  });
  afterEach(async () => {
    await closeHelpers();
    await eventually('the guard is gone', () => pidsIn(NAMESPACE).length === 0);
  });
  afterAll(() => {
    removeNamespace();
    execFileSync('ip', ['netns', 'del', FAR]);
  });

  async function startRelay(how: Forwarding, native = 'six'): Promise<Started> {
    const helper = startHelper();
    await helper.call(helperFrames.helloRelay());
    const opened = await helper.call(helperFrames.openAdapter('teredo', 1280, 1));
    expect(statusOf(opened)).toEqual({ status: 0, text: '' });
    expect(statusOf(await helper.call(helperFrames.startRelay(native, how)))).toEqual({
      status: 0,
      text: '',
    });
    helpers.set(helper, opened.fds[0]!);
    return helper;
  }
  const helpers = new Map<Started, number>();
  const end = async (helper: Started): Promise<void> => {
    nativeAddon().closeFd(helpers.get(helper)!);
    await helper.close();
  };

  test.each(WAYS)(
    'forwards (%s), keeps the route to its router, and puts all back',
    async (how) => {
      for (const [space, link] of [
        [NAMESPACE, 'six'],
        [FAR, 'six-far'],
      ] as const)
        await eventually(`${link} has its address`, () => hasLinkLocal(space, link));
      await advertiseRouter();
      await eventually('the default route', hasDefaultRoute);
      set('other.accept_ra', 0);
      const before = settings();
      expect(before).toMatchObject({
        'six.forwarding': 0,
        'six.accept_ra': 1,
        'all.forwarding': 0,
      });
      const helper = await startRelay(how);
      expect(ip('-6', 'route', 'show', '2001::/32')).toMatchObject([{ dev: 'teredo' }]);
      expect(hasDefaultRoute()).toBe(true);
      const during = settings();
      expect(during).toEqual({
        ...before,
        'six.forwarding': 1,
        'six.accept_ra': 2,
        ...(how === 'two' ? { 'six.force_forwarding': 1 } : { 'all.forwarding': 1 }),
      });
      await end(helper);
      await eventually('the settings are back', () => settings()['six.forwarding'] === 0);
      expect(settings()).toEqual(before);
      expect(ip('-6', 'route', 'show', '2001::/32')).toEqual([]);
      expect(hasDefaultRoute()).toBe(true);
      set('other.accept_ra', 1);
    },
  );

  test.each(WAYS)('kill -9 leaves no setting behind (%s)', async (how) => {
    const before = settings();
    const helper = await startRelay(how);
    expect(settings()).not.toEqual(before);
    helper.child.kill('SIGKILL');
    await eventually('the settings are back', () => settings()['six.accept_ra'] === 1);
    expect(settings()).toEqual(before);
  });

  test.each(WAYS)('without its guard the helper restores by itself and ends (%s)', async (how) => {
    const before = settings();
    const helper = await startRelay(how);
    const guard = pidsIn(NAMESPACE).find((pid) => pid !== helper.pid)!;
    // It has no descriptor but the lock and the one it waits on, and heeds no signal that can be heeded.
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(guard, signal);
    expect(alive(guard)).toBe(true);
    expect(readFileSync(`/proc/${guard}/status`, 'utf8')).toMatch(/^CapEff:\s+0000000000001000$/m);
    process.kill(guard, 'SIGKILL');
    await helper.ended;
    expect(settings()).toEqual(before);
  });

  test('a relay started at once after a kill -9 waits for the guard of the former', async () => {
    const before = settings();
    for (let round = 0; round < 5; round++) {
      const helper = await startRelay(WAYS[0]!);
      expect(settings()['six.forwarding']).toBe(1);
      nativeAddon().closeFd(helpers.get(helper)!);
      helper.child.kill('SIGKILL');
      await helper.ended;
    }
    await eventually('the settings are back', () => settings()['six.accept_ra'] === 1);
    expect(settings()).toEqual(before);
  });

  test('what somebody else changed meanwhile stays, and a router stays one', async () => {
    const helper = await startRelay(WAYS[0]!);
    set('six.accept_ra', 0);
    await end(helper);
    await eventually('forwarding is back', () => settings()['six.forwarding'] === 0);
    expect(settings()['six.accept_ra']).toBe(0);
    set('all.forwarding', 1);
    const router = settings();
    const other = await startRelay(WAYS[0]!);
    expect(settings()).toEqual(router);
    await end(other);
    expect(settings()).toEqual(router);
    set('all.forwarding', 0);
    set('six.accept_ra', 1);
  });

  test('for a host-specific relay changes nothing but the route', async () => {
    const before = settings();
    const helper = await startRelay('none', 'teredo');
    expect(settings()).toEqual(before);
    expect(ip('-6', 'route', 'show', '2001::/32')).toMatchObject([{ dev: 'teredo' }]);
    await end(helper);
    expect(settings()).toEqual(before);
  });

  test('refuses an unknown interface, a second start, a second relay, and a route that is taken', async () => {
    const before = settings();
    const helper = startHelper();
    await helper.call(helperFrames.helloRelay());
    expect(statusOf(await helper.call(helperFrames.startRelay('six', 'none'))).status).toBe(4);
    const { fds } = await helper.call(helperFrames.openAdapter('teredo', 1280, 1));
    const refused = statusOf(await helper.call(helperFrames.startRelay('nowhere', WAYS[0]!)));
    expect(refused).toMatchObject({
      status: 5,
      text: expect.stringContaining('"nowhere"') as string,
    });
    expect(statusOf(await helper.call(helperFrames.startRelay('six', WAYS[0]!))).status).toBe(0);
    expect(statusOf(await helper.call(helperFrames.startRelay('six', WAYS[0]!))).status).toBe(4);
    const second = startHelper();
    await second.call(helperFrames.helloRelay());
    const opened = await second.call(helperFrames.openAdapter('teredo2', 1280, 1));
    const busy = await second.call(helperFrames.startRelay('six', WAYS[0]!));
    expect(statusOf(busy)).toEqual({
      status: 8,
      text: 'Another relay forwards on this machine; end that one first.',
    });
    const taken = statusOf(await second.call(helperFrames.startRelay('six', 'none')));
    expect(taken.status).toBe(8);
    for (const fd of [...fds, ...opened.fds]) nativeAddon().closeFd(fd);
    await second.close();
    await helper.close();
    await eventually('the settings are back', () => settings()['six.accept_ra'] === 1);
    expect(settings()).toEqual(before);
  });
});
