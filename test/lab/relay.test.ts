// Tries our relay with real peers: Miredo's clients and ours, both servers, who speaks first, its errors, and its end.
import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { encodeTeredo, formatIp6, parseIp4 } from '../../engine/wire/index.ts';
import { Lab, NATIVE, noLab, SERVER, SERVER2 } from './kit/lab.ts';
import { eventually, ipBatch, pidsIn } from './kit/processes.ts';
import type { Program } from './kit/processes.ts';
import {
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
    await eventually('nothing runs at the relay', 3_000, () => pidsIn(lab.relay).length === 0);
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

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'ended by %s and started again in the middle: the connections go on',
    async (signal) => {
      await startMiredoServer(lab);
      const relay = await startRelay(lab, lab.relay);
      const theirs = startMiredoClient(lab, lab.home1);
      const ours = startShipworm(lab, lab.home2, ['--expose-all']);
      await Promise.all([theirs.address(), ours.address()]);
      await answers(lab, lab.home1, NATIVE);
      await answers(lab, lab.home2, NATIVE);
      const count = 60;
      const stream = await startStream(lab, lab.home1, lab.native, NATIVE, count, 100);
      const second = lab.start(lab.home2.space, process.execPath, [
        '--input-type=module',
        '-e',
        `import { connect } from 'node:net';
         connect(7, '${NATIVE}').on('data', (bytes) => process.stdout.write(bytes));`,
      ]);
      for (const program of [stream, second]) await program.says(/^10$/m, 5_000 * SLOW);
      relay.program.signal(signal);
      await relay.program.end(3_000 * SLOW);
      await startRelay(lab, lab.relay);
      for (const program of [stream, second]) await program.end(30_000);
      const all = Array.from({ length: count }, (_, i) => `${i}\n`).join('');
      expect(stream.out).toBe(all);
      expect(second.out).toBe(all);
    },
  );

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
});
