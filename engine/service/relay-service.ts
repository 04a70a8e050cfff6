// Module service/relay-service wires the relay machine, datapath, adapter and network watch into one running relay.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Upcall } from '../datapath/types.ts';
import type {
  HostError,
  NetworkState,
  RelayAdapter,
  RelayHost,
  SocketDatapath,
} from '../host/types.ts';
import { PEER_VALID_MS, relayConfig, TeredoRelay } from '../relay/index.ts';
import type { RelayInput, RelayOutput, RelayPeerRow } from '../relay/index.ts';
import { Discards, formatEndpoint, formatIp6 } from '../wire/index.ts';
import type { PeerEntry, RelayApi, RelayStatus } from './api.ts';
import type { ServiceHooks } from './client-service.ts';
import { clientEntry } from './present.ts';
import { pageOfLatest } from './paging.ts';
import type { Page } from './paging.ts';
import type { LiveRelaySettings, RelaySettings } from './relay-config.ts';
import { servedNetworks, standsBehindNat } from './relay-place.ts';
import type { RelayPlace } from './relay-place.ts';

/** So many clients asked for at once are a flood; what it took is given back once none is left. */
const FLOOD_CLIENTS = 64;
/** What so many clients took, a megabyte, is given back when half of them have gone. */
const MANY_CLIENTS = 8_192;

/** One running relay. Construct it with an open adapter, `start` it, `close` it; it opens nothing before `start`. */
export class RelayService {
  private readonly host: RelayHost;
  private settings: RelaySettings;
  private readonly place: RelayPlace;
  private readonly adapter: RelayAdapter;
  private readonly hooks: ServiceHooks;
  private readonly unsent = new Discards();
  private readonly counts = { toClients: 0, fromClients: 0, bubbles: 0, errors: 0 };
  private datapath: SocketDatapath | null = null;
  private relay: TeredoRelay | null = null;
  private forwarding: RelayStatus['forwarding'] = 'none';
  private cancelTimer = (): void => undefined;
  private stopWatching: () => void = () => undefined;
  private addressGone = false;
  private flooded = false;
  private mostClients = 0;
  private closed = false;

  constructor(
    host: RelayHost,
    settings: RelaySettings,
    place: RelayPlace,
    adapter: RelayAdapter,
    hooks: ServiceHooks,
  ) {
    this.host = host;
    this.settings = settings;
    this.place = place;
    this.adapter = adapter;
    this.hooks = hooks;
  }

  /** Opens the socket, and only then lets packets for Teredo come to the adapter. Throws HostError. */
  async start(): Promise<void> {
    const { bind, port, hostSpecific, allowPrivate, limits, offloads } = this.settings;
    const { address, native } = this.place;
    this.adapter.onLost((error) => this.fail(error));
    const state = await this.host.networkState();
    const behindNat = standsBehindNat(
      state.networks.map((n) => n.address),
      this.settings,
    );
    const datapath = this.host.openDatapath({
      adapter: this.adapter,
      bind: { ip: bind, port },
      validMs: PEER_VALID_MS,
      offloads,
      // The machine copies what it keeps.
      lend: true,
      onUpcalls: (batch) => this.receive(batch),
      onFailed: (error) => this.fail(error),
    });
    this.datapath = datapath;
    // Policy is by address and peer; a relay knows no flows.
    datapath.setDefaultVerdict('pass');
    const config = relayConfig({ address, hostSpecific, allowPrivate, behindNat, limits });
    this.relay = new TeredoRelay(config, this.host.random, (peer) => datapath.readPeer(peer));
    this.networkChanged(state);
    this.stopWatching = this.host.watchNetwork((next) => this.networkChanged(next));
    this.forwarding = await this.adapter.startRelay(native);
    this.tellStart(datapath.local.port);
  }

  /** Takes new limits and served networks; clients and what waits for them stay. */
  configure({ served, limits }: LiveRelaySettings): void {
    this.settings = { ...this.settings, served, limits };
    this.relay?.setLimits(limits);
    void this.host.networkState().then((state) => this.networkChanged(state));
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.cancelTimer();
    this.stopWatching();
    this.datapath?.close();
    await this.adapter.close();
  }

  /** The calls of service/api. */
  readonly api: Omit<RelayApi, 'reload'> = {
    status: () => Promise.resolve(this.status()),
    peers: (page) => this.peers(page),
  };

