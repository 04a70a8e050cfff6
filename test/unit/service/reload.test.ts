// Reloading a server's configuration: what is taken, what waits for a restart, and what a fault in it leaves alone.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ReloadResult } from '../../../engine/service/api.ts';
import { LeveledLog } from '../../../engine/service/log.ts';
import type { LogEntry } from '../../../engine/service/log.ts';
import { reloadable, reloadText } from '../../../engine/service/reload.ts';
import { LIVE_SERVER_SETTINGS, readServerSettings } from '../../../engine/service/server-config.ts';
import type { LiveServerSettings } from '../../../engine/service/server-config.ts';

let folder: string;
let file: string;
let told: LogEntry[] = [];
let applied: LiveServerSettings[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shipworm-reload-'));
  file = join(folder, 'server.json');
  told = [];
  applied = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (value: unknown): void => writeFileSync(file, JSON.stringify(value));
function start(value: object): { reload(): Promise<ReloadResult> } {
  write(value);
  const read = (): ReturnType<typeof readServerSettings> => readServerSettings(file, {});
  const log = (entry: LogEntry): void => void told.push(entry);
  return reloadable(read(), { log, reread: read }, LIVE_SERVER_SETTINGS, (settings) =>
    applied.push(settings),
  );
}
const BASE = { primary: '192.0.2.1', limits: { maxSources: 10 } };

it('takes new limits and keys, once', async () => {
  const reloader = start(BASE);
  write({ ...BASE, limits: { maxSources: 20 }, clients: { me: 'secret' } });
  expect(await reloader.reload()).toEqual({ applied: ['clients', 'limits'], needRestart: [] });
  expect(applied).toMatchObject([{ limits: { maxSources: 20 }, clients: { me: 'secret' } }]);
  expect(told).toEqual([
    {
      level: 'info',
      text: 'The configuration was reloaded; new: clients, limits.',
      told: { code: 'reloaded', params: { applied: 'clients, limits', needRestart: '' } },
    },
  ]);
  expect(await reloader.reload()).toEqual({ applied: [], needRestart: [] });
  expect(applied).toHaveLength(1);
});

it('says of addresses and ports that they need a restart, each time until it comes', async () => {
  const reloader = start(BASE);
  write({ ...BASE, primary: '192.0.2.9', port: 4000, logLevel: 'error' });
  const result = await reloader.reload();
  expect(result).toEqual({ applied: ['logLevel'], needRestart: ['primary', 'port'] });
  expect(reloadText(result)).toContain('A change of primary, port needs a restart');
  expect(told[0]!.level).toBe('warning');
  expect(await reloader.reload()).toEqual({ applied: [], needRestart: ['primary', 'port'] });
});

it.each([
  ['a wrong value', { ...BASE, limits: { maxSources: 0 }, clients: { me: 'new' } }, '1 or more'],
  ['an unknown key', { ...BASE, clients: { me: 'new' }, limit: {} }, '"limits" may be meant'],
  ['a contradiction', { ...BASE, requireAuthentication: true }, 'serve nobody'],
  ['no address', { limits: { maxSources: 7 } }, '--primary'],
])('%s changes nothing, and is one line of the log', async (_, value, why) => {
  const reloader = start(BASE);
  write(value);
  await expect(reloader.reload()).rejects.toThrow(why);
  expect(applied).toEqual([]);
  expect(told).toHaveLength(1);
  expect(told[0]!.level).toBe('error');
  expect(told[0]!.text).toMatch(
    /^The configuration was not reloaded, and the old one stays[^\n]*$/,
  );
  write({ ...BASE, limits: { maxSources: 30 } });
  expect((await reloader.reload()).applied).toEqual(['limits']);
});

it('a file that is gone or half written changes nothing', async () => {
  const reloader = start(BASE);
  writeFileSync(file, '{"primary": "192.0.2.1", "limi');
  await expect(reloader.reload()).rejects.toThrow('no valid JSON');
  rmSync(file);
  await expect(reloader.reload()).rejects.toThrow('could not be read');
  expect(applied).toEqual([]);
});

it('Miredo fault 11: a log of a level passes that and what is graver', () => {
  const heard: string[] = [];
  const leveled = new LeveledLog('warning', ({ level }) => heard.push(level));
  const all = (): void => {
    for (const level of ['info', 'warning', 'error'] as const) leveled.log({ level, text: '' });
  };
  all();
  leveled.level = 'error';
  all();
  leveled.level = 'info';
  all();
  expect(heard).toEqual(['warning', 'error', 'error', 'info', 'warning', 'error']);
});

it('a provider’s translation has an address of this machine for each public one', () => {
  const both = { primary: '192.0.2.1', secondary: '192.0.2.2' };
  expect(
    readServerSettings(undefined, { ...both, bindPrimary: '10.0.0.5', bindSecondary: '10.0.0.6' }),
  ).toMatchObject({ bindPrimary: 0x0a000005, bindSecondary: 0x0a000006 });
  expect(readServerSettings(undefined, both)).toMatchObject({
    bindPrimary: null,
    bindSecondary: null,
  });
  const read = (more: object) => (): unknown => readServerSettings(undefined, { ...both, ...more });
  expect(read({ bindPrimary: '10.0.0.5', bindSecondary: '10.0.0.5' })).toThrow('one of its own');
  expect(read({ bindPrimary: '192.0.2.2' })).toThrow('one of its own');
  expect(read({ secondary: undefined, bindSecondary: '10.0.0.6' })).toThrow('public address');
});
