// Module service/client-service wires the client machine, datapath, adapter and network watch into one running client.
import { clientConfig, PEER_VALID_MS } from '../client/config.ts';
import { TeredoClient } from '../client/client.ts';
import type { ClientInput, ClientOutput, Ip4Network, PingResult } from '../client/types.ts';
import type { Upcall } from '../datapath/types.ts';
import { HostError } from '../host/types.ts';
import type { Adapter, Host, NetworkState, SocketDatapath } from '../host/types.ts';
import {
  formatEndpoint,
  formatIp6,
  isGlobalUnicast4,
  parseIp4,
  parseIp6,
  TEREDO_MTU,
  TEREDO_PORT,
} from '../wire/index.ts';
import type { Ip4, Ip6 } from '../wire/index.ts';
import type { Api, PeerEntry, Status } from './api.ts';
import { peerEntry, pingResult } from './present.ts';
import type { Settings } from './config.ts';
import { Exposure } from './exposure.ts';
import { describeEvent } from './log.ts';
import type { LogEntry } from './log.ts';
import type { StateFile } from './state-file.ts';

/** Waits between attempts to resolve the server's name, ms: the first few soon, then each half minute. */
const RESOLVE_RETRY_MS = [2_000, 5_000, 10_000, 30_000];
/** Ports from which ours is drawn: the dynamic ones (RFC 6335 §6). */
const FIRST_DYNAMIC_PORT = 49_152;
const PORT_ATTEMPTS = 16;
/** Peers coming and going are told up to this many a minute; the rest is summed up. */
const PEER_LINES_PER_MINUTE = 60;

export interface ServiceHooks {
  readonly log: (entry: LogEntry) => void;
  /** The service can't go on: it has been closed. */
  readonly onFailed: (error: HostError) => void;
  /** Something changed in `status`. */
  readonly onChange?: () => void;
}

/** One running client. Construct it with an open adapter, `start` it, `close` it; it opens nothing before `start`. */
export class ClientService {
  readonly exposure: Exposure;
  private readonly host: Host;
  private readonly settings: Settings;
  private readonly adapter: Adapter;
  private readonly state: StateFile;
  private readonly hooks: ServiceHooks;
  private datapath: SocketDatapath | null = null;
  private client: TeredoClient | null = null;
  private networks: readonly Ip4Network[] = [];
  private nativeIpv6 = false;
  private serverIndex = 0;
  private unresolved: string | null = null;
  private timer: NodeJS.Timeout | null = null;
  private stopWatching: () => void = () => undefined;
  private closed = false;
  /** Adapter changes, one after the other. */
  private adapterWork: Promise<void> = Promise.resolve();
  private onAdapter: Ip6 | null = null;
  private pings = new Map<number, (result: PingResult) => void>();
  private nextPing = 1;
  private peerLines = { minute: 0, count: 0 };

  constructor(
    host: Host,
    settings: Settings,
    adapter: Adapter,
    state: StateFile,
    hooks: ServiceHooks,
  ) {
    this.host = host;
    this.settings = settings;
    this.adapter = adapter;
    this.state = state;
    this.hooks = hooks;
    this.exposure = new Exposure(settings.exposeAll ? 'all' : 'closed');
  }

  /** Opens the socket and begins to qualify. Throws HostError when the socket can't be had. */
  async start(): Promise<void> {
    this.adapter.onLost((error) => this.fail(error));
    const network = await this.host.networkState();
    this.networks = network.networks;
    this.nativeIpv6 = network.nativeIpv6;
    this.datapath = this.openDatapath(await this.choosePort());
    this.datapath.setDefaultVerdict(this.exposure.mode === 'all' ? 'pass' : 'ask');
    this.stopWatching = this.host.watchNetwork((state) => this.networkChanged(state));
    this.hooks.log({
      level: this.exposure.mode === 'all' ? 'warning' : 'info',
      text: this.exposure.text,
    });
    void this.connect(0);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    if (this.timer) clearTimeout(this.timer);
    this.stopWatching();
    this.datapath?.close();
    this.settlePings();
    await this.adapterWork;
    await this.adapter.close();
  }

  /** The calls of service/api. */
  readonly api: Omit<Api, 'reload'> = {
    status: () => Promise.resolve(this.status()),
    peers: () => Promise.resolve(this.peerEntries()),
    ping: ({ address, timeoutMs }) => this.ping(address, timeoutMs),
  };

  status(): Status {
    const status = this.client?.status();
    return {
      state: status?.state === 'off' ? 'qualifying' : (status?.state ?? 'qualifying'),
      reason: status?.reason ?? this.reasonWithoutClient(),
      address: status?.address != null ? formatIp6(status.address) : null,
      mtu: status?.address != null ? status.mtu : null,
      server: status ? formatEndpoint(status.server) : null,
      mapped: status?.mapped ? formatEndpoint(status.mapped) : null,
      nat: status?.nat ?? 'unknown',
      peers: this.peerEntries(),
      exposure: { mode: this.exposure.mode, text: this.exposure.text },
      offloads: [...(this.datapath?.offloads ?? [])],
      attribution: null,
      adapter: this.adapter.name,
      counters: {
        discards: { ...this.client?.discards, ...this.exposure.discards.snapshot() },
        datapath: { ...this.datapath?.counters() },
      },
    };
  }

