// Module host/linux is the Host of Linux: TUN through the helper, the native datapath, DNS, and network changes by netlink.
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { formatIp4, parseIp4, parseIp6 } from '../wire/index.ts';
import type { SourceLimit } from '../datapath/limits.ts';
import type { Endpoint, Ip4, Ip6 } from '../wire/index.ts';
import { nativeAddon } from './addon.ts';
import { BootTimers } from './boot-timers.ts';
import { collectGarbage } from './garbage.ts';
import { LinuxAdapter, openLinuxAdapter } from './linux-adapter.ts';
import { findDomain, searchSuffixes, watchSuffixes } from './domain.ts';
import { openDatapath } from './linux-datapath.ts';
import { readAddresses6 } from './linux-addresses6.ts';
import { linkAddresses } from './linux-neighbours.ts';
import { answersTcp, openLinuxProbe, readMachine } from './linux-probe.ts';
import { openLinuxRaw6 } from './linux-raw6.ts';
import { LinuxUdp } from './linux-udp.ts';
import { connectHelper } from './privilege.ts';
import { localTowards } from './probe-types.ts';
import type {
  MachineFacts,
  ProbeHost,
  ProbeOptions,
  ProbeSocket,
  UpnpGateway,
} from './probe-types.ts';
import { RandomPool } from './random.ts';
import { findUpnp } from './upnp.ts';
import { HostError } from './types.ts';
import type {
  Adapter,
  AdapterOptions,
  DatapathOptions,
  Host,
  NetworkState,
  Owners,
  OwnersHost,
  OwnersOptions,
  RawSocket6,
  RelayAdapter,
  RelayHost,
  ServerHost,
  SidePort,
  SocketDatapath,
  UdpOptions,
  UdpSocket,
} from './types.ts';

/** A change of network comes as a burst of messages; this long after the last it is looked at, ms. */
const SETTLE_MS = 200;
/** When the system can't tell the networks for the moment (no file free, no memory), it is asked again after this time, ms. */
const RETRY_MS = 1_000;

const DNS_TEXTS: Record<string, string> = {
  ENOTFOUND: 'no such name, or it has no IPv4 address',
  EAI_AGAIN: 'the name service does not answer; is the network up?',
};

/** One per process. */
export class LinuxHost implements Host, ServerHost, RelayHost, OwnersHost, ProbeHost {
  readonly random = new RandomPool();
  private readonly timers = new BootTimers({
    now: () => this.now(),
    watchClock: (callback) => nativeAddon().watchClock(callback),
  });
  private adapterIndex = 0;
  private adapterName = '';
  /** The networks as they were read last. */
  private latest: NetworkState | null = null;

  now(): number {
    return nativeAddon().now();
  }

  after(ms: number, run: () => void): () => void {
    return this.timers.after(ms, run);
  }

  openAdapter(options: AdapterOptions): Promise<Adapter> {
    return this.adapter(options, 'client');
  }

  openRelayAdapter(options: AdapterOptions): Promise<RelayAdapter> {
    return this.adapter(options, 'relay');
  }

  private async adapter(options: AdapterOptions, role: 'client' | 'relay'): Promise<LinuxAdapter> {
    const link = connectHelper('make a network adapter');
    const adapter = await openLinuxAdapter(nativeAddon(), link, options, role);
    this.adapterIndex = adapter.index;
    this.adapterName = adapter.name;
    return adapter;
  }

  openOwners(options: OwnersOptions): Promise<Owners> {
    if (options.adapter instanceof LinuxAdapter) return options.adapter.openOwners(options);
    throw new HostError('platform', 'Only an adapter of this system has owners.');
  }

  openDatapath(options: DatapathOptions): SocketDatapath {
    if (options.adapter instanceof LinuxAdapter) options.adapter.handOver();
    return openDatapath(options);
  }

  openUdp<Tag>(options: UdpOptions<Tag>): UdpSocket<Tag> {
    return new LinuxUdp(options);
  }

  makeLimit(perSecond: number, burst: number, maxSources: number): SourceLimit {
    return nativeAddon().openSourceLimit(perSecond, burst, maxSources);
  }

  openSidePort(port: number, onDatagram: UdpOptions<null>['onDatagram']): SidePort {
    const socket = new LinuxUdp<null>({
      bind: { ip: 0, port },
      onDatagram,
      onBatch: () => undefined,
      onSent: () => undefined,
    });
    return {
      send: (to, bytes) => {
        socket.send(to, bytes, null);
        socket.flush();
      },
      close: () => socket.close(),
    };
  }

  joinGroup(
    group: Ip4,
    port: number,
    links: readonly Ip4[],
    onDatagram: UdpOptions<null>['onDatagram'],
  ): { close(): void } {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    let open = true;
    const close = (): void => {
      if (open) socket.close();
      open = false;
    };
    // The port is another program's, or the link has no multicast: neighbours are then found by their bubbles only.
    socket.on('error', close);
    socket.on('message', (bytes, { address, port: from }) => {
      const ip = parseIp4(address);
      if (ip !== undefined) onDatagram({ ip, port: from }, bytes);
    });
    // Bound to the group itself the socket gets nothing that was sent to an address of ours.
    socket.bind(port, formatIp4(group), () => {
      for (const link of links) {
        try {
          socket.addMembership(formatIp4(group), formatIp4(link));
        } catch {
          // That link has gone, or has no multicast.
        }
      }
    });
    return { close };
  }

