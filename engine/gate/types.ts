// Module gate/types names what the gate is told about programs and sockets, and what it decides.
import type { FlowKey } from '../datapath/types.ts';

/** A file by what the kernel knows of it. Numbers of 64 bits as decimal text, so that they survive JSON. */
export interface FileId {
  readonly device: string;
  readonly inode: string;
}

/** Groups of processes that the kernel's side names (cgroup, mounts), never the environment of a process. */
export type GroupKind = 'flatpak' | 'snap' | 'appimage' | 'systemd' | 'container' | 'run';

/**
 * `id`: application of a Flatpak (`org.mozilla.firefox`), name of a Snap, path of an AppImage, systemd unit (`cups.service`),
 * cgroup path of a container, cgroup path made by `shipworm run`.
 */
export interface Group {
  readonly kind: GroupKind;
  readonly id: string;
}

/** Who a process is, as far as it was found out. `null` is "not found out", never "none". */
export interface Identity {
  /** User of the process that made the socket. */
  readonly user: number;
  /** Absolute path of the executable as the host sees it, without " (deleted)". */
  readonly path: string | null;
  readonly file: FileId | null;
  /** SHA-256 of the content in hex; present whenever `writable` is true, else it may be left out. */
  readonly hash: string | null;
  readonly group: Group | null;
  /** The file, or a folder on its way, can be written by somebody who is not root. */
  readonly writable: boolean;
  /** The running file is no longer the one at `path`: replaced or deleted. */
  readonly replaced: boolean;
  /** The process lives in another mount namespace than the host's, so its path is not the host's. */
  readonly foreign: boolean;
  /** What an interpreter runs, from its arguments, which a process can rewrite: a name to show, and inferred at most. */
  readonly script: string | null;
}

/**
 * `exact`: the kernel recorded the maker of the socket, or it is the only holder. `shared`: several processes hold the socket.
 * `inferred`: found by a search that something could mislead. `unknown`: not found.
 */
export type Confidence = 'exact' | 'shared' | 'inferred' | 'unknown';

/** One process. `startedMs` tells a pid that was used again. */
export interface Process {
  readonly pid: number;
  /** Start of the process, ms of the host's clock (`Host.now`). */
  readonly startedMs: number;
}

/** Who owns a socket. */
export interface Owner {
  /** The maker when the kernel recorded it, else every holder that was found: all of them must be allowed. Never empty. */
  readonly identities: readonly Identity[];
  readonly process: Process | null;
  /** Short name that the kernel keeps (`comm`): shown where nothing better is known; no rule looks at it. */
  readonly comm: string;
  readonly confidence: Confidence;
}

/** From our side: `out` was begun by a local program, `in` by somebody else. */
export type Direction = 'out' | 'in';

/** What a rule is about. Everything that is not null must fit. */
export interface Matcher {
  /** Null: every user (only from policy). */
  readonly user: number | null;
  readonly path: string | null;
  /** Content a file is pinned to; null for files that only root can write, whose updates keep their rule. */
  readonly hash: string | null;
  readonly group: Group | null;
  readonly script: string | null;
}

/** Ports that may be reached from outside, TCP and UDP alike. */
export type Reach = 'none' | 'all' | readonly number[];

/** `quit`: until the last process of the application has ended; not kept over a restart. `at`: ms of the host's clock. */
export type Until =
  | { readonly kind: 'forever' }
  | { readonly kind: 'quit' }
  | { readonly kind: 'time'; readonly at: number };

/** One rule. Without a rule nothing passes. */
export interface Rule {
  readonly id: string;
  readonly matcher: Matcher;
  readonly connectOut: boolean;
  readonly beReached: Reach;
  /** Files seen at the matcher's path: a replaced file that still runs is known by them. */
  readonly files: readonly FileId[];
  readonly until: Until;
  /** `user`: may be changed by him. `policy`: locked, `source` is the file it stands in. */
  readonly from: 'user' | 'policy';
  readonly source: string | null;
  /** The user said "never": refused without asking again. */
  readonly never: boolean;
}

/**
 * What a socket may do, for the kernel's table by cookie. Both rule who may begin: answers to what it sent always pass, and so do its
 * answers to what was let in.
 */
