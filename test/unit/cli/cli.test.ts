// Tests of the shipworm command as a script sees it: what it prints, where, and its exit codes.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readSettings } from '../../../engine/service/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'shipworm-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

function shipworm(...args: string[]): { code: number | null; out: string; err: string } {
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    XDG_RUNTIME_DIR: folder,
    XDG_CONFIG_HOME: folder,
    XDG_STATE_HOME: folder,
  };
  const { status, stdout, stderr } = spawnSync('bin/shipworm', args, { env, encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

describe('address decode', () => {
  // Known answers: RFC 4380 §4's fields by hand.
  test.each([
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', '65.54.227.120', 0x8000, 40_000, '192.0.2.45', true],
    ['2001::4136:e37e:8000:eefb:3fff:dd59', '65.54.227.126', 0x8000, 4_356, '192.0.34.166', true],
    ['2001:0:cb00:7178:0:efff:3fff:fdfe', '203.0.113.120', 0, 4_096, '192.0.2.1', false],
  ])('%s', (address, server, flags, port, client, cone) => {
    const { code, out } = shipworm('address', 'decode', address, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ server, flags, port, client, cone });
  });

  test('names the prefix and says it in words without --json', () => {
    const { out } = shipworm('address', 'decode', '2001:0:4136:e378:8000:63bf:3fff:fdd2');
    expect(out).toContain('65.54.227.120');
    expect(out).toContain('192.0.2.45, UDP port 40000');
    expect(out).toContain('cone NAT');
  });

  test('what is no IPv6 address is a usage error, what is no Teredo address a failure', () => {
    expect(shipworm('address', 'decode', 'example')).toMatchObject({ code: 2, out: '' });
    expect(shipworm('address', 'decode', '2001:db8::1')).toMatchObject({ code: 1, out: '' });
  });
});

describe('address encode', () => {
  const parts = ['--server', '65.54.227.120', '--client', '192.0.2.45', '--port', '40000'];

  test('gives the address in the form of RFC 5952', () => {
    const { code, out } = shipworm('address', 'encode', ...parts, '--flags', '0x8000');
    expect([code, out]).toEqual([0, '2001:0:4136:e378:8000:63bf:3fff:fdd2\n']);
    const json = shipworm('address', 'encode', ...parts, '--json');
    expect(JSON.parse(json.out)).toEqual({ address: '2001:0:4136:e378:0:63bf:3fff:fdd2' });
  });

  test.each([
    ['--port', '65536'],
    ['--port', 'x'],
    ['--flags', '-1'],
    ['--server', '1.2.3'],
  ])('%s %s is a usage error that names it', (option, value) => {
    const { code, err } = shipworm('address', 'encode', ...parts, option, value);
    expect(code).toBe(2);
    expect(err).toContain(`${option} ${value}`);
  });
});

describe('exit codes', () => {
  test('3 when nobody runs, with the way to start it', () => {
    for (const verb of [['status'], ['peers'], ['ping', '2001:db8::1']]) {
      const { code, out, err } = shipworm(...verb, '--control', join(folder, 'none.sock'));
      expect([code, out]).toEqual([3, '']);
      expect(err).toMatch(/^shipworm: Shipworm is not running .*shipworm client\n$/);
    }
  });

  test('2 for a verb or an option that does not exist, 0 for help and version', () => {
    expect(shipworm('nonsense').code).toBe(2);
    expect(shipworm('client', '--nonsense').code).toBe(2);
    expect(shipworm('ping', 'nonsense').code).toBe(2);
    for (const args of [['--help'], ['client', '--help'], ['--version']])
      expect(shipworm(...args).code).toBe(0);
  });

  test('0 and no word when whoever reads has enough; 1 and one sentence when it can’t be written', () => {
    const said = (line: string): string =>
      spawnSync('bash', ['-c', line], { encoding: 'utf8' }).stderr;
    const verb = 'bin/shipworm demo --fast';
    expect(said(`${verb} | true; echo "code \${PIPESTATUS[0]}" >&2`)).toBe('code 0\n');
    expect(said(`${verb} >/dev/full; echo "code $?" >&2`)).toMatch(
      /^shipworm: The output could not be written: ENOSPC.*\ncode 1\n$/,
    );
  });

  test('help names the risk of --expose-all', () => {
    expect(shipworm('client', '--help').out).toMatch(/--expose-all\s+RISK: let every application/);
  });

  test('2 for a wrong configuration, a line for each fault', () => {
    const file = join(folder, 'wrong.json');
    writeFileSync(file, '{"sever": "x", "port": 70000, "exposeAll": "yes", "adapter": "a/b"}');
    const { code, err } = shipworm('client', '--config', file);
    expect(code).toBe(2);
    const lines = err.trim().split('\n');
    expect(lines).toHaveLength(4);
    for (const line of lines) expect(line).toContain(file);
    expect(err).toContain('"sever"; "server" may be meant');
  });

  test('2 for a server that can’t be one, or none at all', () => {
    expect(shipworm('client').err).toContain('--server HOST');
    const { code, err } = shipworm('client', '--server', '192.168.1.1');
    expect(code).toBe(2);
    expect(err).toContain('192.168.1.1 is not a public IPv4 address');
  });
});

/** What is said of the settings in `content`, by the client and by reading them. */
function judged(content: object): { client: string[]; read: string[]; code: number | null } {
  const file = join(folder, 'judged.json');
  writeFileSync(file, JSON.stringify(content));
  const { code, err } = shipworm('client', '--config', file);
  let read = '';
  try {
    readSettings({ defaults: [], explicit: file, overrides: {} });
  } catch (error) {
    read = (error as Error).message;
  }
  const lines = (text: string): string[] =>
    text
      .trim()
      .split('\n')
      .map((line) => line.replace(/^shipworm: /, ''));
  return { client: lines(err), read: lines(read), code };
}

describe('a configuration file', () => {
  test('Miredo fault 12: an unknown key or a private server ends the client with what reading the file says', () => {
    for (const content of [
      { server: 'a.example', sever: 'x' },
      { server: 'a.example', colour: 1, port: 70_000 },
      { server: '192.168.1.1' },
    ]) {
      const { client, read, code } = judged(content);
      expect(code).toBe(2);
      expect(client).toEqual(read);
      expect(read.join()).toMatch(/sever|colour|192\.168\.1\.1/);
    }
  });

  /** Speaks of an error of the system, such as EINVAL; the name of the folder has letters by chance. */
  const blamesTheSystem = (text: string): boolean =>
    /success|errno|undefined|null/i.test(text) ||
    /\bE[A-Z]{3,}\b/.test(text.replaceAll(folder, ''));

  test('Miredo fault 13: a wrong number is told by its limits, without an error of the system that there was not', () => {
    const { client } = judged({ server: 'a.example', port: 99_999 });
    expect(client).toHaveLength(1);
    expect(client[0]).toContain('to 65535');
    expect(blamesTheSystem(client[0]!)).toBe(false);
    const { code, err } = shipworm('client', '--server', 'a.example', '--port', '99999');
    expect(code).toBe(2);
    expect(blamesTheSystem(err)).toBe(false);
  });

  test('Miredo fault 14: it may be named from the folder one is in, and one that is not there is an error', () => {
    const file = join(folder, 'relative.json');
    writeFileSync(file, '{"server": "a.example", "sever": "x"}');
    const found = shipworm('client', '--config', relative(process.cwd(), file));
    expect([found.code, found.err]).toEqual([2, expect.stringContaining('"sever"')]);
    const missing = shipworm('client', '--server', 'a.example', '--config', 'not-there.json');
    expect(missing.code).toBe(2);
    expect(missing.err).toContain('not-there.json: could not be read');
  });
});

describe('demo', () => {
  test('--json gives one result, within the 30 s of its contract', () => {
    const begin = performance.now();
    const { code, out } = shipworm('demo', '--json');
    expect(performance.now() - begin).toBeLessThan(30_000);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ ok: true, nat: 'restricted' });
  }, 30_000);

  test('--interactive obeys a pipe, and a wrong word ends it with the words that there are', () => {
    const tried = spawnSync('bin/shipworm', ['demo', '--interactive'], {
      input: 'ping website\nfault server\nshow\nnat nonsense\n',
      encoding: 'utf8',
    });
    expect(tried.status).toBe(2);
    expect(tried.stdout).toMatch(/It answered in \d+ ms/);
    expect(tried.stdout).toContain('Faults   server: the server says nothing');
    expect(tried.stderr).toContain('"nat" takes one of: portRestricted,');
  }, 30_000);
});
