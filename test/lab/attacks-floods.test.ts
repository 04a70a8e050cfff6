// Sends 20,000 datagrams of junk a second of eight kinds at server, client and relay: nothing grows, answers or ends.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
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
    let liar: string;
    beforeAll(async () => {
      lab = new Lab();
      lab.setNat(lab.home1, 'cone');
      liar = lab.addPc(lab.home1, 66);
      server = new Place(lab, 'server');
      const args = ['server', '--primary', SERVER, '--secondary', SERVER2];
      const program = lab.start(lab.pub, SHIPWORM, args, server.env);
      await program.says(/Serving at /, 5_000 * SLOW);
      relay = await startRelay(lab, lab.relay);
      const config = join(lab.folder, 'client.json');
      writeFileSync(config, JSON.stringify({ localDiscovery: true }));
      client = startShipworm(lab, lab.home1, ['--expose-all', '--config', config]);
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
        if (PLAIN_BUILD) expect(after.anonymousKb - before.anonymousKb).toBeLessThan(GARBAGE_KB);
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

    /** The client while `flood` lasts: who pings through it goes on, and neither its memory nor what it sends grows beyond bounds. */
    async function survives<T>(
      flood: (seconds: number) => Promise<T>,
      { out, keptKb }: { readonly out: (seconds: number) => number; readonly keptKb: number },
    ): Promise<{ flooded: T; all: number; refused: Readonly<Record<string, number>> }> {
      const { space } = lab.home1;
      await flood(SECONDS / 3);
      const before = holdings(space);
      const { discards } = (await client.status()).counters;
      const all = await refused.client();
      const [sent, began] = [sentBy(space), performance.now()];
      const args = ['-n', '-c', '5', '-i', '0.2', '-w', `${3 * SLOW}`, NATIVE];
      const [flooded, ping] = await Promise.all([flood(1), lab.run(space, 'ping', args)]);
      expect(ping.out, ping.err).toMatch(/ [2-5] received/);
      expect(sentBy(space) - sent).toBeLessThan(out((performance.now() - began) / 1000));
      const after = holdings(space);
      expect(after.pids).toEqual(before.pids);
      expect(after.fds).toBe(before.fds);
      if (PLAIN_BUILD)
        expect(after.anonymousKb - before.anonymousKb).toBeLessThan(GARBAGE_KB + keptKb);
      await answers(lab, lab.home1, NATIVE);
      const counted = Object.entries((await client.status()).counters.discards);
      const grown = counted.map(([name, count]) => [name, count - (discards[name] ?? 0)]);
      return {
        flooded,
        all: (await refused.client()) - all,
        refused: Object.fromEntries(grown) as Record<string, number>,
      };
    }

    test('H-ping-guess: echo replies in the name of a host that is spoken with move and cut nothing', async () => {
      const { port } = parseEndpoint((await client.status()).mapped!)!;
      const to = [lab.home1.outside, port] as const;
      const guess = (seconds: number) =>
        junk(lab, lab.core, 'reply', to, { rate: 10_000, seconds, inner: address, outer: NATIVE });
      // What is asked of the host is a connectivity test in two seconds; the rest is the pings.
      const out = (seconds: number): number => 20 + 10 * seconds;
      const { flooded, all, refused: why } = await survives(guess, { out, keptKb: 0 });
      expect(flooded.heard).toBe(0);
      // Most of a stranger's flood is refused before it comes to JavaScript.
      expect(all).toBeGreaterThan(flooded.sent / 2);
      expect(why['sourceUnproven']).toBeGreaterThan(100);
      const { peers } = await client.status();
      expect(peers.find((peer) => peer.address === NATIVE)).toMatchObject({
        trusted: true,
        endpoint: `${RELAY}:3545`,
      });
    });

    test('H-discovery: bubbles from its own link by multicast, foreign ones and in the name of its neighbours', async () => {
      const group = ['224.0.0.253', 3_544] as const;
      const all = { rate: 5_000, inner: 'ff02::1' };
      const flood = async (seconds: number) => {
        const foreign = await junk(lab, liar, 'bubble', group, { ...all, seconds: seconds / 2 });
        const near = { ...all, seconds: seconds / 2, outer: address };
        return foreign.sent + (await junk(lab, liar, 'sibling', group, near)).sent;
      };
      // 50 new peers a second, and as many at once, each greeted by a bubble.
      const out = (seconds: number): number => 100 + 60 * seconds;
      const { flooded, refused: why } = await survives(flood, { out, keptKb: 0 });
      expect(why['discoveryRefused']).toBeGreaterThan(flooded / 8);
      expect(why['newPeerLimit']).toBeGreaterThan(flooded / 8);
    });

    test('H-queue: a program’s large packets to thousands of dead addresses keep to their bounds', async () => {
      const flood = (seconds: number) =>
        lab.run(lab.home1.space, process.execPath, [
          ...[resolve('test/lab/kit/flood6.ts'), SERVER, `${5_000 * seconds}`, '5000', '1200'],
        ]);
      // 200 new peers a second, and twice as many from before, with two bubbles each every two seconds; 8 MB of queues.
      const out = (seconds: number): number => 50 + 2 * (400 + 200 * seconds) * (1 + seconds / 2);
      const { flooded, refused: why } = await survives(flood, { out, keptKb: 8 * 1024 });
      expect(flooded.code, flooded.err).toBe(0);
      expect(why['newPeerLimit']).toBeGreaterThan(200);
    });
  },
);
