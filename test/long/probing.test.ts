// Tries guessing ports with real routers: a random symmetric NAT and a port-restricted one, which RFC 6081 gives up, meet.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab, noLab, SERVER, SERVER2 } from '../lab/kit/lab.ts';
import type { Home } from '../lab/kit/lab.ts';
import type { NatKind } from '../lab/kit/nat.ts';
import { eventually } from '../lab/kit/processes.ts';
import {
  leavesNothing,
  Place,
  SHIPWORM,
  Shipworm,
  startMiredoServer,
} from '../lab/kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** 95 of 100 pairs meet; three times in vain is one in ten thousand. */
const TRIES = 3;
/** Two rounds. */
const PATIENCE_S = 25;

describe.skipIf(reason !== null)('guessing ports', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    await startMiredoServer(lab);
  });
  afterAll(() => lab.close());

  async function start(home: Home, nat: NatKind, name: string): Promise<Shipworm> {
    lab.setNat(home, nat);
    const place = new Place(lab, name);
    const settings = { server: SERVER, exposeAll: true, birthdayProbing: true };
    writeFileSync(place.config, JSON.stringify(settings));
    const args = ['client', '--config', place.config];
    const client = new Shipworm(lab, home, place, lab.start(home.space, SHIPWORM, args, place.env));
    await client.address();
    const kind = nat === 'symmetric' ? 'symmetric' : 'restricted';
    await client.becomes(kind, 15_000, (status) => status.nat === kind);
    return client;
  }

  const sockets = ({ space }: Home): number =>
    execFileSync('ip', ['netns', 'exec', space, 'ss', '-ulnH'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line !== '').length;

  test.each([
    ['restricted', 'symmetric'],
    ['symmetric', 'restricted'],
  ] as const)(
    '%s to %s, both ways; nobody else gets a datagram',
    async (nat1, nat2) => {
      const dump = lab.start(lab.core, 'tcpdump', [
        ...['-Z', 'root', '-l', '-n', '-t', '--immediate-mode', '-i', 'any'],
        `udp and not host ${SERVER} and not host ${SERVER2}`,
      ]);
      await dump.says(/listening/, 10_000);
      let met = false;
      for (let i = 0; i < TRIES && !met; i++) {
        const one = await start(lab.home1, nat1, `one-${nat1}-${i}`);
        const two = await start(lab.home2, nat2, `two-${nat1}-${i}`);
        const address = (await two.status()).address!;
        const ping = (from: Home, to: string): Promise<{ code: number | null }> =>
          lab.run(from.space, 'ping', ['-n', '-c', '1', '-w', `${PATIENCE_S}`, to]);
        met = (await ping(lab.home1, address)).code === 0;
        if (met) {
          expect((await ping(lab.home2, (await one.status()).address!)).code).toBe(0);
          // The service port, and the one that was hit; the other 63 are closed.
          await eventually('the ports are closed', 5_000, () =>
            [lab.home1, lab.home2].every((home) => sockets(home) <= 3),
          );
        }
        for (const client of [one, two]) {
          await client.program.stop();
          await leavesNothing(client.home, client.place);
        }
      }
      expect(met).toBe(true);
      await dump.stop();
      const elsewhere = dump.out
        .split('\n')
        .filter((line) => / IP /.test(line))
        .filter(
          (line) =>
            !/198\.51\.100\.7\.\d+ > 203\.0\.113\.9\.|203\.0\.113\.9\.\d+ > 198\.51\.100\.7\./.test(
              line,
            ),
        );
      expect(elsewhere).toEqual([]);
    },
    300_000,
  );
});
