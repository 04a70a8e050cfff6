// Module host/types states what the rest of the engine needs of an operating system; one file per platform provides it.
import type { TapPort } from '../datapath/tap.ts';
import type { AnswerCounts, Answers } from '../datapath/answers.ts';
import type { MakeSourceLimit } from '../datapath/limits.ts';
import type { Datapath, FlowKey, Upcall } from '../datapath/types.ts';
import type {
  Direction,
  FileId,
  GateInput,
  Group,
  Owner,
  Process,
  SocketVerdict,
} from '../gate/types.ts';
import type { Endpoint, Ip4, Ip6, Random } from '../wire/types.ts';

/** A failure that a person can mend: `text` is one sentence that says what to do; `code` is listed in docs/codes.md. */
export class HostError extends Error {
  readonly code: HostErrorCode;
  /** What the sentence names, for a window that says it in another language. */
  readonly params: Readonly<Record<string, string | number>>;
  constructor(code: HostErrorCode, text: string, params: HostError['params'] = {}) {
    super(text);
    this.name = 'HostError';
    this.code = code;
    this.params = params;
  }
}

export type HostErrorCode =
  | 'no-privilege'
  | 'no-tun'
  | 'adapter-busy'
  | 'port-taken'
  | 'bind-failed'
  | 'no-randomness'
  | 'helper-missing'
  | 'helper-lost'
  | 'helper-refused'
  | 'forwarding-unsupported'
  | 'policy-forbids'
  | 'no-native-ipv6'
  | 'native-missing'
  | 'program-missing'
  | 'program-no-file'
  | 'program-not-executable'
  | 'keychain-locked'
  | 'keychain-failed'
  | 'platform';

/** A program on disk, in the words of gate/types. */
export interface ProgramFile {
  readonly path: string;
  readonly file: FileId;
  readonly writable: boolean;
  /** Only where `writable`. */
  readonly hash: string | null;
  readonly script: string | null;
}

/** One IPv4 network of this host. */
export interface HostNetwork {
  readonly interface: string;
  readonly address: Ip4;
  readonly prefix: number;
}

/** State of the host's networks, as far as Teredo cares. */
export interface NetworkState {
  readonly networks: readonly HostNetwork[];
  /** A default IPv6 route exists that is not through our adapter. */
  readonly nativeIpv6: boolean;
  /** A default IPv4 route exists. */
  readonly ipv4: boolean;
  /** What the default IPv4 routes lead through; another text is another way to the Internet. */
  readonly route: string;
  /** Link addresses of the routers that the default IPv4 routes lead to, sorted; null while one of them is not known. */
  readonly routers: readonly string[] | null;
  /** DNS search suffixes, as the network gave them. */
  readonly suffixes: readonly string[];
}

/** The TUN adapter, held through the privileged helper. Whatever it made goes away when it is closed, or when either side dies. */
export interface Adapter {
  readonly name: string;
  readonly index: number;
  /** Open TUN descriptors, one per queue; owned by the datapath once it is opened. */
  readonly queues: readonly number[];
  /** IFF_VNET_HDR is on: each packet carries a virtio_net_hdr. */
  readonly vnetHeader: boolean;
  /** Puts `address`/32 on the adapter; `preferred` false keeps it for old flows only. */
  setAddress(address: Ip6, preferred: boolean): Promise<void>;
  removeAddress(address: Ip6): Promise<void>;
  /** Adds or removes the default IPv6 route (2001::/32 is always routed). */
  setDefaultRoute(on: boolean): Promise<void>;
  /**
   * Gives the UDP sockets (descriptors, asked for when their turn has come) buffers beyond what an ordinary user may have. Rejects with
   * HostError where the system doesn't let the helper; then they are as they were. Absent: nobody is there who may.
   */
  growBuffers?(sockets: () => readonly number[]): Promise<void>;
  /** Called once when the helper died or the device vanished. */
  onLost(callback: (error: HostError) => void): void;
  close(): Promise<void>;
}

export interface AdapterOptions {
  /** Interface name; default `teredo`. */
  readonly name: string;
  readonly mtu: number;
  readonly queues: number;
  /** Ask for the virtio_net_hdr, without which the adapter has no offloads. */
  readonly offloads: boolean;
}

export interface DatapathOptions {
  readonly adapter: Pick<Adapter, 'queues' | 'vnetHeader' | 'growBuffers'> | null;
  /** Local UDP endpoint; port 0 lets the kernel choose, read it back from `SocketDatapath.local`. */
  readonly bind: Endpoint;
  /** Peer validity in milliseconds (RFC 4380 §5.2.4: 30,000). */
  readonly validMs: number;
  /** Use what this kernel has of segmentation, joining and checksum offloads. */
  readonly offloads: boolean;
  readonly onUpcalls: (batch: readonly Upcall[]) => void;
  /** The bytes of upcalls are the receiver's only until `onUpcalls` returns: a flood then leaves no garbage to collect. */
  readonly lend?: boolean;
  /** The datapath died by itself (adapter or socket broke): it is closed already. */
  readonly onFailed: (error: HostError) => void;
}

