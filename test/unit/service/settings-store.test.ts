// Tests settings: what is in force and why, changes that are all or nothing, export and import.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileSettings } from '../../../engine/service/config.ts';
import type { SettingRow } from '../../../engine/service/settings-calls.ts';
import { fileSchema, settingsSchema } from '../../../engine/service/settings-schema.ts';
import { SettingsStore } from '../../../engine/service/settings-store.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shipworm-settings-'));
  path = join(folder, 'user', 'config.json');
});
afterEach(() => {
  delete process.env['SHIPWORM_POLICY'];
  rmSync(folder, { recursive: true });
});

interface Given {
  readonly overrides?: FileSettings;
  readonly runs?: boolean;
}

/** A store whose reload is what a running client does: it reads anew. */
function open({ overrides = { server: 'a.example' }, runs = true }: Given = {}): SettingsStore {
  const places = { defaults: [join(folder, 'system.json'), path], overrides };
  const store = new SettingsStore({ places, runs, onChange: () => undefined });
  store.read();
  store.attach(() => Promise.resolve(store.read()));
  return store;
}

function row(store: SettingsStore, name: string): SettingRow {
  return store.state().rows.find((each) => each.name === name)!;
}

const file = (): unknown => JSON.parse(readFileSync(path, 'utf8'));
const set = (store: SettingsStore, values: Record<string, unknown>): Promise<unknown> =>
  store.api.setSettings({ values });

it('names every setting with value, default, place and shape', () => {
  writeFileSync(join(folder, 'system.json'), '{"port": 4000, "key": "hidden", "clientId": "me"}');
  const store = open();
  expect(store.state().rows.map(({ name }) => name)).toEqual(Object.keys(settingsSchema.shape));
  expect(store.state()).toMatchObject({ file: path, error: null });
  expect(row(store, 'port')).toEqual({
    name: 'port',
    value: 4000,
    default: 0,
    source: join(folder, 'system.json'),
    ...{ locked: false, secret: false, needsRestart: false, waiting: false },
    ...{ kind: 'number', choices: null, min: 0, max: 65_535 },
  });
  expect(row(store, 'server')).toMatchObject({ value: 'a.example', source: 'command line' });
  expect(row(store, 'server')).toMatchObject({ kind: 'list', default: null });
  expect(row(store, 'logLevel')).toMatchObject({
    ...{ value: 'info', source: 'default', kind: 'choice' },
    choices: ['info', 'warning', 'error'],
  });
  expect(row(store, 'key')).toMatchObject({ secret: true, value: true });
  expect(JSON.stringify(store.state())).not.toContain('hidden');
});

describe('a change', () => {
  it('is written to the user’s own file; what a client can take is in force, the rest waits', async () => {
    const store = open();
    expect(await set(store, { sleepAfter: 60, port: 4001, workers: 2 })).toEqual({
      applied: ['port', 'sleepAfter'],
      needRestart: ['workers'],
    });
    expect(file()).toEqual({ sleepAfter: 60, port: 4001, workers: 2 });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(row(store, 'sleepAfter')).toMatchObject({ value: 60, source: path, waiting: false });
    expect(row(store, 'port')).toMatchObject({ value: 4001, source: path, waiting: false });
    expect(row(store, 'workers')).toMatchObject({ value: 1, source: 'default', waiting: true });
    expect(await set(store, { sleepAfter: null, port: null, workers: null })).toEqual({
      applied: ['port', 'sleepAfter'],
      needRestart: ['workers'],
    });
    expect(file()).toEqual({});
    expect(row(store, 'workers').waiting).toBe(false);
  });

  it('that opens everything waits for a start; one that closes it does not', async () => {
    const store = open();
    expect(await set(store, { exposeAll: true })).toMatchObject({ needRestart: ['exposeAll'] });
    expect(row(store, 'exposeAll')).toMatchObject({ value: false, waiting: true });
    const opened = open();
    expect(row(opened, 'exposeAll').value).toBe(true);
    expect(await set(opened, { exposeAll: false })).toMatchObject({ applied: ['exposeAll'] });
    expect(row(opened, 'exposeAll').value).toBe(false);
  });

  it.each([
    [{ port: 70_000 }, /^Not set: "port" must be 0 .* to 65535\.$/],
    [{ sleepAfter: 60, colour: 'red' }, /^Not set: there is no setting "colour"/],
    [{ clientId: 'me' }, /^Not set: clientId and key belong together/],
    [{ addressCommand: ['ddns'] }, /^Not set: "addressCommand" must begin with the absolute path/],
    [{ dnsUpdate: { server: 'a.example' } }, /^Not set: "dnsUpdate\.zone" /],
    [{ dnsKey: 'AAAABBBBCCCCDDDD' }, /^Not set: dnsUpdate and dnsKey belong together/],
    [{ server2: 'ten' }, /^Not set: "server2" is no IPv4 address/],
  ])('%j is refused in one sentence, and nothing changes', async (values, sentence) => {
    const store = open();
    await set(store, { port: 4000 });
    const before = readFileSync(path, 'utf8');
    await expect(set(store, values)).rejects.toMatchObject({
      ...{ code: 'bad-config', message: expect.stringMatching(sentence) as string },
    });
    expect(readFileSync(path, 'utf8')).toBe(before);
    expect(readdirSync(join(folder, 'user'))).toEqual(['config.json']);
  });

  it('of what goes together alone is taken together, and never shown', async () => {
    const store = open();
    await set(store, { clientId: 'me', key: 'hidden' });
    expect(row(store, 'key')).toMatchObject({ value: true, waiting: false });
    expect(row(open(), 'key').value).toBe(true);
    expect(JSON.stringify(store.state())).not.toContain('hidden');
  });

  it('of what the command line sets is refused', async () => {
    await expect(set(open(), { server: 'b.example' })).rejects.toMatchObject({
      ...{ code: 'locked', message: expect.stringMatching(/command line/) as string },
    });
    expect(existsSync(path)).toBe(false);
  });

  it.runIf(process.getuid?.() === 0)('of what the policy sets is refused', async () => {
    const policies = join(folder, 'policy.d');
    const policy = join(policies, 'a.json');
    chmodSync(folder, 0o755);
    mkdirSync(policies, { mode: 0o755 });
    writeFileSync(
      policy,
      '{"clientPort": 4545, "refreshRate": 90, "lockedSettings": {"answerEcho": false}}',
    );
    process.env['SHIPWORM_POLICY'] = policies;
    const store = open();
    expect(row(store, 'port')).toMatchObject({ value: 4545, source: policy, locked: true });
    expect(row(store, 'refreshInterval')).toMatchObject({
      value: 90,
      source: policy,
      locked: true,
    });
    for (const values of [{ port: 1 }, { refreshInterval: 30 }, { answerEcho: true }])
      await expect(set(store, values)).rejects.toMatchObject({ code: 'locked' });
  });

  it('keeps the mode of a file that was there, and the link to it', async () => {
    const real = join(folder, 'real.json');
    await set(open(), { port: 1 });
    writeFileSync(real, '{"port": 4000}', { mode: 0o640 });
    rmSync(path);
    symlinkSync(real, path);
    await set(open(), { sleepAfter: 5 });
    expect(JSON.parse(readFileSync(real, 'utf8'))).toEqual({ port: 4000, sleepAfter: 5 });
    expect(statSync(real).mode & 0o777).toBe(0o640);
  });

  it('of a file with a fault is refused until that is mended, and the state says so', async () => {
    const store = open();
    await set(store, { workers: 2 });
    writeFileSync(path, '{"prot": 1}');
    expect(() => store.read()).toThrow(/"port" may be meant/);
    expect(store.state().error).toMatch(/"port" may be meant/);
    expect(row(store, 'workers').waiting).toBe(true);
    await expect(set(store, { sleepAfter: 5 })).rejects.toMatchObject({ code: 'bad-config' });
    expect(file()).toEqual({ prot: 1 });
  });

  it('without a client that runs needs no server, and waits for a start', async () => {
    const store = open({ runs: false, overrides: {} });
    expect(await set(store, { sleepAfter: 60 })).toEqual({
      applied: [],
      needRestart: ['sleepAfter'],
    });
    expect(row(store, 'sleepAfter').value).toBe(60);
  });
});

