// Configuration: what rules over what, and a line with place, reason and mend for each fault.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readPolicy } from '../../../engine/service/policy.ts';
import { readSettings } from '../../../engine/service/config.ts';
import { ServiceError } from '../../../engine/service/errors.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'shipworm-config-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function faults(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(ServiceError);
    expect((error as ServiceError).code).toBe('bad-config');
    return (error as ServiceError).message.split('\n');
  }
  return [];
}

it('command line rules over user over system over default', () => {
  const system = file('system.json', { server: 'a.example', port: 1000, adapter: 'sys0' });
  const user = file('user.json', { server: ['b.example', 'c.example'], port: 2000 });
  const settings = readSettings(
    { defaults: [system, user], overrides: { port: 3000 } },
    readPolicy('/nowhere'),
  );
  expect(settings).toEqual({
    policy: readPolicy('/nowhere'),
    refreshRate: null,
    given: { server: ['b.example', 'c.example'], port: 3000, adapter: 'sys0' },
    sources: { adapter: system, port: 'command line', server: user },
    servers: ['b.example', 'c.example'],
    server2: null,
    port: 3000,
    failoverAfter: 300,
    adapter: 'sys0',
    control: null,
    exposeAll: false,
    gate: {
      on: true,
      evenWithNativeIpv6: false,
      answerEcho: false,
      sleepAfterMs: 30_000,
      newNetworks: 'on',
    },
    logLevel: 'info',
    metrics: null,
    allowPrivate: false,
    portMapping: false,
    offloads: true,
    workers: 1,
    addressCommand: null,
    dnsUpdate: null,
    localDiscovery: false,
    intervalSearch: false,
    birthdayProbing: false,
    credentials: null,
  });
});

it('the refresh interval is the user’s, unless the policy has one', () => {
  const rate = (seconds: number): number | null =>
    readSettings({ defaults: [], overrides: { server: 'a.example', refreshInterval: seconds } })
      .refreshRate;
  expect(rate(5)).toBe(5);
  expect(faults(() => rate(4))).toEqual([expect.stringContaining('must be 5 to 120 seconds')]);
  const policy = { ...readPolicy('/nowhere'), refreshRate: 20 };
  const settings = { server: 'a.example', refreshInterval: 5, intervalSearch: true };
  const { refreshRate, intervalSearch } = readSettings(
    { defaults: [], overrides: settings },
    policy,
  );
  expect([refreshRate, intervalSearch]).toEqual([20, false]);
});

it('files that are not there are no fault, a named one is', () => {
  const missing = join(folder, 'none.json');
  expect(readSettings({ defaults: [missing], overrides: { server: 'a.example' } }).servers).toEqual(
    ['a.example'],
  );
  expect(
    faults(() =>
      readSettings({ defaults: [], explicit: missing, overrides: { server: 'a.example' } }),
    ),
  ).toEqual([expect.stringContaining(`${missing}: could not be read`)]);
});

it('a named file may be relative and is read instead of the others', () => {
  const system = file('system.json', { adapter: 'sys0' });
  const named = file('named.json', { server: 'n.example' });
  const settings = readSettings({
    defaults: [system],
    explicit: relative(process.cwd(), named),
    overrides: {},
  });
  expect(settings).toMatchObject({ servers: ['n.example'], adapter: 'teredo' });
});

it('each wrong key and value has its own line', () => {
  const path = file('bad.json', { servr: 'a.example', port: 70_000, exposeAll: 'yes', colour: 1 });
  const lines = faults(() =>
    readSettings({ defaults: [], explicit: path, overrides: { server: 'a.example' } }),
  );
  expect(lines).toHaveLength(4);
  expect(lines.every((line) => line.startsWith(`${path}: `))).toBe(true);
  expect(lines.find((line) => line.includes('servr'))).toContain('"server" may be meant');
  expect(lines.find((line) => line.includes('colour'))).toContain('remove it');
  expect(lines.find((line) => line.includes('"port"'))).toContain('to 65535');
  expect(lines.find((line) => line.includes('"exposeAll"'))).toContain('true or false');
});

it('what is no JSON object is named', () => {
  for (const content of ['{', '[]', '3', 'null']) {
    const path = file('odd.json', content);
    expect(
      faults(() =>
        readSettings({ defaults: [], explicit: path, overrides: { server: 'a.example' } }),
      )[0],
    ).toContain(path);
  }
});

it('no server at all is said', () => {
  expect(faults(() => readSettings({ defaults: [], overrides: {} }))[0]).toContain('--server');
});

it('a private server is refused outside a lab', () => {
  expect(
    faults(() => readSettings({ defaults: [], overrides: { server: '10.0.0.1' } }))[0],
  ).toContain('10.0.0.1');
  expect(
    readSettings({ defaults: [], overrides: { server: '10.0.0.1', allowPrivate: true } }).servers,
  ).toEqual(['10.0.0.1']);
});
