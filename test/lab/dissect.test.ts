// Lets Wireshark's dissector judge every datagram of a run with Miredo's server, relay and client.
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Lab, NATIVE, noLab } from './kit/lab.ts';
import {
  leavesNothing,
  SHIPWORM,
  startMiredoClient,
  startMiredoRelay,
  startMiredoServer,
  startShipworm,
} from './kit/programs.ts';
import { answers, fetches, startWebServer, WEB_PAGE } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

describe.skipIf(reason !== null)('Wireshark', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    await Promise.all([
      startMiredoServer(lab),
      startMiredoRelay(lab),
      startWebServer(lab, lab.native, NATIVE),
    ]);
    lab.keep();
  });
  afterAll(() => lab.close());
  // What a failed test left must not fail the next one.
  afterEach(() => lab.stopPrograms());

  /** What tshark says of `file`, line by line. */
  async function tshark(file: string, filter: string, ...fields: string[]): Promise<string[]> {
    const { code, out, err } = await lab.run(
      lab.core,
      'tshark',
      ['-n', '-r', file, '--enable-heuristic', 'teredo_udp', '-Y', filter, ...fields],
      { timeoutMs: 60_000 },
    );
    if (code !== 0) throw new Error(err);
    return out.split('\n').filter((line) => line !== '');
  }

  /** Every datagram in `file` is Teredo, of every kind that a run has, and without a fault. */
  async function isTeredo(file: string, asked: number): Promise<void> {
    expect((await tshark(file, 'teredo')).length).toBeGreaterThan(100);
    expect(await tshark(file, 'udp && !teredo')).toEqual([]);
    expect(await tshark(file, '_ws.malformed || _ws.expert.severity == "Error"')).toEqual([]);
    // Checksums inside are right too, and solicitations are what they say.
    expect(
      await tshark(file, 'ip.checksum.status == "Bad" || icmpv6.checksum.status == "Bad"'),
    ).toEqual([]);
    if (asked === 0) return;
    for (const solicitation of [
      'icmpv6.type == 133 && teredo.auth',
      'icmpv6.type == 134 && teredo.orig',
    ])
      expect((await tshark(file, solicitation)).length).toBeGreaterThanOrEqual(asked);
  }

  test('takes every UDP datagram for Teredo and finds no error', async () => {
    const file = join(lab.folder, 'run.pcap');
    const dump = lab.start(lab.core, 'tcpdump', [
      ...['-Z', 'root', '-U', '--immediate-mode', '-s0', '-i', lab.home1.line, '-w', file, 'udp'],
    ]);
    await dump.says(/listening/, 10_000);
    // The capture is taken before the kernel cuts a segmented send into datagrams: it would show them as one.
    const config = join(lab.folder, 'plain.json');
    const told = join(lab.folder, 'told');
    mkdirSync(told);
    chmodSync(told, 0o777);
    const addressCommand = ['/bin/sh', '-c', 'echo "$SHIPWORM_ADDRESS" >"$0"', join(told, 'a')];
    writeFileSync(config, JSON.stringify({ offloads: false, addressCommand }));
    const ours = startShipworm(lab, lab.home1, ['--expose-all', '--config', config]);
    const theirs = startMiredoClient(lab, lab.home2);
    const [our, their] = [await ours.address(), await theirs.address()];
    const own = join(lab.folder, 'own.pcapng');
    const capture = lab.start(
      lab.home1.space,
      SHIPWORM,
      ['capture', own, '--control', ours.place.control],
      {},
    );
    await capture.says(/Capturing into/, 20_000);
    await answers(lab, lab.home1, NATIVE);
    await answers(lab, lab.home1, their);
    await answers(lab, lab.home2, our);
    expect(await fetches(lab, lab.home1, NATIVE)).toBe(WEB_PAGE);
    expect((await ours.call('ping', { address: their, timeoutMs: 5_000 })).ok).toBe(true);
    // The user's command was told of the address, and runs as the user.
    expect(readFileSync(join(told, 'a'), 'utf8')).toBe(`${our}\n`);
    expect(statSync(join(told, 'a')).uid).not.toBe(0);
    await capture.stop();
    expect(statSync(own).mode & 0o777).toBe(0o600);
    await ours.program.stop();
    await leavesNothing(lab.home1, ours.place);
    await dump.stop();

    await isTeredo(file, 2);
    // What the client itself captured is well-formed, too, and lacks nothing that passed the line meanwhile.
    await isTeredo(own, 0);
    // Large ones are in fragments on the line.
    const small = (from: string): Promise<string[]> =>
      tshark(
        from,
        'udp && udp.length < 1200',
        ...['-T', 'fields', '-e', 'frame.time_epoch', '-e', 'udp.payload'],
      );
    const seen = (await small(own)).map((line) => line.split('\t'));
    expect(seen.length).toBeGreaterThan(30);
    const [first, last] = [Number(seen[0]![0]), Number(seen.at(-1)![0])];
    const kept = new Set(seen.map(([, payload]) => payload));
    const meanwhile = (await small(file))
      .map((line) => line.split('\t'))
      .filter(([at]) => Number(at) >= first && Number(at) <= last);
    expect(meanwhile.length).toBeGreaterThan(30);
    expect(meanwhile.filter(([, payload]) => !kept.has(payload))).toEqual([]);
  });
});
