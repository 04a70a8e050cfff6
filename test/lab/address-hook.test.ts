// Replaces an AAAA record at a real Knot by a signed update, and reads it back by DNS; wrong keys are told.
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { AddressHook } from '../../engine/service/hook/address-hook.ts';
import { sendUpdate } from '../../engine/service/hook/dns-update.ts';
import { addressBytes } from '../../engine/service/hook/address-hook.ts';
import type { LogEntry } from '../../engine/service/log.ts';
import { noLab } from './kit/lab.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const SECRET = Buffer.alloc(32, 7);
const KEY = { name: 'home.key', secret: SECRET };
const OLD = '2001:db8::1';
const NEW = '2001:0:c000:201:2811:63bf:39cc:9bf8';

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

describe.skipIf(reason !== null)('a DNS server', () => {
  let folder: string;
  let port: number;
  let knot: ChildProcess;
  const resolver = new Resolver({ timeout: 2_000, tries: 3 });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'shipworm-knot-'));
    chmodSync(folder, 0o755);
    port = await freePort();
    writeFileSync(
      join(folder, 'example.net.zone'),
      `$ORIGIN example.net.\n$TTL 3600\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\nhome AAAA ${OLD}\nhome AAAA 2001:db8::2\nhome A 192.0.2.1\n`,
    );
    const config = join(folder, 'knot.conf');
    writeFileSync(
      config,
      [
        'server:',
        `  listen: 127.0.0.1@${port}`,
        `  rundir: ${folder}`,
        'database:',
        `  storage: ${folder}`,
        'log:',
        '  - target: stderr',
        '    any: info',
        'key:',
        '  - id: home.key',
        '    algorithm: hmac-sha256',
        `    secret: ${SECRET.toString('base64')}`,
        '  - id: other.key',
        '    algorithm: hmac-sha256',
        `    secret: ${SECRET.toString('base64')}`,
        'acl:',
        '  - id: update',
        '    key: home.key',
        '    action: update',
        'zone:',
        '  - domain: example.net',
        `    storage: ${folder}`,
        '    file: example.net.zone',
        '    acl: update',
        '',
      ].join('\n'),
    );
    execFileSync('knotc', ['-c', config, 'conf-check'], { stdio: 'ignore' });
    knot = spawn('knotd', ['-c', config], { stdio: 'ignore' });
    resolver.setServers([`127.0.0.1:${port}`]);
    await vi.waitFor(
      async () => expect(await resolver.resolve6('home.example.net')).toHaveLength(2),
      {
        timeout: 30_000,
        interval: 200,
      },
    );
  }, 60_000);
  afterAll(async () => {
    const ended = new Promise((resolve) => knot.once('exit', resolve));
    knot.kill();
    await ended;
    rmSync(folder, { recursive: true });
  });

  const update = (change: object = {}): Promise<void> =>
    sendUpdate('127.0.0.1', port, {
      ...{ zone: 'example.net', name: 'home.example.net', ttl: 60, key: KEY },
      address: addressBytes(NEW),
      ...change,
    });

  test('takes the new address instead of all older ones, and leaves the rest', async () => {
    const log: LogEntry[] = [];
    const hook = new AddressHook({
      settings: {
        addressCommand: null,
        dnsUpdate: {
          ...{ server: '127.0.0.1', port, zone: 'example.net', name: 'home.example.net' },
          ...{ ttl: 77, key: KEY },
        },
      },
      lastAddress: OLD,
      log: (entry) => log.push(entry),
    });
    hook.look({ address: NEW, server: null, mapped: null });
    await vi.waitFor(() => expect(log).toHaveLength(1), 20_000);
    hook.close();
    expect(log[0]).toMatchObject({ level: 'info', text: expect.stringContaining(NEW) as string });
    expect(await resolver.resolve6('home.example.net', { ttl: true })).toEqual([
      { address: NEW, ttl: 77 },
    ]);
    expect(await resolver.resolve4('home.example.net')).toEqual(['192.0.2.1']);
  });

  test.each([
    ['another secret', { key: { name: 'home.key', secret: Buffer.alloc(32, 8) } }, /BADSIG/],
    ['a key that it does not know', { key: { name: 'no.key', secret: SECRET } }, /BADKEY/],
    [
      'a key that may not',
      { key: { name: 'other.key', secret: SECRET } },
      /BADKEY|REFUSED|NOTAUTH/,
    ],
    [
      'a zone that it does not have',
      { zone: 'example.org', name: 'home.example.org' },
      /NOTAUTH|REFUSED/,
    ],
  ])('%s is refused, with the reason', async (_name, change, sentence) => {
    const before = await resolver.resolve6('home.example.net');
    await expect(update(change)).rejects.toThrow(sentence);
    expect(await resolver.resolve6('home.example.net')).toEqual(before);
  });

  test('nobody there is told as that', async () => {
    const gone = await freePort();
    await expect(
      sendUpdate('127.0.0.1', gone, {
        ...{ zone: 'example.net', name: 'home.example.net', ttl: 60, key: KEY },
        address: addressBytes(NEW),
      }),
    ).rejects.toThrow(/can’t be reached/);
  });
});