  private reasonWithoutClient(): Status['reason'] {
    return this.unresolved === null
      ? { code: 'starting', text: 'Looking for the Teredo server.' }
      : { code: 'server-unresolved', text: this.unresolved };
  }

  private peerEntries(): PeerEntry[] {
    const now = this.host.now();
    return (this.client?.peers(now) ?? []).map((row) => peerEntry(row, now));
  }

  private ping(text: string, timeoutMs: number): ReturnType<Api['ping']> {
    const address = parseIp6(text);
    if (address === undefined || !this.client)
      return Promise.resolve(
        pingResult({
          ok: false,
          code: address === undefined ? 'address-refused' : 'not-qualified',
        }),
      );
    const id = this.nextPing++;
    return new Promise((resolve) => {
      this.pings.set(id, (result) => resolve(pingResult(result)));
      this.input({ kind: 'ping', id, address, timeoutMs });
    });
  }

  // ---- the server

  /** Resolves the server in turn and starts a client with it; tries again for ever. */
  private async connect(attempt: number): Promise<void> {
    const name = this.settings.servers[this.serverIndex]!;
    try {
      const server = await this.serverAddress(name);
      if (this.closed) return;
      this.unresolved = null;
      this.startClient(server);
    } catch (error) {
      if (this.closed) return;
      this.unresolved = `${(error as Error).message} Trying again.`;
      if (attempt === 0) this.hooks.log({ level: 'warning', text: this.unresolved });
      this.hooks.onChange?.();
      this.serverIndex = (this.serverIndex + 1) % this.settings.servers.length;
      const wait = RESOLVE_RETRY_MS[Math.min(attempt, RESOLVE_RETRY_MS.length - 1)]!;
      this.timer = setTimeout(() => void this.connect(attempt + 1), wait);
    }
  }

  private async serverAddress(name: string): Promise<Ip4> {
    const found = await this.host.resolve(name);
    const usable = found.find((ip) => this.settings.allowPrivate || isGlobalUnicast4(ip));
    if (usable === undefined)
      throw new Error(
        `${name} has no public IPv4 address, so it can’t be a Teredo server; check --server.`,
      );
    return usable;
  }

  private startClient(server: Ip4): void {
    const { credentials, server2, allowPrivate } = this.settings;
    const remembered = this.state.value.address;
    const lastAddress = remembered === null ? undefined : parseIp6(remembered);
    const config = clientConfig({
      server,
      ...(server2 !== null && { server2: parseIp4(server2)! }),
      allowPrivate,
      ...(lastAddress !== undefined && { lastAddress }),
      ...(credentials && {
        credentials: { clientId: utf8(credentials.clientId), key: utf8(credentials.key) },
      }),
    });
    const datapath = this.datapath!;
    this.client = new TeredoClient(config, this.host.random, (address) =>
      datapath.readPeer(address),
    );
    datapath.setServers(this.client.servers);
    datapath.setProbeId(this.client.probeId);
    this.hooks.log({
      level: 'info',
      text: `Asking ${this.settings.servers[this.serverIndex]!} (${formatEndpoint({ ip: server, port: TEREDO_PORT })}) from UDP port ${datapath.local.port}.`,
    });
    this.input({ kind: 'network', networks: this.networks });
  }

  /** No answer and no address yet: another server of the list may do. */
  private tryNextServer(): void {
    if (this.settings.servers.length < 2 || this.onAdapter !== null) return;
    this.serverIndex = (this.serverIndex + 1) % this.settings.servers.length;
    this.client = null;
    this.settlePings();
    void this.connect(0);
  }

  /** Nobody will answer the pings under way. */
  private settlePings(): void {
    for (const settle of this.pings.values()) settle({ ok: false, code: 'not-qualified' });
    this.pings.clear();
  }

  // ---- the machine

  private input(input: ClientInput): void {
    if (!this.client || this.closed) return;
    this.client.handleInput(input, this.host.now());
    this.drain();
  }

  private drain(): void {
    const { client } = this;
    for (;;) {
      const output = client?.pollOutput();
      if (!output) return;
      this.perform(output);
      // An event may have replaced the client: the rest is nobody's.
      if (this.client !== client) return;
    }
  }

  private perform(output: ClientOutput): void {
    const datapath = this.datapath!;
    switch (output.kind) {
      case 'transmit':
        datapath.transmit(output.to, output.bytes);
        break;
      case 'deliver':
        if (output.error || this.exposure.admits()) datapath.deliver(output.bytes);
        break;
      case 'peer':
        if (output.endpoint) datapath.setPeer(output.address, output.endpoint, output.receivedMs);
        else datapath.removePeer(output.address);
        break;
      case 'address':
        this.addressChanged(output.address);
        break;
      case 'pong':
        this.pings.get(output.id)?.(output.result);
        this.pings.delete(output.id);
        break;
      case 'timeout':
        this.wakeAt(output.at);
        break;
      case 'event':
        this.tell(output);
        break;
    }
  }

