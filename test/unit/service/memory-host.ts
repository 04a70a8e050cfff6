// A computer in memory for the client's tests: a router, our own server on the other side, and programs to name.
import { MemoryDatapath } from '../../../engine/datapath/memory.ts';
import type { SocketVerdict } from '../../../engine/gate/index.ts';
import { HostError } from '../../../engine/host/types.ts';
import type {
  Adapter,
  DatapathOptions,
  Host,
  NetworkState,
  Owners,
  SidePort,
  SocketDatapath,
} from '../../../engine/host/types.ts';
import { TeredoServer } from '../../../engine/server/index.ts';
import { formatIp6, parseIp4 } from '../../../engine/wire/index.ts';
import type { Endpoint, Ip4 } from '../../../engine/wire/index.ts';
import { program } from '../gate/harness.ts';

export const ip4 = (text: string): Ip4 => parseIp4(text)!;
export const SERVERS = [ip4('192.0.2.1'), ip4('192.0.2.2')] as const;
/** What the router makes of us. */
export const MAPPED: Endpoint = { ip: ip4('198.51.100.7'), port: 40_000 };
const HOME = { interface: 'eth0', address: ip4('192.168.1.10'), prefix: 24 };

/** Names one program for every flow, as the system would, and keeps what is written into the kernel. */
export class MemoryOwners implements Owners {
  readonly mode = 'programs';
  readonly why = null;
  readonly startsSeen = true;
  readonly decidesFor = null;
  readonly calls: string[] = [];
  program = '/usr/bin/curl';
  private cookie = 0n;
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
export class MemoryHost implements Host {
  serves = true;
  taken = new Set<number>();
  readonly names = new Map([['teredo.example', SERVERS[0]]]);
  network: NetworkState = {
    networks: [HOME],
    nativeIpv6: false,
    ipv4: true,
    route: '',
    routers: [],
    suffixes: [],
  };
  /** Whose domain controller answers. */
  domain: string | null = null;
  findDomain = (): Promise<string | null> => Promise.resolve(this.domain);
  /** Who owns what a program sends; none: nobody can be named. */
  owners: MemoryOwners | null = null;
  /** The UDP socket is open. */
  socketOpen = false;
  /** How long the adapter takes for what is asked of it. */
  adapterWaits = (): Promise<void> => Promise.resolve();
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
  after = (ms: number, run: () => void): (() => void) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  };
  isPortFree = (port: number): Promise<boolean> => Promise.resolve(!this.taken.has(port));
  joinGroup = (): null => null;
  openSidePort = (): SidePort => ({ send: () => undefined, close: () => undefined });
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
      return this.adapterWaits();
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
    const local = { ...bind };
    return Object.assign(socket, {
      local,
      offloads: [],
      setTap: () => undefined,
      readTap: () => ({ datagrams: [], lost: 0 }),
      sleep: () => {
        this.socketOpen = false;
        socket.clearFlows();
      },
      wake: (port?: number) => {
        this.socketOpen = true;
        local.port = port ?? local.port;
      },
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
