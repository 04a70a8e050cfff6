// Sends 20,000 datagrams of junk a second of eight kinds at server, client and relay: nothing grows, answers or ends.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callStatus } from '../../engine/service/control-client.ts';
import type { ServerStatus } from '../../engine/service/api.ts';
import { parseEndpoint } from '../../engine/wire/index.ts';
import { holdings, JUNK, junk } from './kit/blast.ts';
import type { Holdings } from './kit/blast.ts';
import { Lab, NATIVE, noLab, RELAY, SERVER, SERVER2 } from './kit/lab.ts';
import { PLAIN_BUILD, Place, SHIPWORM, SLOW, startRelay, startShipworm } from './kit/programs.ts';
import type { RelayProgram, Shipworm } from './kit/programs.ts';
import { answers } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const RATE = 20_000;
const SECONDS = 0.3;
/** What V8 may keep for a while of what it has not collected yet; table entries of 100,000 made-up sources would be more. */
const GARBAGE_KB = 16_384;

describe.skipIf(reason !== null)(
  'H-inducement, R-reflection, R-spoofed-server, X-trailers and H-scan: 20,000 datagrams of junk a second',
  () => {
    let lab: Lab;
    let server: Place;
    let relay: RelayProgram;
    let client: Shipworm;
    let address: string;
    beforeAll(async () => {
      lab = new Lab();
      lab.setNat(lab.home1, 'cone');
      server = new Place(lab, 'server');
      const args = ['server', '--primary', SERVER, '--secondary', SERVER2];
      const program = lab.start(lab.pub, SHIPWORM, args, server.env);
      await program.says(/Serving at /, 5_000 * SLOW);
      relay = await startRelay(lab, lab.relay);
      client = startShipworm(lab, lab.home1, ['--expose-all']);
      address = await client.address();
      await answers(lab, lab.home1, NATIVE);
    });
    afterAll(() => lab.close());

    const sum = (counters: Readonly<Record<string, number>>): number =>
      Object.values(counters).reduce((a, b) => a + b, 0);
    const refused = {
      server: async (): Promise<number> =>
        sum(((await callStatus([server.control])) as ServerStatus).counters.discards),
      client: async (): Promise<number> => {
        const { discards, datapath } = (await client.status()).counters;
        return sum(discards) + datapath['lostOther']! + datapath['socketDrops']!;
      },
      relay: async (): Promise<number> => {
        const { discards, datapath } = (await relay.status()).counters;
        return sum(discards) + datapath['lostOther']! + datapath['socketDrops']!;
      },
    };

    /** UDP datagrams that left the machine of `space` so far. */
    function sentBy(space: string): number {
      const text = execFileSync('ip', ['netns', 'exec', space, 'cat', '/proc/net/snmp'], {
        encoding: 'utf8',
      });
      const [names, values] = text
        .split('\n')
        .filter((line) => line.startsWith('Udp:'))
        .map((line) => line.split(' '));
      return Number(values![names!.indexOf('OutDatagrams')]);
    }

    const victims = {
      server: () => ({ space: lab.pub, to: [SERVER, 3544] as const, inner: address }),
      client: async () => {
        const { port } = parseEndpoint((await client.status()).mapped!)!;
        return { space: lab.home1.space, to: [lab.home1.outside, port] as const, inner: address };
      },
      relay: () => ({ space: lab.relay, to: [RELAY, 3545] as const, inner: NATIVE }),
    };

    test.each(['server', 'client', 'relay'] as const)(
      'at the %s',
      async (name) => {
        const { space, to, inner } = await victims[name]();
        const flood = async (seconds: number): Promise<{ sent: number; out: number }> => {
          let sent = 0;
          const before = sentBy(space);
          for (const kind of JUNK) {
            const result = await junk(lab, lab.core, kind, to, { rate: RATE, seconds, inner });
            expect(result.heard).toBe(0);
            sent += result.sent;
          }
          return { sent, out: sentBy(space) - before };
        };
        const counted = await refused[name]();
        // The first round makes the tables, buffers and code that stay.
        await flood(SECONDS / 3);
        const before: Holdings = holdings(space);
        const { sent, out } = await flood(SECONDS);
        // The sender shares the machine: a slow one floods less.
        expect(sent).toBeGreaterThan(RATE * SECONDS * JUNK.length * 0.3);
        // What else leaves: the client's refresh, the tests of peers that it knows.
        expect(out).toBeLessThan(20);
        const after = holdings(space);
        expect(after.pids).toEqual(before.pids);
        expect(after.fds).toBe(before.fds);
        if (PLAIN_BUILD) expect(after.pssKb - before.pssKb).toBeLessThan(GARBAGE_KB);
        expect((await refused[name]()) - counted).toBeGreaterThan(sent / 2);
        if (name === 'client') {
          const { discards } = (await client.status()).counters;
          for (const each of ['trailerRefused', 'destinationNotUs', 'indicatorNotFromServer'])
            expect(discards[each], each).toBeGreaterThan(100);
        }
        await answers(lab, lab.home1, NATIVE);
        await answers(lab, { space: lab.native }, address);
      },
      60_000,
    );
  },
);
