// What is remembered between runs survives them; damage is kept aside, and nothing here stops a start.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { rule } from '../gate/harness.ts';
import { StateFile } from '../../../engine/service/state-file.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'shipworm-state-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function open(directory: string): { state: StateFile; warnings: string[] } {
  const warnings: string[] = [];
  return { state: new StateFile(directory, (text) => warnings.push(text)), warnings };
}

it('remembers in a file of our own', () => {
  const directory = join(folder, 'deep', 'shipworm');
  open(directory).state.update({ port: 50_000 });
  open(directory).state.update({ address: '2001:0:c000:201::1' });
  const { state, warnings } = open(directory);
  expect(state.value).toMatchObject({ port: 50_000, address: '2001:0:c000:201::1' });
  expect(warnings).toEqual([]);
  expect(statSync(join(directory, 'client.json')).mode & 0o777).toBe(0o600);
});

it('keeps rules that last, whole, and none that end with a program', () => {
  const pinned = rule('1', { path: '/home/u/x', hash: 'aa' }, { beReached: [80, 443] });
  const brief = rule('2', { path: '/usr/bin/curl' }, { until: { kind: 'quit' } });
  const policy = rule('3', { path: '/usr/bin/curl' }, { from: 'policy', source: 'a.json' });
  open(folder).state.update({ rules: [pinned, brief, policy], networks: { home: 'off' } });
  const { state } = open(folder);
  expect(state.value).toMatchObject({ rules: [pinned], networks: { home: 'off' } });
  expect(state.damaged).toBe(false);
});

it('takes the file of the version before', () => {
  writeFileSync(
    join(folder, 'client.json'),
    '{"version":1,"port":50000,"address":"2001:0:c000:201::1"}',
  );
  const { state, warnings } = open(folder);
  expect(state.value).toEqual({
    port: 50_000,
    address: '2001:0:c000:201::1',
    rules: [],
    networks: {},
    answers: {},
    servers: null,
    portMapped: false,
    ownServers: [],
    pcs: [],
    intervals: {},
  });
  expect(state.damaged).toBe(false);
  expect(warnings).toEqual([]);
  state.update({ port: 50_001 });
  expect(JSON.parse(readFileSync(join(folder, 'client.json'), 'utf8'))).toMatchObject({
    version: 8,
    port: 50_001,
  });
});

it('takes PCs of version 7, to be tested anew', () => {
  const pc = { name: 'Home', target: '2001:db8::1', address: '2001:db8::1' };
  const test = { state: 'open', text: 'It was open.', rttMs: null, at: 1 };
  const { state } = open(folder);
  state.update({ port: 50_000 });
  const path = join(folder, 'client.json');
  const file = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...file, version: 7, pcs: [{ ...pc, test }] }));
  expect(open(folder).state.value).toMatchObject({ port: 50_000, pcs: [{ ...pc, test: null }] });
});

it.each([
  '',
  '{',
  '[]',
  '{"version":1,"port":70000,"address":null}',
  '{"version":2}',
  '{"version":3,"port":null,"address":null,"rules":[],"networks":{}}',
  // A rule about nobody in particular would be one about all.
  JSON.stringify({
    version: 2,
    port: null,
    address: null,
    rules: [rule('1', {})],
    networks: {},
  }),
])('keeps a damaged file aside: %s', (text) => {
  writeFileSync(join(folder, 'client.json'), text);
  const { state, warnings } = open(folder);
  expect(state.value).toMatchObject({ port: null, address: null, rules: [] });
  expect(state.damaged).toBe(true);
  expect(warnings).toEqual([expect.stringContaining('client.json.damaged')]);
  expect(readFileSync(join(folder, 'client.json.damaged'), 'utf8')).toBe(text);
  state.update({ port: 50_001 });
  expect(open(folder).state.value.port).toBe(50_001);
});

it('a folder that can not be had is said, not fatal', () => {
  writeFileSync(join(folder, 'file'), '');
  const { state, warnings } = open(join(folder, 'file', 'shipworm'));
  state.update({ port: 50_002 });
  expect(state.value.port).toBe(50_002);
  expect(warnings.length).toBeGreaterThan(0);
});

it('writes what was only noticed a moment later, with what somebody chose, or when it is told to', async () => {
  const noticed = open(folder).state;
  noticed.note({ port: 50_000 });
  expect(noticed.value.port).toBe(50_000);
  expect(open(folder).state.value.port).toBeNull();
  noticed.update({ networks: { home: 'off' } });
  expect(open(folder).state.value).toMatchObject({ port: 50_000, networks: { home: 'off' } });
  noticed.note({ port: 50_001 });
  await vi.waitFor(() => expect(open(folder).state.value.port).toBe(50_001), 5_000);
  noticed.note({ port: 50_002 });
  noticed.flush();
  expect(open(folder).state.value.port).toBe(50_002);
});