  private tell({ event }: ClientOutput & { kind: 'event' }): void {
    const entry = describeEvent(event);
    const peer = event.kind === 'peerUp' || event.kind === 'peerDown';
    if (event.kind === 'state' && event.state === 'qualified')
      this.tellQualified(event.reason, event.text);
    else if (entry && (!peer || this.mayTellPeer())) this.hooks.log(entry);
    this.hooks.onChange?.();
    if (event.kind === 'state' && event.reason === 'no-answer') this.tryNextServer();
  }

  private tellQualified(reason: string, text: string): void {
    const status = this.status();
    if (reason === 'server-silent') {
      this.hooks.log({ level: 'warning', text });
      return;
    }
    this.hooks.log({
      level: 'info',
      text: `Qualified: ${status.address ?? ''} (server ${status.server ?? ''}, mapped ${status.mapped ?? ''}, MTU ${status.mtu ?? TEREDO_MTU}).`,
    });
  }

  private mayTellPeer(): boolean {
    const minute = Math.floor(this.host.now() / 60_000);
    if (minute !== this.peerLines.minute) this.peerLines = { minute, count: 0 };
    this.peerLines.count += 1;
    if (this.peerLines.count === PEER_LINES_PER_MINUTE + 1)
      this.hooks.log({
        level: 'info',
        text: 'Many peers come and go; the rest of this minute is not told. See: shipworm peers',
      });
    return this.peerLines.count <= PEER_LINES_PER_MINUTE;
  }

  private wakeAt(at: number): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    if (at === Infinity) return;
    // A timer that fires a little early is harmless: the machine names the same time again.
    const wait = Math.max(0, Math.ceil(at - this.host.now()));
    this.timer = setTimeout(() => this.input({ kind: 'timeout' }), wait);
  }

  // ---- adapter, socket, network

  private openDatapath(port: number): SocketDatapath {
    return this.host.openDatapath({
      adapter: this.adapter,
      bind: { ip: 0, port },
      validMs: PEER_VALID_MS,
      onUpcalls: (batch) => this.receive(batch),
      onFailed: (error) => this.fail(error),
    });
  }

  /** The port of the last run if it is free, else one drawn at random: NATs that keep ports must not meet two of us on one. */
  private async choosePort(): Promise<number> {
    if (this.settings.port !== 0) return this.settings.port;
    const { port: remembered } = this.state.value;
    if (remembered !== null && (await this.host.isPortFree(remembered))) return remembered;
    for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
      const draw = this.host.random.bytes(2);
      const port = FIRST_DYNAMIC_PORT + (((draw[0]! << 8) | draw[1]!) >>> 2);
      if (!(await this.host.isPortFree(port))) continue;
      this.state.update({ port });
      return port;
    }
    throw new HostError('port-taken', 'No free UDP port was found; choose one with --port.');
  }

  private receive(batch: readonly Upcall[]): void {
    for (const upcall of batch) {
      if (upcall.kind === 'packet') this.packetFromProgram(upcall.bytes);
      else this.input(upcall);
    }
  }

  private packetFromProgram(bytes: Uint8Array): void {
    const error = this.exposure.refuse(bytes, this.onAdapter, this.host.now());
    if (error === null) this.input({ kind: 'packet', bytes });
    else if (error.length > 0) this.datapath?.deliver(error);
  }

  private addressChanged(address: Ip6 | null): void {
    const old = this.onAdapter;
    this.onAdapter = address;
    this.datapath?.setAddresses(address === null ? [] : [address]);
    if (address !== null) this.state.update({ address: formatIp6(address) });
    this.changeAdapter(async () => {
      if (address !== null) await this.adapter.setAddress(address, true);
      if (old !== null) await this.adapter.removeAddress(old);
      await this.adapter.setDefaultRoute(address !== null && !this.nativeIpv6);
    });
  }

  private changeAdapter(work: () => Promise<void>): void {
    this.adapterWork = this.adapterWork.then(work).catch((error: unknown) => {
      if (!this.closed)
        this.hooks.log({
          level: 'error',
          text: `The adapter could not be set up: ${(error as Error).message}`,
        });
    });
  }

  private networkChanged(state: NetworkState): void {
    this.networks = state.networks;
    this.input({ kind: 'network', networks: state.networks });
    if (state.nativeIpv6 === this.nativeIpv6) return;
    this.nativeIpv6 = state.nativeIpv6;
    if (this.onAdapter !== null)
      this.changeAdapter(() => this.adapter.setDefaultRoute(!this.nativeIpv6));
  }

  private fail(error: HostError): void {
    if (this.closed) return;
    void this.close().then(() => this.hooks.onFailed(error));
  }
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
