// Lets Wireshark's dissector judge every datagram of a run with Miredo's server, relay and client.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Lab, NATIVE, noLab } from './kit/lab.ts';
import {
  leavesNothing,
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

  test('takes every UDP datagram for Teredo and finds no error', async () => {
    const file = join(lab.folder, 'run.pcap');
    const dump = lab.start(lab.core, 'tcpdump', [
      ...['-Z', 'root', '-U', '--immediate-mode', '-s0', '-i', lab.home1.line, '-w', file, 'udp'],
    ]);
    await dump.says(/listening/, 10_000);
    // The capture is taken before the kernel cuts a segmented send into datagrams: it would show them as one.
    const config = join(lab.folder, 'plain.json');
    writeFileSync(config, JSON.stringify({ offloads: false }));
    const ours = startShipworm(lab, lab.home1, ['--expose-all', '--config', config]);
    const theirs = startMiredoClient(lab, lab.home2);
    const [our, their] = [await ours.address(), await theirs.address()];
    await answers(lab, lab.home1, NATIVE);
    await answers(lab, lab.home1, their);
    await answers(lab, lab.home2, our);
    expect(await fetches(lab, lab.home1, NATIVE)).toBe(WEB_PAGE);
    expect((await ours.call('ping', { address: their, timeoutMs: 5_000 })).ok).toBe(true);
    await ours.program.stop();
    await leavesNothing(lab.home1, ours.place);
    await dump.stop();

    const tshark = async (filter: string, ...fields: string[]): Promise<string[]> => {
      const { code, out, err } = await lab.run(
        lab.core,
        'tshark',
        ['-n', '-r', file, '--enable-heuristic', 'teredo_udp', '-Y', filter, ...fields],
        { timeoutMs: 60_000 },
      );
      if (code !== 0) throw new Error(err);
      return out.split('\n').filter((line) => line !== '');
    };
    expect((await tshark('teredo')).length).toBeGreaterThan(100);
    expect(await tshark('udp && !teredo')).toEqual([]);
    expect(await tshark('_ws.malformed || _ws.expert.severity == "Error"')).toEqual([]);
    // Checksums inside are right too, and solicitations are what they say.
    expect(await tshark('icmpv6.checksum.status == "Bad"')).toEqual([]);
    expect((await tshark('icmpv6.type == 133 && teredo.auth')).length).toBeGreaterThanOrEqual(2);
    expect((await tshark('icmpv6.type == 134 && teredo.orig')).length).toBeGreaterThanOrEqual(2);
  });
});
