// Module service/client-service wires adapter, socket, network watch, gate and tunnel into one running client.
import { PEER_VALID_MS, REFRESH_INTERVAL_MS } from '../client/config.ts';
import type { Upcall } from '../datapath/types.ts';
import type { GateSettings } from '../gate/index.ts';
import { HostError } from '../host/types.ts';
import type {
  Adapter,
  Host,
  NetworkState,
  OwnerEvent,
  Owners,
  SocketDatapath,
} from '../host/types.ts';
import { formatEndpoint, formatIp6, parseIp6 } from '../wire/index.ts';
import type { Endpoint, Ip6 } from '../wire/index.ts';
import { AdapterAddress } from './adapter-address.ts';
import type { CallResult, ClientApi, Params, Status } from './api.ts';
import type { LiveClientSettings, Settings } from './config.ts';
import type { EngineFacts } from './doctor/facts.ts';
import { attributionOf, exposureEntry, exposureOf } from './exposure.ts';
import { gateApi } from './gate-api.ts';
import { Gatekeeper } from './gatekeeper.ts';
import type { GateAction } from './gatekeeper.ts';
import type { LogEntry } from './log.ts';
import { peersOf, pingResult, SETTING_UP, shifted, stateOf, TAKES_ADDRESS } from './present.ts';
import { NetworkMemory } from './network-memory.ts';
import { policyFaults, policyView } from './policy-view.ts';
import { choosePort } from './port.ts';
import { NOT_ASKED } from './portmap/state.ts';
import type { PortMapper } from './portmap/mapper.ts';
import { intervalHooks, noteAnswer, type StateStore } from './state-file.ts';
import { Renewal } from './renewal.ts';
import { told } from './told.ts';
import { Tunnel } from './tunnel.ts';
import { Waking } from './waking.ts';

/** Asleep for as long it gives back memory; by then all that sleep takes along is done, ms. */
const RELEASE_MS = 1_000;

export interface ServiceHooks {
  readonly log: (entry: LogEntry) => void;
  /** The service can't go on: it has been closed. */
  readonly onFailed: (error: HostError) => void;
  /** Something changed in `status`. */
  readonly onChange?: () => void;
  /** Makes what asks the router for a port; `moved` is told when that is another. Absent: it is not asked. */
  readonly openMapper?: (moved: (external: Endpoint | null) => void) => PortMapper;
}

/** One running client. Construct it with an open adapter, `start` it, `close` it; it opens nothing before `start`. */
export class ClientService {
  readonly keeper: Gatekeeper;
  private readonly host: Host;
  settings: Settings;
  private readonly adapter: Adapter;
  private owners: Owners | null;
  private readonly state: StateStore;
  private readonly hooks: ServiceHooks;
  private readonly tunnel: Tunnel;
  private readonly renewal: Renewal;
  private readonly mapper: PortMapper | null;
  datapath: SocketDatapath | null = null;
  readonly network: NetworkMemory;
  private stopWatching: () => void = () => undefined;
  private cancelRelease: () => void = () => undefined;
  private closed = false;
  private readonly onAdapter: AdapterAddress;
  private readonly waking = new Waking((packet, code) => this.keeper.refuse(packet, code));

