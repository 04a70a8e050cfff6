// Tries our relay with real peers: Miredo's clients and ours, both servers, who speaks first, its errors, and its end.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { encodeTeredo, formatIp6, parseIp4 } from '../../engine/wire/index.ts';
import { Lab, NATIVE, noLab, SERVER, SERVER2 } from './kit/lab.ts';
import { eventually, ipBatch, pidsIn, sleep } from './kit/processes.ts';
import type { Program } from './kit/processes.ts';
import {
  PLAIN_BUILD,
  Place,
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

/** The relay's own IPv6 address, and that of the machine which both servers run on. */
const ROUTER = '2001:db8::1';
const OTHER_ROUTER = '2001:db8:0:1::1';

describe.skipIf(reason !== null)('our relay', () => {
  let lab: Lab;
  let native: { space: string };
  beforeAll(() => {
    lab = new Lab();
    native = { space: lab.native };
    // Its machine is no router until the relay makes it one; the native host is, for the servers' pings to the relay.
    sysctl('-qw', 'net.ipv6.conf.all.forwarding=0');
    const forward = ['netns', 'exec', lab.native, 'sysctl', '-qw'];
    execFileSync('ip', [...forward, 'net.ipv6.conf.all.forwarding=1']);
  });
  afterAll(() => lab.close());
  afterEach(async () => {
    await lab.stopPrograms();
    await eventually(
      'nothing runs at the relay',
      3_000 * SLOW,
      () => pidsIn(lab.relay).length === 0,
    );
    expect(settings()).toEqual({ forwarding: '0', accept_ra: '1', all: '0', routes: '' });
  });

  function sysctl(...args: string[]): string {
    const command = ['netns', 'exec', lab.relay, 'sysctl', ...args];
    return execFileSync('ip', command, { encoding: 'utf8' }).trim();
  }
  const settings = (): Record<string, string> => ({
    forwarding: sysctl('-n', 'net.ipv6.conf.six.forwarding'),
    accept_ra: sysctl('-n', 'net.ipv6.conf.six.accept_ra'),
    all: sysctl('-n', 'net.ipv6.conf.all.forwarding'),
    routes: execFileSync('ip', ['-n', lab.relay, '-6', 'route', 'show', '2001::/32'], {
      encoding: 'utf8',
    }),
  });

  async function startOurServer(): Promise<Program> {
    const place = new Place(lab, 'server');
    const args = ['server', '--primary', SERVER, '--secondary', SERVER2];
    const program = lab.start(lab.pub, SHIPWORM, args, place.env);
    await program.says(/Serving at /, 5_000 * SLOW);
    return program;
  }
  const servers = { 'Miredo’s': () => startMiredoServer(lab), our: startOurServer };

  describe.each(['Miredo’s', 'our'] as const)('with %s server', (whose) => {
    test.each([
      ['Miredo’s client speaks first, ours is spoken to', true],
      ['our client speaks first, Miredo’s is spoken to', false],
    ])('%s', async (_, theirsFirst) => {
      await servers[whose]();
      const relay = await startRelay(lab, lab.relay);
      const theirs = startMiredoClient(lab, lab.home1);
      const ours = startShipworm(lab, lab.home2, ['--expose-all']);
      const [their, our] = [await theirs.address(), await ours.address()];
      await answers(lab, theirsFirst ? lab.home1 : lab.home2, NATIVE);
      await answers(lab, native, theirsFirst ? our : their);
      // And back.
      await answers(lab, theirsFirst ? lab.home2 : lab.home1, NATIVE);
      await answers(lab, native, theirsFirst ? their : our);
      const status = await relay.status();
      expect(status).toMatchObject({
        role: 'relay',
        hostSpecific: false,
        address: ROUTER,
        native: 'six',
        bind: '0.0.0.0:3545',
        clients: 2,
        pending: 0,
        queuedBytes: 0,
      });
      expect(status.counters.toClients).toBeGreaterThanOrEqual(12);
      expect(status.counters.fromClients).toBeGreaterThanOrEqual(12);
      // The tables carry what they can: all but the first packets.
      expect(status.counters.datapath['packetsIn']).toBeGreaterThanOrEqual(8);
      expect(status.counters.datapath['packetsOut']).toBeGreaterThanOrEqual(8);
      expect((await relay.cli('status')).out).toMatch(/^Role +relay\n/);
      expect((await relay.cli('peers')).out).toContain(our);
      // Killed, it leaves what a stopped one does: nothing (see afterEach).
      if (theirsFirst) relay.program.signal('SIGKILL');
    });
  });

  test('killed and started again in the middle, then stopped and started: the connections go on', async () => {
    await startMiredoServer(lab);
    let relay = await startRelay(lab, lab.relay);
    const theirs = startMiredoClient(lab, lab.home1);
    const ours = startShipworm(lab, lab.home2, ['--expose-all']);
    await Promise.all([theirs.address(), ours.address()]);
    const to = { space: lab.native, address: NATIVE };
    const count = 60;
    // One where only the native host has something to send, one where only the client has.
    const streams = [
      await startStream(lab, { from: lab.home1, ...to }, 'to', count, 100),
      await startStream(lab, { from: lab.home2, ...to }, 'from', count, 100),
    ];
    for (const [line, signal] of [
      [10, 'SIGKILL'],
      [30, 'SIGTERM'],
    ] as const) {
      for (const stream of streams) await stream.says(new RegExp(`^${line}$`, 'm'), 8_000 * SLOW);
      relay.program.signal(signal);
      await relay.program.end(3_000 * SLOW);
      relay = await startRelay(lab, lab.relay);
    }
    for (const stream of streams) {
      await stream.end(10_000 * SLOW);
      const numbers = Array.from({ length: count }, (_, i) => `${i}\n`).join('');
      expect(stream.out.replace('ready\n', '')).toBe(numbers);
    }
  });

  test('of two relays one dies: the client finds the other', async () => {
    await startMiredoServer(lab);
    const first = await startRelay(lab, lab.relay);
    const second = await startRelay(lab, lab.pub, ['--native', 'six']);
    const ours = startShipworm(lab, lab.home1, ['--expose-all']);
    await ours.address();
    await answers(lab, lab.home1, NATIVE);
    const endpoint = async (): Promise<string | null | undefined> =>
      (await ours.status()).peers.find((peer) => peer.address === NATIVE)?.endpoint;
    expect(await endpoint()).toBe('203.0.114.3:3545');
    first.program.signal('SIGKILL');
    // What a routing protocol between the relays does.
    ipBatch([`route add 2001::/32 via ${OTHER_ROUTER}`], lab.native);
    try {
      await eventually('it is answered again', 45_000, async () => {
        const args = ['-n', '-c', '1', '-w', '1', NATIVE];
        return (await lab.run(lab.home1.space, 'ping', args)).code === 0;
      });
      expect(await endpoint()).toBe(`${SERVER}:3545`);
      expect((await second.status()).clients).toBe(1);
      await answers(lab, lab.home1, NATIVE);
    } finally {
      ipBatch([`route del 2001::/32 via ${OTHER_ROUTER}`], lab.native);
    }
  });

  test('for its own host alone it forwards nothing and changes no setting', async () => {
    await startMiredoServer(lab);
    const before = settings();
    const relay = await startRelay(lab, lab.relay, ['--host-specific']);
    expect(settings()).toEqual({ ...before, routes: expect.stringContaining('teredo') as string });
    const theirs = startMiredoClient(lab, lab.home1);
    const ours = startShipworm(lab, lab.home2, ['--expose-all']);
    const [their, our] = [await theirs.address(), await ours.address()];
    await answers(lab, { space: lab.relay }, their);
    await answers(lab, lab.home1, ROUTER);
    await answers(lab, lab.home2, ROUTER);
    await answers(lab, { space: lab.relay }, our);
    const args = ['-n', '-c', '1', '-w', '2', NATIVE];
    expect((await lab.run(lab.home2.space, 'ping', args)).code).toBe(1);
    expect(await relay.status()).toMatchObject({
      hostSpecific: true,
      native: null,
      forwarding: 'none',
      served: [`${ROUTER}/128`],
    });
  });

  test('tells native senders what became of their packets, as a router does', async () => {
    await startMiredoServer(lab);
    const relay = await startRelay(lab, lab.relay);
    const ours = startShipworm(lab, lab.home1, ['--expose-all']);
    const address = await ours.address();
    await answers(lab, native, address);
    const ping = (to: string, ...args: string[]) =>
      lab.run(lab.native, 'ping', ['-n', '-c', '1', '-w', '12', ...args, to]);
    const client = (ip: string): string =>
      formatIp6(
        encodeTeredo({
          server: parseIp4(SERVER)!,
          flags: 0x0123,
          client: { ip: parseIp4(ip)!, port: 40_000 },
        }),
      );
    const [silent, inside, hops, big] = await Promise.all([
      ping(client('198.51.100.77')),
      ping(client('192.168.1.1')),
      ping(address, '-t', '1'),
      ping(address, '-M', 'do', '-s', '1400'),
    ]);
    expect(silent.out).toMatch(/From 2001:db8::1 icmp_seq=1 Destination unreachable: Address/);
    expect(inside.out).toMatch(/From 2001:db8::1 icmp_seq=1 Destination unreachable: No route/);
    expect(hops.out).toMatch(/From 2001:db8::1 icmp_seq=1 Time exceeded: Hop limit/);
    expect(big.out).toMatch(/From 2001:db8::1 icmp_seq=1 Packet too big: mtu=1280/);
    const { counters } = await relay.status();
    expect(counters.discards['clientSilent']).toBeGreaterThan(0);
    expect(counters.discards['teredoClientNotGlobal']).toBe(1);
    expect(counters.errors).toBeGreaterThanOrEqual(2);
  });

  test('B-relay-flood: 60,000 made-up addresses in two seconds; memory comes back, and real clients are served meanwhile', async () => {
    await startMiredoServer(lab);
    const relay = await startRelay(lab, lab.relay);
    const old = startShipworm(lab, lab.home1, ['--expose-all']);
    await old.address();
    await answers(lab, lab.home1, NATIVE);
    const fresh = startMiredoClient(lab, lab.home2);
    await fresh.address();
    const memory = (): number => {
      const text = readFileSync(`/proc/${relay.program.pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)![1]) * 1024;
    };
    expect((await relay.status()).pending).toBe(0);
    const before = memory();
    const flooding = ['test/lab/kit/flood6.ts', SERVER, '60000', '30000', '1200'];
    const began = performance.now();
    const flood = lab.start(lab.native, process.execPath, flooding);
    const limited = async (): Promise<number> =>
      (await relay.status()).counters.discards['bubbleLimit'] ?? 0;
    await eventually('the flood has begun', 5_000 * SLOW, async () => (await limited()) > 0);
    // One that is known to the relay, and one that it never heard of; the native host is the one that floods.
    await Promise.all([answers(lab, lab.home1, NATIVE), answers(lab, lab.home2, NATIVE)]);
    expect(flood.ending).toBeNull();
    await flood.says(/took/, 2_000 * SLOW);
    // What the rings had no room for never came; on a slow machine that is much.
    let came = 0;
    await eventually('all of it came', 10_000 * SLOW, async () => {
      const last = came;
      came = await limited();
      await sleep(200);
      return came > 0 && came === last;
    });
    expect(came).toBeGreaterThan(5_000);
    const { pending, queuedBytes, counters } = await relay.status();
    // 50 bubbles a second for one native source, and as many at once; a slow machine is longer at it.
    const most = 50 * (2 + (performance.now() - began) / 1000);
    expect(pending).toBeLessThanOrEqual(most);
    expect(queuedBytes).toBeLessThanOrEqual(pending * 1_200);
    expect(counters.bubbles).toBeLessThanOrEqual(most);
    if (!PLAIN_BUILD) return;
    await eventually(
      `memory is back (${before} B before)`,
      20_000 * SLOW,
      () => memory() - before < 5e6,
    );
    process.stdout.write(`memory after the flood: ${memory() - before} B more than before\n`);
  });
});
