// Module builtin/host is the operating system of the user's PC on the built-in network.
import { MemoryDatapath } from '../../datapath/memory.ts';
import { MemoryTap } from '../../datapath/tap.ts';
import type { MachineFacts, ProbeHost, ProbeOptions, ProbeSocket } from '../../host/probe-types.ts';
import { HostError } from '../../host/types.ts';
import type {
  Adapter,
  DatapathOptions,
  Host,
  NetworkState,
  Owners,
  OwnersHost,
  OwnersOptions,
  SidePort,
  SocketDatapath,
} from '../../host/types.ts';
import type { Host as SimHost, Simulation, UdpSocket } from '../../sim/index.ts';
import { formatIp4, parseIp4, sameEndpoint } from '../../wire/index.ts';
import type { Endpoint, Ip4, Ip6 } from '../../wire/index.ts';
import type { Pace } from './pace.ts';
import type { Pc } from './programs.ts';

/** A change of network is looked at this long after it, ms, as a real host waits for the last message of a burst. */
const SETTLE_MS = 200;

export interface BuiltInHostOptions {
  readonly simulation: Simulation;
  readonly pace: Pick<Pace, 'rearm'>;
  readonly host: SimHost;
  readonly pc: Pc;
  /** Looks a name up; undefined when there is none. */
  readonly lookUp: (name: string) => Ip4 | undefined;
  /** The address of a PC or host here by its name; null when it has none. */
  readonly lookUp6: (name: string) => Ip6 | null;
  /** The router's inside address; null without one. */
  readonly gateway: () => Ip4 | null;
  /** Neither cable nor line is cut. */
  readonly lineUp: () => boolean;
}

export class BuiltInHost implements Host, OwnersHost, ProbeHost {
  readonly builtIn = true;
  readonly random;
  private readonly options: BuiltInHostOptions;
  private datapath: MemoryDatapath | null = null;

  constructor(options: BuiltInHostOptions) {
    this.options = options;
    this.random = options.simulation.random.fork('the client');
  }

  now(): number {
    return this.options.simulation.now;
  }

  after(ms: number, run: () => void): () => void {
    const cancel = this.options.simulation.after(ms, run);
    this.options.pace.rearm();
    return cancel;
  }

  openSidePort(port: number, onDatagram: (from: Endpoint, bytes: Uint8Array) => void): SidePort {
    const { host, pace } = this.options;
    const socket = host.bind(port, { onDatagram });
    return {
      send: (to, bytes) => {
        socket.send(to, bytes);
        pace.rearm();
      },
      close: () => socket.close(),
    };
  }

  joinGroup(
    group: Ip4,
    port: number,
    _links: readonly Ip4[],
    onDatagram: (from: Endpoint, bytes: Uint8Array) => void,
  ): { close(): void } | null {
    const { host } = this.options;
    const take = (from: Endpoint, bytes: Uint8Array, arrivedOn: Ip4): void => {
      if (arrivedOn === group) onDatagram(from, bytes);
    };
    const socket = host.bind(port, { onDatagram: take });
    socket.join(group);
    return { close: () => socket.close() };
  }

  /** A program sends `packet` by the adapter. */
  send(packet: Uint8Array): void {
    this.datapath?.fromAdapter(packet);
  }

  openAdapter(): Promise<Adapter> {
    const done = (): Promise<void> => Promise.resolve();
    return Promise.resolve({
      name: 'built-in',
      index: 1,
      queues: [],
      vnetHeader: false,
      setAddress: (address, preferred) => {
        if (preferred) this.options.pc.setAddress(address);
        return done();
      },
      removeAddress: done,
      setDefaultRoute: done,
      // It goes with the process.
      onLost: () => undefined,
      close: done,
    });
  }

  openOwners({ onEvent }: OwnersOptions): Promise<Owners> {
    return Promise.resolve(this.options.pc.open(onEvent));
  }