  status(): RelayStatus {
    const { hostSpecific } = this.settings;
    const { clients = 0, pending = 0, queuedBytes = 0 } = this.relay?.status() ?? {};
    const carried = this.datapath?.counters() ?? {};
    return {
      role: 'relay',
      hostSpecific,
      address: formatIp6(this.place.address),
      native: this.place.native,
      adapter: this.adapter.name,
      bind: this.datapath ? formatEndpoint(this.datapath.local) : null,
      forwarding: this.forwarding,
      served: servedNetworks(this.host, this.settings).map(
        (n) => `${formatIp6(n.address)}/${n.prefix}`,
      ),
      clients,
      pending,
      queuedBytes,
      offloads: [...(this.datapath?.offloads ?? [])],
      counters: {
        ...this.counts,
        toClients: this.counts.toClients + (carried['packetsOut'] ?? 0),
        fromClients: this.counts.fromClients + (carried['packetsIn'] ?? 0),
        discards: { ...this.relay?.discards, ...this.unsent.snapshot() },
        datapath: { ...carried },
      },
    };
  }

  private peers(page: Page): Promise<PeerEntry[]> {
    const now = this.host.now();
    return pageOfLatest(page, entries(this.relay?.latest(now) ?? [], now), nextTurn);
  }

  private tellStart(port: number): void {
    const { address, native } = this.place;
    const whom =
      native === null
        ? `this host (${formatIp6(address)}) and no other`
        : `native IPv6 at ${native} (own address ${formatIp6(address)})`;
    this.hooks.log({ level: 'info', text: `Relaying for ${whom}, UDP port ${port}.` });
    if (this.forwarding === 'every')
      this.hooks.log({
        level: 'warning',
        text: 'While the relay runs, this machine forwards IPv6 between all of its interfaces: this kernel can’t do it for two alone (Linux 6.17 can).',
      });
  }

  private networkChanged({ networks }: NetworkState): void {
    this.input({ kind: 'network', networks, served: servedNetworks(this.host, this.settings) });
    const gone = !this.host.native6().addresses.some((a) => a.address === this.place.address);
    if (gone && !this.addressGone)
      this.hooks.log({
        level: 'warning',
        text: `${formatIp6(this.place.address)} is no address of this machine any more; start the relay again once it has a lasting one.`,
      });
    this.addressGone = gone;
  }

  // ---- the machine

  private receive(batch: readonly Upcall[]): void {
    for (const upcall of batch) {
      // An unreachable client shows by its silence; anybody can forge an ICMPv4 error.
      if (upcall.kind === 'icmp4') this.unsent.count('icmpError');
      else this.input(upcall);
    }
  }

  private input(input: RelayInput): void {
    const { relay } = this;
    if (!relay || this.closed) return;
    relay.handleInput(input, this.host.now());
    for (let output = relay.pollOutput(); output; output = relay.pollOutput()) this.perform(output);
    this.releaseMemory(relay.status());
  }

  private releaseMemory({ clients, pending }: Pick<RelayStatus, 'clients' | 'pending'>): void {
    if (pending >= FLOOD_CLIENTS) this.flooded = true;
    this.mostClients = Math.max(this.mostClients, clients);
    const halved = this.mostClients >= MANY_CLIENTS && clients * 2 <= this.mostClients;
    if (!halved && (!this.flooded || pending > 0)) return;
    this.flooded = false;
    this.mostClients = clients;
    this.host.releaseMemory();
  }

  private perform(output: RelayOutput): void {
    const datapath = this.datapath!;
    switch (output.kind) {
      case 'transmit':
        this.counts[output.why === 'data' ? 'toClients' : 'bubbles'] += 1;
        datapath.transmit(output.to, output.bytes);
        break;
      case 'deliver':
        this.counts[output.error ? 'errors' : 'fromClients'] += 1;
        datapath.deliver(output.bytes);
        break;
      case 'peer':
        if (output.endpoint) datapath.setPeer(output.address, output.endpoint, output.receivedMs);
        else datapath.removePeer(output.address);
        break;
      case 'served':
        datapath.setRanges(output.accept, output.except);
        break;
      case 'timeout':
        this.wakeAt(output.at);
        break;
    }
  }

  private wakeAt(at: number): void {
    this.cancelTimer();
    if (at === Infinity) return;
    // A timer that fires a little early is harmless: the machine names the same time again.
    const wait = Math.max(0, Math.ceil(at - this.host.now()));
    this.cancelTimer = this.host.after(wait, () => this.input({ kind: 'timeout' }));
  }

  private fail(error: HostError): void {
    if (this.closed) return;
    void this.close().then(() => this.hooks.onFailed(error));
  }
}

function* entries(
  rows: Iterable<() => RelayPeerRow>,
  now: number,
): Generator<() => PeerEntry, void> {
  for (const row of rows) yield () => clientEntry(row(), now);
}
