// Tries what goes wrong for users: each is said in one sentence with its cause, and with the exit code that scripts expect.
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Lab, noLab, SERVER } from './kit/lab.ts';
import type { Result } from './kit/processes.ts';
import {
  leavesNothing,
  Place,
  SHIPWORM,
  Shipworm,
  SLOW,
  startMiredoServer,
  startShipworm,
} from './kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** Within this a server that can't be had is said. */
const SAID_MS = 15_000 * SLOW;
const UID = 23_456;

describe.skipIf(reason !== null)('failures', () => {
  let lab: Lab;
  let place: Place;
  let names = '';
  beforeAll(async () => {
    lab = new Lab();
    await startMiredoServer(lab);
    const resolver = join(lab.folder, 'resolv.conf');
    const hosts = join(lab.folder, 'hosts');
    // Nobody answers there, and the kernel says so at once.
    writeFileSync(resolver, 'nameserver 127.0.0.1\n');
    writeFileSync(hosts, `${SERVER} good.example\n10.1.2.3 private.example\n`);
    names = `mount --bind ${resolver} /etc/resolv.conf && mount --bind ${hosts} /etc/hosts`;
    lab.keep();
  });
  afterAll(() => lab.close());
  // What a failed test left must not fail the next one.
  afterEach(() => lab.stopPrograms());
  beforeEach(() => {
    place = new Place(lab, 'place');
  });

  /** Command and arguments of `shipworm client` in a mount namespace changed by a shell command. */
  const mounted = (change: string, ...args: string[]): [string, string[]] => [
    'unshare',
    ['-m', 'sh', '-c', `${change} && exec "$@"`, 'sh', SHIPWORM, 'client', ...args],
  ];

  const client = (...args: string[]): Promise<Result> =>
    lab.run(lab.home1.space, SHIPWORM, ['client', ...args], { env: place.env });

  /** The one sentence that a failed command printed. */
  async function sentence({ code, out, err }: Result, expected: number): Promise<string> {
    expect({ code, out, lines: err.trim().split('\n').length, err }).toMatchObject({
      code: expected,
      out: '',
      lines: 1,
    });
    expect(err).toMatch(/^shipworm: [A-Z\d].*\n$/);
    await leavesNothing(lab.home1, place);
    return err.trim();
  }

  test('H-3544: blocked UDP 3544 is said within 15 s, and --once gives up', async () => {
    for (const home of [lab.home1, lab.home2]) lab.setNat(home, 'blocked');
    try {
      const other = startShipworm(lab, lab.home2, ['--once']);
      const ours = startShipworm(lab, lab.home1);
      await ours.program.says(/Asking /, 5_000 * SLOW);
      const begin = performance.now();
      await ours.becomes('no answer', SAID_MS, (status) => status.reason.code === 'no-answer');
      expect(performance.now() - begin).toBeLessThan(SAID_MS);
      await ours.program.says(/UDP port 3544/, 1_000 * SLOW);
      const { code, out } = await ours.cli('status', '--json');
      expect(code).toBe(0);
      const status = JSON.parse(out) as { reason: { text: string } };
      expect(status).toMatchObject({
        state: 'qualifying',
        address: null,
        reason: { code: 'no-answer' },
      });
      expect(status.reason.text).toMatch(/UDP port 3544/);
      expect(await other.program.end(SAID_MS * 2)).toEqual({ code: 1, signal: null });
      expect(other.program.err).toMatch(/UDP port 3544/);
      await leavesNothing(lab.home2, other.place);
      // Once the way is free, it is found.
      lab.setNat(lab.home1, 'restricted');
      await ours.becomes('qualified', 90_000, ({ state }) => state === 'qualified');
      expect(await ours.program.stop()).toEqual({ code: 0, signal: null });
      await leavesNothing(lab.home1, ours.place);
    } finally {
      for (const home of [lab.home1, lab.home2]) lab.setNat(home, 'restricted');
    }
  }, 150_000);

  test('--once ends with 0 when it is qualified', async () => {
    const { code } = await client('--server', SERVER, '--once');
    expect(code).toBe(0);
    await leavesNothing(lab.home1, place);
  });

  test('whoever waits for the line that it is qualified can use the address at once', async () => {
    const script = `coproc C { exec "$0" client --server ${SERVER} 2>&1; }
      while read -r line <&"\${C[0]}"; do
        case $line in *Qualified:*)
          ip -6 addr show dev teredo scope global; ip -6 route get 2001:db8::80; kill $C_PID
        esac
      done`;
    for (let n = 0; n < 3; n++) {
      const { out } = await lab.run(lab.home1.space, 'bash', ['-c', script, SHIPWORM], {
        env: place.env,
      });
      expect(out).toMatch(
        /inet6 2001:0?:c000:201:\S+ .*\n[^]*2001:db8::80 .*dev teredo .*src 2001:/,
      );
      await leavesNothing(lab.home1, place);
    }
  });

  test.each([
    ['nobody knows', 'unknown.example', /unknown\.example could not be looked up/],
    ['is private', 'private.example', /private\.example has no public IPv4 address/],
  ])('a server name that %s is said, and tried again', async (_, name, text) => {
    const program = lab.start(
      lab.home1.space,
      ...mounted(names, '--server', name, '--adapter', 'teredo'),
      place.env,
    );
    const ours = new Shipworm(lab, lab.home1, place, program);
    const { reason } = await ours.becomes(
      'unresolved',
      SAID_MS,
      (status) => status.reason.code === 'server-unresolved',
    );
    expect(reason.text).toMatch(text);
    await program.says(text, 1_000 * SLOW);
    expect(program.err.split('\n').filter((line) => line.includes(name))).toHaveLength(1);
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    await leavesNothing(lab.home1, place);
  });

  test('a server name is looked up, and the next of a list is taken', async () => {
    const [command, args] = mounted(names, '--server', 'unknown.example,good.example', '--once');
    const { code, err } = await lab.run(lab.home1.space, command, args, { env: place.env });
    expect(err).toMatch(/Qualified: 2001:0:c000:201:/);
    expect(code).toBe(0);
  });

  test('no TUN device', async () => {
    const [command, args] = mounted('mount -t tmpfs none /dev/net', '--server', SERVER);
    const result = await lab.run(lab.home1.space, command, args, { env: place.env });
    expect(await sentence(result, 4)).toMatch(/no TUN device.*modprobe tun/);
  });

  test('no privilege', async () => {
    place = new Place(lab, 'stranger', UID);
    const identity = [`--reuid=${UID}`, `--regid=${UID}`, '--clear-groups'];
    const result = await lab.run(
      lab.home1.space,
      'setpriv',
      [...identity, SHIPWORM, 'client', '--server', SERVER],
      { env: { ...place.env, SHIPWORM_HELPER_SOCKET: join(lab.folder, 'no-helper') } },
    );
    expect(await sentence(result, 4)).toMatch(/sudo .*shipworm client --server 192\.0\.2\.1$/);
  });

  test('a port that is taken', async () => {
    const holder = lab.start(lab.home1.space, process.execPath, [
      resolve('test/lab/kit/udp.ts'),
      'reflect',
      '0.0.0.0:40000',
    ]);
    await holder.says(/ready/, 10_000);
    const result = await client('--server', SERVER, '--port', '40000');
    await holder.stop();
    expect(await sentence(result, 1)).toMatch(/40000/);
  });

  test('an adapter name that is taken', async () => {
    expect(await sentence(await client('--server', SERVER, '--adapter', 'e0'), 4)).toMatch(
      /interface named e0 already.*--adapter/,
    );
  });

  test('a second client for the same user', async () => {
    // With --expose-all it doesn't fall asleep meanwhile.
    const first = startShipworm(lab, lab.home1, ['--expose-all']);
    await first.address();
    const result = await lab.run(lab.home1.space, SHIPWORM, ['client', '--server', SERVER], {
      env: first.place.env,
    });
    expect(result.code).toBe(1);
    expect(result.err).toMatch(/^shipworm: .*running.*\n$/);
    // The first one did not notice.
    expect((await first.status()).state).toBe('qualified');
    await first.program.stop();
    await leavesNothing(lab.home1, first.place);
  });

  test.each([
    ['no JSON', '{', /config\.json: is no valid JSON/],
    ['a misspelt setting', '{ "sever": "192.0.2.1" }', /"sever".*"server"/],
    ['a wrong value', '{ "server": "192.0.2.1", "port": 70000 }', /"port".*65535/],
    ['a private server', '{ "server": "10.0.0.1" }', /10\.0\.0\.1 is not a public/],
    ['no server', '{ "port": 0 }', /--server/],
  ])('bad configuration: %s', async (_, text, said) => {
    writeFileSync(place.config, text);
    const { code, err } = await client('--config', place.config);
    expect(code).toBe(2);
    expect(err).toMatch(said);
    for (const line of err.trim().split('\n')) expect(line).toMatch(/^shipworm: .+\.$/);
    await leavesNothing(lab.home1, place);
  });

  test('nobody to ask', async () => {
    const { code, out, err } = await lab.run(lab.home1.space, SHIPWORM, [
      'status',
      '--control',
      place.control,
    ]);
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toMatch(/^shipworm: Shipworm is not running .*\n$/);
  });
});
