// Module host/probe-types states what the doctor and the probes of servers and routers need of an operating system.
import { inNetwork4 } from '../wire/ip.ts';
import type { Endpoint, Ip4, Ip6 } from '../wire/types.ts';
import type { Host, HostNetwork } from './types.ts';

/** A UDP socket of its own, beside the tunnel's. */
export interface ProbeSocket {
  /** Local port. */
  readonly port: number;
  send(to: Endpoint, bytes: Uint8Array): void;
  close(): void;
}

export interface ProbeOptions {
  /** Talks to this one alone, and hears what the network says against it. */
  readonly connectTo?: Endpoint;
  readonly onDatagram: (from: Endpoint, bytes: Uint8Array) => void;
  /** The system or the network refused a datagram: the name of the error, e.g. `EPERM`, `ECONNREFUSED`, `EHOSTUNREACH`. */
  readonly onRefused?: (error: string) => void;
}

/** What of a system is looked at besides its networks. A null is what could not be found out. */
export interface MachineFacts {
  /** Other Teredo interfaces, one sentence part each, e.g. `interface "miredo" has 2001:0:…`. */
  readonly otherTeredo:
    readonly { readonly name: string; readonly address: string | null }[] | null;
  /** Interface of the route to 2001::/32; `none` when there is none. */
  readonly teredoRoute: string | null;
  /** One of this system's own global addresses, if it has any but Teredo's. */
  readonly native6: string | null;
  readonly firewall: FirewallFacts;
  readonly helper: HelperFacts;
}

/** Whether an adapter can be had; `ready` null: the system may ask first. */
export interface HelperFacts {
  readonly ready: boolean | null;
  readonly state: 'root' | 'not-built' | 'service' | 'installed' | 'missing' | 'unneeded';
  /** Of the service's socket, or of the installed helper. */
  readonly at: string | null;
}

export interface FirewallFacts {
  /** The rules could be read. */
  readonly readable: boolean;
  /** Rules that drop Teredo's UDP or what passes the adapter, as a person would find them. */
  readonly against: readonly string[];
}

/** A port that a router maps, as UPnP names it. */
export interface UpnpEntry {
  /** IPv4 address of the inside host. */
  readonly client: string;
  readonly internalPort: number;
  readonly description: string;
}

/** A router that maps ports by UPnP-IGD; calls reject when it refuses or does not answer. All about UDP. */
export interface UpnpGateway {
  readonly address: Ip4;
  externalAddress(): Promise<Ip4 | null>;
  /** What it maps `externalPort` to; null: nothing. */
  entry(externalPort: number): Promise<UpnpEntry | null>;
  /** `lifetime` in seconds; 0: for ever. */
  add(mapping: {
    readonly externalPort: number;
    readonly internalPort: number;
    readonly client: Ip4;
    readonly description: string;
    readonly lifetime: number;
  }): Promise<void>;
  remove(externalPort: number): Promise<void>;
}

/** A system to look at. */
export interface ProbeHost extends Pick<
  Host,
  'now' | 'after' | 'random' | 'resolve' | 'networkState' | 'findDomain' | 'builtIn'
> {
  /** Rejects with an Error when no socket can be had. */
  openProbe(options: ProbeOptions): Promise<ProbeSocket>;
  /** Does somebody answer there by TCP, be it by a refusal? Null: it can't be tried. */
  answersTcp(to: Endpoint, ms: number): Promise<boolean | null>;
  /** IPv4 addresses of the default routes' next hops. */
  gateways(): readonly Ip4[];
  /** IPv6 addresses of a host name; rejects with an Error that says why there are none. */
  resolve6(name: string): Promise<readonly Ip6[]>;
  /** The router's UPnP-IGD; null when none answers within `ms`. */
  findUpnp(ms: number): Promise<UpnpGateway | null>;
  /** `adapter`: the name of ours, null when there is none. */
  machine(adapter: string | null): Promise<MachineFacts>;
}

/** Our own address on the network of `gateway`; null when we are on none of its. */
export function localTowards(
  networks: readonly HostNetwork[],
  gateway: Ip4 | undefined,
): Ip4 | null {
  if (gateway === undefined) return null;
  const network = networks.find(({ address, prefix }) => inNetwork4(gateway, address, prefix));
  return network?.address ?? null;
}
