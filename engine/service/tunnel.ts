// Module service/tunnel finds the server and runs the client machine while the tunnel is awake.
import { clientConfig, PEER_VALID_MS } from '../client/config.ts';
import { TeredoClient } from '../client/client.ts';
import type { ClientStatus } from '../client/client.ts';
import type { ClientEvent, ClientInput, ClientOutput } from '../client/types.ts';
import type { Ip4Network, PingResult } from '../client/types.ts';
import type { Host, SocketDatapath } from '../host/types.ts';
import { formatEndpoint, formatIp6, TEREDO_PORT } from '../wire/index.ts';
import type { Endpoint, Ip4, Ip6 } from '../wire/index.ts';
import type { Status } from './api.ts';
import type { Settings } from './config.ts';
import { askingEntry, describeEvent, PeerLines, qualifiedEntry } from './log.ts';
import type { LogEntry } from './log.ts';
import { addedUp } from './present.ts';
import { notMoved, ServerMoves } from './server-moves.ts';
import { ServerNotice } from './server-notice.ts';
import { SideSockets } from './side-sockets.ts';
import { ServerList } from './server-list.ts';
import type { ServerPlace } from './server-list.ts';
import { TunnelPings } from './tunnel-pings.ts';
import type { ServerChange } from './server-calls.ts';
import { utf8 } from './utf8.ts';

/** Waits between attempts to resolve the server's name, ms: the first few soon, then each half minute. */
const RESOLVE_RETRY_MS = [2_000, 5_000, 10_000, 30_000];
const OF_PEERS: ReadonlySet<ClientEvent['kind']> = new Set(['peerUp', 'peerDown']);

interface Paused {
  readonly client: TeredoClient;
  readonly discarded: Record<string, number>;
  readonly mappedAt: number | null;
  readonly until: number;
}

export interface TunnelHooks {
  readonly log: (entry: LogEntry) => void;
  readonly onChange: () => void;
  /** Before the first packet to a server: has our port mapped, and says to where; null: it is not. Never rejects. */
  readonly prepare: (port: number) => Promise<Endpoint | null>;
  /** The server sees us elsewhere than before. */
  readonly moved: () => void;
  /** Refresh interval that was found out on this network earlier, ms (RFC 4380 §5.2.7). */
  readonly interval: () => number | undefined;
  readonly intervalFound: (ms: number) => void;
  /** A packet from a proven peer, for a program here. */
  readonly received: (packet: Uint8Array) => void;
  /** An advertisement gave this address (perhaps the one that we had); `deprecated` are older ones that still have flows. */
  readonly address: (address: Ip6, deprecated: readonly Ip6[]) => void;
  /** Resolves when programs can use the address that was given last. */
  readonly settled: () => Promise<void>;
}

/** The host's IPv4 networks, and what its default route leads through. */
export interface TunnelNetwork {
  readonly networks: readonly Ip4Network[];
  readonly route: string;
}

/** The client machine on a datapath. Asleep it knows nothing but the names of its servers. */
export class Tunnel {
  private readonly host: Host;
  private settings: Settings;
  private readonly hooks: TunnelHooks;
  private datapath: SocketDatapath | null = null;
  private client: TeredoClient | null = null;
  /** Counts wakes and sleeps: what was begun before is nobody's. */
  private turn = 0;
  private networks: readonly Ip4Network[] = [];
  private lastAddress: Ip6 | null;
  private route = '';
  readonly servers: ServerList;
  readonly notice: ServerNotice;
  private serverIndex = 0;
  /** The address that was asked last. */
  private tried: Ip4 = 0;
  private unresolved: string | null = null;
  /** The server that served last: asked first when the tunnel wakes, so that sleep changes no address. */
  private place: ServerPlace | null = null;
  private readonly moves: ServerMoves;
  /** Since when our mapping is the one that it is; null: none is known. */
  mappedAt: number | null = null;
  /** The machine of a brief sleep, and until when it may go on. */
  private paused: Paused | null = null;
  private wakes = 0;
  private deprecated: readonly Ip6[] = [];
  private cancelTimer: () => void = () => undefined;
  private readonly sides: SideSockets;
  private readonly pings: TunnelPings;
  private readonly peerLines: PeerLines;
  /** Discards of the machines before this one. */
  private discarded: Record<string, number> = {};

