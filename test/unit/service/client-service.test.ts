// The running client over a host in memory: our own server answers, the datapath is the real one without threads.
import { mkdtempSync, rmSync } from 'node:fs';
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
  SocketDatapath,
} from '../../../engine/host/types.ts';
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

const ip4 = (text: string): Ip4 => parseIp4(text)!;
const SERVERS = [ip4('192.0.2.1'), ip4('192.0.2.2')] as const;
/** What the router makes of us. */
const MAPPED: Endpoint = { ip: ip4('198.51.100.7'), port: 40_000 };
const HOME = { interface: 'eth0', address: ip4('192.168.1.10'), prefix: 24 };

/** A computer behind a router that maps it to `MAPPED`, and a server on the other side unless `serves` is false. */
class MemoryHost implements Host {
  serves = true;
  taken = new Set<number>();
  readonly names = new Map([['teredo.example', SERVERS[0]]]);
  network: NetworkState = { networks: [HOME], nativeIpv6: false, ipv4: true };
  /** The UDP socket is open. */
  socketOpen = false;
  /** What was asked of the adapter, in order. */
  readonly adapterCalls: string[] = [];
  readonly delivered: Uint8Array[] = [];
  readonly asked: Endpoint[] = [];
  socket: MemoryDatapath | null = null;
  bound = 0;
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
      { from: MAPPED, arrivedOn: side, bytes },
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

it('leaves native IPv6 its default route, and takes it over when native IPv6 goes', async () => {
  host.network = { ...host.network, nativeIpv6: true };
  await qualified();
  await vi.waitFor(() => expect(host.adapterCalls.at(-1)).toBe('default false'));
  host.changeNetwork({ ...host.network, nativeIpv6: false });
  await vi.waitFor(() => expect(host.adapterCalls.at(-1)).toBe('default true'));
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
