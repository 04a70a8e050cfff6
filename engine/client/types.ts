// Module client/types names everything that goes into and comes out of the client state machine.
import type { PeerStamps } from '../datapath/types.ts';
import type { Endpoint, Ip4, Ip6 } from '../wire/types.ts';

/** Settings of a client; times in milliseconds. Defaults are in `client/config.ts`. */
export interface ClientConfig {
  /** Primary address of the Teredo server. */
  readonly server: Ip4;
  /** Secondary address of the same server; by default primary + 1 (RFC 4380 §5.2.1 asks for one, not which). */
  readonly server2: Ip4;
  /** Client identifier and shared secret for secure qualification (RFC 4380 §5.2.2); both or neither. */
  readonly credentials?: { readonly clientId: Uint8Array; readonly key: Uint8Array };
  /** Take non-global IPv4 addresses for servers, origins and peers: closed labs only. */
  readonly allowPrivate: boolean;
  /** Address of an earlier run: its flags are kept if server and mapping turn out the same. */
  readonly lastAddress?: Ip6;
  /** Teredo refresh interval, ms (RFC 4380 §5.2.5). */
  readonly refreshIntervalMs: number;
  /** While we hold an address, a silent server is left for another after this time, ms; Infinity: never. */
  readonly failoverMs: number;
  /** Local UDP port of the service port: a NAT that keeps ports shows it (RFC 6081 §5.4.3). 0: not known. */
  readonly localPort: number;
  /** Tell neighbours on the link of us by multicast, and listen to them (RFC 4380 §5.2.8). */
  readonly localDiscovery: boolean;
  /** Find out how long the NAT keeps a mapping, and refresh it no more often than that takes (RFC 4380 §5.2.7). */
  readonly intervalSearch: boolean;
  /** Guess ports towards peers that agree, where no way of RFC 6081 leads. */
  readonly birthdayProbing: boolean;
  readonly limits: ClientLimits;
}

/** Bounds on everything that somebody else can make grow. */
export interface ClientLimits {
  /** Peers kept in all. */
  readonly maxPeers: number;
  /** Bytes and packets queued for one peer until its way opens. */
  readonly queueBytesPerPeer: number;
  readonly queuePacketsPerPeer: number;
  /** Bytes queued for all peers together. */
  readonly queueBytesTotal: number;
  /** New peers made by packets from outside, per second. */
  readonly newPeersPerSecondIn: number;
  /** New peers made by local packets, per second. */
  readonly newPeersPerSecondOut: number;
  /** ICMPv6 errors to local senders, per second. */
  readonly icmpPerSecond: number;
  /** UDP ports beside the service port, for peers that can't be reached from it (RFC 6081 §5.4, §5.5). */
  readonly sidePorts: number;
  /** One round of probing: ports opened, or datagrams sent to guessed ports; and rounds in 300 s. */
  readonly probePorts: number;
  readonly probeGuesses: number;
  readonly probeRounds: number;
}

/** One of this host's IPv4 networks, to recognise directed broadcasts and our own subnets. */
export interface Ip4Network {
  readonly address: Ip4;
  /** Prefix length, 0..32. */
  readonly prefix: number;
}

export type ClientInput =
  /** UDP payload from `from`; `via` is the side port that it came to, if it was one. */
  | {
      readonly kind: 'datagram';
      readonly from: Endpoint;
      readonly bytes: Uint8Array;
      readonly via?: number;
    }
  /** UDP payload that came by the multicast group of a `join` output, and not to an address of ours. */
  | { readonly kind: 'discovery'; readonly from: Endpoint; readonly bytes: Uint8Array }
  /** The side port of a `listen` output can't be had. */
  | { readonly kind: 'portFailed'; readonly port: number }
  /** The router maps `external` to our service port (UPnP, NAT-PMP, PCP; RFC 6081 §5.3.3); null: it does not, or not any more. */
  | { readonly kind: 'portMapping'; readonly external: Endpoint | null }
  /** IPv6 packet that a local program sent through the adapter. */
  | { readonly kind: 'packet'; readonly bytes: Uint8Array }
  /** The time named by the last `timeout` output has come (or any later time). */
  | { readonly kind: 'timeout' }
  /**
   * The host's IPv4 networks, and what its default route leads through. A change means that the mapping may be another: the server
   * is asked at once, and what is there stays until it says so.
   */
  | {
      readonly kind: 'network';
      readonly networks: readonly Ip4Network[];
      readonly route?: string;
      /** Teredo refresh interval that was found out on this network earlier, ms. */
      readonly refreshIntervalMs?: number;
    }
  /** Ask this server as well; we move to it when it answers, unless `wantServer` is over and `always` is not set. */
  | {
      readonly kind: 'server';
      readonly server: Ip4;
      readonly server2: Ip4;
      readonly always: boolean;
    }
  /** IPv4 ICMP error about a datagram of ours to `to`. */
  | { readonly kind: 'icmp4'; readonly to: Endpoint; readonly type: number; readonly code: number }
  /** Ping `address` through the tunnel on behalf of the user; answered by one `pong` output with the same `id`. */
  | {
      readonly kind: 'ping';
      readonly id: number;
      readonly address: Ip6;
      readonly timeoutMs: number;
    };

