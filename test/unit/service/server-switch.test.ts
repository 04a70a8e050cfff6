// Tests of H-server-switch: another Teredo server than before is told, whoever changed it, and a machine policy can lock the setting.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ClientService } from '../../../engine/service/client-service.ts';
import { readSettings } from '../../../engine/service/config.ts';
import type { FileSettings, Settings } from '../../../engine/service/config.ts';
import { readPolicy } from '../../../engine/service/policy.ts';
import { policyView } from '../../../engine/service/policy-view.ts';
import { ServerNotice } from '../../../engine/service/server-notice.ts';
import { StateFile } from '../../../engine/service/state-file.ts';
import { at } from '../client/harness.ts';
import { MemoryHost, SERVERS } from './memory-host.ts';

/** Only root's policy counts. */
const notRoot = process.getuid?.() !== 0;

let folder: string;
const running: ClientService[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shipworm-switch-'));
});
afterEach(async () => {
  for (const service of running.splice(0)) await service.close();
  rmSync(folder, { recursive: true });
});

/** One run of a client, until it is qualified; what it logged, and its status. */
async function run(host: MemoryHost, settings: Settings) {
  const log: string[] = [];
  const service = new ClientService(
    host,
    settings,
    await host.openAdapter(),
    null,
    new StateFile(folder, (text) => log.push(text)),
    {
      log: ({ level, text }) => log.push(`${level}: ${text}`),
      onFailed: (error) => log.push(error.message),
    },
  );
  running.push(service);
  await service.start();
  await vi.waitFor(() => expect(service.status().state).toBe('qualified'));
  const status = service.status();
  await service.close();
  return { status, told: log.filter((line) => line.includes('The Teredo server is set to')) };
}

const withServer = (server: string[], more: FileSettings = {}): Settings =>
  readSettings({
    defaults: [],
    overrides: { server, allowPrivate: true, exposeAll: true, ...more },
  });

describe('H-server-switch: somebody changes the server setting to his own', () => {
  test('a setting that is another than in the last run is told in log and status, with its source, and once', async () => {
    const host = new MemoryHost();
    const first = await run(host, withServer(['teredo.example']));
    expect(first).toMatchObject({ told: [], status: { reason: { code: 'qualified' } } });

    const config = join(folder, 'config.json');
    writeFileSync(config, '{"server":["192.0.2.1"],"allowPrivate":true,"exposeAll":true}');
    const changed = await run(host, readSettings({ defaults: [config], overrides: {} }));
    expect(changed.told).toHaveLength(1);
    expect(changed.told[0]).toMatch(/^warning: .*192\.0\.2\.1 now .*teredo\.example/);
    expect(changed.told[0]).toContain(config);
    expect(changed.status.reason.code).toBe('server-setting-changed');
    expect(changed.status.reason.text).toContain(config);

    const again = await run(host, readSettings({ defaults: [config], overrides: {} }));
    expect(again).toMatchObject({ told: [], status: { reason: { code: 'qualified' } } });
  });

  test('a server added behind the one in use is told as well: it may be used one day', async () => {
    const host = new MemoryHost();
    await run(host, withServer(['teredo.example']));
    const { told } = await run(host, withServer(['teredo.example', 'evil.example']));
    expect(told[0]).toMatch(/teredo\.example, evil\.example now \(by command line\)/);
  });

  test('a change while it runs is told, too, and shown for a day', () => {
    const log: string[] = [];
    const notice = new ServerNotice(({ level, text }) => log.push(`${level}: ${text}`));
    const well = { code: 'qualified', text: 'The tunnel works.' };
    notice.qualified(at('192.0.2.1:3544'), 0);
    notice.qualified(at('192.0.2.1:3544'), 1_000);
    expect(log).toEqual([]);
    expect(notice.over(well, 1_000)).toBe(well);
    notice.qualified(at('192.0.2.129:3544'), 2_000);
    expect(log).toEqual([
      expect.stringMatching(/^warning: .*192\.0\.2\.129:3544 instead of 192\.0\.2\.1:3544/),
    ]);
    expect(notice.over(well, 3_600_000)).toMatchObject({ code: 'server-changed' });
    // What is wrong now is told first.
    const silent = { code: 'server-silent', text: '' };
    expect(notice.over(silent, 3_600_000)).toBe(silent);
    expect(notice.over(well, 2_000 + 24 * 3_600_000)).toBe(well);
  });

  test.skipIf(notRoot)(
    'a machine policy locks it: file, command line and a secondary of the user’s own change nothing',
    async () => {
      const directory = join(folder, 'policy.d');
      mkdirSync(directory);
      const policyFile = join(directory, '10-site.json');
      writeFileSync(policyFile, '{"serverName":"teredo.example"}');
      const config = join(folder, 'config.json');
      writeFileSync(config, '{"server":"evil.example","server2":"203.0.113.66"}');
      const settings = readSettings(
        {
          defaults: [config],
          overrides: {
            server: ['evil.example'],
            server2: '203.0.113.66',
            allowPrivate: true,
            exposeAll: true,
          },
        },
        readPolicy(directory),
      );
      expect(policyView(settings).values).toContainEqual({
        name: 'serverName',
        value: ['teredo.example'],
        source: policyFile,
        locked: true,
      });
      const host = new MemoryHost();
      const { status } = await run(host, settings);
      expect(status.server).toBe('192.0.2.1:3544');
      expect([...new Set(host.asked.map(({ ip }) => ip))].sort()).toEqual([...SERVERS].sort());
    },
  );
});

describe('another server on the user’s word', () => {
  test('where none is set, or none is in use, that is said and nothing changes', async () => {
    const host = new MemoryHost();
    const { status } = await run(host, withServer(['teredo.example']));
    expect(status.state).toBe('qualified');
    const log: string[] = [];
    const service = new ClientService(
      host,
      withServer(['teredo.example']),
      await host.openAdapter(),
      null,
      new StateFile(folder, (text) => log.push(text)),
      { log: ({ text }) => log.push(text), onFailed: () => undefined },
    );
    running.push(service);
    expect(await service.api.nextServer({})).toMatchObject({ ok: false, code: 'not-awake' });
    await service.start();
    await vi.waitFor(() => expect(service.status().state).toBe('qualified'));
    expect(await service.api.nextServer({})).toMatchObject({ ok: false, code: 'no-other-server' });
    expect(service.status().server).toBe('192.0.2.1:3544');
  });
});
