// The systemd units: systemd finds no fault in them, what they start starts with no more rights than they say, and reload and socket activation work.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Status } from '../../engine/service/api.ts';
import { Lab, NATIVE, noLab, SERVER } from './kit/lab.ts';
import { Machine } from './kit/machine.ts';
import { eventually } from './kit/processes.ts';
import type { Result } from './kit/processes.ts';
import { leavesNothing, QUALIFIED_MS, SLOW } from './kit/programs.ts';
import { startWebServer, WEB_PAGE } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const UNITS = readdirSync('assets/systemd').filter((name) => !name.endsWith('.conf'));
const SERVICES = UNITS.filter((unit) => unit.endsWith('.service'));
/** Where systemd's own rating ends; 10 is a service without any protection. */
const MOST_EXPOSED: Readonly<Record<string, number>> = {
  'shipworm-helper.service': 3.5,
  // It also judges applications: kernel programs, other users' processes, files as they are opened.
  'shipworm-desktop-helper.service': 4.5,
};

describe.skipIf(reason !== null)('the units', () => {
  let lab: Lab;
  let vps: Machine;
  let home: Machine;
  beforeAll(async () => {
    lab = new Lab();
    vps = await Machine.make(lab, lab.pub);
    home = await Machine.make(lab, lab.home1.space);
    for (const machine of [vps, home])
      await machine.shell(`
        useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin shipworm
        install -d /etc/shipworm
        install -m 644 /opt/shipworm/assets/systemd/*.{service,socket} /etc/systemd/system/
        # As the desktop's installer does it, but for where helper and manual lie on this machine.
        sed -i -e 's/@UID@/1000/' -e 's#/usr/lib/shipworm/#/opt/shipworm/build/native/#' -e '/^Documentation=man:/d' \
          /etc/systemd/system/shipworm-desktop-helper.service`);
    await home.shell(
      'install -D -m 644 /opt/shipworm/assets/systemd/shipworm-helper-client.conf /etc/systemd/system/shipworm-helper.service.d/client.conf',
    );
  });
  afterAll(() => lab.close());

  test('systemd finds no fault in any of them, alone and with what a client adds', async () => {
    const files = UNITS.map((unit) => `/etc/systemd/system/${unit}`).join(' ');
    for (const machine of [vps, home]) {
      const { code, out, err } = await machine.run(`systemd-analyze verify ${files}`);
      expect({ code, out, err }).toEqual({ code: 0, out: '', err: '' });
    }
  });

  test.each(SERVICES)('systemd rates %s as well protected', async (unit) => {
    const rating = await vps.shell(
      `systemd-analyze security --no-pager --offline=true /etc/systemd/system/${unit}`,
    );
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(rating)?.[1]);
    expect(exposure).toBeLessThan(MOST_EXPOSED[unit] ?? 2);
  });

  /** The process of a unit: user, effective and bounding capabilities, and whether it may gain more. */
  async function rights(machine: Machine, unit: string): Promise<Record<string, string>> {
    const text = await machine.shell(
      `cat /proc/$(cat /run/units/${unit}.pid)/status; id -u shipworm | sed 's/^/Shipworm: /'`,
    );
    const field = (name: string): string =>
      new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(text)?.[1] ?? '';
    const user = field('Uid') === field('Shipworm') ? 'shipworm' : field('Uid');
    return {
      user,
      effective: field('CapEff'),
      bounding: field('CapBnd'),
      noNew: field('NoNewPrivs'),
    };
  }
  const NONE = '0'.repeat(16);
  const ORDINARY = { user: 'shipworm', effective: NONE, bounding: NONE, noNew: '1' };

  test('server and relay start as ordinary users, with what they need from the helper', async () => {
    await vps.shell(`
      echo '{ "primary": "${SERVER}" }' > /etc/shipworm/server.json
      echo '{}' > /etc/shipworm/relay.json
      systemctl daemon-reload
      systemctl enable --now shipworm-server shipworm-relay`);
    const status = async (role: string): Promise<string> => {
      const socket = `/run/shipworm/${role}/control.sock`;
      const asked = `/opt/shipworm/bin/shipworm status --json --control ${socket}`;
      let answer = '';
      await eventually(`${role} answers`, 15_000, async () => {
        const { code, out } = await vps.run(asked);
        answer = out;
        return code === 0;
      });
      return answer;
    };
    expect(JSON.parse(await status('server'))).toMatchObject({ nativePings: true });
    expect(JSON.parse(await status('relay'))).toMatchObject({ native: 'six', clients: 0 });
    expect(await rights(vps, 'shipworm-server.service')).toEqual(ORDINARY);
    expect(await rights(vps, 'shipworm-relay.service')).toEqual(ORDINARY);
    // NET_ADMIN 12, NET_RAW 13, SETGID 6, SETUID 7, SETPCAP 8.
    const five = ((1n << 12n) | (1n << 13n) | (1n << 6n) | (1n << 7n) | (1n << 8n)).toString(16);
    expect(await rights(vps, 'shipworm-helper.socket')).toEqual({
      user: '0',
      effective: five.padStart(16, '0'),
      bounding: five.padStart(16, '0'),
      noNew: '1',
    });
    expect(await vps.shell('stat -c "%a %U:%G" /run/shipworm-helper/helper.sock')).toBe(
      '660 root:shipworm\n',
    );
  });

  test('a reload tells what was taken; a fault fails it and changes nothing', async () => {
    const configure = (json: string): string =>
      `echo '${json}' > /etc/shipworm/server.json; systemctl reload shipworm-server`;
    const more = `{ "primary": "${SERVER}", "limits": { "maxSources": 5 } }`;
    expect(await vps.shell(configure(more))).toContain('new: limits');
    const wrong = await vps.run(configure(`{ "primary": "${SERVER}", "limits": 5 }`));
    expect(wrong.code).not.toBe(0);
    expect(wrong.err).toContain('"limits" must be an object');
    expect(await vps.shell(configure(more))).toContain('nothing has changed');
  });

  test('several run: they are shown together, and what changes one must name it', async () => {
    const bin = '/opt/shipworm/bin/shipworm';
    expect(await vps.shell(`${bin} status`)).toMatch(/Role +server[\s\S]*Role +relay/);
    const { code, err } = await vps.run(`${bin} reload`);
    expect(code).toBe(2);
    expect(err).toContain('--control /run/shipworm/relay/control.sock (relay)');
  });

  test('the client starts as one, remembers its port, and leaves nothing when stopped', async () => {
    const start = 'systemctl start shipworm-client';
    const status = '/opt/shipworm/bin/shipworm status --json';
    const address = async (): Promise<string> => {
      let found: string | null = null;
      await eventually('the client has an address', 15_000, async () => {
        const { code, out } = await home.run(status);
        found = code === 0 ? (JSON.parse(out) as { address: string | null }).address : null;
        return found !== null;
      });
      return found!;
    };
    await home.shell(`echo '{ "server": "${SERVER}" }' > /etc/shipworm/config.json; ${start}`);
    const first = await address();
    const { attribution } = JSON.parse(await home.shell(status)) as Status;
    // With five capabilities more the helper sees owners, by programs in the kernel where that has them.
    expect(attribution).not.toBeNull();
    expect(await rights(home, 'shipworm-client.service')).toEqual(ORDINARY);
    await home.shell('systemctl stop shipworm-client');
    await eventually('it has ended', 5_000 * SLOW, async () => (await home.run(status)).code === 3);
    await home.shell(start);
    expect(await address()).toBe(first);
    await home.shell('systemctl stop shipworm-client');
    await eventually('it has ended', 5_000 * SLOW, async () => (await home.run(status)).code === 3);
  });

  test('the client decides about programs of the users whom root named, and of no others', async () => {
    const shipworm = '/opt/shipworm/bin/shipworm';
    const fetch = `/usr/bin/curl -sS -m 20 http://[${NATIVE}]/`;
    const as = (user: string): Promise<Result> =>
      home.run(`setpriv --reuid=${user} --regid=${user} --init-groups -- ${fetch}`);
    const [block] = /^cat > \S*users\.conf[\s\S]*?^systemctl restart .*$/m.exec(
      readFileSync('docs/run-your-own.md', 'utf8'),
    )!;
    await lab.run(lab.native, 'ip', ['-6', 'route', 'add', '2001::/32', 'via', '2001:db8:0:1::1']);
    await startWebServer(lab, lab.native, NATIVE);
    await home.shell('useradd alice; useradd bob; useradd carol; systemctl start shipworm-client');
    const ready = (): Promise<unknown> =>
      eventually('the client has an address', QUALIFIED_MS, async () => {
        const { code, out } = await home.run(`${shipworm} status --json`);
        return code === 0 && (JSON.parse(out) as Status).address;
      });
    await ready();
    const allowed = `${shipworm} apps allow /usr/bin/curl --user $(id -u alice)`;
    // Nobody but its own user, before root says more.
    const warned = await home.run(allowed);
    expect(warned.err + warned.out).toMatch(/its own user alone, so nothing of user \d+ passes/);
    expect((await as('alice')).code).toBe(7);

    await home.shell(block);
    await ready();
    const told = await home.run(allowed);
    expect(told).toMatchObject({ code: 0, err: '' });
    expect(await as('alice')).toMatchObject({ code: 0, out: WEB_PAGE });
    // Nobody has a rule but alice; the service hears of bob besides, and of nobody else.
    for (const other of ['bob', 'carol', 'root']) expect((await as(other)).code).toBe(7);
    const asked = JSON.parse(await home.shell(`${shipworm} questions --json`)) as {
      user: number;
    }[];
    expect(asked.map(({ user }) => user)).toEqual([Number(await home.shell('id -u bob'))]);
    await home.shell('systemctl stop shipworm-client');
    await eventually('it has ended', 5_000 * SLOW, async () => {
      const { code } = await home.run(`${shipworm} status`);
      return code === 3;
    });
    await home.shell('systemctl stop shipworm-helper.socket');
    await leavesNothing(lab.home1, undefined, home.pids());
  });
});