export interface SocketVerdict {
  readonly out: 'allow' | 'deny';
  readonly in: Reach;
}

/** Why a flow passes or not; each is explained in docs/codes.md. */
export type FlowReason =
  | 'allowed'
  | 'allowed-by-policy'
  | 'everything-exposed'
  | 'no-rule'
  | 'never'
  | 'forbidden-by-policy'
  | 'not-reachable'
  | 'file-changed'
  | 'foreign-namespace'
  | 'owner-unknown'
  | 'no-listener'
  | 'echo-unanswered'
  | 'tunnel-off';

/** `refuse`: drop, and tell the local program at once by ICMPv6 "administratively prohibited". */
export type FlowVerdict = 'pass' | 'drop' | 'refuse';

export type GateInput =
  /** The first packet of a flow that no table knows. Answered by `flow`, or by `resolve` and later `flow`. */
  | { readonly kind: 'flow'; readonly flow: FlowKey; readonly direction: Direction }
  /**
   * Answer to `resolve`, or told unasked: the socket that sent, or would receive, `flow` (null: unasked, only the socket).
   * `cookie` null: there is no such socket. `owner` null: it could not be found out.
   */
  | {
      readonly kind: 'socket';
      readonly flow: FlowKey | null;
      readonly direction: Direction;
      readonly cookie: bigint | null;
      readonly owner: Owner | null;
    }
  /** The kernel itself refused packets of a denied socket; only to be shown and asked about. */
  | {
      readonly kind: 'attempt';
      readonly flow: FlowKey;
      readonly cookie: bigint;
      readonly times: number;
    }
  /** The socket is gone. */
  | { readonly kind: 'closed'; readonly cookie: bigint }
  /** A socket that the tunnel would make reachable began or ceased to listen (TCP) or to be bound unconnected (UDP). */
  | {
      readonly kind: 'listener';
      readonly cookie: bigint;
      readonly listening: boolean;
      readonly protocol: number;
      readonly port: number;
      readonly owner: Owner | null;
    }
  /** A process runs one of the files of the last `watch`; `exit`: it has ended. */
  | { readonly kind: 'exec'; readonly process: Process; readonly identity: Identity }
  | { readonly kind: 'exit'; readonly process: Process }
  /** The user adds or changes a rule (by its id), or takes one away. A rule until it quits ends with `processes`. */
  | { readonly kind: 'rule'; readonly rule: Rule; readonly processes?: readonly Process[] }
  | { readonly kind: 'forget'; readonly id: string }
  /** The answer to a question. */
  | { readonly kind: 'answer'; readonly id: string; readonly answer: Answer }
  /** The machine policy, whole; replaces the one before. */
  | { readonly kind: 'policy'; readonly policy: GatePolicy }
  /** The user's switch, and settings that may change while it runs. */
  | { readonly kind: 'settings'; readonly settings: GateSettings }
  /** The network changed, or was first seen. */
  | { readonly kind: 'network'; readonly network: GateNetwork }
  /** Answer to `discover`: the domain whose controller answered, null when none did. */
  | { readonly kind: 'domain'; readonly domain: string | null }
  /** The tunnel has an address. */
  | { readonly kind: 'qualified' }
  /** Allowed packets passed since this was last told: something uses the tunnel. */
  | { readonly kind: 'activity' }
  /** The time named by the last `timeout` has come. */
  | { readonly kind: 'timeout' };

export type Answer = 'allow' | 'until-quit' | 'not-now' | 'never';

