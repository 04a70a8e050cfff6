// Tries two of our clients in two homes, and one behind a symmetric NAT, over lines of 20 ms.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Lab, NATIVE, noLab } from './kit/lab.ts';
import type { Home } from './kit/lab.ts';
import type { NatKind } from './kit/nat.ts';
import {
  leavesNothing,
  QUALIFIED_MS,
  startMiredoRelay,
  startMiredoServer,
  startShipworm,
  SLOW,
} from './kit/programs.ts';
import type { Shipworm } from './kit/programs.ts';
import { eventually } from './kit/processes.ts';
import { answers, fetches, startWebServer, WEB_PAGE } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

describe.skipIf(reason !== null)('two of ours', () => {
  let lab: Lab;
  const running: Shipworm[] = [];
  beforeAll(async () => {
    lab = new Lab();
    await lab.setDelay(20);
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
  afterEach(async () => {
    await Promise.all(
      running.splice(0).map(async ({ home, place, program }) => {
        expect(await program.stop()).toEqual({ code: 0, signal: null });
        await leavesNothing(home, place);
      }),
    );
  });

  function start(home: Home, nat: NatKind): Shipworm {
    lab.setNat(home, nat);
    const client = startShipworm(lab, home, ['--expose-all']);
    running.push(client);
    return client;
  }

  test.each([
    ['restricted', 'restricted'],
    ['restricted', 'cone'],
    ['cone', 'restricted'],
    ['cone', 'cone'],
    ['open', 'restricted'],
  ] as const)('%s with %s', async (nat1, nat2) => {
    const one = start(lab.home1, nat1);
    const two = start(lab.home2, nat2);
    const [address1, address2] = await Promise.all([one.address(), two.address()]);
    await answers(lab, one.home, address2);
    // Both took the direct way.
    const peerOf = async (client: Shipworm, address: string): Promise<unknown> =>
      (await client.status()).peers.find((peer) => peer.address === address);
    expect(await peerOf(one, address2)).toMatchObject({
      kind: 'teredo',
      trusted: true,
      endpoint: (await two.status()).mapped,
    });
    expect(await peerOf(two, address1)).toMatchObject({
      kind: 'teredo',
      trusted: true,
      endpoint: (await one.status()).mapped,
    });
    const web = await startWebServer(lab, two.home.space, address2);
    expect(await fetches(lab, one.home, address2)).toBe(WEB_PAGE);
    await web.stop();
    // One round trip of the lines, no detour; a busy machine may keep one waiting.
    await eventually('a round trip of less than 80 ms', 5_000 * SLOW, async () => {
      const pong = await two.call('ping', { address: address1, timeoutMs: 5_000 });
      expect(pong).toMatchObject({ ok: true });
      const { rttMs } = pong as { rttMs: number };
      expect(rttMs).toBeGreaterThanOrEqual(40);
      return rttMs < 80;
    });
  });

  test('a symmetric NAT is named, and native hosts are reached all the same', async () => {
    const client = start(lab.home1, 'symmetric');
    await client.address();
    await client.becomes('symmetric', QUALIFIED_MS, ({ nat }) => nat === 'symmetric');
    const { code, out } = await client.cli('status', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ state: 'qualified', nat: 'symmetric' });
    await client.program.says(/symmetric NAT/, 1_000 * SLOW);
    await answers(lab, client.home, NATIVE);
    expect(await fetches(lab, client.home, NATIVE)).toBe(WEB_PAGE);
  });
});
