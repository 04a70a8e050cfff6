// Tries what goes wrong around a running client, with the real program: each is told, and healed without a new start.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ipBatch, sleep } from './kit/processes.ts';
import { Lab, noLab } from './kit/lab.ts';
import { SLOW, startMiredoServer, startShipworm } from './kit/programs.ts';
import type { Shipworm } from './kit/programs.ts';
import { answers } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** Healed by the server's first answer; one may be lost, and the next is asked for 4 s later. */
const HEALED_MS = 4_100 * SLOW;

/** A change of network is told once it has settled for 200 ms. */
const TOLD_MS = 1_000 * SLOW;

describe.skipIf(reason !== null)('healing', () => {
  let lab: Lab;
  let ours: Shipworm;
  let theirs: Shipworm;
  let address = '';
  let peer = '';
  beforeAll(async () => {
    lab = new Lab();
    await startMiredoServer(lab);
    ours = startShipworm(lab, lab.home1, ['--expose-all']);
    theirs = startShipworm(lab, lab.home2, ['--expose-all']);
    [address, peer] = await Promise.all([ours.address(), theirs.address()]);
    await answers(lab, lab.home1, peer);
  }, 60_000);
  afterAll(() => lab.close());

  const healed = async (): Promise<number> => {
    const begin = performance.now();
    await ours.becomes('qualified again', HEALED_MS, ({ state }) => state === 'qualified');
    return performance.now() - begin;
  };

  test('the link is cut and comes back: told, and the same address afterwards', async () => {
    const cut = performance.now();
    ipBatch(['link set e0 down'], lab.home1.space);
    await ours.becomes('no network', TOLD_MS, (status) => status.reason.code === 'no-network');
    process.stderr.write(`link cut: told after ${Math.round(performance.now() - cut)} ms\n`);
    ipBatch(
      ['link set e0 up', `route add default via ${lab.home1.inside.replace(/10$/, '1')}`],
      lab.home1.space,
    );
    process.stderr.write(`link back: healed after ${Math.round(await healed())} ms\n`);
    expect((await ours.status()).address).toBe(address);
    // The peer answered a bubble of ours a moment ago, and does so again after 2 s (RFC 4380 §5.2.6).
    expect((await ours.call('ping', { address: peer, timeoutMs: 4_000 * SLOW })).ok).toBe(true);
  }, 60_000);

  test('the program is stopped for twenty seconds: the same address, and its peer is reached', async () => {
    ours.program.signal('SIGSTOP');
    await sleep(20_000);
    ours.program.signal('SIGCONT');
    process.stderr.write(`stopped for 20 s: healed after ${Math.round(await healed())} ms\n`);
    expect((await ours.status()).address).toBe(address);
    await answers(lab, lab.home2, address);
  }, 60_000);

  test('a packet filter before the server: a ping stream between clients loses nothing', async () => {
    const filter = 'table ip silent { chain in { type filter hook input priority 0; drop; }; }';
    const nft = (...args: string[]) => lab.run(lab.pub, 'nft', args);
    expect(await nft(filter)).toMatchObject({ code: 0 });
    try {
      const ping = ['-n', '-c', '30', '-i', '0.2', '-w', '30', peer];
      const { out } = await lab.run(lab.home1.space, 'ping', ping);
      expect(out).toMatch(/30 packets transmitted, 30 received/);
      expect((await ours.status()).address).toBe(address);
    } finally {
      await nft('delete', 'table', 'ip', 'silent');
    }
  }, 60_000);
});
