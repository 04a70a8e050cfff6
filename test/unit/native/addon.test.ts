// Tests the add-on's functions for the host: clock, helper socket, hang-up, network dump and changes.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nativeAddon } from '../../../engine/host/addon.ts';
import type { NativeAddon } from '../../../engine/host/addon.ts';
import { formatIp4 } from '../../../engine/wire/index.ts';
import { buildAddon, until } from './line.ts';

let addon: NativeAddon;
beforeAll(() => {
  buildAddon();
  addon = nativeAddon();
}, 120_000);

test('the clock is the one that counts suspend', () => {
  const uptime = (): number => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  const before = uptime();
  const now = addon.now();
  // /proc/uptime (also CLOCK_BOOTTIME) is cut to hundredths of a second.
  expect(now).toBeGreaterThanOrEqual(before);
  expect(now).toBeLessThanOrEqual(uptime() + 10);
});

describe('the helper socket', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shipworm-'));
  const program = join(folder, 'echo-helper');
  beforeAll(() => {
    execFileSync('g++', ['-std=c++20', '-o', program, 'test/unit/native/echo-helper.cc']);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** A peer that answers each frame reversed, with as many descriptors as the first byte says. */
  const start = (): { fd: number; ended: Promise<unknown>; pid: number } => {
    const [ours, theirs] = addon.socketpair();
    const child = spawn(program, [], {
      stdio: ['ignore', 'inherit', 'inherit', theirs],
    });
    addon.closeFd(theirs);
    return {
      fd: ours,
      ended: new Promise((resolve) => child.once('exit', resolve)),
      pid: child.pid!,
    };
  };
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);

  test('a frame goes there, its answer and descriptors come back, closed on exec', async () => {
    const helper = start();
    const first = await addon.helperCall(helper.fd, new Uint8Array([0, 1, 2]), 5000);
    expect(first).toEqual({ reply: new Uint8Array([2, 1, 0]), fds: [] });
    const { fds } = await addon.helperCall(helper.fd, new Uint8Array([2, 9]), 5000);
    expect(fds).toHaveLength(2);
    for (const fd of fds) {
      expect(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')).toMatch(/^flags:\s+02\d{6}$/m); // O_CLOEXEC
      addon.closeFd(fd);
    }
    addon.closeFd(helper.fd);
    await helper.ended;
  });

  test('silence is ETIMEDOUT, a peer that is gone is EPIPE', async () => {
    const helper = start();
    const before = addon.now();
    await expect(addon.helperCall(helper.fd, text('silent'), 100)).rejects.toMatchObject({
      code: 'ETIMEDOUT',
    });
    expect(addon.now() - before).toBeGreaterThanOrEqual(100);
    await expect(addon.helperCall(helper.fd, text('quit'), 5000)).rejects.toMatchObject({
      code: 'EPIPE',
    });
    await helper.ended;
    await expect(addon.helperCall(helper.fd, text('again'), 5000)).rejects.toMatchObject({
      code: 'EPIPE',
      syscall: 'send',
    });
    addon.closeFd(helper.fd);
  });

  test('its hang-up is told once; a stopped watch tells nothing', async () => {
    const helper = start();
    let told = 0;
    let stoppedTold = 0;
    const stop = addon.watchFd(helper.fd, () => told++);
    const stopOther = addon.watchFd(helper.fd, () => stoppedTold++);
    await addon.helperCall(helper.fd, new Uint8Array([0]), 5000);
    expect(told).toBe(0);
    stopOther();
    process.kill(helper.pid, 'SIGKILL');
    await until('the hang-up', () => told === 1);
    await helper.ended;
    stop();
    stop();
    expect([told, stoppedTold]).toEqual([1, 0]);
    addon.closeFd(helper.fd);
  });

  test('a path with nobody behind it is an error with its name', () => {
    expect(() => addon.connectUnixSeqpacket('/nowhere/helper.sock')).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'connect' }) as Error,
    );
  });
});

test('lockDown forbids new privileges and core dumps', () => {
  const script = `
    import { nativeAddon } from './engine/host/addon.ts';
    import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
    nativeAddon().lockDown();
    console.log(/^NoNewPrivs:\\s*1$/m.test(readFileSync('/proc/self/status', 'utf8')));`;
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script]);
  expect(out.toString()).toBe('true\n');
});