  /** @param owners names programs and writes verdicts; null: without it nothing passes, but for `exposeAll` */
  constructor(
    host: Host,
    settings: Settings,
    adapter: Adapter,
    owners: Owners | null,
    state: StateStore,
    hooks: ServiceHooks,
  ) {
    this.host = host;
    this.settings = settings;
    this.adapter = adapter;
    this.owners = owners;
    this.state = state;
    this.network = new NetworkMemory(state);
    this.hooks = hooks;
    this.onAdapter = new AdapterAddress(adapter, {
      isLastResort: () => !this.network.around.nativeIpv6,
      failed: (error) => {
        // The end of the helper is told once, where it ends the client.
        if (this.closed || (error instanceof HostError && error.code === 'helper-lost')) return;
        this.hooks.log({
          level: 'error',
          text: `The adapter could not be set up: ${error.message}`,
        });
      },
      changed: () => this.hooks.onChange?.(),
    });
    this.mapper = hooks.openMapper?.((external) => this.tunnel.moveTo(external)) ?? null;
    const last = state.value.address;
    this.tunnel = new Tunnel(host, settings, last === null ? null : (parseIp6(last) ?? null), {
      ...{ log: hooks.log, settled: () => this.onAdapter.settled() },
      onChange: () => hooks.onChange?.(),
      prepare: (port) => this.mapper?.open(port) ?? Promise.resolve(null),
      moved: () => this.mapper?.check(),
      ...intervalHooks(state, this),
      received: (packet) => this.keeper.inward(packet),
      address: (address, deprecated) => this.addressGiven(address, deprecated),
    });
    this.renewal = new Renewal({
      ...{ host, state, tunnel: this.tunnel, log: hooks.log },
      settings: () => (this.closed ? null : this.settings),
      sleep: () => this.sleep(true),
      wake: () => this.wake(),
    });
    const rules = shifted(state.value.rules, host.now() - Date.now());
    this.keeper = new Gatekeeper(this.gateSettings(), rules, state.damaged, {
      now: () => host.now(),
      after: (ms, run) => host.after(ms, run),
      send: (packet) => this.send(packet),
      deliver: (packet) => this.datapath?.deliver(packet),
      passed: () => {
        const counters = this.datapath?.counters();
        return (counters?.['packetsIn'] ?? 0) + (counters?.['packetsOut'] ?? 0);
      },
      act: (action) => this.act(action),
    });
  }

  /** Opens the socket and lets the gate decide. Throws HostError when the socket can't be had. */
  async start(): Promise<void> {
    this.adapter.onLost((error) => this.fail(error));
    this.network.take(await this.host.networkState());
    this.tunnel.notice.begin(this.settings, this.state, this.host.now());
    this.datapath = this.openDatapath(
      await choosePort(this.host, this.settings.port, this.state, this.settings.portMapping),
    );
    this.keeper.attach(this.datapath, this.owners);
    this.stopWatching = this.host.watchNetwork((state) => this.networkChanged(state));
    this.hooks.log(exposureEntry(this.exposure()));
    this.warn(policyFaults(this.settings.policy.files));
    this.keeper.input({ kind: 'policy', policy: this.settings.policy.gate });
    this.tellNetwork();
    if (!this.tunnel.isAwake) this.datapath.sleep();
  }

  /**
   * New settings of the gate and a new policy, at once. True when owners are needed from now on: until `takeOwners` nothing passes.
   * What opens everything waits for the next start.
   */
  configure(fresh: LiveClientSettings): boolean {
    const exposeAll = fresh.exposeAll && this.settings.exposeAll;
    if (exposeAll !== fresh.exposeAll) this.warn(['Exposing everything waits for the next start.']);
    this.warn(policyFaults(fresh.policy.files, this.settings.policy.files));
    const before = this.settings;
    this.settings = { ...before, ...fresh, exposeAll };
    this.keeper.configure(this.gateSettings(), this.settings.policy.gate);
    if (this.datapath) void this.renewal.take(before, this.settings);
    this.hooks.onChange?.();
    return !exposeAll && this.owners === null;
  }

  private warn(texts: readonly string[]): void {
    for (const text of texts) this.hooks.log({ level: 'warning', text });
  }

  /** Programs are judged from now on. */
  takeOwners(owners: Owners): void {
    this.owners = owners;
    if (this.datapath) this.keeper.attach(this.datapath, owners);
    // The helper may have taken the adapter down until then.
    this.onAdapter.restore();
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.stopWatching();
    this.keeper.close();
    this.cancelRelease();
    this.tunnel.sleep();
    await this.mapper?.close();
    this.datapath?.close();
    await this.onAdapter.settled();
    await this.owners?.close();
    await this.adapter.close();
    this.state.flush();
  }

