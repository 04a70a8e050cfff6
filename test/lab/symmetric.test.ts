// Tries RFC 6081 between real routers: two of our clients behind symmetric NATs, and what Wireshark makes of the trailers.
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Lab, noLab } from './kit/lab.ts';
import type { Home } from './kit/lab.ts';
import type { NatKind } from './kit/nat.ts';
import {
  leavesNothing,
  QUALIFIED_MS,
  startMiredoClient,
  startMiredoServer,
  startShipworm,
} from './kit/programs.ts';
import type { Shipworm } from './kit/programs.ts';
import { answers } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const SYMMETRIC: readonly NatKind[] = ['symmetric', 'preserving', 'sequential'];

describe.skipIf(reason !== null)('RFC 6081', () => {
  let lab: Lab;
  const running: Shipworm[] = [];
  beforeAll(async () => {
    lab = new Lab();
    await startMiredoServer(lab);
    lab.keep();
  });
  afterAll(() => lab.close());
  afterEach(() => lab.stopPrograms());
  afterEach(async () => {
    await Promise.all(
      running.splice(0).map(async ({ home, place, program }) => {
        expect(await program.stop()).toEqual({ code: 0, signal: null });
        await leavesNothing(home, place);
      }),
    );
  });

  async function start(home: Home, nat: NatKind): Promise<Shipworm> {
    lab.setNat(home, nat);
    const client = startShipworm(lab, home, ['--expose-all']);
    running.push(client);
    await client.address();
    // The kind of NAT decides what is told to peers.
    const kind = SYMMETRIC.includes(nat) ? 'symmetric' : 'restricted';
    await client.becomes(kind, QUALIFIED_MS, (status) => status.nat === kind);
    return client;
  }

  test.each([
    ['symmetric', 'cone'],
    ['cone', 'symmetric'],
    ['preserving', 'restricted'],
    ['restricted', 'preserving'],
    ['preserving', 'preserving'],
    ['sequential', 'restricted'],
    ['preserving', 'sequential'],
  ] as const)('%s to %s works, as figure 1 promises', async (nat1, nat2) => {
    const one = await start(lab.home1, nat1);
    const two = await start(lab.home2, nat2);
    await answers(lab, one.home, await two.address());
    await answers(lab, two.home, await one.address());
  });

  test('Wireshark finds no error in a datagram with trailers, and Miredo does not mind them', async () => {
    const file = join(lab.folder, 'trailers.pcap');
    const dump = lab.start(lab.core, 'tcpdump', [
      ...['-Z', 'root', '-U', '--immediate-mode', '-s0', '-i', 'any', '-w', file, 'udp'],
    ]);
    await dump.says(/listening/, 10_000);
    const one = await start(lab.home1, 'preserving');
    const two = await start(lab.home2, 'preserving');
    await answers(lab, one.home, await two.address());
    await running.pop()!.program.stop();
    lab.setNat(lab.home2, 'cone');
    const theirs = startMiredoClient(lab, lab.home2);
    const their = await theirs.address();
    lab.setNat(lab.home1, 'cone');
    await answers(lab, lab.home1, their);
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
    expect(await tshark('_ws.malformed || _ws.expert.severity == "Error"')).toEqual([]);
    // A bubble with nonce, alternate address and random port: 40 + 6 + 10 + 4 bytes.
    const lengths = await tshark('ipv6.nxt == 59', '-T', 'fields', '-e', 'udp.length');
    expect(lengths).toContain(String(8 + 60));
  });
});