describe('the watch of the clock', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shipworm-'));
  const rearm = join(folder, 'rearm');
  beforeAll(() => {
    execFileSync('g++', ['-std=c++20', '-o', rearm, 'test/unit/native/rearm.cc']);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('is a timer that never runs out but when the clock is set or the computer has slept, and tells each time', async () => {
    // A process of its own: nobody but its parent may take hold of its timer.
    const script = `
      import { nativeAddon } from './engine/host/addon.ts';
      import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
      const timers = () => readdirSync('/proc/self/fd').filter((fd) => {
        try { return readlinkSync('/proc/self/fd/' + fd).includes('[timerfd]'); } catch { return false; }
      });
      const before = timers();
      const stop = nativeAddon().watchClock(() => console.log('told'));
      const [fd] = timers().filter((each) => !before.includes(each));
      console.log(JSON.stringify({ fd, info: readFileSync('/proc/self/fdinfo/' + fd, 'utf8') }));
      process.stdin.once('data', () => {
        stop();
        console.log('left ' + timers().includes(fd));
        process.stdin.destroy();
      });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await until('its first line', () => said.includes('\n'));
    const { fd, info } = JSON.parse(said) as { fd: string; info: string };
    // CLOCK_REALTIME; TFD_TIMER_ABSTIME and TFD_TIMER_CANCEL_ON_SET; in hundreds of years.
    expect(info).toMatch(/^clockid: 0$/m);
    expect(info).toMatch(/^settime flags: 03$/m);
    expect(Number(/^it_value: \((\d+)/m.exec(info)![1])).toBeGreaterThan(1e9);
    const told = (): number => said.split('told').length - 1;
    expect(told()).toBe(0);
    for (const times of [1, 2]) {
      execFileSync(rearm, [String(child.pid), fd]);
      await until('it tells', () => told() === times);
    }
    child.stdin.write('stop');
    expect(await ended).toBe(0);
    expect(said).toContain('left false');
  });

  test('keeps no process alive', () => {
    const script = `import { nativeAddon } from './engine/host/addon.ts'; nativeAddon().watchClock(() => undefined);`;
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 });
  });
});

/** Whether this user may make network namespaces. */
const namespaces = spawnSync('unshare', ['-rn', 'true']).status === 0;

/** Runs `script` with the add-on in a network namespace of its own; what it prints is JSON. */
function inNamespace(script: string): unknown {
  const whole = `
    import { nativeAddon } from './engine/host/addon.ts';
    import { execSync } from 'node:child_process';
    const addon = nativeAddon();
    const sh = (command) => execSync(command);
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    ${script}`;
  const out = execFileSync(
    'unshare',
    ['-rn', process.execPath, '--input-type=module', '-e', whole],
    { timeout: 20_000 },
  );
  return JSON.parse(out.toString());
}

describe('the network', () => {
  test('the dump agrees with iproute2 about this machine', () => {
    interface Row {
      ifname: string;
      ifindex: number;
      addr_info: { local: string; prefixlen: number }[];
    }
    const rows = JSON.parse(execFileSync('ip', ['-j', '-4', 'addr']).toString()) as Row[];
    const expected = rows.flatMap((row) =>
      row.addr_info.map(({ local, prefixlen }) => [row.ifname, row.ifindex, local, prefixlen]),
    );
    const dumped = addon
      .dumpNetwork()
      .addresses.map((a) => [a.interface, a.index, formatIp4(a.address), a.prefix]);
    expect(dumped).toEqual(expected);
  });

  test.skipIf(!namespaces)(
    'addresses and default routes are found, in whatever table; unreachable and narrower ones are no default',
    () => {
      const dump = inNamespace(`
      sh('ip link add ndp0 type veth peer name ndp1 && ip link set ndp0 up && ip link set ndp1 up');
      const before = addon.dumpNetwork();
      sh('ip addr add 192.0.2.9/28 dev ndp0 && ip addr add 198.51.100.1 peer 198.51.100.2/32 dev ndp1');
      sh('ip route add default via 192.0.2.1 && ip route add 203.0.113.0/24 via 192.0.2.1');
      sh('ip -6 route add default dev ndp1 table 1000 && ip -6 route add unreachable default metric 9');
      sh('ip -6 route add 2001::/32 dev ndp0');
      const [n0, n1] = ['ndp0', 'ndp1'].map((name) => JSON.parse(sh('ip -j link show ' + name))[0].ifindex);
      console.log(JSON.stringify({ before, n0, n1, after: addon.dumpNetwork() }));`) as {
        n0: number;
        n1: number;
        before: unknown;
        after: { addresses: unknown; defaultRoutes: unknown[] };
      };
      expect(dump.before).toEqual({ addresses: [], defaultRoutes: [] });
      expect(dump.after.addresses).toEqual(
        [
          { interface: 'ndp1', index: dump.n1, address: 0xc6336401, prefix: 32 },
          { interface: 'ndp0', index: dump.n0, address: 0xc0000209, prefix: 28 },
        ].sort((a, b) => a.index - b.index),
      );
      expect(dump.after.defaultRoutes).toEqual([
        { family: 4, oif: dump.n0, gateway: 0xc0000201, table: 254 },
        { family: 6, oif: dump.n1, gateway: 0, table: 1000 },
      ]);
    },
  );

  test.skipIf(!namespaces)(
    'each kind of change is told, and the watch keeps no process alive',
    () => {
      const told = inNamespace(`
      let count = 0;
      addon.openNetlink(() => count++);
      const told = [];
      for (const command of [
        'ip link add ndp0 type veth peer name ndp1', 'ip link set ndp0 up', 'ip addr add 192.0.2.9/28 dev ndp0',
        'ip route add default via 192.0.2.1', 'ip -6 addr add 2001:db8::1/64 dev ndp0 nodad', 'ip -6 route add default dev ndp0',
        'ip link set ndp0 down',
      ]) {
        await pause(50);
        const before = count;
        sh(command);
        for (let i = 0; i < 100 && count === before; i++) await pause(10);
        if (count > before) told.push(command.split(' ').slice(0, 4).join(' '));
      }
      await pause(50);
      const quiet = count;
      await pause(100);
      console.log(JSON.stringify({ told, quiet: count === quiet }));`);
      expect(told).toEqual({
        told: [
          'ip link add ndp0',
          'ip link set ndp0',
          'ip addr add 192.0.2.9/28',
          'ip route add default',
          'ip -6 addr add',
          'ip -6 route add',
          'ip link set ndp0',
        ],
        quiet: true,
      });
    },
  );
});