  /** The calls of service/api. */
  readonly api: ClientApi = {
    status: () => Promise.resolve(this.status()),
    peers: (page) => Promise.resolve(this.peers.page(page)),
    ping: async ({ address, timeoutMs }) => {
      const to = parseIp6(address);
      if (to === undefined) return pingResult({ ok: false, code: 'address-refused' });
      // The user himself asks: that wakes the tunnel where it may be awake at all.
      this.stir();
      return pingResult(await this.tunnel.ping(to, timeoutMs));
    },
    nextServer: () => this.tunnel.nextServer(),
    ...gateApi({
      gate: () => this.keeper.gate,
      owners: () => this.owners,
      now: () => this.host.now(),
      input: (input) => this.keeper.input(input),
      policy: () => policyView(this.settings),
      network: (asked) => this.choice(asked),
      user: process.getuid?.() ?? 0,
    }),
  };

  status(): Status {
    return { ...this.summary(), peers: this.peers.page({}) };
  }

  /** `status` without its long list. */
  summary(): Omit<Status, 'peers'> {
    const status = this.tunnel.status();
    const gate = this.keeper.gate.currentState();
    const awake = gate.name === 'awake';
    const address = this.onAdapter.shown;
    // Who is told that it works must find an address and a route.
    const isReady = status?.state !== 'qualified' || address !== null;
    return {
      state: awake ? stateOf(isReady ? status?.state : 'qualifying') : gate.name,
      reason: !awake
        ? { code: gate.code, text: gate.text }
        : isReady
          ? this.tunnel.reason()
          : SETTING_UP,
      address: address !== null ? formatIp6(address) : null,
      mtu: status?.address != null ? status.mtu : null,
      server: status ? formatEndpoint(status.server) : null,
      serverName: status ? (this.tunnel.servers.placeOf(status.server.ip)?.name ?? null) : null,
      serverRttMs: status?.serverRttMs ?? null,
      mapped: status?.mapped ? formatEndpoint(status.mapped) : null,
      nat: status?.nat ?? 'unknown',
      peerCounts: this.peers.counts(),
      exposure: this.exposure(),
      offloads: [...(this.datapath?.offloads ?? [])],
      attribution: attributionOf(this.owners),
      adapter: this.adapter.name,
      portMapping: this.mapper?.state() ?? NOT_ASKED,
      builtIn: this.host.builtIn ?? false,
      counters: {
        discards: { ...this.tunnel.discards(), ...this.keeper.discards.snapshot() },
        datapath: { ...this.datapath?.counters() },
      },
    };
  }

  /** What the doctor sees from within. */
  engineFacts(): EngineFacts {
    const { mappedAt } = this.tunnel;
    return {
      status: this.summary(),
      localPort: this.datapath?.local.port ?? null,
      refreshSeconds: this.settings.refreshRate ?? REFRESH_INTERVAL_MS / 1000,
      sameMappingMs: mappedAt === null ? null : this.host.now() - mappedAt,
    };
  }

  /** Wants the tunnel awake as a person does who asks something of it. */
  stir(): void {
    this.keeper.input({ kind: 'activity' });
  }

  private exposure(): Status['exposure'] {
    return exposureOf(this.settings.exposeAll, this.keeper.gate.allRules());
  }

  private get peers(): ReturnType<typeof peersOf> {
    return peersOf(this.tunnel.peerList, this.host.now());
  }

  // ---- the gate

  /** What was chosen for networks, after choosing what `asked` says. */
  private choice({ choice, id }: Params<'network'>): CallResult<'network'> {
    const { network } = this;
    if (choice !== undefined && network.choose(choice, id ?? network.id)) {
      this.keeper.input({ kind: 'settings', settings: this.gateSettings() });
      this.hooks.onChange?.();
    }
    const here = network.chosen() ?? this.settings.gate.newNetworks;
    return { id: network.id, choice: here, remembered: network.remembered() };
  }

  private gateSettings(): GateSettings {
    const { exposeAll, gate } = this.settings;
    return { ...gate, exposeAll, networks: this.network.choices() };
  }

  private tellNetwork(): void {
    this.keeper.input({ kind: 'settings', settings: this.gateSettings() });
    this.keeper.input({ kind: 'network', network: this.network.forGate() });
  }

