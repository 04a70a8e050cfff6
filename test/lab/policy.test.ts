// Tries the machine policy on a running client: it rules over the user, a stranger's file is ignored, and disabled means not one packet.
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { CallResult } from '../../engine/service/api.ts';
import { Lab, NATIVE, noLab, SERVER } from './kit/lab.ts';
import {
  leavesNothing,
  Place,
  Shipworm,
  SHIPWORM,
  startMiredoRelay,
  startMiredoServer,
} from './kit/programs.ts';
import { startWebServer } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const STRANGER = 34_567;

describe.skipIf(reason !== null)('the machine policy', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    await Promise.all([
      startMiredoServer(lab),
      startMiredoRelay(lab),
      startWebServer(lab, lab.native, NATIVE),
    ]);
    lab.keep();
  });
  afterEach(() => lab.stopPrograms());
  afterAll(() => lab.close());

  /** Starts a client under `policy`, beside which a stranger put a file of his. */
  function start(name: string, policy: unknown, ...args: string[]): Shipworm {
    const directory = join(lab.folder, name, 'policy.d');
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    writeFileSync(join(directory, '10-site.json'), JSON.stringify(policy));
    const strangers = join(directory, '20-mine.json');
    writeFileSync(strangers, '{"state":"client","allowedApplications":[{"path":"/usr/bin/curl"}]}');
    chownSync(strangers, STRANGER, STRANGER);
    const place = new Place(lab, `${name}-place`);
    const env = { ...place.env, SHIPWORM_POLICY: directory };
    const options = ['client', '--server', SERVER, ...args];
    return new Shipworm(lab, lab.home1, place, lab.start(lab.home1.space, SHIPWORM, options, env));
  }

  async function end(client: Shipworm): Promise<void> {
    expect(await client.program.stop()).toEqual({ code: 0, signal: null });
    await leavesNothing(client.home, client.place);
  }

  test('forbids what the user allowed, locks settings, and says where each comes from', async () => {
    const client = start(
      'forbid',
      {
        forbiddenApplications: [{ path: '/usr/bin/curl' }],
        lockedSettings: { exposeAll: false },
      },
      '--expose-all',
    );
    await client.address();
    expect((await client.status()).exposure.mode).toBe('closed');
    const allow = await client.cli('apps', 'allow', '/usr/bin/curl');
    expect(allow.err).toMatch(/machine policy decides/);
    const curl = await lab.run(lab.home1.space, '/usr/bin/curl', ['-sS', `http://[${NATIVE}]/`]);
    expect(curl.code).toBe(7);
    expect(curl.ms).toBeLessThan(3_000);
    const { out } = await client.cli('policy', '--json');
    const { files, values } = JSON.parse(out) as CallResult<'policy'>;
    expect(files).toMatchObject([
      { error: null },
      { error: expect.stringMatching(/ignored/) as string },
    ]);
    expect(values).toContainEqual({
      name: 'exposeAll',
      value: false,
      source: files[0]!.path,
      locked: true,
    });
    const forget = await client.cli('apps', 'forget', 'policy-1');
    expect(forget.err).toMatch(/only root can change/);
    await end(client);
  });

  test('disabled: managed, with the reason, no address and no socket', async () => {
    const client = start('disabled', { state: 'disabled' });
    const { reason: why, address } = await client.becomes(
      'managed',
      10_000,
      ({ state }) => state === 'managed',
    );
    expect(why.code).toBe('policy-disabled');
    expect(address).toBeNull();
    expect((await lab.run(lab.home1.space, 'ss', ['-uanH'])).out.trim()).toBe('');
    await end(client);
  });
});
