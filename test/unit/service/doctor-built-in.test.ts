// Tests the doctor on the built-in network: real solicitations, answers and silence, behind routers and with faults on command.
import { describe, expect, test as base, vi } from 'vitest';
import { startBuiltIn } from '../../../engine/service/builtin/start.ts';
import type { RunningBuiltIn } from '../../../engine/service/builtin/start.ts';
import type { BuiltInChange } from '../../../engine/service/builtin/calls.ts';
import type { DoctorReport } from '../../../engine/service/doctor-calls.ts';

vi.setConfig({ testTimeout: 30_000 });
/** Virtual ms for each real one: more, and a busy machine makes time-outs of it. */
const SPEED = 10;

/** Each test has a network of its own. */
const test = base.extend<{ client: RunningBuiltIn }>({
  client: async ({}, use) => {
    const client = await startBuiltIn(
      { control: null, speed: SPEED },
      { log: () => undefined, onFailed: () => undefined },
    );
    await use(client);
    await client.close();
  },
});

const wait = (virtualMs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, virtualMs / SPEED));

/** Changes the network and lets the client notice. */
async function change({ api }: RunningBuiltIn, what: BuiltInChange): Promise<void> {
  await api.changeBuiltIn(what);
  await wait(3_000);
}
const look = ({ api }: RunningBuiltIn, thorough?: boolean): Promise<DoctorReport> =>
  api.doctor(thorough === undefined ? {} : { thorough });
const results = ({ checks }: DoctorReport): Record<string, string> =>
  Object.fromEntries(checks.map(({ code, result }) => [code, result]));

describe.concurrent('the doctor', () => {
  test('all is well; a second call while one looks gets the same report', async ({ client }) => {
    const [report, same] = await Promise.all([look(client), look(client)]);
    expect(same).toBe(report);
    expect(report).toMatchObject({ builtIn: true, client: true, verdict: { ok: true } });
    expect(results(report)).toMatchObject({
      dns: 'good',
      'udp-out': 'good',
      'udp-3544': 'good',
      primary: 'good',
      secondary: 'good',
      nat: 'good',
      hairpin: 'good',
      'port-kept': 'good',
      refresh: 'unknown',
    });
    expect((await client.api.doctorState({})).report).toEqual(report);
  });

  test('a thorough look measures that the way stays open; one that is under way is named', async ({
    client,
  }) => {
    await client.api.changeBuiltIn({ change: 'speed', speed: 3 * SPEED });
    const looking = look(client, true);
    const { running } = await client.api.doctorState({});
    expect(running.map(({ code }) => code)).toContain('refresh');
    expect(results(await looking)['refresh']).toBe('good');
    expect((await client.api.doctorState({})).running).toEqual([]);
  });

  test('a router that forgets the way while it is not used is found out', async ({ client }) => {
    const looking = look(client, true);
    await vi.waitFor(
      async () => {
        const { running } = await client.api.doctorState({});
        expect(running.map(({ code }) => code)).toEqual(['refresh']);
      },
      { timeout: 20_000, interval: 20 },
    );
    await client.api.changeBuiltIn({ change: 'fault', name: 'reboot' });
    await client.api.changeBuiltIn({ change: 'speed', speed: 3 * SPEED });
    const { checks } = await looking;
    expect(checks.find(({ code }) => code === 'refresh')).toMatchObject({ result: 'bad' });
  });

  test('a cone router is named by an answer from an address that nobody wrote to', async ({
    client,
  }) => {
    await change(client, { change: 'nat', kind: 'cone' });
    const { checks } = await look(client);
    expect(checks.find(({ code }) => code === 'nat')?.evidence).toMatch(/^Cone/);
  });

  test('a symmetric router limits what works', async ({ client }) => {
    await change(client, { change: 'nat', kind: 'symmetric' });
    const report = await look(client);
    expect(results(report)).toMatchObject({
      ...{ nat: 'bad', 'port-kept': 'bad', hairpin: 'bad', primary: 'good' },
    });
    expect(report.verdict).toMatchObject({ ok: true, code: 'limited', check: 'nat' });
  });

  test.for([
    ['udp', 'udp-out', 'prevented', /UDP/],
    ['port-3544', 'udp-3544', 'unclear', /3544/],
    ['portal', 'dns', 'prevented', /Log in/],
    ['cable', 'routes', 'prevented', /no IPv4 network.*cable/],
  ] as const)('$0 is found out', async ([name, check, code, text], { client }) => {
    // Before anything is known of the servers.
    await change(client, { change: 'fault', name });
    await wait(15_000);
    const { verdict } = await look(client);
    expect(verdict).toMatchObject({ ok: false, code, check });
    expect(verdict.text).toMatch(text);
  });

  test('servers that answered before and are silent together show a blocked port', async ({
    client,
  }) => {
    await look(client);
    await change(client, { change: 'fault', name: 'port-3544' });
    await wait(60_000);
    const report = await look(client);
    expect(report.checks.find(({ code }) => code === 'udp-3544')).toMatchObject({
      result: 'bad',
      evidence: expect.stringMatching(/answered before/) as string,
    });
  });
});