describe('export and import', () => {
  it('carry everything that the files set, but no secret, to another PC', async () => {
    const store = open();
    await set(store, { clientId: 'me', key: 'hidden', port: 4000, newNetworks: 'ask' });
    const { document } = await store.api.exportSettings({});
    expect(JSON.parse(document)).toEqual({
      document: 'shipworm settings',
      version: 1,
      settings: { port: 4000, newNetworks: 'ask' },
    });
    rmSync(path);
    writeFileSync(path, '{"clientId": "you", "key": "secret", "adapter": "gone0"}');
    const other = open();
    expect(await other.api.importSettings({ document })).toEqual({
      applied: ['port', 'newNetworks'],
      needRestart: ['adapter'],
    });
    expect(fileSchema.parse(file())).toEqual({
      ...{ clientId: 'you', key: 'secret', port: 4000, newNetworks: 'ask' },
    });
  });

  const document = (settings: unknown, version = 1, name = 'shipworm settings'): string =>
    JSON.stringify({ document: name, version, settings });
  it.each([
    ['no JSON', '{', 'bad-config', /it is no JSON document\.$/],
    ['another document', document({}, 1, 'else'), 'bad-config', /"document" is not/],
    ['a newer version', document({}, 2), 'bad-config', /"version" .* newer one/],
    ['no settings', document(7), 'bad-config', /"settings" must be an object/],
    ['an unknown setting', document({ sleepAfter: 5, x: 1 }), 'bad-config', /no setting "x"/],
    ['a wrong value', document({ sleepAfter: 5, port: 'x' }), 'bad-config', /"port" must be/],
    ['what only fails as a whole', document({ server: '10.0.0.1' }), 'bad-config', /10\.0\.0\.1/],
    ['what opens everything', document({ exposeAll: true }), 'weakens', /exposeAll/],
    ['a program to run', document({ addressCommand: ['/bin/true'] }), 'weakens', /addressCommand/],
    ['what opens a little', document({ answerEcho: true, allowPrivate: true }), 'weakens', /--/],
  ])('%s is refused whole, in one sentence', async (_name, text, code, sentence) => {
    const store = open({ overrides: {}, runs: false });
    await set(store, { server: 'a.example', sleepAfter: 60 });
    const before = readFileSync(path, 'utf8');
    await expect(store.api.importSettings({ document: text })).rejects.toMatchObject({
      ...{ code, message: expect.stringMatching(sentence) as string },
    });
    await expect(store.api.importSettings({ document: text })).rejects.toThrow(/^Not imported: /);
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('what opens this PC further is taken only when that is allowed', async () => {
    const store = open();
    await store.api.importSettings({ document: document({ answerEcho: true }), weaken: true });
    expect(row(store, 'answerEcho').value).toBe(true);
    // It is so already: that is no further.
    await store.api.importSettings({ document: document({ answerEcho: true, port: 5 }) });
    expect(file()).toEqual({ answerEcho: true, port: 5 });
  });
});
