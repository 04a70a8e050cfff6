// The running client over a host in memory: our own server answers, the datapath is the real one without threads.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HostError } from '../../../engine/host/types.ts';
import type { Status } from '../../../engine/service/api.ts';
import { ClientService } from '../../../engine/service/client-service.ts';
import { readSettings } from '../../../engine/service/config.ts';
import type { FileSettings } from '../../../engine/service/config.ts';
import { StateFile } from '../../../engine/service/state-file.ts';
import {
  buildBubble,
  buildDatagram,
  buildIp6Packet,
  decodeTeredo,
  encodeTeredo,
  formatIp4,
  formatIp6,
  parseIcmp6,
  parseIp6,
  PROTOCOL,
} from '../../../engine/wire/index.ts';
import type { Ip6 } from '../../../engine/wire/index.ts';
import { ALLOW_CURL } from '../gate/harness.ts';
import { ip4, MAPPED, MemoryHost, MemoryOwners, SERVERS } from './memory-host.ts';

let folder: string;
let host: MemoryHost;
const running: ClientService[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shipworm-service-'));
  host = new MemoryHost();
});
afterEach(async () => {
  for (const service of running.splice(0)) await service.close();
  rmSync(folder, { recursive: true });
});

interface Run {
  readonly service: ClientService;
  readonly log: string[];
  readonly failures: HostError[];
}

async function start(overrides: FileSettings = {}): Promise<Run> {
  const settings = readSettings({
    defaults: [],
    overrides: {
      server: 'teredo.example',
      allowPrivate: true,
      ...overrides,
    },
  });
  const log: string[] = [];
  const failures: HostError[] = [];
  const service = new ClientService(
    host,
    settings,
    await host.openAdapter(),
    host.owners,
    new StateFile(folder, (text) => log.push(text)),
    { log: ({ text }) => log.push(text), onFailed: (error) => failures.push(error) },
  );
  running.push(service);
  await service.start();
  return { service, log, failures };
}

async function qualified(overrides: FileSettings = {}): Promise<Run & { address: Ip6 }> {
  const run = await start(overrides);
  await vi.waitFor(() => expect(run.service.status().state).toBe('qualified'));
  return { ...run, address: parseIp6(run.service.status().address!)! };
}

const udp = (source: Ip6, destination: Ip6): Uint8Array =>
  buildIp6Packet(
    { nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination },
    new Uint8Array(20),
  );

it('gets its address from the server and puts it on the adapter', async () => {
  const { service, address, log } = await qualified();
  expect(decodeTeredo(address)).toMatchObject({ server: SERVERS[0], client: MAPPED });
  expect(service.status()).toMatchObject({
    reason: { code: 'qualified' },
    mtu: 1280,
    server: '192.0.2.1:3544',
    mapped: '198.51.100.7:40000',
    adapter: 'teredo',
    exposure: { mode: 'closed' },
  });
  await vi.waitFor(() =>
    expect(host.adapterCalls).toEqual([`set ${formatIp6(address)} true`, 'default true']),
  );
  await vi.waitFor(() => expect(log.join('\n')).toContain(`\nQualified: ${formatIp6(address)} `));
});

it('says that it is qualified, in the log too, once programs find both address and route, and shows no address before', async () => {
  const seen: string[] = [];
  const steps: (() => void)[] = [];
  host.adapterWaits = () => new Promise<void>((resolve) => void steps.push(resolve));
  const { service, log } = await start();
  const state = (): string => {
    const { state: name, reason, address } = service.status();
    const logged = log.some((line) => line.startsWith('Qualified: ')) ? ', logged' : '';
    return `${name} ${reason.code} ${address === null ? 'no address' : 'address'}${logged}`;
  };
  const step = async (call: RegExp): Promise<void> => {
    await vi.waitFor(() => expect(host.adapterCalls.at(-1)).toMatch(call));
    seen.push(state());
    steps.pop()!();
  };
  await step(/^set /);
  await step(/^default true/);
  await vi.waitFor(() => expect(state()).toBe('qualified qualified address, logged'));
  expect(seen).toEqual(Array(2).fill('qualifying starting no address'));
  host.adapterWaits = () => Promise.resolve();
});

it('is not needed where there is native IPv6, but for who wants it, and leaves that its default route', async () => {
  host.network = { ...host.network, nativeIpv6: true };
  const { service } = await start();
  expect(service.status()).toMatchObject({ state: 'unneeded', reason: { code: 'native-ipv6' } });
  expect(host.socketOpen).toBe(false);
  expect(host.asked).toEqual([]);
  await service.close();
  await qualified({ evenWithNativeIpv6: true });
  await vi.waitFor(() => expect(host.adapterCalls.at(-1)).toBe('default false'));
  host.changeNetwork({ ...host.network, nativeIpv6: false });
  await vi.waitFor(() => expect(host.adapterCalls.at(-1)).toBe('default true'));
});