  async openRaw6(): Promise<RawSocket6> {
    return openLinuxRaw6(nativeAddon(), connectHelper('send its clients’ pings'));
  }

  isPortFree(port: number): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = createSocket('udp4');
      socket.once('error', () => socket.close(() => resolve(false)));
      socket.bind({ port, exclusive: true }, () => socket.close(() => resolve(true)));
    });
  }

  async resolve(name: string): Promise<readonly Ip4[]> {
    const literal = parseIp4(name);
    if (literal !== undefined) return [literal];
    try {
      const found = await lookup(name, { family: 4, all: true });
      return found.map((entry) => parseIp4(entry.address)!);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      throw new Error(
        `The server’s name ${name} could not be looked up: ${DNS_TEXTS[code] ?? code}.`,
        {
          cause: error,
        },
      );
    }
  }

  findDomain(suffixes: readonly string[]): Promise<string | null> {
    return findDomain(suffixes);
  }

  networkState(): Promise<NetworkState> {
    return Promise.resolve(this.readNetwork());
  }

  watchNetwork(callback: (state: NetworkState) => void): () => void {
    let timer: NodeJS.Timeout | undefined;
    let stopNeighbours: (() => void) | null = null;
    const tellAfter = (ms: number): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        try {
          const state = this.readNetwork();
          watchNeighbours(state.routers === null);
          callback(state);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
          tellAfter(RETRY_MS);
        }
      }, ms);
    };
    // They change all the time where others use the network: listened to only while a router is not known.
    const watchNeighbours = (on: boolean): void => {
      if (!on) {
        stopNeighbours?.();
        stopNeighbours = null;
        return;
      }
      try {
        stopNeighbours ??= nativeAddon().openNetlink(() => tellAfter(SETTLE_MS), true);
      } catch {
        // No descriptor is left: the router is looked for with the next change of the network.
      }
    };
    const stop = nativeAddon().openNetlink(() => tellAfter(SETTLE_MS));
    const stopSuffixes = watchSuffixes(() => tellAfter(SETTLE_MS));
    try {
      // Whoever watches has read them just now.
      watchNeighbours((this.latest ?? this.readNetwork()).routers === null);
    } catch {
      tellAfter(RETRY_MS);
    }
    return () => {
      clearTimeout(timer);
      watchNeighbours(false);
      stopSuffixes();
      stop();
    };
  }

  openProbe(options: ProbeOptions): Promise<ProbeSocket> {
    return openLinuxProbe(options);
  }

  answersTcp(to: Endpoint, ms: number): Promise<boolean> {
    return answersTcp(to, ms);
  }

  gateways(): readonly Ip4[] {
    const { defaultRoutes } = nativeAddon().dumpNetwork();
    return defaultRoutes
      .filter(
        ({ family, gateway, oif }) => family === 4 && gateway !== 0 && oif !== this.adapterIndex,
      )
      .map(({ gateway }) => gateway);
  }

  async resolve6(name: string): Promise<readonly Ip6[]> {
    const found = await lookup(name, { family: 6, all: true });
    return found.map(({ address }) => parseIp6(address)!);
  }

  findUpnp(ms: number): Promise<UpnpGateway | null> {
    const gateways = this.gateways();
    const local = localTowards(this.readNetwork().networks, gateways[0]);
    return local === null ? Promise.resolve(null) : findUpnp(local, gateways, ms);
  }

  machine(adapter: string | null): Promise<MachineFacts> {
    return readMachine(adapter);
  }

  releaseMemory(): void {
    collectGarbage();
    nativeAddon().trimMemory();
  }

  native6(): ReturnType<RelayHost['native6']> {
    const addresses = readAddresses6().filter(({ name }) => name !== this.adapterName);
    const route = nativeAddon()
      .dumpNetwork()
      .defaultRoutes.find(({ family, oif }) => family === 6 && oif !== this.adapterIndex);
    return {
      addresses: addresses.map(({ name, address, prefix, passing }) => ({
        interface: name,
        address,
        prefix,
        passing,
      })),
      defaultInterface: addresses.find(({ index }) => index === route?.oif)?.name ?? null,
    };
  }

  private readNetwork(): NetworkState {
    const { addresses, defaultRoutes } = nativeAddon().dumpNetwork();
    // An interface keeps its addresses while it is down or has no carrier; these are not listed here.
    const working = new Set(
      Object.values(networkInterfaces()).flatMap((list) => list!.map(({ address }) => address)),
    );
    const foreign = defaultRoutes.filter((route) => route.oif !== this.adapterIndex);
    const names = new Map(addresses.map((each) => [each.index, each.interface]));
    const gateways = foreign
      .filter(({ family, gateway }) => family === 4 && gateway !== 0)
      .map(({ gateway, oif }) => ({ address: gateway, interface: names.get(oif) ?? '' }));
    this.latest = {
      networks: addresses
        .filter((a) => a.interface !== 'lo' && a.interface !== this.adapterName)
        .filter((a) => working.has(formatIp4(a.address)))
        .map((a) => ({ interface: a.interface, address: a.address, prefix: a.prefix })),
      nativeIpv6: foreign.some((route) => route.family === 6),
      ipv4: foreign.some((route) => route.family === 4),
      route: foreign
        .filter((route) => route.family === 4)
        .map(({ oif, gateway, table }) => `${oif} ${gateway} ${table}`)
        .join(),
      routers: linkAddresses(gateways),
      suffixes: searchSuffixes(),
    };
    return this.latest;
  }
}