/** A datapath on a real socket. */
export interface SocketDatapath extends Datapath, TapPort {
  /** The UDP endpoint in use. */
  readonly local: Endpoint;
  /** Offloads in force, by name, e.g. `['recvmmsg', 'tso6']`. */
  readonly offloads: readonly string[];
  /** Closes the socket and forgets peers and flows. The adapter is still read: every packet of a program goes up. */
  sleep(): void;
  /** Opens the socket again, at the same port unless another is named. Throws HostError when it can't be had; it sleeps on then. */
  wake(port?: number): void;
}

/** What the system tells about sockets and programs without being asked; the gate takes it as it is. */
export type OwnerEvent = Extract<
  GateInput,
  { readonly kind: 'closed' | 'attempt' | 'exec' | 'exit' | 'listener' }
>;

/** A socket that strangers could reach through the tunnel. */
export interface Listener {
  readonly cookie: bigint;
  readonly protocol: number;
  readonly port: number;
  /** The address it is bound to; 0n is the wildcard. */
  readonly address: Ip6;
  /** Takes IPv6 only, not IPv4 beside it. */
  readonly v6only: boolean;
  readonly owner: Owner | null;
}

export interface OwnersOptions {
  readonly adapter: Adapter;
  /** Do without programs in the kernel, as on one that has none. */
  readonly withoutPrograms?: boolean;
  readonly onEvent: (event: OwnerEvent) => void;
  /** It ended by itself: nothing passes any more. */
  readonly onLost: (error: HostError) => void;
}

/** Names the owners of sockets and writes what they may do into the kernel. When it ends, nothing passes any more. */
export interface Owners {
  /** What is in force: programs in the kernel, or exact questions to it with a window that remains. */
  readonly mode: 'programs' | 'sock-diag';
  /** Why not the programs, one sentence; null with them. */
  readonly why: string | null;
  /** Programs are seen as they start (fanotify); false: they are looked for every two seconds. */
  readonly startsSeen: boolean;
  /** The users besides the client's own whose programs may be decided about; null: everybody's. */
  readonly decidesFor: readonly number[] | null;
  /** What the socket of `cookie` may do. Resolves when the kernel judges by it: what is delivered before is lost. */
  setVerdict(cookie: bigint, verdict: SocketVerdict): Promise<void>;
  /** Whose flow is it? `cookie` null: nobody's. */
  resolve(
    flow: FlowKey,
    direction: Direction,
  ): Promise<{ readonly cookie: bigint | null; readonly owner: Owner | null }>;
  /** No table of ours has this flow any more. */
  releaseFlow(flow: FlowKey): void;
  /** All flows of a socket that was told as closed are forgotten. */
  releaseSocket(cookie: bigint): void;
  /** Replaces what is watched; see the gate's `watch`. */
  watch(files: readonly string[], processes: readonly Process[], groups: readonly Group[]): void;
  /** Every socket that the tunnel would make reachable. */
  listeners(): Promise<readonly Listener[]>;
  /** The program at `path`, where programs and users are not this machine's. Rejects with an Error that says what is wrong. */
  programAt?(path: string): Promise<ProgramFile & { readonly user: number }>;
  close(): Promise<void>;
}

/** What the gate needs of a system. */
export interface OwnersHost {
  /** Names the owners of sockets that use `adapter`. Once for each adapter. Rejects with HostError. */
  openOwners(options: OwnersOptions): Promise<Owners>;
}

/** A raw socket for whole IPv6 packets: a server sends its clients' pings as they are (RFC 4380 §5.3.1). */
export interface RawSocket6 {
  /** Sends `packet` to the destination in its header; false when it can't leave this machine (no native IPv6). */
  send(packet: Uint8Array): boolean;
  close(): Promise<void>;
}