it('stays off where a domain controller answers, says so, and looks again on another network', async () => {
  host.domain = 'corp.example';
  const { service } = await start();
  await vi.waitFor(() =>
    expect(service.status()).toMatchObject({
      state: 'managed',
      reason: { code: 'domain-controller' },
    }),
  );
  expect(host.asked).toEqual([]);
  expect(host.socketOpen).toBe(false);
  host.domain = null;
  host.changeNetwork({ ...host.network, suffixes: ['home.arpa'] });
  await vi.waitFor(() => expect(service.status().state).toBe('qualified'));
});

it('remembers what was chosen for a network', async () => {
  const { service } = await qualified();
  expect(await service.api.network({})).toMatchObject({ choice: 'on' });
  await service.api.network({ choice: 'off' });
  expect(service.status()).toMatchObject({ state: 'off', reason: { code: 'network-off' } });
  expect(host.socketOpen).toBe(false);
  await service.close();
  expect((await start()).service.status().reason.code).toBe('network-off');
});

it('lists every network for which something was chosen, changes one that is elsewhere, and forgets', async () => {
  const { service } = await qualified();
  const { id: home } = await service.api.network({ choice: 'off' });
  host.changeNetwork({ ...host.network, suffixes: ['elsewhere.example'] });
  await vi.waitFor(async () => expect((await service.api.network({})).id).not.toBe(home));
  const elsewhere = await service.api.network({ choice: 'on' });
  expect(elsewhere.remembered).toEqual([
    { id: home, choice: 'off' },
    { id: elsewhere.id, choice: 'on' },
  ]);
  expect(await service.api.network({ id: home!, choice: 'ask' })).toMatchObject({
    id: elsewhere.id,
    choice: 'on',
    remembered: expect.arrayContaining([{ id: home, choice: 'ask' }]) as unknown,
  });
  const { remembered } = await service.api.network({ id: home!, choice: 'forget' });
  expect(remembered).toEqual([{ id: elsewhere.id, choice: 'on' }]);
  // A network that nobody knows can't be chosen for.
  expect(await service.api.network({ id: 'nowhere', choice: 'off' })).toMatchObject({ remembered });
  host.changeNetwork({ ...host.network, suffixes: [] });
  await vi.waitFor(async () => expect((await service.api.network({})).id).toBe(home));
  expect(service.status().reason.code).not.toBe('network-off');
});

/** An address, asleep, and what curl and the others may. */
async function asleep(): Promise<Run & { address: Ip6 }> {
  host.owners = new MemoryOwners();
  const run = await qualified({ sleepAfter: 1 });
  run.service.keeper.input({ kind: 'rule', rule: ALLOW_CURL });
  await vi.waitFor(() => expect(run.service.status().state).toBe('dormant'), 5_000);
  host.asked.length = 0;
  return run;
}

it('sleeps without a socket and keeps its address; the first packet of an allowed program wakes it and arrives', async () => {
  const { service, address } = await asleep();
  expect(service.status()).toMatchObject({
    reason: { code: 'nothing-running' },
    address: formatIp6(address),
    exposure: { mode: 'allowed' },
  });
  expect(host.socketOpen).toBe(false);
  host.socket!.fromAdapter(udp(address, parseIp6('2001:db8::80')!));
  await vi.waitFor(() => expect(service.status().state).toBe('qualified'));
  expect(host.socketOpen).toBe(true);
  expect(host.owners!.calls).toEqual(['allow 1']);
  // It asked the server first, and then for the way of the packet that waited.
  await vi.waitFor(() =>
    expect(service.status().peers).toMatchObject([{ address: '2001:db8::80' }]),
  );
  expect(host.delivered).toEqual([]);
  expect(parseIp6(service.status().address!)).toBe(address);
  await vi.waitFor(() => expect(service.status().state).toBe('dormant'), 5_000);
  expect(host.socketOpen).toBe(false);
});

it('is not woken by a program that is not allowed, which is refused at once', async () => {
  const { service, address } = await asleep();
  host.owners!.program = '/usr/bin/python3';
  host.socket!.fromAdapter(udp(address, parseIp6('2001:db8::80')!));
  await vi.waitFor(() => expect(host.delivered).toHaveLength(1));
  expect(parseIcmp6(host.delivered[0]!)).toMatchObject({ ok: true, value: { type: 1, code: 1 } });
  expect(host.owners!.calls).toEqual(['deny 1']);
  expect(service.status().state).toBe('dormant');
  expect(host.asked).toEqual([]);
});

