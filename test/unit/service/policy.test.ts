// The machine policy: who may write it, what it rules, where each value comes from, and what a broken one does.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSettings } from '../../../engine/service/config.ts';
import { policyDirectory, readPolicy } from '../../../engine/service/policy.ts';
import { policyView } from '../../../engine/service/policy-view.ts';

let folder: string;
let directory: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shipworm-policy-'));
  directory = join(folder, 'policy.d');
  mkdirSync(directory);
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, policy: unknown): string {
  const path = join(directory, name);
  writeFileSync(path, typeof policy === 'string' ? policy : JSON.stringify(policy));
  return path;
}

it('is no policy where there is none', () => {
  const policy = readPolicy(join(folder, 'nowhere'));
  expect(policy).toMatchObject({ files: [], settings: {}, gate: { state: 'default', rules: [] } });
});

it('is read from the system’s folder, unless root says otherwise for what root starts', () => {
  const before = process.env['SHIPWORM_POLICY'];
  process.env['SHIPWORM_POLICY'] = directory;
  const root = process.getuid?.() === 0;
  expect(policyDirectory()).toBe(root ? directory : '/etc/shipworm/policy.d');
  if (before === undefined) delete process.env['SHIPWORM_POLICY'];
  else process.env['SHIPWORM_POLICY'] = before;
});

describe.skipIf(process.getuid?.() !== 0)('as root wrote it', () => {
  it('rules over files and command line, and says where each value comes from', () => {
    const path = write('10-site.json', {
      state: 'enterprise-client',
      serverName: 'teredo.corp.example',
      refreshRate: 20,
      clientPort: 40_000,
      defaultQualified: true,
      lockedSettings: { exposeAll: false, sleepAfter: 60 },
    });
    const config = join(folder, 'config.json');
    writeFileSync(config, '{"server":"a.example","answerEcho":true,"port":1000}');
    const settings = readSettings(
      { defaults: [config], overrides: { exposeAll: true, newNetworks: 'ask' } },
      readPolicy(directory),
    );
    expect(settings).toMatchObject({
      servers: ['teredo.corp.example'],
      port: 40_000,
      exposeAll: false,
      refreshRate: 20,
      gate: { sleepAfterMs: 60_000, answerEcho: true },
      policy: { gate: { state: 'enterprise-client', defaultQualified: true } },
    });
    const { values, files } = policyView(settings);
    expect(files).toEqual([{ path, error: null }]);
    const from = Object.fromEntries(
      values.map(({ name, source, locked }) => [name, [source, locked]]),
    );
    expect(from).toEqual({
      state: [path, true],
      serverName: [path, true],
      refreshRate: [path, true],
      clientPort: [path, true],
      defaultQualified: [path, true],
      exposeAll: [path, true],
      sleepAfter: [path, true],
      answerEcho: [config, false],
      newNetworks: ['command line', false],
      enabled: ['default', false],
      evenWithNativeIpv6: ['default', false],
      allowPrivate: ['default', false],
      portMapping: ['default', false],
    });
  });

  it('makes locked rules of its applications', () => {
    const path = write('a.json', {
      allowedApplications: [
        { path: '/usr/bin/curl' },
        { path: '/usr/sbin/nginx', connectOut: false, beReached: [443], user: 33 },
        { flatpak: 'org.example.App' },
      ],
      forbiddenApplications: [{ path: '/usr/bin/nc.openbsd' }],
    });
    const { rules } = readPolicy(directory).gate;
    expect(rules.every((rule) => rule.from === 'policy' && rule.source === path)).toBe(true);
    expect(rules).toMatchObject([
      { never: true, connectOut: false, matcher: { path: '/usr/bin/nc.openbsd', user: null } },
      { connectOut: true, beReached: 'none', matcher: { path: '/usr/bin/curl' } },
      { connectOut: false, beReached: [443], matcher: { path: '/usr/sbin/nginx', user: 33 } },
      { matcher: { group: { kind: 'flatpak', id: 'org.example.App' } } },
    ]);
    expect(new Set(rules.map(({ id }) => id)).size).toBe(4);
  });

  it('of two files the later by name rules, and applications add up', () => {
    write('10.json', { state: 'disabled', forbiddenApplications: [{ path: '/a' }] });
    const later = write('20.json', { state: 'client', forbiddenApplications: [{ path: '/b' }] });
    const policy = readPolicy(directory);
    expect(policy.gate).toMatchObject({ state: 'client', rules: { length: 2 } });
    expect(policy.sources['state']).toBe(later);
  });

  it.each([
    ['a file of another user', (path: string) => chownSync(path, 1000, 1000)],
    ['a file that others can write', (path: string) => chmodSync(path, 0o666)],
    ['a folder that others can write', () => chmodSync(directory, 0o777)],
    ['a folder of another user', () => chownSync(directory, 1000, 1000)],
  ])('ignores %s, and says so', (_, spoil) => {
    const path = write('a.json', { state: 'disabled' });
    spoil(path);
    const policy = readPolicy(directory);
    expect(policy.gate.state).toBe('default');
    expect(policy.files).toEqual([{ path, error: expect.stringMatching(/root/) as string }]);
  });

  it.each([
    ['{', /no valid JSON/],
    [{ stat: 'client' }, /"state" may be meant/],
    [{ allowedApplications: [{ path: '/a', flatpak: 'b' }] }, /exactly one of/],
    [{ lockedSettings: { server: 'x.example' } }, /no setting "lockedSettings\.server"/],
  ])('closes everything when it can not be understood: %j', (text, error) => {
    write('a.json', text);
    write('b.json', { state: 'client' });
    const policy = readPolicy(directory);
    expect(policy.gate.state).toBe('damaged');
    expect(policy.files[0]!.error).toMatch(error);
  });
});
