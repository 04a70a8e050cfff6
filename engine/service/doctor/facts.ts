// Module doctor/facts names everything that the doctor's checks are judged by; a null is what is not known.
import type { MachineFacts } from '../../host/probe-types.ts';
import type { Endpoint, Ip4 } from '../../wire/index.ts';
import type { Status } from '../api.ts';
import type { UdpOut } from './paths.ts';
import type { Saying } from './sayings.ts';
import type { ServerAnswers } from './solicit.ts';

/** What a running client says. */
export interface EngineFacts {
  readonly status: Omit<Status, 'peers'>;
  /** Port of the tunnel's own socket. */
  readonly localPort: number | null;
  /** Seconds between refreshes, and since when the mapping is the same, ms ago. */
  readonly refreshSeconds: number;
  readonly sameMappingMs: number | null;
}

/** One name of a server and what became of looking it up. */
export interface NameFacts {
  readonly name: string;
  readonly addresses: readonly Ip4[];
  /** Those that can be a server's: public, unless the settings take private ones. */
  readonly usable: readonly Ip4[];
  /** Why there are none, one sentence; null with addresses. */
  readonly error: string | null;
}

/** One server that was asked. */
export interface ServerFacts extends ServerAnswers {
  readonly name: string;
  /** It answered this PC before, so many ms ago; null: never that we know. */
  readonly answeredAgoMs: number | null;
}

export interface NetworkFacts {
  readonly ipv4: boolean;
  readonly nativeIpv6: boolean;
  readonly addresses: readonly Ip4[];
  readonly gateways: readonly Ip4[];
}

/** What a router offers of one way to ask for a port. */
export interface Offer {
  /** Null: nobody was asked. */
  readonly offered: boolean | null;
  readonly seen: Saying;
}

export interface MappingFacts {
  readonly upnp: Offer;
  readonly natPmp: Offer;
  readonly pcp: Offer;
  /** The mapping in force for the tunnel. */
  readonly active: string | null;
}

export interface ManagedFacts {
  /** Domain whose controller answers here. */
  readonly domain: string | null;
  /** The policy's word, if any: `default`, `disabled`, `client`, `enterprise-client`, `damaged`. */
  readonly policyState: string;
  readonly policyFile: string | null;
  /** The user's own switch. */
  readonly enabled: boolean;
}

/** Every fact, as far as it came in. */
export interface Facts {
  readonly engine: EngineFacts | null;
  readonly names: readonly NameFacts[] | null;
  readonly servers: readonly ServerFacts[] | null;
  readonly udpOut: UdpOut | null;
  readonly hairpin: boolean | null;
  /** How long an unused way was left, ms, and whether it was still there. */
  readonly idle: { readonly ms: number; readonly kept: boolean } | null;
  readonly mapping: MappingFacts | null;
  readonly network: NetworkFacts | null;
  readonly machine: MachineFacts | null;
  readonly managed: ManagedFacts | null;
  /** Nobody looks at native IPv6 before Teredo. */
  readonly evenWithNativeIpv6: boolean;
}

/** How the router makes us appear, by the tunnel's own socket if it knows, else by a probe's. */
export interface Mapping {
  readonly nat: Status['nat'];
  readonly mapped: Endpoint | null;
  readonly localPort: number | null;
  readonly own: boolean;
}