export interface Host {
  /** Milliseconds of a clock that never steps back and counts suspend (CLOCK_BOOTTIME); the datapath stamps with it. */
  now(): number;
  /** Runs `run` once `ms` of that clock have gone by. Returns a function that cancels it. */
  after(ms: number, run: () => void): () => void;
  readonly random: Random;
  /** Gives memory back to the system that is free but kept for later; stops everything for some tens of milliseconds. */
  releaseMemory?(): void;
  /** The whole network is inside this process, and nothing that is said of it is true of this PC. */
  readonly builtIn?: boolean;
  openAdapter(options: AdapterOptions): Promise<Adapter>;
  openDatapath(options: DatapathOptions): SocketDatapath;
  /** Opens a UDP port beside the datapath's, DF off. Throws HostError when it can't be had. */
  openSidePort(port: number, onDatagram: (from: Endpoint, bytes: Uint8Array) => void): SidePort;
  /** Receives what is sent to `group`:`port` on the links of `links`, and nothing else. Null when that can't be had. */
  joinGroup(
    group: Ip4,
    port: number,
    links: readonly Ip4[],
    onDatagram: (from: Endpoint, bytes: Uint8Array) => void,
  ): { close(): void } | null;
  /** Whether `port` can be bound to just now. */
  isPortFree(port: number): Promise<boolean>;
  /** IPv4 addresses of a host name, or of a dotted quad. Rejects with an Error whose message says why. */
  resolve(name: string): Promise<readonly Ip4[]>;
  networkState(): Promise<NetworkState>;
  /** The one of `suffixes` whose domain controller answers on this network; null when none does. Takes a few seconds at most. */
  findDomain(suffixes: readonly string[]): Promise<string | null>;
  /** Calls back (debounced) when addresses, links or routes changed. Returns a stop function. */
  watchNetwork(callback: (state: NetworkState) => void): () => void;
}

/** A UDP port beside the datapath's. */
export interface SidePort {
  send(to: Endpoint, bytes: Uint8Array): void;
  close(): void;
}

/** What became of a datagram: `full` means that the link or the socket's buffer had no room. */
export type SendOutcome = 'sent' | 'failed' | 'full';

/** A UDP socket that is read and written in batches. `Tag` is the caller's name for what it sends. */
export interface UdpSocket<Tag> {
  /** Takes a datagram along, at most 2,048 bytes; it leaves with the next `flush`, or with the batch that it fills. */
  send(to: Endpoint, bytes: Uint8Array, tag: Tag): void;
  flush(): void;
  /**
   * From now on what the table says is answered where it is read and not handed over; `limit` is one of `makeLimit`. `other`,
   * of the same host, sends what leaves by the other address.
   */
  answer(answers: Answers | null, other: UdpSocket<Tag> | null): void;
  /** What was done by the table. */
  counts(): AnswerCounts;
  close(): void;
}

export interface UdpOptions<Tag> {
  readonly bind: Endpoint;
  /** Threads that read, 1 by default. */
  readonly workers?: number;
  /** `bytes` are valid until this returns. */
  readonly onDatagram: (from: Endpoint, bytes: Uint8Array) => void;
  /** A batch was handed over: the moment to flush. */
  readonly onBatch: () => void;
  readonly onSent: (outcome: SendOutcome, tag: Tag) => void;
}

/** What a server needs of the system. */
export interface ServerHost extends Pick<Host, 'now' | 'networkState' | 'watchNetwork'> {
  /** Throws HostError 'port-taken' or 'bind-failed', worded for a server. */
  openUdp<Tag>(options: UdpOptions<Tag>): UdpSocket<Tag>;
  /** A limit that the sockets of `openUdp` can ask, too. */
  readonly makeLimit: MakeSourceLimit;
  /** Asks the privileged helper, which needs no native IPv6 for it. Rejects with HostError. */
  openRaw6(): Promise<RawSocket6>;
}

/** One IPv6 address of this host that can be a native host's. */
export interface HostAddress6 {
  readonly interface: string;
  readonly address: Ip6;
  readonly prefix: number;
  /** Not meant for new connections, or for a while only (RFC 4862 §5.5.4, RFC 8981). */
  readonly passing: boolean;
}

/** The adapter of a relay; it has no address. */
export interface RelayAdapter extends Pick<
  Adapter,
  'name' | 'index' | 'queues' | 'vnetHeader' | 'growBuffers' | 'onLost' | 'close'
> {
  /**
   * Routes 2001::/32 to the adapter and, with `native`, forwards between it and that interface; undone when the adapter is
   * closed, or when either side dies. Resolves to how: `every` where the kernel can't forward on two interfaces alone. Rejects
   * with HostError.
   */
  startRelay(native: string | null): Promise<'none' | 'two' | 'every'>;
}

/** What a relay needs of the system. */
export interface RelayHost extends Pick<
  Host,
  'now' | 'after' | 'random' | 'openDatapath' | 'networkState' | 'watchNetwork'
> {
  /** Rejects with HostError. */
  openRelayAdapter(options: AdapterOptions): Promise<RelayAdapter>;
  releaseMemory(): void;
  /** Global addresses of all interfaces but the adapter and loopback, and the interface of the IPv6 default route, if any. */
  native6(): {
    readonly addresses: readonly HostAddress6[];
    readonly defaultInterface: string | null;
  };
}
