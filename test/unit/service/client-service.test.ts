// The running client over a host in memory: our own server answers, the datapath is the real one without threads.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MemoryDatapath } from '../../../engine/datapath/memory.ts';
import { HostError } from '../../../engine/host/types.ts';
import type {
  Adapter,
  DatapathOptions,
  Host,
  NetworkState,
  Owners,
  SocketDatapath,
} from '../../../engine/host/types.ts';
import type { SocketVerdict } from '../../../engine/gate/index.ts';
import { TeredoServer } from '../../../engine/server/index.ts';
import { ClientService } from '../../../engine/service/client-service.ts';
import { readSettings } from '../../../engine/service/config.ts';
import type { FileSettings } from '../../../engine/service/config.ts';
import { StateFile } from '../../../engine/service/state-file.ts';
import {
  buildIp6Packet,
  decodeTeredo,
  formatIp4,
  formatIp6,
  parseIcmp6,
  parseIp4,
  parseIp6,
  PROTOCOL,
} from '../../../engine/wire/index.ts';
import type { Endpoint, Ip4, Ip6 } from '../../../engine/wire/index.ts';

import { ALLOW_CURL, program } from '../gate/harness.ts';

const ip4 = (text: string): Ip4 => parseIp4(text)!;
const SERVERS = [ip4('192.0.2.1'), ip4('192.0.2.2')] as const;
/** What the router makes of us. */
const MAPPED: Endpoint = { ip: ip4('198.51.100.7'), port: 40_000 };
const HOME = { interface: 'eth0', address: ip4('192.168.1.10'), prefix: 24 };

/** Names one program for every flow, as the system would, and keeps what is written into the kernel. */
class MemoryOwners implements Owners {
  readonly mode = 'programs';
  readonly why = null;
  readonly calls: string[] = [];
  program = '/usr/bin/curl';
  private cookie = 0n;
  setAddresses = (): void => undefined;
  watch = (): void => undefined;
  releaseFlow = (): void => undefined;
  releaseSocket = (cookie: bigint): void => void this.calls.push(`release ${cookie}`);
  listeners = () => Promise.resolve([]);
  close = (): Promise<void> => Promise.resolve();

  setVerdict(cookie: bigint, { out }: SocketVerdict): Promise<void> {
    this.calls.push(`${out} ${cookie}`);
    return Promise.resolve();
  }

  resolve() {
    const identity = program(this.program);
    const process = { pid: 100, startedMs: 1 };
    this.cookie += 1n;
    return Promise.resolve({
      cookie: this.cookie,
      owner: { identities: [identity], process, comm: 'x', confidence: 'exact' as const },
    });
  }
}

/** A computer behind a router that maps it to `MAPPED`, and a server on the other side unless `serves` is false. */
class MemoryHost implements Host {
  serves = true;
  taken = new Set<number>();
  readonly names = new Map([['teredo.example', SERVERS[0]]]);
  network: NetworkState = { networks: [HOME], nativeIpv6: false, ipv4: true, route: '' };
  /** Who owns what a program sends; none: nobody can be named. */
  owners: MemoryOwners | null = null;
  /** The UDP socket is open. */
  socketOpen = false;
  /** What was asked of the adapter, in order. */
  readonly adapterCalls: string[] = [];
  readonly delivered: Uint8Array[] = [];
  readonly asked: Endpoint[] = [];
  socket: MemoryDatapath | null = null;
  bound = 0;
  mapped = MAPPED;
  lose: (error: HostError) => void = () => undefined;
  changeNetwork: (state: NetworkState) => void = () => undefined;
  private seed = 1;
  private readonly server = new TeredoServer({
    primary: SERVERS[0],
    secondary: SERVERS[1],
    allowPrivate: true,
  });

  readonly random = {
    bytes: (length: number): Uint8Array =>
      Uint8Array.from({ length }, () => (this.seed = (this.seed * 48271) % 0x7fffffff) >>> 8),
  };
  now = (): number => performance.now() + 1000;
  isPortFree = (port: number): Promise<boolean> => Promise.resolve(!this.taken.has(port));
  openRaw6 = (): Promise<never> =>
    Promise.reject(new HostError('helper-refused', 'A client has no use for a raw socket.'));
  networkState = (): Promise<NetworkState> => Promise.resolve(this.network);

  watchNetwork(callback: (state: NetworkState) => void): () => void {
    this.changeNetwork = callback;
    return () => this.adapterCalls.push('stopped watching');
  }

  resolve(name: string): Promise<readonly Ip4[]> {
    const found = parseIp4(name) ?? this.names.get(name);
    return found === undefined
      ? Promise.reject(new Error(`${name} could not be looked up.`))
      : Promise.resolve([found]);
  }

  openAdapter(): Promise<Adapter> {
    const call = (text: string): Promise<void> => {
      this.adapterCalls.push(text);
      return Promise.resolve();
    };
    return Promise.resolve({
      name: 'teredo',
      index: 7,
      queues: [],
      vnetHeader: false,
      setAddress: (address, preferred) => call(`set ${formatIp6(address)} ${preferred}`),
      removeAddress: (address) => call(`remove ${formatIp6(address)}`),
      setDefaultRoute: (on) => call(`default ${on}`),
      onLost: (callback) => (this.lose = callback),
      close: () => call('close'),
    });
  }

  openDatapath({ bind, validMs, onUpcalls }: DatapathOptions): SocketDatapath {
    const { now } = this;
    this.bound = bind.port;
    const socket = new MemoryDatapath({
      now,
      validMs,
      upcall: onUpcalls,
      transmit: (to, datagram) => this.leave(to, datagram.slice()),
      deliver: (packet) => this.delivered.push(packet),
    });
    this.socket = socket;
    this.socketOpen = true;
    return Object.assign(socket, {
      local: bind,
      offloads: [],
      sleep: () => {
        this.socketOpen = false;
        socket.clearFlows();
      },
      wake: () => void (this.socketOpen = true),
    });
  }

  private leave(to: Endpoint, bytes: Uint8Array): void {
    this.asked.push(to);
    const side = (['primary', 'secondary'] as const)[SERVERS.indexOf(to.ip)];
    if (!this.serves || side === undefined) return;
    for (const out of this.server.handleDatagram(
      { from: this.mapped, arrivedOn: side, bytes },
      this.now(),
    ))
      if (out.kind === 'transmit')
        setImmediate(() =>
          this.socket!.fromSocket(
            { ip: SERVERS[out.via === 'primary' ? 0 : 1], port: 3544 },
            out.bytes,
          ),
        );
  }
}

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
  const settings = readSettings([], undefined, {
    server: 'teredo.example',
    allowPrivate: true,
    ...overrides,
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
  expect(log.some((line) => line.startsWith(`Qualified: ${formatIp6(address)} `))).toBe(true);
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