export type ClientState = 'off' | 'qualifying' | 'qualified' | 'refused';

/** Reason codes that the client can give; each is explained in `docs/codes.md`. */
export type ClientReason =
  | 'starting'
  | 'network-changed'
  | 'no-network'
  | 'qualified'
  | 'server-silent'
  | 'no-answer'
  | 'server-junk'
  | 'server-changed'
  | 'key-refused'
  | 'server-address-refused'
  | 'no-traffic'
  | 'mapping-changed'
  | 'mapping-refused';

/** Kind of NAT in front of us, as far as it is known. */
export type NatKind = 'none' | 'cone' | 'restricted' | 'symmetric' | 'unknown';

/** What the client says of itself. */
export interface ClientStatus {
  readonly state: ClientState;
  readonly reason: { readonly code: ClientReason; readonly text: string };
  readonly address: Ip6 | null;
  readonly mtu: number;
  readonly server: Endpoint;
  /** Time from the last answered solicitation to its answer, ms; null before the first. */
  readonly serverRttMs: number | null;
  readonly mapped: Endpoint | null;
  readonly nat: NatKind;
}

export type PeerKind = 'teredo' | 'native' | 'local';
export type PeerPath = 'direct' | 'bubbles' | 'relay' | 'local' | 'hairpin';

export type ClientOutput =
  /** Send this UDP payload, from the side port `via` if there is one. `why` names it for the log and the demo. */
  | {
      readonly kind: 'transmit';
      readonly to: Endpoint;
      readonly bytes: Uint8Array;
      readonly why: TransmitReason;
      readonly via?: number;
    }
  /** Join the multicast group 224.0.0.253 on UDP port 3544 (RFC 4380 §2.17), or leave it. */
  | { readonly kind: 'join'; readonly on: boolean }
  /** Open this UDP port beside the service port, or close it. What comes to it goes in with `via`. */
  | { readonly kind: 'listen'; readonly port: number; readonly on: boolean }
  /** Hand this IPv6 packet to the adapter. `error`: an ICMPv6 error that we made ourselves for a local sender. */
  | { readonly kind: 'deliver'; readonly bytes: Uint8Array; readonly error: boolean }
  /** The datapath may use this peer at once (or no longer, with `endpoint` null). */
  | {
      readonly kind: 'peer';
      readonly address: Ip6;
      readonly endpoint: Endpoint | null;
      readonly receivedMs: number;
    }
  /** Our address, `mtu` that of the advertisement (1280), and the older addresses that are kept for their flows. */
  | {
      readonly kind: 'address';
      readonly address: Ip6;
      readonly mtu: number;
      readonly deprecated: readonly Ip6[];
    }
  /** Endpoints of the servers that we have to do with changed, for `Datapath.setServers`. */
  | { readonly kind: 'servers'; readonly endpoints: readonly Endpoint[] }
  /** Our server has been silent for too long: name another by a `server` input. Repeated while that lasts. */
  | { readonly kind: 'wantServer' }
  | { readonly kind: 'event'; readonly event: ClientEvent }
  | { readonly kind: 'pong'; readonly id: number; readonly result: PingResult }
  /** Come back with a `timeout` input at this time; replaces the one before. Infinity: nothing to wait for. */
  | { readonly kind: 'timeout'; readonly at: number };

/** What a transmitted datagram is for. */
export type TransmitReason =
  | 'solicitation'
  | 'refresh'
  | 'direct-bubble'
  | 'indirect-bubble'
  | 'bubble-reply'
  | 'echo-test'
  | 'probe'
  | 'discovery'
  | 'interval-test'
  | 'ping-test'
  | 'ping'
  | 'data';

export type PingResult =
  | { readonly ok: true; readonly rttMs: number; readonly path: PeerPath }
  | {
      readonly ok: false;
      readonly code: 'no-path' | 'no-reply' | 'not-qualified' | 'address-refused' | 'busy';
    };

export type ClientEvent =
  | {
      readonly kind: 'state';
      readonly state: ClientState;
      readonly reason: ClientReason;
      readonly text: string;
    }
  | { readonly kind: 'nat'; readonly nat: NatKind }
  | { readonly kind: 'mapped'; readonly mapped: Endpoint }
  /** The NAT keeps mappings at least so long: the Teredo refresh interval from now on, ms (RFC 4380 §5.2.7). */
  | { readonly kind: 'interval'; readonly ms: number }
  | {
      readonly kind: 'peerUp';
      readonly address: Ip6;
      readonly endpoint: Endpoint;
      readonly peer: PeerKind;
      readonly path: PeerPath;
    }
  | {
      readonly kind: 'peerDown';
      readonly address: Ip6;
      readonly why: 'silent' | 'evicted' | 'unreachable' | 'reset';
    };

/** Reads what the datapath stamped on a peer; undefined when it has no such peer. */
export type StampReader = (address: Ip6) => PeerStamps | undefined;

/** One row of the peers table. */
export interface PeerRow {
  readonly address: Ip6;
  readonly kind: PeerKind;
  readonly endpoint: Endpoint | null;
  readonly path: PeerPath | null;
  readonly trusted: boolean;
  readonly rttMs: number | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Time of the last reception, null when nothing was ever heard. */
  readonly lastReceivedMs: number | null;
}
