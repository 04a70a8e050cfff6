// Tries what nobody exposed: no program gets out or is reached, and says so; `shipworm ping` works.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Lab, NATIVE, noLab } from './kit/lab.ts';
import {
  leavesNothing,
  SLOW,
  startMiredoRelay,
  startMiredoServer,
  startShipworm,
} from './kit/programs.ts';
import type { Shipworm } from './kit/programs.ts';
import { eventually } from './kit/processes.ts';
import { answers, startWebServer } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

describe.skipIf(reason !== null)('closed by default', () => {
  let lab: Lab;
  let closed: Shipworm;
  let open: Shipworm;
  let closedAddress = '';
  let openAddress = '';
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
  beforeEach(async () => {
    closed = startShipworm(lab, lab.home1);
    open = startShipworm(lab, lab.home2, ['--expose-all']);
    [closedAddress, openAddress] = await Promise.all([closed.address(), open.address()]);
  });
  afterEach(async () => {
    for (const { program, home, place } of [closed, open]) {
      expect(await program.stop()).toEqual({ code: 0, signal: null });
      await leavesNothing(home, place);
    }
  });

  test('a program is told at once that it may not', async () => {
    for (const address of [NATIVE, openAddress]) {
      const ping = await lab.run(closed.home.space, 'ping', ['-n', '-c1', '-W5', address]);
      expect(ping.code).toBe(1);
      expect(ping.out).toMatch(/Administratively prohibited/);
      expect(ping.ms).toBeLessThan(1_000 * SLOW);
    }
    const curl = await lab.run(closed.home.space, 'curl', ['-sS', '-m5', `http://[${NATIVE}]/`]);
    expect(curl.code).toBe(7);
    expect(curl.ms).toBeLessThan(1_000 * SLOW);
    const { exposure, counters, peers } = await closed.status();
    expect(exposure.mode).toBe('closed');
    expect(counters.discards['notAllowedOut']).toBeGreaterThanOrEqual(3);
    // Not a packet went out for them.
    expect(peers).toEqual([]);
  });

  test('H-scan: who comes from outside hears nothing', async () => {
    // The path itself is open.
    const { ok } = await closed.call('ping', { address: openAddress, timeoutMs: 5_000 });
    expect(ok).toBe(true);
    const ping = await lab.run(open.home.space, 'ping', [
      '-n',
      '-c3',
      '-i0.2',
      '-W1',
      closedAddress,
    ]);
    expect(ping.code).toBe(1);
    expect(ping.out).toMatch(/3 packets transmitted, 0 received, 100% packet loss/);
    const web = await startWebServer(lab, closed.home.space, closedAddress);
    const curl = await lab.run(open.home.space, 'curl', [
      '-sS',
      '-m3',
      `http://[${closedAddress}]/`,
    ]);
    await web.stop();
    // 28: it waited in vain; a refusal would be 7.
    expect(curl.code).toBe(28);
    const refused = async (): Promise<number> =>
      (await closed.status()).counters.discards['notAllowedIn'] ?? 0;
    await eventually(
      'three pings and a call are counted',
      5_000 * SLOW,
      async () => (await refused()) >= 4,
    );
    const pong = await open.cli('ping', closedAddress, '--timeout', '3', '--json');
    expect(pong.code).toBe(1);
    expect(JSON.parse(pong.out)).toMatchObject({ ok: false, code: 'no-reply' });
  });

  test('shipworm ping reaches native hosts and peers', async () => {
    for (const [address, path] of [
      [NATIVE, 'relay'],
      [openAddress, 'bubbles'],
    ] as const) {
      const { code, out } = await closed.cli('ping', address);
      expect(code).toBe(0);
      expect(out).toMatch(
        new RegExp(`^${address} answered in [\\d.]+ ms \\(path: ${path}\\)\\.\n$`),
      );
    }
    const { out } = await closed.cli('peers');
    for (const address of [NATIVE, openAddress]) expect(out).toContain(address);
  });

  test('--expose-all is named as the risk it is, and lets all through', async () => {
    expect(open.program.err).toMatch(/EVERY application/);
    expect((await open.status()).exposure).toMatchObject({ mode: 'all' });
    await answers(lab, open.home, NATIVE);
    await answers(lab, { space: lab.native }, openAddress);
  });
});