it('tells a program when its address changed while it slept, and puts the new one on the adapter', async () => {
  const { service, address } = await asleep();
  host.mapped = { ...MAPPED, port: 40_001 };
  host.socket!.fromAdapter(udp(address, parseIp6('2001:db8::80')!));
  await vi.waitFor(() => expect(host.delivered).toHaveLength(1));
  // Address unreachable (RFC 4443 §3.1).
  expect(parseIcmp6(host.delivered[0]!)).toMatchObject({ ok: true, value: { type: 1, code: 3 } });
  const fresh = parseIp6(service.status().address!)!;
  expect(decodeTeredo(fresh)).toMatchObject({ client: host.mapped });
  await vi.waitFor(() =>
    expect(host.adapterCalls).toEqual(
      expect.arrayContaining([`set ${formatIp6(fresh)} true`, `remove ${formatIp6(address)}`]),
    ),
  );
  host.socket!.fromAdapter(udp(fresh, parseIp6('2001:db8::80')!));
  await vi.waitFor(() =>
    expect(service.status().peers).toMatchObject([{ address: '2001:db8::80' }]),
  );
});

it('remembers rules, and begins closed and says so when they are damaged', async () => {
  const first = await asleep();
  await first.service.close();
  const second = await start();
  expect(second.service.keeper.gate.allRules()).toEqual([ALLOW_CURL]);
  await second.service.close();
  writeFileSync(join(folder, 'client.json'), '{"version":2,"rules":[{}]}');
  const { service, log } = await qualified({ sleepAfter: 1 });
  await vi.waitFor(() => expect(service.status().reason.code).toBe('rules-damaged'), 5_000);
  expect(service.keeper.gate.allRules()).toEqual([]);
  expect(log.some((line) => line.includes('client.json.damaged'))).toBe(true);
});

it('uses the port of the last run, and another when that one is taken', async () => {
  const first = await qualified();
  const port = host.bound;
  expect(port).toBeGreaterThanOrEqual(49_152);
  await first.service.close();
  await (await qualified()).service.close();
  expect(host.bound).toBe(port);
  host.taken.add(port);
  await qualified();
  expect(host.bound).not.toBe(port);
});

it('takes the port that it was told', async () => {
  await qualified({ port: 4000 });
  expect(host.bound).toBe(4000);
});

it('asks the next server when a name can not be looked up, and says so once', async () => {
  const { service, log } = await start({ server: ['nobody.example', '192.0.2.1'] });
  await vi.waitFor(() => expect(service.status().reason.code).toBe('server-unresolved'));
  expect(log.filter((line) => line.includes('nobody.example'))).toHaveLength(1);
  await vi.waitFor(() => expect(service.status().state).toBe('qualified'), 5_000);
});

it('never asks a server at a private address outside a lab', async () => {
  host.names.set('home.example', ip4('10.0.0.1'));
  const { service } = await start({ server: 'home.example', allowPrivate: false });
  await vi.waitFor(() => expect(service.status().reason.code).toBe('server-unresolved'));
  expect(service.status().reason.text).toContain('home.example');
  expect(host.asked.map(({ ip }) => formatIp4(ip))).toEqual([]);
});

it('is closed: a local program is refused, and nothing of it leaves', async () => {
  const { service, address } = await qualified();
  const sent = host.asked.length;
  host.socket!.fromAdapter(udp(address, parseIp6('2001:db8::80')!));
  const error = parseIcmp6(host.delivered[0]!);
  expect(error).toMatchObject({ ok: true, value: { type: 1, code: 1 } });
  expect(host.asked).toHaveLength(sent);
  expect(service.status().counters.discards).toMatchObject({ notAllowedOut: 1 });
});

it('with --expose-all the same packet asks the way, and status names the risk', async () => {
  const { service, address, log } = await qualified({ exposeAll: true });
  const sent = host.asked.length;
  host.socket!.fromAdapter(udp(address, parseIp6('2001:db8::80')!));
  expect(host.asked.length).toBeGreaterThan(sent);
  expect(service.status().peers).toMatchObject([{ address: '2001:db8::80', kind: 'native' }]);
  expect(service.status().exposure.mode).toBe('all');
  expect(log).toContain(service.status().exposure.text);
});

