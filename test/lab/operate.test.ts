// Tries a server and a relay as their operator: reloads under traffic lose nothing, and a provider's 1:1 NAT is no obstacle.
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ServerStatus } from '../../engine/service/api.ts';
import { callStatus } from '../../engine/service/control-client.ts';
import { Lab, NATIVE, noLab, SERVER, SERVER2 } from './kit/lab.ts';
import { eventually, ipBatch, pidsIn, sleep } from './kit/processes.ts';
import type { Program } from './kit/processes.ts';
import {
  Place,
  QUALIFIED_MS,
  SHIPWORM,
  SLOW,
  startMiredoClient,
  startMiredoServer,
  startRelay,
  startShipworm,
} from './kit/programs.ts';
import { answers, startStream } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** Sends argv[2] solicitations (RFC 4861 §4.1 in RFC 4380 §5.2.1), 5 ms apart, and prints how many were answered. */
const SOLICITOR = `
import { createSocket } from 'node:dgram';
const [server, count] = process.argv.slice(1);
const bytes = Buffer.from('000100000102030405060708006000000000083afffe80000000000000023456789abcdef0ff0200000000000000000000000000028500aadd00000000', 'hex');
const socket = createSocket('udp4');
let sent = 0, answered = 0;
socket.on('message', () => answered++);
socket.bind(() => {
  const timer = setInterval(() => {
    socket.send(bytes, 3544, server);
    if (++sent < Number(count)) return;
    clearInterval(timer);
    setTimeout(() => { console.log('answered ' + answered); socket.close(); }, 1000);
  }, 5);
});`;

