// Tries the client against Miredo: its server, its relay with a native host behind it, and its client in another home.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Lab, NATIVE, noLab } from './kit/lab.ts';
import type { NatKind } from './kit/nat.ts';
import {
  leavesNothing,
  QUALIFIED_MS,
  startMiredoClient,
  startMiredoRelay,
  startMiredoServer,
  startShipworm,
} from './kit/programs.ts';
import type { MiredoClient, Shipworm } from './kit/programs.ts';
import { answers, fetches, WEB_PAGE, startWebServer } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

describe.skipIf(reason !== null)('with Miredo', () => {
  let lab: Lab;
  let ours: Shipworm;
  let theirs: MiredoClient;
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

  /** Both clients, each with an address; ours exposes everything. */
  async function start(
    ourNat: NatKind,
    theirNat: NatKind,
  ): Promise<{ our: string; their: string }> {
    lab.setNat(lab.home1, ourNat);
    lab.setNat(lab.home2, theirNat);
    ours = startShipworm(lab, lab.home1, ['--expose-all']);
    theirs = startMiredoClient(lab, lab.home2);
    return { our: await ours.address(), their: await theirs.address() };
  }
  afterEach(async () => {
    await Promise.all([ours.program.stop(), theirs.program.stop()]);
    await Promise.all([leavesNothing(lab.home1, ours.place), leavesNothing(lab.home2)]);
  });

  describe.each(['restricted', 'cone'] as const)('our NAT %s', (ourNat) => {
    test('a native host is reached through the relay, by ping and by curl', async () => {
      const { our } = await start(ourNat, 'restricted');
      await ours.becomes('its NAT is known', QUALIFIED_MS, (status) => status.nat === 'restricted');
      await answers(lab, ours.home, NATIVE);
      expect(await fetches(lab, ours.home, NATIVE)).toBe(WEB_PAGE);
      const peer = (await ours.status()).peers.find((entry) => entry.address === NATIVE);
      expect(peer).toMatchObject({
        kind: 'native',
        path: 'relay',
        endpoint: '203.0.114.3:3545',
        trusted: true,
      });
      // And the native host reaches us.
      await answers(lab, { space: lab.native }, our);
    });

    test.each(['restricted', 'cone'] as const)(
      'we reach a Miredo client behind a %s NAT first',
      async (theirNat) => {
        const { their } = await start(ourNat, theirNat);
        await answers(lab, ours.home, their);
        const peer = (await ours.status()).peers.find((entry) => entry.address === their);
        expect(peer).toMatchObject({ kind: 'teredo', trusted: true });
        expect(peer!.endpoint).toMatch(/^203\.0\.113\.9:\d+$/);
      },
    );

    test.each(['restricted', 'cone'] as const)(
      'a Miredo client behind a %s NAT reaches us first',
      async (theirNat) => {
        const { our } = await start(ourNat, theirNat);
        await answers(lab, lab.home2, our);
      },
    );
  });
});
