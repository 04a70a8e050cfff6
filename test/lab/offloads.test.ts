// Tries the offloads with the kernel as the judge: it checks every checksum of what a tunnel without offloads delivers.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Lab, noLab, SERVER } from './kit/lab.ts';
import type { Home } from './kit/lab.ts';
import { eventually } from './kit/processes.ts';
import { startMiredoServer, startShipworm, SLOW } from './kit/programs.ts';
import type { Shipworm } from './kit/programs.ts';
import { answers, fetches, startWebServer, WEB_PAGE } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const BYTES = '20M';
const DATAGRAMS = 2_000;
const PORT = 7000;

describe.skipIf(reason !== null)('offloads', () => {
  let lab: Lab;
  let segments: string;
  let refuse: string;
  beforeAll(async () => {
    lab = new Lab();
    segments = join(lab.folder, 'udp-segments');
    execFileSync('g++', ['-std=c++20', '-O2', '-o', segments, 'test/lab/udp-segments.cc']);
    refuse = join(lab.folder, 'refuse.so');
    const source = 'test/unit/native/refuse.cc';
    execFileSync('g++', ['-std=c++20', '-shared', '-fPIC', '-o', refuse, source, '-ldl']);
    await startMiredoServer(lab);
    lab.keep();
  });
  afterAll(() => lab.close());
  afterEach(() => lab.stopPrograms());

  /** A client on a kernel that lacks `without`, if something is named. */
  function start(home: Home, settings: Readonly<Record<string, unknown>>, without = ''): Shipworm {
    lab.setNat(home, 'restricted');
    const config = join(lab.folder, `offloads-${home.line}.json`);
    writeFileSync(config, JSON.stringify(settings));
    const env = { LD_PRELOAD: refuse, SHIPWORM_REFUSE: without };
    return startShipworm(
      lab,
      home,
      ['--expose-all', '--config', config],
      SERVER,
      without === '' ? {} : env,
    );
  }

  /** What the kernel of a PC refused for its checksum. */
  function badChecksums(home: Home): number {
    const read = (file: string): string =>
      execFileSync('ip', ['netns', 'exec', home.space, 'cat', `/proc/net/${file}`]).toString();
    const [names, values] = read('snmp')
      .split('\n')
      .filter((line) => line.startsWith('Tcp:'))
      .map((line) => line.split(/\s+/)) as [string[], string[]];
    const udp6 = /Udp6InCsumErrors\s+(\d+)/.exec(read('snmp6'))!;
    return Number(values[names.indexOf('InCsumErrors')]) + Number(udp6[1]);
  }

  /** Loads the path with a stream, and then fetches a page through it. */
  async function tcp(from: Home, to: Home, address: string): Promise<void> {
    const server = lab.start(to.space, 'iperf3', ['-s', '-1']);
    const listening = (): boolean =>
      execFileSync('ip', ['netns', 'exec', to.space, 'ss', '-tlnH']).includes(':5201');
    await eventually('iperf3 listens', 5_000 * SLOW, listening);
    await lab.run(from.space, 'iperf3', ['-c', address, '-n', BYTES], { timeoutMs: 60_000 });
    await server.ended;
    const web = await startWebServer(lab, to.space, address);
    expect(await fetches(lab, from, address)).toBe(WEB_PAGE);
    await web.stop();
  }

  async function udp(from: Home, to: Home, address: string): Promise<string> {
    const args = ['::', `${PORT}`, '1200', `${DATAGRAMS}`];
    const receiver = lab.start(to.space, segments, ['receive', ...args]);
    await receiver.says(/ready/, 5_000 * SLOW);
    await lab.run(from.space, segments, ['send', address, `${PORT}`, '1200', `${DATAGRAMS}`]);
    await receiver.ended;
    return receiver.out.trim().split('\n').at(-1)!;
  }

  /** Everything arrives from home 1 at home 2, and the kernel there finds nothing wrong with it. */
  async function carries(address: string): Promise<void> {
    const bad = badChecksums(lab.home2);
    await tcp(lab.home1, lab.home2, address);
    expect(await udp(lab.home1, lab.home2, address)).toBe(`whole ${DATAGRAMS} wrong 0 turned 0`);
    expect(badChecksums(lab.home2)).toBe(bad);
  }

  const usual = ['recvmmsg', 'sendmmsg'];

  test.each([
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ])(
    'sender %s, receiver %s: every byte and datagram arrives, in order, with its right checksum',
    async (a, b) => {
      const one = start(lab.home1, { offloads: a });
      const two = start(lab.home2, { offloads: b });
      const [, address] = await Promise.all([one.address(), two.address()]);
      await answers(lab, lab.home1, address);
      for (const [client, on] of [
        [one, a],
        [two, b],
      ] as const) {
        const { offloads } = await client.status();
        if (on)
          expect(offloads).toEqual(
            expect.arrayContaining([...usual, 'tso6', 'udp-gso', 'udp-gro']),
          );
        else expect(offloads).toEqual(usual);
      }
      await carries(address);
      const sent = (await one.status()).counters.datapath;
      const received = (await two.status()).counters.datapath;
      // The sender got super-packets where it asked for them, and the receiver made some.
      expect(sent['adapterSuper']! > 0).toBe(a);
      expect(received['adapterJoined']! > 0).toBe(b);
      if (a) expect(sent['packetsOut']! / sent['sendCalls']!).toBeGreaterThan(2);
    },
  );

  const ALL = ['tso6', 'uso6', 'udp-gso', 'udp-gro', 'multi-queue', 'reuse-port'];

  // With sanitizers the command that starts the client has libraries of its own to preload.
  const lacking = [
    ['uso6', 'udp-gro'],
    ['udp-gso', 'reuse-port'],
    ['multi-queue', 'multi-queue'],
  ].filter(() => process.env['SHIPWORM_TEST_COMMAND'] === undefined);

  test.each([['', ''], ...lacking])(
    'two workers; the sender lacks "%s", the receiver "%s": all else is in force, and everything arrives',
    async (a, b) => {
      const one = start(lab.home1, { workers: 2 }, a);
      const two = start(lab.home2, { workers: 2 }, b);
      const [, address] = await Promise.all([one.address(), two.address()]);
      await answers(lab, lab.home1, address);
      for (const [client, without] of [
        [one, a],
        [two, b],
      ] as const) {
        const { offloads } = await client.status();
        // One queue has one socket.
        const lacks = without === 'multi-queue' ? [without, 'reuse-port'] : [without];
        expect(ALL.filter((name) => !offloads.includes(name))).toEqual(without ? lacks : []);
      }
      await carries(address);
    },
  );

  test('a link too small for a whole packet: segmented sends are refused, single ones get through', async () => {
    const one = start(lab.home1, {});
    const two = start(lab.home2, {});
    const [, address] = await Promise.all([one.address(), two.address()]);
    await answers(lab, lab.home1, address);
    // Both ends of the link: what is longer than the receiver takes would get lost in it for ever.
    const setMtu = (mtu: number): void => {
      const { space, router } = lab.home1;
      for (const [at, device] of [
        [space, 'e0'],
        [router, 'in'],
      ] as const)
        execFileSync('ip', ['-n', at, 'link', 'set', device, 'mtu', `${mtu}`]);
    };
    // A whole packet of the tunnel makes an IPv4 packet of 1308.
    setMtu(1300);
    try {
      await tcp(lab.home1, lab.home2, address);
      expect((await one.status()).counters.datapath['segmentedRefused']).toBeGreaterThan(0);
    } finally {
      setMtu(1500);
    }
  });
});