describe.skipIf(reason !== null)('an operator', () => {
  let lab: Lab;
  beforeAll(() => {
    lab = new Lab();
    lab.setNat(lab.home1, 'restricted');
    lab.setNat(lab.home2, 'restricted');
  });
  afterEach(() => lab.stopPrograms());
  afterAll(() => lab.close());

  interface Server {
    readonly place: Place;
    readonly program: Program;
    status(): Promise<ServerStatus>;
    configure(settings: object): void;
  }
  async function startServer(settings: object): Promise<Server> {
    const place = new Place(lab, 'server');
    const configure = (fresh: object): void => {
      writeFileSync(place.config, JSON.stringify(fresh));
      chmodSync(place.config, 0o644);
    };
    configure(settings);
    const args = ['server', '--config', place.config];
    const program = lab.start(lab.pub, SHIPWORM, args, place.env);
    await program.says(/Serving at /, 5_000 * SLOW);
    const status = async (): Promise<ServerStatus> =>
      (await callStatus([place.control])) as ServerStatus;
    return { place, program, status, configure };
  }
  /** Local endpoints and inodes of the UDP sockets at the server's machine. */
  const sockets = (): string =>
    execFileSync('ip', ['netns', 'exec', lab.pub, 'cat', '/proc/net/udp'], { encoding: 'utf8' })
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .map((words) => `${words[1] ?? ''} ${words[9] ?? ''}`)
      .sort()
      .join('; ');

  test('reloads a server under fire: every solicitation is answered, no socket is another', async () => {
    const base = { primary: SERVER, secondary: SERVER2 };
    const limits = (n: number): object => ({
      limits: { solicitationsPerSecondPerSource: 1_000 + n },
    });
    const server = await startServer({ ...base, ...limits(0) });
    const before = sockets();
    const count = 400;
    const args = ['--input-type=module', '-e', SOLICITOR, SERVER, String(count)];
    const solicitor = lab.start(lab.home1.space, process.execPath, args);
    for (let n = 1; n <= 10; n++) {
      await sleep(150);
      // Each second one is refused as a whole.
      server.configure(n % 2 === 0 ? { ...base, ...limits(n) } : { ...base, limits: n, port: 1 });
      server.program.signal('SIGHUP');
    }
    await solicitor.says(new RegExp(`^answered ${count}$`, 'm'), 10_000 * SLOW);
    expect(sockets()).toBe(before);
    const { counters } = await server.status();
    expect(counters.answered).toBe(count);
    expect(counters.discards).toEqual({});
    const told = (pattern: RegExp): number => server.program.err.match(pattern)?.length ?? 0;
    expect(told(/was reloaded; new: limits\./g)).toBeGreaterThanOrEqual(3);
    expect(
      told(/not reloaded, and the old one stays in force: .*"limits" must be/g),
    ).toBeGreaterThanOrEqual(3);
  });

  test('tells what a reload can’t change, and the server stays where it was', async () => {
    const server = await startServer({ primary: SERVER });
    server.configure({ primary: SERVER2, port: 4000, limits: { maxSources: 9 } });
    const args = ['reload', '--control', server.place.control];
    const { code, out } = await lab.run(lab.pub, SHIPWORM, args);
    expect(code).toBe(0);
    expect(out).toBe(
      'The configuration was reloaded; new: limits. A change of primary, port needs a restart; the old value stays until then.\n',
    );
    expect(await server.status()).toMatchObject({ primary: SERVER, port: 3544 });
  });

  test('a terminal that is closed ends what runs in it, though HUP alone reloads', async () => {
    const place = new Place(lab, 'server');
    const command = `exec ${SHIPWORM} server --primary ${SERVER}`;
    const args = ['-qfec', command, '/dev/null'];
    const terminal = lab.start(lab.pub, 'script', args, { ...place.env, SHELL: '/bin/sh' });
    await terminal.says(/Serving at /, 5_000 * SLOW);
    const [server] = pidsIn(lab.pub).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('cli.mjs'),
    );
    process.kill(server!, 'SIGHUP');
    await terminal.says(/read anew; nothing has changed/, 3_000 * SLOW);
    terminal.signal('SIGKILL');
    await eventually('the server has ended', 3_000 * SLOW, () => pidsIn(lab.pub).length === 0);
  });

  test('reloads a relay, and a TCP connection through it goes on', async () => {
    await startMiredoServer(lab);
    const place = new Place(lab, 'relay-config');
    const configure = (icmpPerSecond: number): void =>
      writeFileSync(place.config, JSON.stringify({ limits: { icmpPerSecond } }));
    configure(50);
    const relay = await startRelay(lab, lab.relay, ['--config', place.config]);
    const client = startShipworm(lab, lab.home1, ['--expose-all']);
    await client.address();
    // The default route follows the address.
    await eventually('there is a way to the native host', 3_000 * SLOW, async () => {
      const route = await lab.run(lab.home1.space, 'ip', ['-6', 'route', 'get', NATIVE]);
      return route.code === 0;
    });
    await answers(lab, lab.home1, NATIVE);
    const count = 40;
    const stream = await startStream(
      lab,
      { from: lab.home1, space: lab.native, address: NATIVE },
      'to',
      count,
      50,
    );
    for (let n = 1; n <= 5; n++) {
      await sleep(300);
      configure(50 + n);
      relay.program.signal('SIGHUP');
    }
    const lines = Array.from({ length: count }, (_, n) => `${n}\n`).join('');
    await eventually('all numbers have come', 10_000 * SLOW, () => stream.out === lines);
    expect((await relay.status()).clients).toBe(1);
    expect(relay.program.err).toMatch(/was reloaded; new: limits\./);
  });

  describe('behind a provider’s 1:1 NAT', () => {
    const nat = (rules: string): void =>
      void execFileSync('ip', ['netns', 'exec', lab.core, 'nft', '-f', '-'], { input: rules });
    beforeAll(() => {
      ipBatch(['addr add 10.9.9.254/24 dev server'], lab.core);
      execFileSync('ip', ['-n', lab.pub, '-4', 'addr', 'flush', 'dev', 'e0']);
      ipBatch(
        [
          'addr add 10.9.9.5/24 dev e0',
          'addr add 10.9.9.6/24 dev e0',
          'route add default via 10.9.9.254',
        ],
        lab.pub,
      );
      nat(`table ip provider {
        chain to { type nat hook prerouting priority dstnat;
          ip daddr ${SERVER} dnat to 10.9.9.5
          ip daddr ${SERVER2} dnat to 10.9.9.6
        }
        chain from { type nat hook postrouting priority srcnat;
          ip saddr 10.9.9.5 snat to ${SERVER}
          ip saddr 10.9.9.6 snat to ${SERVER2}
        }
      }`);
    });

    test('a server that names only its public address is told what to add', async () => {
      const { code, err } = await lab.run(lab.pub, SHIPWORM, ['server', '--primary', SERVER], {
        env: new Place(lab, 'public').env,
      });
      expect(code).toBe(1);
      expect(err).toContain('--bind-primary');
    });

    test('our client and Miredo’s qualify with both of its addresses, and meet', async () => {
      const server = await startServer({
        primary: SERVER,
        secondary: SERVER2,
        bindPrimary: '10.9.9.5',
        bindSecondary: '10.9.9.6',
      });
      const ours = startShipworm(lab, lab.home1, ['--expose-all']);
      const theirs = startMiredoClient(lab, lab.home2);
      await ours.address();
      await ours.becomes('restricted', QUALIFIED_MS, (status) => status.nat === 'restricted');
      await answers(lab, lab.home1, await theirs.address());
      expect((await server.status()).counters.forwarded).toBeGreaterThan(0);
    });
  });
});
