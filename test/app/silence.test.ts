// On the built-in network nothing leaves this PC: a tour through the whole window, with a capture of all that its real network carries.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCREENS } from '../../renderer/app/store.ts';
import { en } from '../../renderer/words/index.ts';
import { Lab, noLab } from '../lab/kit/lab.ts';
import { launchApp } from './kit/app.ts';
import type { App } from './kit/app.ts';
import { openGateway } from './kit/gateway.ts';
import { openSession } from './kit/session.ts';
import { soon } from './kit/soon.ts';

const reason = noLab() ?? (existsSync('/usr/bin/tcpdump') ? null : 'tcpdump is not installed');
if (reason) process.stderr.write(`skipped: ${reason}\n`);

describe.skipIf(reason !== null)('on the built-in network', () => {
  let lab: Lab;
  let app: App;
  const opened: (() => unknown)[] = [];
  afterAll(async () => {
    for (const close of opened.splice(0).reverse()) await close();
  });
  /** Every frame that this PC sent, one line each. */
  const sent = (): string[] =>
    readFileSync(join(lab.folder, 'sent'), 'utf8').split('\n').filter(Boolean);

  beforeAll(async () => {
    lab = new Lab();
    opened.push(() => lab.close());
    const { space } = lab.home1;
    // Ways out for IPv6 as well as IPv4, with a router that need not be asked for.
    for (const line of [
      'addr add 2001:db8:1::10/64 dev e0 nodad',
      'neigh add 2001:db8:1::1 lladdr 02:00:00:00:00:01 dev e0',
      'route add default via 2001:db8:1::1',
    ])
      spawnSync('ip', ['-n', space, ...line.split(' ')]);
    const session = { ...(await openSession()), enter: ['ip', 'netns', 'exec', space] };
    opened.push(() => session.close());
    const gateway = await openGateway(session.folder, session.enter);
    opened.push(() => gateway.close());
    const { out } = await lab.run(space, 'cat', ['/sys/class/net/e0/address']);
    // What the kernel says of its own addresses is ICMPv6, some of it behind a hop-by-hop header.
    const filter = `ether src ${out.trim()} and not icmp6 and not ip6 proto 0`;
    const capture = `exec tcpdump -nlU -i e0 '${filter}' > '${join(lab.folder, 'sent')}' 2> '${join(lab.folder, 'said')}'`;
    lab.start(space, 'sh', ['-c', capture]);
    await soon(() =>
      expect(readFileSync(join(lab.folder, 'said'), 'utf8')).toContain('listening on'),
    );
    app = await launchApp(session, { args: ['--demo'], ports: gateway.ports });
    opened.push(() => app.close());
  });

  it('a tour through every screen sends not one packet', async () => {
    const { page } = app;
    await app.call('finishFirstRun', {});
    await soon(async () => expect((await app.call('status', {})).address).toMatch(/^2001:0:/));
    for (const name of SCREENS)
      await page.getByRole('button', { name: en.common.screens[name], exact: true }).click();
    await app.call('doctor', {});
    await app.call('servers', { probe: true });
    await app.call('ping', { address: '2001:db8::80', timeoutMs: 10_000 });
    await app.call('report', {});
    await app.call('changeBuiltIn', { change: 'nat', kind: 'symmetric' });
    await soon(async () => expect((await app.call('status', {})).address).toMatch(/^2001:0:/));
    await app.close();
    expect(sent()).toEqual([]);
    // The capture was awake.
    await lab.run(lab.home1.space, 'bash', ['-c', 'echo > /dev/udp/192.0.2.1/53']);
    await soon(() => expect(sent().join('\n')).toContain('192.0.2.1.53'));
  });
});