export type GateOutput =
  /** Write the kernel's table. Comes before the `flow` of the same socket. */
  | { readonly kind: 'verdict'; readonly cookie: bigint; readonly verdict: SocketVerdict }
  /** Who owns this flow? Answer with `socket`. */
  | { readonly kind: 'resolve'; readonly flow: FlowKey; readonly direction: Direction }
  /** Write the flow table, and send on, drop or refuse what waits. Told again when a rule changes a live flow. */
  | {
      readonly kind: 'flow';
      readonly flow: FlowKey;
      readonly direction: Direction;
      readonly verdict: FlowVerdict;
      readonly reason: FlowReason;
    }
  /** A program without a rule was refused for the first time: ask once. Null answer is "not now". */
  | { readonly kind: 'question'; readonly question: Question }
  /** Open the socket and qualify; packets that pass are queued until then. */
  | { readonly kind: 'wake'; readonly why: WakeReason }
  /** Close the socket: not one more packet. `brief`: only until it is known whose network this is. */
  | { readonly kind: 'sleep'; readonly brief: boolean }
  | { readonly kind: 'state'; readonly state: GateState }
  /** The entry of this flow is no longer needed: its socket is gone, or others need the room. */
  | { readonly kind: 'forget-flow'; readonly flow: FlowKey }
  /**
   * Replaces the list before. `files`: their processes' start and end shall be told by `exec` and `exit`, and the listeners of those
   * processes by `listener`; what runs already is told at once. `processes`: their end shall be told. `groups`: the listeners of their
   * processes shall be told, too.
   */
  | {
      readonly kind: 'watch';
      readonly files: readonly string[];
      readonly processes: readonly Process[];
      readonly groups: readonly Group[];
    }
  /** Look for a domain controller and answer with `domain`. */
  | { readonly kind: 'discover' }
  /** The rules to keep changed. */
  | { readonly kind: 'save' }
  /** Come back with `timeout` at this time; replaces the one before. */
  | { readonly kind: 'timeout'; readonly at: number };

export type WakeReason =
  'first-address' | 'allowed-program' | 'listener' | 'policy-qualified' | 'everything-exposed';

/** A program that was refused and that the user may decide about. */
export interface Question {
  readonly id: string;
  readonly identity: Identity;
  readonly comm: string;
  readonly confidence: Confidence;
  /** The last flow that was refused. */
  readonly flow: FlowKey;
  /** Processes of it, as far as they are known. */
  readonly processes: readonly Process[];
  /** Why: `no-rule`, `file-changed`, `foreign-namespace`. */
  readonly reason: FlowReason;
  /** `not-now` after that answer: not asked again, but still shown. */
  readonly answered: boolean;
  /** First and last refusal, ms, and how many there were. */
  readonly firstMs: number;
  readonly lastMs: number;
  readonly times: number;
}

/** What least exposure says of the tunnel; while `awake` the client's own state is shown. */
export interface GateState {
  readonly name: 'off' | 'unneeded' | 'managed' | 'dormant' | 'awake';
  readonly code: GateReason;
  readonly text: string;
}

export type GateReason =
  | 'switched-off'
  | 'paused'
  | 'policy-disabled'
  | 'policy-damaged'
  | 'network-off'
  | 'network-asks'
  | 'native-ipv6'
  | 'domain-controller'
  | 'looking'
  | 'nothing-allowed'
  | 'nothing-running'
  | 'rules-damaged'
  | 'in-use'
  | 'listening'
  | 'first-address'
  | 'policy-qualified'
  | 'everything-exposed';

export type NetworkChoice = 'ask' | 'on' | 'off';

export interface GateSettings {
  /** The user's switch. */
  readonly on: boolean;
  /** Off for a while. */
  readonly paused?: boolean;
  readonly exposeAll: boolean;
  /** Use Teredo although there is native IPv6. */
  readonly evenWithNativeIpv6: boolean;
  /** Answer echo requests from outside. */
  readonly answerEcho: boolean;
  /** Asleep again this long after the last allowed flow or listener, ms. */
  readonly sleepAfterMs: number;
  /** What was chosen for each network, and for those that are new. */
  readonly networks: Readonly<Record<string, NetworkChoice>>;
  readonly newNetworks: NetworkChoice;
}

export interface GateNetwork {
  /** Stable name of the network (its router, prefixes and search suffixes), null when there is none. */
  readonly id: string | null;
  /** The name without the router, which is not always known: then it is `id`, too. Absent: so it is always. */
  readonly base?: string | null;
  readonly nativeIpv6: boolean;
}

/** The machine policy as the gate sees it; keys mirror the Group Policy for Windows' Teredo. */
export interface GatePolicy {
  /** `damaged`: it can't be understood, so that nobody knows what it was to forbid. */
  readonly state: 'default' | 'disabled' | 'client' | 'enterprise-client' | 'damaged';
  /** Always qualified: the tunnel stays awake. */
  readonly defaultQualified: boolean;
  readonly rules: readonly Rule[];
}
