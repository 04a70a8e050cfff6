// Module datapath/types states what a datapath does: the packet path that matches by three tables and sends every miss up.
import type { Endpoint, Ip6 } from '../wire/types.ts';

/** Protocol, addresses and ports of one flow, as seen from us. ICMPv6 echo uses the identifier as `localPort`, 0 as `remotePort`. */
export interface FlowKey {
  readonly protocol: number;
  readonly local: Ip6;
  readonly localPort: number;
  readonly remote: Ip6;
  readonly remotePort: number;
}

/**
 * `pass`: handled by the datapath. `drop`: counted and dropped there. `wait`: what comes from outside rests in the datapath, within bounds,
 * until the flow passes (then it goes on, before anything newer) or does not (then it is dropped), for 2 s at most; what programs send is
 * judged as without an entry. Without an entry the default decides.
 */
export type Verdict = 'pass' | 'drop' | 'wait';

/** What happens to a packet whose flow has no entry: `ask` sends it up, `pass` lets it through (`--expose-all`). */
export type DefaultVerdict = 'ask' | 'pass';

/** The addresses whose bits under `mask` are those of `value`. */
export interface AddressRange {
  readonly value: Ip6;
  readonly mask: Ip6;
}

/** What the datapath knows of one peer. Times are milliseconds of the datapath's clock; 0 is never. */
export interface PeerStamps {
  readonly lastReceivedMs: number;
  readonly lastSentMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
}

/** A packet that the tables did not settle. `bytes` belongs to the receiver. */
export type Upcall =
  /** UDP payload. `ring` says which budget it used; `server` only for endpoints given to `setServers`. */
  | {
      readonly kind: 'datagram';
      readonly ring: 'server' | 'other';
      readonly from: Endpoint;
      readonly bytes: Uint8Array;
    }
  /** IPv6 packet read from the adapter. */
  | { readonly kind: 'packet'; readonly bytes: Uint8Array }
  /** IPv4 ICMP error about a datagram of ours to `to` (from the socket's error queue). */
  | { readonly kind: 'icmp4'; readonly to: Endpoint; readonly type: number; readonly code: number };

/**
 * Counters since the datapath was opened. Names are stable; a value never decreases. Every datapath has packetsIn, packetsOut
 * (passed by the tables) and their bytesIn, bytesOut, droppedIn, droppedOut (verdict `drop`), upcallsServer, upcallsAdapter, upcallsOther (taken into a ring),
 * lostServer, lostAdapter, lostOther (its ring was full), restingDropped (verdict `wait`, and then not `pass`), transmitted, delivered (by call), transmitErrors, deliverErrors.
 */
export type DatapathCounters = Readonly<Record<string, number>>;

/**
 * The packet path. A packet from the adapter whose source is one of our addresses, whose destination is a peer
 * heard within the validity time, and whose flow passes, leaves as a datagram; a datagram whose UDP source is the
 * endpoint of the peer named by its IPv6 source, whose destination is one of our addresses, and whose flow passes,
 * goes to the adapter; bubbles (next header 59), packets with extension headers other than a fragment header or
 * a protocol other than TCP, UDP and ICMPv6, neighbour discovery (ICMPv6 types 133 to 137), a hop limit of 0, a first fragment
 * without the whole upper-layer header, ICMPv6 echo replies from a peer to `setProbeId`'s identifier, and every miss go up.
 * Fragments and ICMPv6 other than echo have no flow: the default verdict decides. Only what passes is stamped.
 * Calls take effect in the order they are made: `setPeer` followed by `transmit` uses the new entry.
 */
export interface Datapath {
  /** Addresses that are ours; the first is preferred. Empty: nothing matches. */
  setAddresses(addresses: readonly Ip6[]): void;
  /** Addresses that count as ours besides those of `setAddresses`: all in one of `accept` and in none of `except`. */
  setRanges(accept: readonly AddressRange[], except: readonly AddressRange[]): void;
  /** Endpoints whose datagrams use the server ring. */
  setServers(endpoints: readonly Endpoint[]): void;
  /** Adds or changes a trusted peer. `receivedMs` starts its validity; counters of an existing entry are kept. */
  setPeer(address: Ip6, endpoint: Endpoint, receivedMs: number): void;
  removePeer(address: Ip6): void;
  readPeer(address: Ip6): PeerStamps | undefined;
  setFlow(key: FlowKey, verdict: Verdict): void;
  removeFlow(key: FlowKey): void;
  clearFlows(): void;
  setDefaultVerdict(verdict: DefaultVerdict): void;
  /** ICMPv6 echo replies with this identifier go up even from a trusted peer: they answer the engine's own pings. */
  setProbeId(identifier: number): void;
  /** Sends one datagram as it is; errors are counted. Not stamped on any peer. */
  transmit(to: Endpoint, datagram: Uint8Array): void;
  /** Writes one IPv6 packet to the adapter; errors are counted. */
  deliver(packet: Uint8Array): void;
  counters(): DatapathCounters;
  /** Ends the threads, closes socket and adapter. */
  close(): void;
}
