// Tests the privileged helper as root in a network namespace: what it makes, what it refuses, and that nothing stays.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { nativeAddon } from '../../engine/host/addon.ts';
import { helperFrames } from '../../engine/host/helper-protocol.ts';
import { openLinuxAdapter } from '../../engine/host/linux-adapter.ts';
import { HostError } from '../../engine/host/types.ts';
import { parseIp6 } from '../../engine/wire/index.ts';
import { buildAddon } from '../unit/native/line.ts';
import {
  NAMESPACE,
  HELPER,
  alive,
  closeFds,
  closeHelpers,
  devices,
  eventually,
  ip,
  makeNamespace,
  noPrivilege,
  opened,
  removeNamespace,
  startHelper,
  statusOf,
  tables,
  traces,
} from './helper-bench.ts';

const reason = noPrivilege();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const ADDRESS = parseIp6('2001:0:c000:201:1234:56:7890:1')!;
const OLD = parseIp6('2001:0:c000:201:1234:56:7890:2')!;

describe.skipIf(reason !== null)('the helper', () => {
  beforeAll(() => {
    buildAddon();
    makeNamespace();
  });
  afterAll(() => removeNamespace());
  afterEach(async () => {
    try {
      await eventually('no device is left', () => devices().length === 0);
      // The device is its client's; what else there is goes with the helper, which notices.
      await eventually('no table is left', () => tables().length === 0);
      expect(traces()).toEqual([]);
    } finally {
      // What a failed test left must not fail the next one.
      await closeHelpers();
    }
  });

  const open = (name: string, mtu = 1280, queues = 1): Uint8Array =>
    helperFrames.openAdapter(name, mtu, queues);

  test('Miredo fault 9: an adapter that is up, with its MTU, a queue of 5,000 packets and no link-local address', async () => {
    const { helper, fds } = await opened();
    expect(fds).toHaveLength(1);
    expect(ip('-d', 'link', 'show', 'teredo')[0]).toMatchObject({
      mtu: 1280,
      txqlen: 5000,
      flags: expect.arrayContaining(['UP', 'LOWER_UP']) as unknown,
      inet6_addr_gen_mode: 'none',
      linkinfo: { info_data: { type: 'tun', user: 'root', persist: false } },
    });
    const settings = '/proc/sys/net/ipv6/conf/teredo';
    for (const name of ['router_solicitations', 'accept_ra', 'autoconf'])
      expect(
        execFileSync('ip', ['netns', 'exec', NAMESPACE, 'cat', `${settings}/${name}`]).toString(),
      ).toBe('0\n');
    expect(ip('-6', 'addr', 'show', 'dev', 'teredo')).toEqual([]);
    closeFds(fds);
    await helper.close();
  });

  test('sets, deprecates and removes addresses, and routes 2001::/32 and on demand ::/0', async () => {
    const { helper, fds } = await opened();
    const states = (): unknown[] =>
      (ip('-6', 'addr', 'show', 'dev', 'teredo')[0]?.['addr_info'] ?? []) as unknown[];
    const routes = (): unknown[] => ip('-6', 'route', 'show', 'dev', 'teredo');
    for (const [address, preferred] of [
      [OLD, true],
      [ADDRESS, true],
      [OLD, false],
    ] as const)
      expect(statusOf(await helper.call(helperFrames.setAddress(address, preferred))).status).toBe(
        0,
      );
    expect(states()).toHaveLength(2);
    expect(states()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ local: '2001:0:c000:201:1234:56:7890:1', prefixlen: 32 }),
        expect.objectContaining({ local: '2001:0:c000:201:1234:56:7890:2', deprecated: true }),
      ]),
    );
    expect(JSON.stringify(states())).not.toMatch(/tentative|fe80/);
    expect(routes()).toEqual([expect.objectContaining({ dst: '2001::/32' })]);
    // Asking twice changes nothing.
    for (const on of [true, true, false, false, true]) {
      expect(statusOf(await helper.call(helperFrames.defaultRoute(on))).status).toBe(0);
      const defaults = routes().filter((r) => (r as { dst: string }).dst === 'default');
      expect(defaults).toEqual(on ? [expect.objectContaining({ metric: 1029 })] : []);
    }
    expect(statusOf(await helper.call(helperFrames.removeAddress(OLD))).status).toBe(0);
    expect(states()).toHaveLength(1);
    expect(JSON.stringify(routes())).toContain('2001::/32');
    closeFds(fds);
    await helper.close();
  });

  test('Miredo fault 15: keeps CAP_NET_ADMIN and nothing else', async () => {
    const { helper, fds } = await opened();
    const status = readFileSync(`/proc/${helper.pid}/status`, 'utf8');
    const line = (name: string): string =>
      new RegExp(`^${name}:(.*)$`, 'm').exec(status)![1]!.trim().replace(/\s+/g, ' ');
    const netAdmin = (1n << 12n).toString(16).padStart(16, '0');
    const none = '0'.repeat(16);
    expect(
      ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Groups'].map(line),
    ).toEqual([none, netAdmin, netAdmin, none, none, '1', '']);
    expect(line('Uid')).toBe('65534 65534 65534 65534');
    expect(line('Gid')).toBe('65534 65534 65534 65534');
    // Standard streams, the client, the process for owners, the watch on the policy and three netlink sockets; its queue it closes once it is handed over.
    await eventually('no queue is left', () => readdirSync(`/proc/${helper.pid}/fd`).length === 9);
    expect(Number(line('VmRSS').split(' ')[0])).toBeLessThan(8192);
    closeFds(fds);
    await helper.close();
  });

  test('no stranger can attach a queue', async () => {
    const { helper, fds } = await opened(2);
    expect(fds).toHaveLength(2);
    const folder = mkdtempSync(join(tmpdir(), 'shipworm-'));
    chmodSync(folder, 0o755);
    const program = join(folder, 'attach-queue');
    execFileSync('g++', ['-std=c++20', '-o', program, 'test/lab/attach-queue.cc']);
    const attach = (...wrap: string[]): string =>
      execFileSync('ip', ['netns', 'exec', NAMESPACE, ...wrap, program, 'teredo']).toString();
    try {
      expect(attach('setpriv', '--reuid=12345', '--regid=12345', '--clear-groups')).toBe(
        'Operation not permitted\n',
      );
      // Root may: what keeps the stranger out is not the device being full.
      expect(attach()).toBe('attached\n');
    } finally {
      rmSync(folder, { recursive: true });
    }
    closeFds(fds);
    await helper.close();
    await eventually('the device went', () => devices().length === 0);
  });

  test('leaves an interface of that name alone', async () => {
    ip('link', 'add', 'hlpveth', 'type', 'veth', 'peer', 'name', 'hlppeer');
    for (const name of ['hlpveth', 'lo']) {
      const helper = startHelper();
      await helper.call(helperFrames.hello());
      expect(statusOf(await helper.call(helperFrames.openAdapter(name, 1280, 1)))).toEqual({
        status: 8,
        text: `There is a network interface named ${name} already; choose another with --adapter.`,
      });
      // One attempt a connection: its descriptors are used up.
      expect(statusOf(await helper.call(helperFrames.openAdapter('teredo', 1280, 1))).status).toBe(
        4,
      );
      await helper.close();
    }
    expect(devices().sort()).toEqual(['hlppeer', 'hlpveth']);
    ip('link', 'del', 'hlpveth');
  });

  test('says when there is no TUN device', async () => {
    const helper = startHelper(
      ...['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /dev/net && exec "$@"', 'sh'],
    );
    const opening = openLinuxAdapter(
      nativeAddon(),
      { fd: helper.fd, helloMs: 5000, refusal: new HostError('no-privilege', 'refused') },
      { name: 'teredo', mtu: 1280, queues: 1, offloads: true },
    );
    await expect(opening).rejects.toMatchObject({
      code: 'no-tun',
      message: 'This system has no TUN device (/dev/net/tun). Load it with: sudo modprobe tun',
    });
    await helper.ended;
  });

  const changed = (frame: Uint8Array, at: number, value: number): Uint8Array => {
    const copy = frame.slice();
    copy[at] = value;
    return copy;
  };
  test.each<[string, number, Uint8Array]>([
    ['no head', 1, new Uint8Array(3)],
    ['another magic', 1, changed(helperFrames.hello(), 0, 0)],
    ['another version', 2, changed(helperFrames.hello(), 5, 2)],
    ['an unknown command', 3, changed(helperFrames.hello(), 7, 99)],
    ['an unknown role', 5, changed(helperFrames.helloServer(), 12, 9)],
    ['a change of role', 4, helperFrames.helloServer()],
    ['another role’s command', 4, helperFrames.openRaw6()],
    ['a relay’s command', 4, helperFrames.startRelay('lo', 'none')],
    ['a wrong length', 1, changed(helperFrames.defaultRoute(true), 11, 3)],
    ['a frame cut short', 1, open('teredo').slice(0, 31)],
    ['a frame too long', 1, new Uint8Array(60_000)],
    ['an address before the adapter', 4, helperFrames.setAddress(ADDRESS, true)],
    ['a route before the adapter', 4, helperFrames.defaultRoute(true)],
    ['buffers before the adapter', 4, helperFrames.growBuffers()],
    ['a small MTU', 5, open('teredo', 1279)],
    ['a large MTU', 5, open('teredo', 1501)],
    ['no queue', 5, open('teredo', 1280, 0)],
    ['too many queues', 5, open('teredo', 1280, 9)],
    ['flags', 5, changed(open('teredo'), 31, 2)],
    ...[
      '',
      '.',
      '..',
      'all',
      'default',
      'a/b',
      '../x',
      'tun%d',
      'a b',
      'tärëdo',
      'a123456789012345',
    ].map((name): [string, number, Uint8Array] => [`the name "${name}"`, 6, open(name)]),
    ['bytes after the name', 6, changed(open('teredo'), 20, 65)],
  ])('refuses %s with status %i and goes on', async (_, status, frame) => {
    const helper = startHelper();
    await helper.call(helperFrames.hello());
    const answer = statusOf(await helper.call(frame));
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(/^[A-Z].*\.$/);
    expect(statusOf(await helper.call(helperFrames.hello())).status).toBe(0);
    expect(devices()).toEqual([]);
    await helper.close();
  });

  test('refuses what is out of order and addresses that are no Teredo’s', async () => {
    const first = startHelper();
    expect(statusOf(await first.call(open('teredo'))).status).toBe(4);
    await first.close();
    const { helper, fds } = await opened();
    expect(statusOf(await helper.call(open('teredo2'))).status).toBe(4);
    expect(statusOf(await helper.call(helperFrames.removeAddress(ADDRESS))).status).toBe(4);
    for (const text of ['2001:1::1', '2001::', 'fe80::1', '::1', '2002:c000:201::1', 'ff02::1'])
      expect(
        statusOf(await helper.call(helperFrames.setAddress(parseIp6(text)!, true))).status,
      ).toBe(7);
    expect(ip('-6', 'addr', 'show', 'dev', 'teredo')).toEqual([]);
    closeFds(fds);
    await helper.close();
  });

  test('answers any bytes, and never makes what was not asked for', async () => {
    const helper = startHelper();
    await helper.call(helperFrames.hello());
    const frames = [
      helperFrames.hello(),
      helperFrames.setAddress(ADDRESS, true),
      helperFrames.removeAddress(ADDRESS),
      helperFrames.defaultRoute(true),
      helperFrames.helloServer(),
      helperFrames.openRaw6(),
      helperFrames.growBuffers(),
      // Wrong twice: no single changed byte makes it an adapter, with which the helper would rightly go.
      open('.', 0),
    ];
    const damaged = fc
      .tuple(fc.constantFrom(...frames), fc.nat(31), fc.nat(255), fc.nat(70))
      .map(([frame, at, value, length]) => {
        const bytes = new Uint8Array(Math.max(1, length));
        bytes.set(frame.subarray(0, bytes.length));
        if (at < bytes.length) bytes[at] = value;
        return bytes;
      });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 5000 }), damaged),
        async (bytes) => {
          const { reply, fds } = await helper.call(bytes);
          closeFds(fds);
          expect(Buffer.from(reply).toString('latin1', 0, 4)).toBe('SWPH');
        },
      ),
      { numRuns: 3000 },
    );
    expect(statusOf(await helper.call(helperFrames.hello())).status).toBe(0);
    await helper.close();
    expect(await helper.ended).toBe(0);
  });

  test('outlives Ctrl-C and a closed terminal', async () => {
    const { helper, fds } = await opened();
    for (const signal of ['SIGINT', 'SIGHUP'] as const) process.kill(helper.pid, signal);
    expect(statusOf(await helper.call(helperFrames.setAddress(ADDRESS, true))).status).toBe(0);
    closeFds(fds);
    await helper.close();
  });

  test('the device goes with the queues, and the helper with the device', async () => {
    const { helper, fds } = await opened();
    closeFds(fds);
    await eventually('the helper ended', () => !alive(helper.pid));
    await helper.close();
  });

  test('the loss of the helper or of the device is told', async () => {
    for (const end of ['kill', 'delete'] as const) {
      const helper = startHelper();
      const adapter = await openLinuxAdapter(
        nativeAddon(),
        { fd: helper.fd, helloMs: 5000, refusal: new HostError('no-privilege', 'refused') },
        { name: 'teredo', mtu: 1280, queues: 1, offloads: true },
      );
      await adapter.setAddress(ADDRESS, true);
      const lost = new Promise<HostError>((resolve) => adapter.onLost(resolve));
      if (end === 'kill') process.kill(helper.pid, 'SIGKILL');
      else ip('link', 'del', 'teredo');
      expect((await lost).code).toBe('helper-lost');
      await expect(adapter.setAddress(OLD, true)).rejects.toMatchObject({ code: 'helper-lost' });
      await adapter.close();
      await helper.ended;
      await eventually('the device went', () => devices().length === 0);
    }
  });

  test.each(['client', 'helper', 'both'])(
    'kill -9 of %s at any moment leaves nothing',
    async (victim) => {
      const script = `
      import { createHost } from './engine/host/index.ts';
      import { parseIp6 } from './engine/wire/index.ts';
      const host = createHost();
      const children = () => import('node:fs').then((fs) =>
        fs.readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim());
      console.log('ready');
      const opening = host.openAdapter({ name: 'teredo', mtu: 1280, queues: 1, offloads: true });
      console.log('helper ' + await children());
      const adapter = await opening;
      adapter.onLost(() => process.exit(0));
      for (let i = 1n; ; i = i % 9n + 1n) {
        await adapter.setAddress(parseIp6('2001::') + i, true);
        await adapter.setDefaultRoute(i % 2n === 0n);
        await adapter.removeAddress(parseIp6('2001::') + i);
      }`;
      for (const delay of [0, 2, 5, 10, 20, 60]) {
        const args = [
          'netns',
          'exec',
          NAMESPACE,
          process.execPath,
          '--input-type=module',
          '-e',
          script,
        ];
        const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'ignore'] });
        const end = new Promise((resolve) => child.once('exit', resolve));
        let said = '';
        child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
        await eventually('the client started', () => /helper \d+\n/.test(said));
        const helper = Number(/helper (\d+)/.exec(said)![1]);
        await new Promise((resolve) => setTimeout(resolve, delay));
        if (victim !== 'helper') child.kill('SIGKILL');
        if (victim !== 'client') spawnSync('kill', ['-9', String(helper)]);
        await end;
        await eventually('the helper ended', () => !alive(helper));
        await eventually('the device went', () => devices().length === 0);
        expect(traces()).toEqual([]);
      }
    },
  );

  test('refuses to run unless it is root, and without a client', () => {
    const run = (command: string, args: string[]): { status: number | null; stderr: string } =>
      spawnSync(command, args, { encoding: 'utf8' });
    const stranger = ['--reuid=12345', '--regid=12345', '--clear-groups', HELPER];
    for (const mode of [['--stdin'], ['--listen'], ['--fd', '0', '--uid', '0']]) {
      const { status, stderr } = run('setpriv', [...stranger, ...mode]);
      expect(status).toBe(4);
      expect(stderr).toMatch(/^shipworm-helper: Only root .*\.\n$/);
    }
    expect(run(HELPER, ['--fd', '0', '--uid', '0']).status).toBe(1);
    expect(run(HELPER, ['--stdin']).status).toBe(1);
    for (const [decides, sentence] of [
      ['1', /takes CLIENT:USER/],
      ['1:nobody-of-that-name', /There is no user nobody-of-that-name/],
      ['1:', /takes CLIENT:USER/],
      ['1:2', /Before --decides-for 1:2 comes --allow-uid 1/],
    ] as const) {
      const { status, stderr } = run(HELPER, ['--listen', '/run/x/y', '--decides-for', decides]);
      expect(status).toBe(2);
      expect(stderr).toMatch(sentence);
    }
    for (const args of [[], ['--fd'], ['--fd', '3', '--uid', '-1'], ['--listen', 'x']])
      expect(run(HELPER, args).status).toBe(2);
  });
});