it('says why a ping can not be, and settles those under way when it ends', async () => {
  const { service } = await qualified();
  const ping = (address: string): Promise<unknown> => service.api.ping({ address, timeoutMs: 500 });
  expect(await ping('nonsense')).toMatchObject({ ok: false, code: 'address-refused' });
  expect(await ping('ff02::1')).toMatchObject({ ok: false, code: 'address-refused' });
  expect(await ping('2001:db8::80')).toMatchObject({ ok: false, code: 'no-path' });
  const waiting = service.api.ping({ address: '2001:db8::81', timeoutMs: 60_000 });
  await service.close();
  expect(await waiting).toMatchObject({ ok: false, code: 'not-qualified' });
});

it('ends when the adapter is lost, and says so once', async () => {
  const { failures } = await qualified();
  const error = new HostError('helper-lost', 'The helper has ended.');
  host.lose(error);
  host.lose(error);
  await vi.waitFor(() => expect(failures).toEqual([error]));
  expect(host.adapterCalls.slice(-2)).toEqual(['stopped watching', 'close']);
});

it('Miredo fault 21: while a name is looked up for ever, floods are refused and every question is answered', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  try {
    const run = await start({
      server: ['teredo.example', 'slow.example'],
      failoverAfter: 1,
      exposeAll: true,
    });
    const { service } = run;
    for (let tries = 0; tries < 100 && service.status().state !== 'qualified'; tries++)
      await vi.advanceTimersByTimeAsync(10);
    expect(service.status().state).toBe('qualified');
    const address = parseIp6(service.status().address!)!;
    let lookUps = 0;
    let answer: (found: readonly number[]) => void = () => undefined;
    host.resolve = () => {
      lookUps += 1;
      return new Promise((resolve) => (answer = resolve));
    };
    host.serves = false;
    for (let second = 0; second < 90 && lookUps === 0; second++)
      await vi.advanceTimersByTimeAsync(1_000);
    expect(lookUps).toBeGreaterThan(0);
    // From the server's own endpoint, as what made Miredo wait for its look-up.
    const junk = new Uint8Array(61).fill(0xff);
    junk.set([0, 1, 0, 0]);
    const discards = (): number =>
      Object.values(service.status().counters.discards).reduce((sum, n) => sum + n, 0);
    const before = discards();
    for (let n = 0; n < 2_000; n++) host.socket!.fromSocket({ ip: SERVERS[0], port: 3544 }, junk);
    expect(discards() - before).toBe(2_000);
    expect(await service.api.status({})).toMatchObject({ address: formatIp6(address) });
    const sent = host.asked.length;
    host.socket!.fromAdapter(udp(address, parseIp6('2001:0:c000:281:0:3cae:34ff:8ef6')!));
    expect(host.asked.length).toBeGreaterThan(sent);
    host.serves = true;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(service.status().state).toBe('qualified');
    answer([SERVERS[0]]);
  } finally {
    vi.useRealTimers();
  }
});

it('keeps its address, its peers and what it counted while it looks whose another network is', async () => {
  const { service, address, log } = await qualified({ exposeAll: true });
  const from = { ip: ip4('203.0.113.9'), port: 50_000 };
  const peer = encodeTeredo({ server: ip4('192.0.2.129'), flags: 0, client: from });
  const bubble = buildDatagram({ packet: buildBubble(peer, address) });
  host.socket!.fromSocket(from, bubble);
  host.socket!.fromSocket(from, new Uint8Array(3));
  const peers = (): Status['peers'] => service.status().peers;
  expect(peers()).toMatchObject([{ address: formatIp6(peer), trusted: true }]);
  const asked = host.asked.length;
  const { discards } = service.status().counters;
  expect(Object.values(discards)).toContain(1);

  host.changeNetwork({ ...host.network, suffixes: ['home.arpa'] });
  expect(service.status()).toMatchObject({ state: 'dormant', reason: { code: 'looking' } });
  expect(host.socketOpen).toBe(false);
  await vi.waitFor(() => expect(service.status().state).toBe('qualified'));
  expect(host.asked.length).toBeGreaterThan(asked);
  expect(peers()).toMatchObject([{ address: formatIp6(peer), trusted: true }]);
  expect(service.status().address).toBe(formatIp6(address));
  expect(service.status().counters.discards).toEqual(discards);
  expect(log.filter((line) => line.startsWith('Asking teredo'))).toHaveLength(1);
  // A program's packet goes out at once, without a bubble before it.
  host.asked.length = 0;
  host.socket!.fromAdapter(udp(address, peer));
  expect(host.asked).toEqual([from]);
});
