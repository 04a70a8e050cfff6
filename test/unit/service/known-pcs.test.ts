// Tests known PCs and the list of servers on the built-in network: names, addresses, tests with their reason, offers, probes.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startBuiltIn } from '../../../engine/service/builtin/start.ts';
import type { RunningBuiltIn } from '../../../engine/service/builtin/start.ts';
import { KnownPcs } from '../../../engine/service/known-pcs.ts';
import { StateFile } from '../../../engine/service/state-file.ts';
import { parseIp6 } from '../../../engine/wire/index.ts';

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
    expect(tested).toMatchObject({
      code: 'answers',
      path: expect.stringMatching(/./) as string,
      testing: false,
    });
    expect(await api.pcs({})).toEqual([tested]);
    expect(await api.renamePc({ name: 'Home', to: 'Mum' })).toEqual({ ...tested, name: 'Mum' });
    expect(await api.pcs({})).toEqual([{ ...tested, name: 'Mum' }]);
    await api.setPc({ name: 'Work', target: '2001:db8::80' });
    await expect(api.renamePc({ name: 'Mum', to: 'Work' })).rejects.toThrow(/already/);
    await api.forgetPc({ name: 'Work' });
    expect(await api.forgetPc({ name: 'Mum' })).toEqual({ forgotten: true });
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

  test('by a name: looked up; nothing is offered while it leads to the same address', async () => {
    const pc = await api.setPc({ name: 'Ana', target: 'ana.example' });
    const address = await addressOf('Ana');
    if (pc.address === null) await api.testPc({ name: 'Ana' });
    expect((await api.pcs({}))[0]).toMatchObject({ address, offer: null });
    await api.setPc({ name: 'Ana', target: '2001:0:c000:201:1234:56:7890:1' });
    await expect(api.updatePc({ name: 'Ana' })).rejects.toThrow(/No other address/);
  });

  /** The address of that PC before its router gave it another port. */
  const former = (address: string): string => address.replace(/:[^:]+(?=(:[^:]+){2}$)/, ':1234');

  test('a PC that speaks from another port of its router is offered, taken, and reached', async () => {
    const address = await addressOf('Ben');
    expect((await api.ping({ address, timeoutMs: 10_000 })).ok).toBe(true);
    await api.setPc({ name: 'Home', target: former(address) });
    const tested = await api.testPc({ name: 'Home' });
    expect(tested.state).not.toBe('reachable');
    expect(tested).toMatchObject({
      address: former(address),
      offer: { code: 'peer-moved', address },
    });
    expect(await api.updatePc({ name: 'Home' })).toMatchObject({
      ...{ target: address, address, offer: null, state: 'not-tested' },
    });
    expect(await api.testPc({ name: 'Home' })).toMatchObject({ state: 'reachable', offer: null });
  });

  test('a name that leads elsewhere now is offered, taken, and stays a name', async () => {
    const address = await addressOf('Ben');
    const folder = mkdtempSync(join(tmpdir(), 'shipworm-pcs-'));
    let answer = former(address);
    const pcs = new KnownPcs({
      host: { resolve6: () => Promise.resolve([parseIp6(answer)!]) },
      state: new StateFile(folder, () => undefined),
      service: { summary: () => client.status(), api },
      onChange: () => undefined,
    });
    const [name, target] = ['Home', 'home.example.net'];
    try {
      expect(await pcs.api.setPc({ name, target })).toMatchObject({ address: answer, offer: null });
      answer = address;
      expect(await pcs.api.testPc({ name })).toMatchObject({
        ...{ address: former(address), offer: { code: 'name-moved', address } },
      });
      const taken = { target, address, offer: null };
      expect(await pcs.api.updatePc({ name })).toMatchObject(taken);
      expect(await pcs.api.testPc({ name })).toMatchObject({ ...taken, state: 'reachable' });
    } finally {
      rmSync(folder, { recursive: true });
    }
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
    const NOT_ASKED = {
      state: 'not-verified',
      code: 'not-asked',
      suggested: false,
      probedAt: null,
    };
    expect(before).toMatchObject([
      { ...NOT_ASKED, order: 1 },
      { ...NOT_ASKED, order: 2 },
    ]);
    const one = api.servers({ probe: true, name: 'teredo-2.example' });
    expect((await api.servers({})).map(({ probing }) => probing)).toEqual([false, true]);
    expect((await one).map(({ state }) => state)).toEqual(['not-verified', 'answers']);
    await expect(api.servers({ probe: true, name: 'else.example' })).rejects.toThrow(/not on/);
    const after = await api.servers({ probe: true });
    expect(after.map(({ code, probing }) => [code, probing])).toEqual([
      ['answers', false],
      ['answers', false],
    ]);
    expect(Date.now() - after[0]!.probedAt!).toBeLessThan(20_000);
    expect(after.filter(({ suggested }) => suggested)).toHaveLength(1);
    expect(after[0]!.primary.rttMs).toBeCloseTo(40, 0);
  });

  test('one that is silent says so, one without a name is not found; own ones come and go', async () => {
    await api.addServer({ name: 'nobody.example' });
    await api.changeBuiltIn({ change: 'fault', name: 'server' });
    const rows = await api.servers({ probe: true });
    expect(rows.map(({ name, from, state, order }) => [name, from, state, order])).toEqual([
      ['teredo-1.example', 'settings', 'silent', 1],
      ['teredo-2.example', 'settings', 'answers', 2],
      ['nobody.example', 'own', 'not-found', null],
    ]);
    expect(rows.find(({ suggested }) => suggested)?.name).toBe('teredo-2.example');
    expect(await api.removeServer({ name: 'nobody.example' })).toHaveLength(2);
    await expect(api.addServer({ name: 'no name' })).rejects.toThrow(/no host name/);
  });

  test('what happens when the one in use falls silent is said', async () => {
    expect(await api.failover({})).toMatchObject({ afterSeconds: 300, locked: null, change: null });
    await vi.waitFor(async () => expect((await api.failover({})).code).toBe('ready'), 10_000);
    expect((await api.servers({})).map(({ inUse }) => inUse)).toEqual([true, false]);
    await api.nextServer({});
    await vi.waitFor(
      async () => expect((await api.failover({})).change?.code).toBe('server-changed'),
      10_000,
    );
    expect((await api.servers({ probe: true })).map(({ inUse }) => inUse)).toEqual([false, true]);
    client.pause(true);
    expect((await api.failover({})).code).toBe('asleep');
  });

  test('a relay is named by who carried a native host’s answer', async () => {
    expect(await api.checkRelay({ address: '2001:db8::80' })).toMatchObject({
      ok: true,
      carriedBy: expect.stringMatching(/^192\.0\.2\.66:/) as string,
    });
  });
});
