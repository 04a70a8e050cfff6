// Tests the check of one's own server and relay on the built-in network: real questions, answers and silence, with faults on command.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startBuiltIn } from '../../../engine/service/builtin/start.ts';
import type { RunningBuiltIn } from '../../../engine/service/builtin/start.ts';
import type { BuiltInChange } from '../../../engine/service/builtin/calls.ts';
import type { OwnParams, OwnReport } from '../../../engine/service/own/calls.ts';

vi.setConfig({ testTimeout: 30_000 });
/** Virtual ms for each real one: more, and a busy machine makes time-outs of it. */
const SPEED = 10;
let client: RunningBuiltIn;

beforeEach(async () => {
  client = await startBuiltIn(
    { control: null, speed: SPEED },
    { log: () => undefined, onFailed: () => undefined },
  );
});
afterEach(() => client.close());

const OURS: OwnParams = { server: 'teredo-1.example', relay: '192.0.2.66' };
const look = (asked: Partial<OwnParams> = {}): Promise<OwnReport> =>
  client.api.checkOwn({ ...OURS, ...asked });
const change = (what: BuiltInChange) => client.api.changeBuiltIn(what);
const of = ({ checks }: OwnReport, code: string) => checks.find((each) => each.code === code)!;
const results = ({ checks }: OwnReport): Record<string, string> =>
  Object.fromEntries(checks.map(({ code, result }) => [code, result]));

test('all is well; one look at a time, and the next waits', async () => {
  const looking = look();
  expect(await client.api.ownState({})).toMatchObject({ report: null, running: OURS });
  await expect(look()).rejects.toThrow(/is being looked at/);
  const report = await looking;
  expect(report).toMatchObject({
    builtIn: true,
    asked: OURS,
    verdict: { ok: true, code: 'works' },
  });
  expect(new Set(Object.values(results(report)))).toEqual(new Set(['good']));
  expect(await client.api.ownState({})).toEqual({ report, running: null });
  const before = performance.now();
  await look();
  // Ten seconds after the first began, which took the less part of them.
  expect((performance.now() - before) * SPEED).toBeGreaterThan(5_000);
});

test('while the tunnel sleeps, and without waking it', async () => {
  await client.api.forgetApp({ which: '/usr/games/chess' });
  await change({ change: 'speed', speed: 10 * SPEED });
  await vi.waitFor(() => expect(client.status().state).toBe('dormant'), 10_000);
  await change({ change: 'speed', speed: SPEED });
  expect((await look()).verdict.code).toBe('works');
  expect(client.status().state).toBe('dormant');
});

test.each([
  ['server', 'fails', 'server-answers', /192\.0\.2\.1 did not answer.*open UDP port 3544/],
  ['port-3544', 'fails', 'server-answers', /look from another network/],
  ['udp', 'unclear', 'server-answers', /no other UDP got an answer/],
  ['portal', 'fails', 'server-public', /no public address.*log in/i],
  ['cable', 'unclear', 'server-name', /IPv4 leads nowhere/],
  ['relay-moved', 'partly', 'relay-whose', /192\.0\.2\.67:3544 brought the answer/],
  ['relay', 'partly', 'native-ping', /root name servers/],
] as const)('%s is found out', async (name, code, check, text) => {
  await change({ change: 'fault', name });
  const { verdict } = await look();
  expect(verdict).toMatchObject({ ok: false, code, check });
  expect(verdict.text).toMatch(text);
});

test('a host that is named and does not answer is told from a server that passes nothing on', async () => {
  const report = await look({ native: 'quiet.example' });
  expect(of(report, 'native-ping')).toMatchObject({ result: 'bad' });
  expect(of(report, 'native-ping').evidence).toMatch(/while 2001:503:ba3e::2:30 answered/);
  expect(of(report, 'relay-whose').result).toBe('good');
});

test('a symmetric router is this PC’s, not the server’s', async () => {
  await change({ change: 'nat', kind: 'symmetric' });
  const report = await look();
  expect(of(report, 'same-mapping')).toMatchObject({ result: 'unknown' });
  expect(of(report, 'same-mapping').evidence).toMatch(/symmetric, which is no fault/);
  expect(results(report)).toMatchObject({ 'cone-answer': 'unknown', 'server-bubbles': 'good' });
  expect(report.verdict.code).toBe('works');
});

test('what can’t be asked is refused in one sentence', async () => {
  await expect(look({ relay: 'relay.example' })).rejects.toThrow(/must be an IPv4 address/);
  await expect(look({ server: '192.0.2.1', secondary: '192.0.2.1' })).rejects.toThrow(/another/);
  expect((await look({ server: 'nobody.example' })).verdict.check).toBe('server-name');
});
