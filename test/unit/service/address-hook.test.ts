// Tests what a change of address sets off: the command's words, environment, end; when nothing is to be told; the signed update.
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AddressHook, addressBytes } from '../../../engine/service/hook/address-hook.ts';
import { runCommand } from '../../../engine/service/hook/command.ts';
import { buildUpdate, sendUpdate, wireName } from '../../../engine/service/hook/dns-update.ts';
import type { LogEntry } from '../../../engine/service/log.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'shipworm-hook-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const A = '2001:0:c000:201:2811:63bf:39cc:9bf8';
const B = '2001:0:c000:201:2811:63be:39cc:9bf8';
const CHANGE = { address: B, oldAddress: A, server: '192.0.2.1:3544', mapped: null };

/** A program that writes its words and environment into `out`. */
function program(body: string): string {
  const path = join(folder, 'program');
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

describe('the command', () => {
  test('gets its words as they are, no shell, and of the environment what it needs', async () => {
    const out = join(folder, 'out');
    process.env['SHIPWORM_TEST_PRIVATE'] = 'hidden';
    const path = program('for each in "$@"; do echo "[$each]"; done >"$1"; env >>"$1"; pwd >>"$1"');
    expect(await runCommand([path, out, 'a b; $(id) *'], CHANGE)).toBeNull();
    delete process.env['SHIPWORM_TEST_PRIVATE'];
    const lines = readFileSync(out, 'utf8').trim().split('\n');
    expect(lines.slice(0, 2)).toEqual([`[${out}]`, '[a b; $(id) *]']);
    expect(lines.at(-1)).toBe('/');
    const env = lines.slice(2, -1);
    expect(env).toEqual(
      expect.arrayContaining([
        `SHIPWORM_ADDRESS=${B}`,
        `SHIPWORM_OLD_ADDRESS=${A}`,
        'SHIPWORM_SERVER=192.0.2.1:3544',
        'SHIPWORM_MAPPED=',
      ]),
    );
    expect(env.join('\n')).not.toContain('hidden');
  });

  test('that fails says how, and what it printed', async () => {
    const failing = await runCommand([program('echo no luck >&2; exit 3')], CHANGE);
    expect(failing).toBe('ended with exit code 3: no luck');
    expect(await runCommand([join(folder, 'none')], CHANGE)).toMatch(
      /could not be started: .*ENOENT/,
    );
  });

  test('that does not end is ended, with what it started', async () => {
    const late = join(folder, 'late');
    const path = program(`(sleep 3; echo x >${late}) & echo begun; sleep 60`);
    expect(await runCommand([path], CHANGE, 1_000)).toBe('was ended after 1 s: begun');
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(() => readFileSync(late)).toThrow(/ENOENT/);
  });
});

describe('it is told', () => {
  const none = { server: null, mapped: null };
  let log: LogEntry[];
  let out: string;
  const open = (lastAddress: string | null): AddressHook => {
    out = join(folder, 'out');
    const path = program('echo "$SHIPWORM_OLD_ADDRESS > $SHIPWORM_ADDRESS" >>"$1"');
    log = [];
    return new AddressHook({
      settings: { addressCommand: [path, out], dnsUpdate: null },
      lastAddress,
      log: (entry) => log.push(entry),
    });
  };

  test('once for each change, in their order; not for an address that stays, nor for none', async () => {
    const hook = open(A);
    for (const address of [null, A, B, B, null, B, A]) hook.look({ address, ...none });
    await vi.waitFor(() => expect(log).toHaveLength(2), 20_000);
    expect(readFileSync(out, 'utf8')).toBe(`${A} > ${B}\n${B} > ${A}\n`);
    expect(log.map(({ level }) => level)).toEqual(['info', 'info']);
    hook.close();
    hook.look({ address: B, ...none });
    expect(readFileSync(out, 'utf8').split('\n')).toHaveLength(3);
  });

  test('a failure is a warning in the log, no more', async () => {
    log = [];
    const hook = new AddressHook({
      settings: { addressCommand: ['/nonexistent'], dnsUpdate: null },
      lastAddress: null,
      log: (entry) => log.push(entry),
    });
    hook.look({ address: A, ...none });
    await vi.waitFor(() => expect(log).toHaveLength(1), 20_000);
    expect(log[0]).toMatchObject({
      level: 'warning',
      text: expect.stringMatching(/nonexistent/) as string,
    });
  });
});

describe('its state', () => {
  const place = { address: A, server: '192.0.2.1:3544', mapped: null };
  const open = (path: string): AddressHook =>
    new AddressHook({
      settings: { addressCommand: [path, join(folder, 'out')], dnsUpdate: null },
      lastAddress: A,
      log: () => undefined,
    });

  test('is how the last run went; it can be run for the address that there is', async () => {
    const path = program('echo "$SHIPWORM_OLD_ADDRESS > $SHIPWORM_ADDRESS" >>"$1"');
    const { hookState, runHook } = open(path).api(() => place);
    expect(await hookState({})).toEqual({ busy: false, command: null, update: null });
    const before = Date.now();
    const asked = runHook({});
    expect(await hookState({})).toMatchObject({ busy: true });
    const { busy, command } = await asked;
    expect(busy).toBe(false);
    expect(command).toMatchObject({ address: A, failure: null });
    expect(command!.at).toBeGreaterThanOrEqual(before);
    expect(readFileSync(join(folder, 'out'), 'utf8')).toBe(`${A} > ${A}\n`);
    writeFileSync(path, '#!/bin/sh\nexit 4\n');
    expect((await runHook({})).command).toMatchObject({ failure: 'ended with exit code 4' });
  });

  test('says when an update that failed is tried again', async () => {
    const dnsUpdate = {
      ...{ server: '127.0.0.1', port: 1, zone: 'example.net', name: 'home.example.net', ttl: 60 },
      key: { name: 'key', secret: Buffer.alloc(32) },
    };
    const settings = { addressCommand: null, dnsUpdate };
    const hook = new AddressHook({ settings, lastAddress: A, log: () => undefined });
    const { update } = await hook.api(() => place).runHook({});
    hook.close();
    expect(update).toMatchObject({
      address: A,
      failure: expect.stringMatching(/ECONNREFUSED/) as string,
    });
    expect(update!.retryAt! - update!.at).toBe(15_000);
  });

  test('nothing set, or no address: one sentence', async () => {
    const none = { addressCommand: null, dnsUpdate: null };
    const hook = new AddressHook({ settings: none, lastAddress: A, log: () => undefined });
    await expect(hook.api(() => place).runHook({})).rejects.toThrow(
      /set addressCommand or dnsUpdate/,
    );
    const noAddress = { ...place, address: null };
    await expect(
      open('/bin/true')
        .api(() => noAddress)
        .runHook({}),
    ).rejects.toThrow(/no address yet/);
  });
});

describe('the update', () => {
  const KEY = { name: 'Home.Key', secret: Buffer.alloc(32, 7) };
  const UPDATE = {
    ...{ zone: 'example.net', name: 'home.example.net', ttl: 60, key: KEY },
    address: addressBytes(A),
  };

  test('is as RFC 2136 and RFC 8945 have it', () => {
    const { bytes, mac } = buildUpdate(UPDATE, 0x1234, 1_700_000_000);
    const zone = '076578616d706c65036e657400';
    const name = `04686f6d65${zone}`;
    const message =
      `${zone}00060001` +
      `${name}001c00ff000000000000` +
      `${name}001c00010000003c0010${Buffer.from(UPDATE.address).toString('hex')}`;
    const hex = Buffer.from(bytes).toString('hex');
    expect(hex.slice(0, 24)).toBe('123428000001000000020001');
    expect(hex.slice(24, 24 + message.length)).toBe(message);
    const algorithm = '0b686d61632d73686132353600';
    const time = `${(1_700_000_000).toString(16).padStart(12, '0')}012c`;
    const signed = `123428000001000000020000${message}04686f6d65036b65790000ff00000000${algorithm}${time}00000000`;
    const expected = createHmac('sha256', KEY.secret).update(Buffer.from(signed, 'hex')).digest();
    expect(Buffer.from(mac)).toEqual(expected);
    expect(hex.slice(24 + message.length)).toBe(
      `04686f6d65036b65790000fa00ff00000000003d${algorithm}${time}0020${expected.toString('hex')}123400000000`,
    );
  });

  test.each(['', 'a..b', 'x'.repeat(64), Array.from({ length: 130 }, () => 'a').join('.')])(
    'the name %j is none',
    (name) => {
      expect(() => wireName(name)).toThrow(/no domain name/);
    },
  );

  describe('an answer', () => {
    let server: Server;
    afterEach(() => server.close());
    /** Sends `answer` to each request; its id is that of the request unless it says other. */
    const answering = (answer: (request: Buffer) => Buffer | null): Promise<number> =>
      new Promise((resolve) => {
        server = createServer((socket) => {
          socket.on('error', () => undefined);
          socket.on('data', (request) => {
            const reply = answer((request as Buffer).subarray(2));
            if (!reply) socket.end();
            else {
              const length = Buffer.alloc(2);
              length.writeUInt16BE(reply.length);
              socket.end(Buffer.concat([length, reply]));
            }
          });
        }).listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
      });
    const head = (request: Buffer, flags: string): Buffer =>
      Buffer.concat([request.subarray(0, 2), Buffer.from(`${flags}0000000000000000`, 'hex')]);

    test.each<[string, (request: Buffer) => Buffer | null, RegExp]>([
      ['without a signature', (request) => head(request, 'a800'), /not signed/],
      ['that refuses, unsigned', (request) => head(request, 'a805'), /REFUSED/],
      ['to something else', () => Buffer.from('000080000000000000000000', 'hex'), /something else/],
      ['that is none', () => Buffer.from('00', 'hex'), /something else/],
      [
        'that is cut off',
        (request) =>
          Buffer.concat([request.subarray(0, 2), Buffer.from('a80000010000000000010761', 'hex')]),
        /cut off/,
      ],
      [
        'signed with our own mac',
        (request) =>
          Buffer.concat([request.subarray(0, 2), Buffer.from('a8', 'hex'), request.subarray(3)]),
        /signed by somebody else/,
      ],
      ['that does not come', () => null, /without an answer/],
    ])('%s counts for nothing', async (_name, answer, sentence) => {
      const port = await answering(answer);
      await expect(sendUpdate('127.0.0.1', port, UPDATE, 5_000)).rejects.toThrow(sentence);
    });
  });
});
