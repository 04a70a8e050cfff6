// Module test/long/relay-clients gives one relay a million clients: what each costs it, that looking at them stays cheap, and that all is given back.
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PeerEntry } from '../../engine/service/api.ts';
import { callService } from '../../engine/service/control-client.ts';
import type { Page } from '../../engine/service/paging.ts';
import { holdings } from '../lab/kit/blast.ts';
import { compiled } from '../lab/kit/compile.ts';
import { Lab, NATIVE, noLab, RELAY, SERVER } from '../lab/kit/lab.ts';
import { eventually, ipBatch, sleep } from '../lab/kit/processes.ts';
import type { Program } from '../lab/kit/processes.ts';
import { SLOW, startRelay } from '../lab/kit/programs.ts';
import type { RelayProgram } from '../lab/kit/programs.ts';

const reason = noLab();
const CLIENTS = Number(process.env['SHIPWORM_RELAY_CLIENTS'] ?? 1_000_000);
/** Below the 5,000 datagrams of strangers a second that the datapath hands up. */
const RATE = 4_000;
/** Of the clients: 64 addresses that lead nowhere. */
const NETWORK = '203.0.115.0/26';
/** RFC 4380 §5.4: a client is kept for five minutes after the last packet; it is looked at twice a minute. */
const FORGOTTEN_MS = 360_000;
/** What a collector and an allocator keep beyond what they need, kB. */
const NOISE_KB = 24_000;

describe.skipIf(reason !== null)(`${CLIENTS.toLocaleString('en')} clients of one relay`, () => {
  let lab: Lab;
  let relay: RelayProgram;
  let crowd: Program;
  let before: number;
  let full = 0;
  const memory = (): number => holdings(lab.relay).anonymousKb;
  const tell = (text: string): void => void process.stdout.write(`${text}\n`);

  beforeAll(async () => {
    lab = new Lab();
    ipBatch([`route add ${NETWORK} via ${SERVER}`], lab.core);
    ipBatch([`route add blackhole ${NETWORK}`], lab.pub);
    const config = join(lab.folder, 'relay.json');
    const plenty = 1_000_000;
    writeFileSync(
      config,
      JSON.stringify({
        limits: {
          maxPending: 65_536,
          bubblesPerSecond: plenty,
          bubblesPerSecondPerServer: plenty,
          bubblesPerSecondPerSource: plenty,
        },
      }),
    );
    relay = await startRelay(lab, lab.relay, ['--config', config]);
    before = memory();
  });
  afterAll(() => lab.close());

  test('each takes less than 200 bytes of the whole program', async () => {
    const begin = performance.now();
    crowd = lab.start(lab.native, resolve(compiled('clients')), [
      ...[lab.pub, NATIVE, SERVER, RELAY, '3545', NETWORK.split('/')[0]!],
      ...[`${CLIENTS}`, `${RATE}`],
    ]);
    await crowd.says(/all asked/, 1_500_000 * SLOW);
    const seconds = (performance.now() - begin) / 1_000;
    const { clients } = await relay.status();
    full = memory();
    const each = ((full - before) * 1024) / clients;
    tell(
      `${clients} clients after ${seconds.toFixed(0)} s: ${before} kB before, ${full} kB now, ${each.toFixed(0)} bytes each`,
    );
    expect(clients).toBe(CLIENTS);
    expect((full - before) * 1024).toBeLessThan(200 * clients + NOISE_KB * 1024);
  }, 1_600_000);

  test('the tables carry what they send, and status and a page of them cost no more than for one', async () => {
    const carried = async (): Promise<number> =>
      (await relay.status()).counters.datapath['packetsIn']!;
    const first = await carried();
    await eventually('clients send', 10_000 * SLOW, async () => (await carried()) > first + 1_000);
    const timed = async <T>(what: () => Promise<T>): Promise<[T, number]> => {
      const begin = performance.now();
      return [await what(), performance.now() - begin];
    };
    const peers = (page: Page): Promise<PeerEntry[]> =>
      callService([relay.place.control], 'peers', page, 120_000 * SLOW);
    const [status, stated] = await timed(() => relay.status());
    const [page, paged] = await timed(() => peers({ limit: 50, offset: 1_000 }));
    // The client at 203.0.115.7, port 1024, both hidden in its address (RFC 4380 §4).
    const [found, searched] = await timed(() => peers({ match: '0:fbff:34ff:8cf8' }));
    expect(status.clients).toBe(CLIENTS);
    expect(page).toHaveLength(50);
    expect(found.map(({ endpoint }) => endpoint)).toEqual(['203.0.115.7:1024']);
    tell(
      `status ${stated.toFixed(0)} ms, a page of the list ${paged.toFixed(0)} ms, a search through all ${searched.toFixed(0)} ms`,
    );
  }, 200_000);

  test(
    'who falls silent is forgotten, and the memory is given back',
    async () => {
      await crowd.stop();
      await eventually(
        'all are forgotten',
        FORGOTTEN_MS * SLOW,
        async () => (await relay.status()).clients === 0,
      );
      await sleep(1_000);
      tell(`${memory()} kB after all of them have gone`);
      expect(memory() - before).toBeLessThan(NOISE_KB + (full - before) / 10);
    },
    FORGOTTEN_MS + 60_000,
  );
});
