// Tests that a running client takes another server, port and refresh interval at once, awake or asleep, and keeps its adapter.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ClientService } from '../../../engine/service/client-service.ts';
import { readSettings } from '../../../engine/service/config.ts';
import type { FileSettings, Settings } from '../../../engine/service/config.ts';
import { StateFile } from '../../../engine/service/state-file.ts';
import { formatIp4 } from '../../../engine/wire/index.ts';
import { MemoryHost, SERVERS } from './memory-host.ts';

let folder: string;
let host: MemoryHost;
let service: ClientService;
const log: string[] = [];
beforeEach(() => {
  vi.useFakeTimers();
  folder = mkdtempSync(join(tmpdir(), 'shipworm-renewal-'));
  host = new MemoryHost();
  log.length = 0;
});
afterEach(async () => {
  await service.close();
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

const settings = (more: FileSettings): Settings =>
  readSettings({
    defaults: [],
    overrides: { server: ['teredo.example'], allowPrivate: true, exposeAll: true, ...more },
  });

async function start(more: FileSettings): Promise<void> {
  const adapter = await host.openAdapter();
  const state = new StateFile(folder, (text) => log.push(text));
  service = new ClientService(host, settings(more), adapter, null, state, {
    log: ({ level, text }) => log.push(`${level}: ${text}`),
    onFailed: (error) => log.push(error.message),
  });
  await service.start();
  await vi.advanceTimersByTimeAsync(100);
}
async function change(more: FileSettings): Promise<void> {
  service.configure(settings(more));
  await vi.advanceTimersByTimeAsync(100);
}
/** How often a server is asked in `ms`. */
async function asked(ms: number): Promise<number> {
  const before = host.asked.length;
  await vi.advanceTimersByTimeAsync(ms);
  return host.asked.length - before;
}

test('another refresh interval keeps server and address, and counts from then on', async () => {
  await start({ refreshInterval: 120 });
  const { address, state } = service.status();
  expect(state).toBe('qualified');
  expect(await asked(30_000)).toBe(0);
  await change({ refreshInterval: 10 });
  expect(service.status()).toMatchObject({ state: 'qualified', address });
  expect(await asked(30_000)).toBeGreaterThan(1);
  expect(host.adapterCalls).not.toContain('close');
});

test('another server is asked at once, and the change is told', async () => {
  host.names.set('old.example', SERVERS[1]);
  await start({ server: ['old.example'] });
  await change({ server: ['teredo.example'] });
  expect(service.status()).toMatchObject({
    state: 'qualified',
    serverName: 'teredo.example',
    server: `${formatIp4(SERVERS[0])}:3544`,
  });
  expect(log.join('\n')).toMatch(/The Teredo server is set to teredo\.example now/);
});

test('another port is taken, and one that somebody has is not', async () => {
  await start({ port: 4001 });
  await change({ port: 4002 });
  expect(service.engineFacts().localPort).toBe(4002);
  expect(service.status().state).toBe('qualified');
  host.taken.add(4003);
  await change({ port: 4003 });
  expect(service.engineFacts().localPort).toBe(4002);
  expect(service.status().state).toBe('qualified');
  expect(log.join('\n')).toMatch(/error: UDP port 4003 is in use by another program/);
});

test('asleep nothing is sent; the next wake has the new ones', async () => {
  await start({ exposeAll: false, port: 4001, sleepAfter: 5 });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(service.status().state).toBe('dormant');
  const before = host.asked.length;
  await change({ exposeAll: false, port: 4002, sleepAfter: 5 });
  expect(host.asked).toHaveLength(before);
  expect(host.socketOpen).toBe(false);
  service.stir();
  await vi.advanceTimersByTimeAsync(100);
  expect(service.engineFacts().localPort).toBe(4002);
  expect(host.asked.length).toBeGreaterThan(before);
});