  /** @param lastAddress of an earlier run: kept if the server sees us as before */
  constructor(host: Host, settings: Settings, lastAddress: Ip6 | null, hooks: TunnelHooks) {
    this.host = host;
    this.sides = new SideSockets(host, (input) => this.input(input));
    this.settings = settings;
    this.servers = new ServerList(
      (name) => host.resolve(name),
      () => this.settings,
    );
    this.lastAddress = lastAddress;
    this.hooks = hooks;
    this.peerLines = new PeerLines(hooks.log);
    this.notice = new ServerNotice(hooks.log);
    this.pings = new TunnelPings({
      after: (ms, run) => host.after(ms, run),
      hasAddress: () => this.address !== null,
      isAwake: () => this.isAwake,
      input: (input) => this.input(input),
    });
    this.moves = new ServerMoves((ms, run) => host.after(ms, run));
  }

  get isAwake(): boolean {
    return this.datapath !== null;
  }

  /** The address in use; null while there is none. */
  get address(): Ip6 | null {
    return this.client?.status().address ?? null;
  }

  /** Asks the server from `datapath`, whose socket is open. */
  wake(datapath: SocketDatapath, network: TunnelNetwork): void {
    this.datapath = datapath;
    this.networks = network.networks;
    this.route = network.route;
    if (!this.resume(datapath)) void this.connect(datapath, 0, ++this.turn);
  }

  /** Says nothing more. `brief`: the machine is kept for a while, with its address and peers. */
  sleep(brief = false): void {
    this.turn += 1;
    const { client, discarded, mappedAt } = this;
    const kept = brief && this.address !== null && this.sides.isEmpty;
    this.paused =
      client && kept
        ? { client, discarded, mappedAt, until: this.host.now() + PEER_VALID_MS }
        : null;
    this.setClient(null);
    this.datapath = null;
    this.unresolved = null;
    this.wakeAt(Infinity);
    this.pings.settle();
  }

  /** Other settings, from the next wake on: only asleep. Other servers are asked in their order. */
  renew(settings: Settings): void {
    if (settings.servers.join() !== this.settings.servers.join())
      [this.serverIndex, this.place] = [0, null];
    this.settings = settings;
    this.paused = null;
  }

  setNetwork({ networks, route }: TunnelNetwork): void {
    this.networks = networks;
    this.route = route;
    this.tellNetwork();
  }

  /** The router maps us to `external` now: the server is asked at once. */
  moveTo(external: Endpoint | null): void {
    this.input({ kind: 'portMapping', external });
    const server = this.status()?.server.ip;
    if (server !== undefined)
      this.input({ kind: 'server', server, server2: server, always: false });
  }

  status(): ClientStatus | null {
    return this.client?.status() ?? null;
  }

  /** Why it is as it is, while it is awake. */
  reason(): Status['reason'] {
    const status = this.status();
    if (status) return this.notice.over(status.reason, this.host.now());
    return this.unresolved === null
      ? { code: 'starting', text: 'Looking for the Teredo server.' }
      : { code: 'server-unresolved', text: this.unresolved };
  }

  discards(): Record<string, number> {
    return addedUp(this.discarded, this.client?.discards ?? {});
  }

  /** Who has the peers; null while it sleeps. */
  get peerList(): Pick<TeredoClient, 'peers' | 'peerCounts'> | null {
    return this.client;
  }

  /** Pings once there is an address, at the latest after `timeoutMs`. */
  ping(address: Ip6, timeoutMs: number): Promise<PingResult> {
    return this.pings.ping(address, timeoutMs);
  }

  // ---- the server