  private act(action: GateAction): void {
    switch (action.kind) {
      case 'wake':
        this.wake();
        break;
      case 'sleep':
        this.sleep(action.brief);
        break;
      case 'state':
        if (action.state.name !== 'awake') {
          const { code: reason, text } = action.state;
          this.hooks.log({ level: 'info', text, ...told('state', { reason }) });
        }
        if (TAKES_ADDRESS.has(action.state.code)) this.dropAddress();
        this.hooks.onChange?.();
        break;
      case 'save':
        this.state.update({
          rules: shifted(this.keeper.gate.allRules(), Date.now() - this.host.now()),
        });
        this.hooks.onChange?.();
        break;
      case 'discover':
        void this.host
          .findDomain(this.network.around.suffixes)
          .then((domain) => !this.closed && this.keeper.input({ kind: 'domain', domain }));
        break;
      case 'question':
        this.hooks.onChange?.();
        break;
    }
  }

  private wake(): void {
    const { datapath } = this;
    if (!datapath || this.closed) return;
    this.cancelRelease();
    try {
      datapath.wake(this.renewal.takePort());
      this.tunnel.wake(datapath, this.network.around);
    } catch (error) {
      this.fail(error as HostError);
    }
  }

  private sleep(brief: boolean): void {
    this.tunnel.sleep(brief);
    void this.mapper?.close();
    this.datapath?.sleep();
    this.waking.refuseAll();
    // Later nothing would: nothing runs then.
    if (!brief) this.cancelRelease = this.host.after(RELEASE_MS, () => this.host.releaseMemory?.());
  }

  /** An allowed packet of a program; while the tunnel wakes it waits. */
  private send(packet: Uint8Array): void {
    if (this.tunnel.address !== null) this.tunnel.input({ kind: 'packet', bytes: packet });
    else if (!this.waking.push(packet)) this.keeper.discards.count('wakingQueueFull');
  }

  // ---- adapter, socket, network

  private openDatapath(port: number): SocketDatapath {
    return this.host.openDatapath({
      adapter: this.adapter,
      bind: { ip: 0, port },
      validMs: PEER_VALID_MS,
      offloads: this.settings.offloads,
      onUpcalls: (batch) => this.receive(batch),
      onFailed: (error) => this.fail(error),
    });
  }

  private receive(batch: readonly Upcall[]): void {
    for (const upcall of batch) {
      if (upcall.kind === 'packet') this.keeper.outward(upcall.bytes);
      else this.tunnel.input(upcall);
    }
  }

  private addressGiven(address: Ip6, deprecated: readonly Ip6[]): void {
    if (this.onAdapter.give(address, deprecated)) this.state.note({ address: formatIp6(address) });
    const server = this.tunnel.status()?.server;
    if (server) noteAnswer(this.state, server.ip);
    this.datapath?.setAddresses([address, ...deprecated]);
    this.keeper.setAddresses([address, ...deprecated]);
    // Not from within the machine's own output.
    queueMicrotask(() => this.waking.sendAll(address, (packet) => this.send(packet)));
    this.keeper.input({ kind: 'qualified' });
  }

  /** Switched off there is no address: no program shall try it in vain. */
  private dropAddress(): void {
    this.onAdapter.drop();
    this.keeper.setAddresses([]);
  }

  private networkChanged(state: NetworkState): void {
    const before = this.network.around;
    this.network.take(state);
    this.tellNetwork();
    this.tunnel.setNetwork(state);
    if (state.nativeIpv6 !== before.nativeIpv6) this.onAdapter.reroute();
    this.mapper?.check();
  }

  /** What the system tells of sockets and programs. */
  ownerEvent(event: OwnerEvent): void {
    if (!this.closed) this.keeper.event(event);
  }

  /** Nobody can be named any more, so that nothing could pass. */
  ownersLost(error: HostError): void {
    this.fail(error);
  }

  private fail(error: HostError): void {
    if (this.closed) return;
    void this.close().then(() => this.hooks.onFailed(error));
  }
}
