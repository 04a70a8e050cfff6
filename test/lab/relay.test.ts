// Tries our relay with real peers: Miredo's clients and ours, both servers, who speaks first, and its end.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Lab, NATIVE, noLab } from './kit/lab.ts';
import { startMiredoClient, startMiredoServer, startRelay, startShipworm } from './kit/programs.ts';
import { answers } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

describe.skipIf(reason !== null)('our relay', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    await startMiredoServer(lab);
    lab.keep();
  });
  afterAll(() => lab.close());
  afterEach(() => lab.stopPrograms());

  test('Miredo’s client and ours reach a native host, and it reaches them', async () => {
    const relay = await startRelay(lab, lab.relay);
    const theirs = startMiredoClient(lab, lab.home1);
    const ours = startShipworm(lab, lab.home2, ['--expose-all']);
    const native = { space: lab.native };
    await answers(lab, native, await theirs.address());
    await answers(lab, native, await ours.address());
    await answers(lab, lab.home1, NATIVE);
    await answers(lab, lab.home2, NATIVE);
    const status = await relay.status();
    expect(status).toMatchObject({
      role: 'relay',
      hostSpecific: false,
      address: '2001:db8::1',
      native: 'six',
      bind: `0.0.0.0:3545`,
      clients: 2,
      pending: 0,
      queuedBytes: 0,
    });
    expect(status.counters.toClients).toBeGreaterThanOrEqual(12);
    expect(status.counters.fromClients).toBeGreaterThanOrEqual(12);
    // The tables carry what they can: all but the first packets.
    expect(status.counters.datapath['packetsIn']).toBeGreaterThanOrEqual(8);
    expect(status.counters.datapath['packetsOut']).toBeGreaterThanOrEqual(8);
    const shown = await relay.cli('status');
    expect(shown.out).toMatch(/Role +relay\n/);
    expect((await relay.cli('peers')).out).toContain(await ours.address());
  });
});