  /** Resolves the server in turn and starts a client with it; tries again as long as it is awake. */
  private async connect(datapath: SocketDatapath, attempt: number, turn: number): Promise<void> {
    const name = this.settings.servers[this.serverIndex]!;
    try {
      const places = await this.servers.lookUp(name);
      if (this.turn !== turn) return;
      const external = await this.hooks.prepare(datapath.local.port);
      if (this.turn !== turn) return;
      this.unresolved = null;
      const last = places.find(({ server }) => server === this.place?.server);
      this.startClient(datapath, last ?? places[0]!, external);
    } catch (error) {
      if (this.turn !== turn) return;
      this.unresolved = `${(error as Error).message} Trying again.`;
      if (attempt === 0) this.hooks.log({ level: 'warning', text: this.unresolved });
      this.hooks.onChange();
      this.serverIndex = (this.serverIndex + 1) % this.settings.servers.length;
      const wait = RESOLVE_RETRY_MS[Math.min(attempt, RESOLVE_RETRY_MS.length - 1)]!;
      this.cancelTimer = this.host.after(
        wait,
        () => void this.connect(datapath, attempt + 1, turn),
      );
    }
  }

  private startClient(
    datapath: SocketDatapath,
    place: ServerPlace,
    external: Endpoint | null,
  ): void {
    const { credentials, allowPrivate, failoverAfter, refreshRate } = this.settings;
    const { server, server2 } = place;
    const config = clientConfig({
      server,
      server2,
      allowPrivate,
      localPort: datapath.local.port,
      localDiscovery: this.settings.localDiscovery,
      intervalSearch: this.settings.intervalSearch,
      birthdayProbing: this.settings.birthdayProbing,
      ...(refreshRate !== null && { refreshIntervalMs: refreshRate * 1000 }),
      failoverMs: failoverAfter === 0 ? Infinity : failoverAfter * 1000,
      ...(this.lastAddress !== null && { lastAddress: this.lastAddress }),
      ...(credentials && {
        credentials: { clientId: utf8(credentials.clientId), key: utf8(credentials.key) },
      }),
    });
    const client = new TeredoClient(config, this.host.random, (address) =>
      datapath.readPeer(address),
    );
    this.setClient(client);
    datapath.setServers(client.serverEndpoints);
    datapath.setProbeId(client.probeId);
    this.tried = server;
    this.tellAsking(place);
    this.input({ kind: 'portMapping', external });
    this.tellNetwork();
  }

  /** Goes on with the machine that slept briefly: what it knows of peers still holds, and it asks the server at once. */
  private resume(datapath: SocketDatapath): boolean {
    const { paused } = this;
    this.paused = null;
    if (!paused || this.host.now() >= paused.until) return false;
    this.client = paused.client;
    this.discarded = paused.discarded;
    this.mappedAt = paused.mappedAt;
    datapath.setServers(paused.client.serverEndpoints);
    void this.hooks.prepare(datapath.local.port);
    // Its socket is a new one: another way, whatever it leads through.
    this.wakes += 1;
    this.tellNetwork();
    // What waited for the address goes on.
    this.hooks.address(this.address!, this.deprecated);
    return true;
  }

  private tellNetwork(): void {
    const { networks } = this;
    const route = `${this.route} ${this.wakes}`;
    const refreshIntervalMs = this.hooks.interval();
    const known = refreshIntervalMs === undefined ? {} : { refreshIntervalMs };
    this.input({ kind: 'network', networks, route, ...known });
  }

  private setClient(client: TeredoClient | null): void {
    this.sides.close();
    this.discarded = this.discards();
    this.client = client;
    this.mappedAt = null;
  }

  /**
   * Asks the next of the servers' addresses, their names looked up anew; the client moves there when it answers, and else stays.
   * `always`: even if the one in use is well. Null when there is no other.
   */
  async askOther(always: boolean): Promise<ServerPlace | null> {
    const { client } = this;
    const current = client?.status().server.ip;
    if (current === undefined) return null;
    const place = await this.servers.after(this.tried, current);
    if (!place || this.client !== client) return null;
    this.tried = place.server;
    this.tellAsking(place);
    this.input({ kind: 'server', server: place.server, server2: place.server2, always });
    return place;
  }

