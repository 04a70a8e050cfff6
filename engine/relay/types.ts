// Module relay/types names everything that goes into and comes out of the relay state machine.
import type { AddressRange, PeerStamps } from '../datapath/types.ts';
import type { Endpoint, Ip4, Ip6 } from '../wire/types.ts';

/** Bounds on everything that somebody else can make grow. */
export interface RelayLimits {
  /** Clients kept that have proven themselves. */
  readonly maxPeers: number;
  /** Clients whose answer is awaited; the oldest makes room. */
  readonly maxPending: number;
  /** Bytes and packets queued for one client until it answers. */
  readonly queueBytesPerPeer: number;
  readonly queuePacketsPerPeer: number;
  /** Bytes queued for all of them together; the oldest queue makes room. */
  readonly queueBytesTotal: number;
  /** Clients asked for per second on behalf of one native /64. */
  readonly bubblesPerSecondPerSource: number;
  /** Bubbles per second to one Teredo server. */
  readonly bubblesPerSecondPerServer: number;
  /** Bubbles per second in all. */
  readonly bubblesPerSecond: number;
  /** Bubbles per second to clients that send by themselves, as they do after the relay's restart. */
  readonly bubblesPerSecondToUnknown: number;
  /** Native networks and servers whose rate is remembered, each. */
  readonly maxSources: number;
  /** ICMPv6 errors to native senders, per second. */
  readonly icmpPerSecond: number;
}

/** Settings of a relay. Defaults are in `relay/config.ts`. */
export interface RelayConfig {
  /** The relay's own IPv6 address: source of its ICMPv6 errors. Never a Teredo address. */
  readonly address: Ip6;
  /** Serves this host alone (RFC 4380 §2.6 "host-specific relay"): only what `network` inputs name as served. */
  readonly hostSpecific: boolean;
  /** A NAT stands before the relay: a direct bubble goes with each indirect one (RFC 4380 §5.4.1). */
  readonly behindNat: boolean;
  /** Take non-global IPv4 addresses of servers and clients: closed labs only. */
  readonly allowPrivate: boolean;
  readonly limits: RelayLimits;
}

/** An IPv4 network that the host is attached to. */
export interface RelayIp4Network {
  readonly address: Ip4;
  /** Prefix length, 0..32. */
  readonly prefix: number;
}

/** A range of native IPv6 addresses. */
export interface Ip6Network {
  readonly address: Ip6;
  /** Prefix length, 0..128. */
  readonly prefix: number;
}

export type RelayInput =
  /** UDP payload from `from`. */
  | { readonly kind: 'datagram'; readonly from: Endpoint; readonly bytes: Uint8Array }
  /** IPv6 packet for a Teredo client, from the adapter. */
  | { readonly kind: 'packet'; readonly bytes: Uint8Array }
  /** The time named by the last `timeout` output has come (or any later time). */
  | { readonly kind: 'timeout' }
  /**
   * The host's IPv4 networks, and the native ranges that are served (RFC 4380 §5.4.2). None named: a host-specific relay serves nobody,
   * another one the whole native Internet.
   */
  | {
      readonly kind: 'network';
      readonly networks: readonly RelayIp4Network[];
      readonly served: readonly Ip6Network[];
    };

export type RelayOutput =
  /** Send this UDP payload. */
  | {
      readonly kind: 'transmit';
      readonly to: Endpoint;
      readonly bytes: Uint8Array;
      readonly why: 'indirect-bubble' | 'direct-bubble' | 'data';
    }
  /** Hand this IPv6 packet to the adapter. `error`: an ICMPv6 error that we made ourselves for a native sender. */
  | { readonly kind: 'deliver'; readonly bytes: Uint8Array; readonly error: boolean }
  /** The datapath may use this peer at once (or no longer, with `endpoint` null). */
  | {
      readonly kind: 'peer';
      readonly address: Ip6;
      readonly endpoint: Endpoint | null;
      readonly receivedMs: number;
    }
  /**
   * Whose packets the datapath may carry by itself: native addresses in one of `accept` and in none of `except`. Where an address
   * hides an IPv4 one, the relay looks at each packet itself.
   */
  | {
      readonly kind: 'served';
      readonly accept: readonly AddressRange[];
      readonly except: readonly AddressRange[];
    }
  /** Come back with a `timeout` input at this time; replaces the one before. Infinity: nothing to wait for. */
  | { readonly kind: 'timeout'; readonly at: number };

/** Reads what the datapath stamped on a peer; undefined when it has no such peer. */
export type RelayStamps = (address: Ip6) => PeerStamps | undefined;

/** One row of the table of clients. */
export interface RelayPeerRow {
  readonly address: Ip6;
  /** Where its packets go; null until it has answered. */
  readonly endpoint: Endpoint | null;
  readonly trusted: boolean;
  readonly queuedBytes: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Time of the last reception, null when nothing was ever heard. */
  readonly lastReceivedMs: number | null;
}

/** Why the relay refused what was no malformed packet; those have the wire's names. */
export type RelayReason =
  | 'adapterTooBig'
  | 'adapterLength'
  | 'adapterBubble'
  | 'destinationNotTeredo'
  | 'destinationNotServed'
  | 'destinationEmbedded'
  | 'sourceNotServed'
  | 'sourceEmbedded'
  | 'sourceNotTeredo'
  | 'teredoServerNotGlobal'
  | 'teredoClientNotGlobal'
  | 'teredoClientIsUs'
  | 'endpointNotGlobal'
  | 'indicatorUnexpected'
  | 'neighborDiscovery'
  | 'hopLimit'
  | 'clientUnknown'
  | 'clientMismatch'
  | 'clientSilent'
  | 'bubbleLimit'
  | 'peersFull'
  | 'peerEvicted'
  | 'queueFull'
  | 'queueEvicted'
  | 'errorLimit';