  openDatapath({ bind, validMs, onUpcalls }: DatapathOptions): SocketDatapath {
    const { host, pace, pc } = this.options;
    let socket: UdpSocket | null = null;
    let now = bind;
    let peers = new Set<bigint>();
    const tap = new MemoryTap(() => Date.now());
    const datapath = new MemoryDatapath({
      now: () => this.now(),
      validMs,
      upcall: onUpcalls,
      transmit: (to: Endpoint, bytes) => {
        socket?.send(to, bytes);
        tap.add(true, to, bytes);
        pace.rearm();
      },
      deliver: (packet) => pc.deliver(packet),
    });
    const wake = (port = bind.port): void => {
      if (socket) return;
      try {
        socket = host.bind(port, {
          onDatagram: (from, bytes) => {
            tap.add(false, from, bytes);
            datapath.fromSocket(from, bytes);
          },
          onIcmp: (to, type, code) => datapath.fromSocketError(to, type, code),
        });
      } catch {
        throw new HostError('port-taken', `UDP port ${port} is taken on the built-in PC.`);
      }
      now = { ip: 0, port: socket.port };
    };
    wake();
    this.datapath = datapath;
    const setPeer = datapath.setPeer.bind(datapath);
    const close = datapath.close.bind(datapath);
    return Object.assign(datapath, {
      get local() {
        return now;
      },
      offloads: [],
      setTap: (on: boolean) => tap.setTap(on),
      readTap: () => tap.readTap(),
      wake,
      setPeer: (...args: Parameters<typeof setPeer>) => {
        peers.add(args[0]);
        setPeer(...args);
      },
      sleep: () => {
        socket?.close();
        socket = null;
        datapath.clearFlows();
        for (const peer of peers) datapath.removePeer(peer);
        peers = new Set();
      },
      close: () => {
        socket?.close();
        socket = null;
        close();
      },
    });
  }

  isPortFree(port: number): Promise<boolean> {
    try {
      this.options.host.bind(port).close();
      return Promise.resolve(true);
    } catch {
      return Promise.resolve(false);
    }
  }

  resolve(name: string): Promise<readonly Ip4[]> {
    const found = parseIp4(name) ?? this.options.lookUp(name);
    return found === undefined
      ? Promise.reject(new Error(`The server’s name ${name} could not be looked up: no such name.`))
      : Promise.resolve([found]);
  }

  networkState(): Promise<NetworkState> {
    return Promise.resolve(this.readNetwork());
  }

  /** The homes here have no search suffix, and no domain controller. */
  findDomain(): Promise<null> {
    return Promise.resolve(null);
  }

  watchNetwork(callback: (state: NetworkState) => void): () => void {
    const { host } = this.options;
    let cancel = (): void => undefined;
    host.onNetworkChange = () => {
      cancel();
      cancel = this.after(SETTLE_MS, () => callback(this.readNetwork()));
    };
    return () => {
      cancel();
      host.onNetworkChange = null;
    };
  }

  openProbe({ connectTo, onDatagram, onRefused }: ProbeOptions): Promise<ProbeSocket> {
    const { host, pace } = this.options;
    const socket = host.bind(0, {
      onDatagram: (from, bytes) => {
        if (!connectTo || sameEndpoint(from, connectTo)) onDatagram(from, bytes);
      },
      onIcmp: (_, __, code) => {
        // Port unreachable (RFC 792) is 3; the system tells it and all others to connected sockets alone.
        if (connectTo) onRefused?.(code === 3 ? 'ECONNREFUSED' : 'EHOSTUNREACH');
      },
    });
    return Promise.resolve({
      port: socket.port,
      send: (to: Endpoint, bytes: Uint8Array) => {
        if (!socket.send(to, bytes)) onRefused?.('ENETUNREACH');
        pace.rearm();
      },
      close: () => socket.close(),
    });
  }

  /** There is no TCP here; who is not cut off would reach everybody by it. */
  answersTcp(): Promise<boolean> {
    return Promise.resolve(this.options.lineUp());
  }

  gateways(): readonly Ip4[] {
    const gateway = this.options.gateway();
    return gateway === null ? [] : [gateway];
  }

  resolve6(name: string): Promise<readonly Ip6[]> {
    const found = this.options.lookUp6(name);
    return found === null
      ? Promise.reject(new Error(`There is no ${name}.`))
      : Promise.resolve([found]);
  }

  /** None of the routers here maps ports. */
  findUpnp(): Promise<null> {
    return Promise.resolve(null);
  }

  machine(adapter: string | null): Promise<MachineFacts> {
    return Promise.resolve({
      otherTeredo: [],
      teredoRoute: adapter,
      native6: null,
      firewall: { readable: true, against: [] },
      helper: { ready: true, state: 'unneeded', at: null },
    });
  }

  private readNetwork(): NetworkState {
    const networks = this.options.host
      .networks()
      .map(({ address, prefix }) => ({ interface: 'eth0', address, prefix }));
    const route = networks.map(({ address }) => formatIp4(address)).join(' ');
    return {
      networks,
      nativeIpv6: false,
      ipv4: networks.length > 0,
      route,
      routers: [],
      suffixes: [],
    };
  }
}