  /** Moves to the next server on the user's word; resolves when it serves us, or has stayed silent. */
  async nextServer(): Promise<ServerChange> {
    if (!this.client) return notMoved('not-awake');
    const place = await this.askOther(true);
    return place ? this.moves.until(place.server) : notMoved('no-other-server');
  }

  /** The machine has an address, perhaps from another server than before. */
  private served(address: Ip6): void {
    const { server } = this.client!.status();
    this.notice.qualified(server, this.host.now());
    const place = this.servers.placeOf(server.ip);
    if (!place) return;
    this.place = place;
    this.serverIndex = this.settings.servers.indexOf(place.name);
    this.moves.served(place, formatIp6(address));
  }

  private tellAsking({ name, server }: ServerPlace): void {
    const endpoint = formatEndpoint({ ip: server, port: TEREDO_PORT });
    this.hooks.log(askingEntry(name, endpoint, this.datapath!.local.port));
  }

  // ---- the machine

  input(input: ClientInput): void {
    if (!this.client) return;
    this.client.handleInput(input, this.host.now());
    this.drain();
  }

  private drain(): void {
    const { client } = this;
    const toTell: ClientEvent[] = [];
    for (let output; (output = client?.pollOutput());) {
      // A line about a peer costs more than the packet that waits for it: packets first.
      if (output.kind === 'event' && OF_PEERS.has(output.event.kind)) toTell.push(output.event);
      else this.perform(output);
      // An event may have replaced the client: the rest is nobody's.
      if (this.client !== client) return;
    }
    for (const event of toTell) this.tell(event);
  }

  private perform(output: ClientOutput): void {
    const datapath = this.datapath!;
    switch (output.kind) {
      case 'transmit':
        if (output.via === undefined) datapath.transmit(output.to, output.bytes);
        else this.sides.send(output.via, output.to, output.bytes);
        break;
      case 'join':
        this.sides.join(output.on, this.networks);
        break;
      case 'listen':
        this.sides.listen(output.port, output.on);
        break;
      case 'deliver':
        if (output.error) datapath.deliver(output.bytes);
        else this.hooks.received(output.bytes);
        break;
      case 'peer':
        if (output.endpoint) datapath.setPeer(output.address, output.endpoint, output.receivedMs);
        else datapath.removePeer(output.address);
        break;
      case 'address':
        this.lastAddress = output.address;
        this.deprecated = output.deprecated;
        this.served(output.address);
        this.hooks.address(output.address, output.deprecated);
        this.pings.addressGiven();
        break;
      case 'pong':
        this.pings.answered(output.id, output.result);
        break;
      case 'timeout':
        this.wakeAt(output.at);
        break;
      case 'servers':
        datapath.setServers(output.endpoints);
        break;
      case 'wantServer':
        void this.askOther(false);
        break;
      case 'event':
        this.tell(output.event);
        break;
    }
  }

  private tell(event: ClientEvent): void {
    if (event.kind === 'interval') this.hooks.intervalFound(event.ms);
    if (event.kind === 'mapped') {
      if (this.mappedAt !== null) this.hooks.moved();
      this.mappedAt = this.host.now();
    }
    const entry = describeEvent(event);
    if (event.kind === 'state' && event.state === 'qualified') {
      const qualified = qualifiedEntry(event, this.client!.status());
      void this.hooks.settled().then(() => this.hooks.log(qualified));
    } else if (entry && (!OF_PEERS.has(event.kind) || this.peerLines.may(this.host.now())))
      this.hooks.log(entry);
    this.hooks.onChange();
  }

  private wakeAt(at: number): void {
    this.cancelTimer();
    if (at === Infinity) return;
    // A timer that fires a little early is harmless: the machine names the same time again.
    const wait = Math.max(0, Math.ceil(at - this.host.now()));
    this.cancelTimer = this.host.after(wait, () => this.input({ kind: 'timeout' }));
  }
}
