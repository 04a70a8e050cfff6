// Tests known PCs and the list of servers on the built-in network: names, addresses, tests with their reason, offers, probes.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startBuiltIn } from '../../../engine/service/builtin/start.ts';
import type { RunningBuiltIn } from '../../../engine/service/builtin/start.ts';

vi.setConfig({ testTimeout: 30_000 });
/** Virtual ms for each real one: more, and a busy machine makes time-outs of it. */
const SPEED = 10;
let client: RunningBuiltIn;
let api: RunningBuiltIn['api'];

beforeEach(async () => {
  client = await startBuiltIn(
    { control: null, speed: SPEED },
    { log: () => undefined, onFailed: () => undefined },
  );
  ({ api } = client);
});
afterEach(() => client.close());

const wait = (virtualMs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, virtualMs / SPEED));

async function addressOf(name: string): Promise<string> {
  for (;;) {
    const { hosts } = await api.builtIn({});
    const address = hosts.find((each) => each.name === name)?.address;
    if (address) return address;
    await wait(500);
  }
}

describe('known PCs', () => {
  test('by a pasted address: added, tested with the reason, forgotten', async () => {
    const address = await addressOf('Ana');
    const added = await api.setPc({ name: 'Home', target: address.toUpperCase() });
    expect(added).toMatchObject({ target: address, address, kind: 'teredo', state: 'not-tested' });
    const tested = await api.testPc({ name: 'Home' });
    expect(tested).toMatchObject({
      state: 'reachable',
      text: expect.stringMatching(/answers in/) as string,
    });
    expect(await api.pcs({})).toEqual([tested]);
    expect(await api.forgetPc({ name: 'Home' })).toEqual({ forgotten: true });
    expect(await api.pcs({})).toEqual([]);
  });

  test('a native host that drops pings says so; no address of our own says that', async () => {
    await api.setPc({ name: 'Quiet', target: '2001:db8::dead' });
    expect(await api.testPc({ name: 'Quiet' })).toMatchObject({
      state: 'unreachable',
      kind: 'native',
    });
    await api.changeBuiltIn({ change: 'fault', name: 'cable' });
    await wait(1_000);
    const { text } = await api.testPc({ name: 'Quiet' });
    expect(text).toMatch(/\w/);
  });

  test('by a name: looked up, and another address is offered', async () => {
    const pc = await api.setPc({ name: 'Ana', target: 'ana.example' });
    const address = await addressOf('Ana');
    if (pc.address === null) await api.testPc({ name: 'Ana' });
    expect((await api.pcs({}))[0]).toMatchObject({ address, offer: null });
    await api.setPc({ name: 'Ana', target: '2001:0:c000:201:1234:56:7890:1' });
    await expect(api.updatePc({ name: 'Ana' })).rejects.toThrow(/No other address/);
  });

  test.each(['10.0.0.1', '::1', 'ff02::1', 'no name', '127'])('%s is no PC', async (target) => {
    await expect(api.setPc({ name: 'X', target })).rejects.toThrow(/neither|no PC/);
  });

  test('the invitation has our address, and says what it gives away', async () => {
    await api.testPc({ name: (await api.setPc({ name: 'W', target: '2001:db8::80' })).name });
    const { address, text } = await api.invitation({});
    expect(address).toBe((await api.status({})).address);
    expect(text).toContain(address!);
    expect(text).toMatch(/public IPv4/);
  });
});

describe('servers', () => {
  test('are not verified before they are asked; then the best is suggested', async () => {
    const before = await api.servers({});
    expect(before.map(({ state, suggested }) => [state, suggested])).toEqual([
      ['not-verified', false],
      ['not-verified', false],
    ]);
    const after = await api.servers({ probe: true });
    expect(after.map(({ state }) => state)).toEqual(['answers', 'answers']);
    expect(after.filter(({ suggested }) => suggested)).toHaveLength(1);
    expect(after[0]!.primary.rttMs).toBeCloseTo(40, 0);
  });

  test('one that is silent says so, one without a name is not found; own ones come and go', async () => {
    await api.addServer({ name: 'nobody.example' });
    await api.changeBuiltIn({ change: 'fault', name: 'server' });
    const rows = await api.servers({ probe: true });
    expect(rows.map(({ name, from, state }) => [name, from, state])).toEqual([
      ['teredo-1.example', 'settings', 'silent'],
      ['teredo-2.example', 'settings', 'answers'],
      ['nobody.example', 'own', 'not-found'],
    ]);
    expect(rows.find(({ suggested }) => suggested)?.name).toBe('teredo-2.example');
    expect(await api.removeServer({ name: 'nobody.example' })).toHaveLength(2);
    await expect(api.addServer({ name: 'no name' })).rejects.toThrow(/no host name/);
  });

  test('a relay is named by who carried a native host’s answer', async () => {
    expect(await api.checkRelay({ address: '2001:db8::80' })).toMatchObject({
      ok: true,
      carriedBy: expect.stringMatching(/^192\.0\.2\.66:/) as string,
    });
  });
});
