// Module server/types names what a Teredo server is told and what it gives back.
import type { MakeSourceLimit } from '../datapath/limits.ts';
import type { Endpoint, Ip4 } from '../wire/index.ts';

/** Bounds on what one source can make the server do. */
export interface ServerLimits {
  /** Solicitations answered per second and IPv4 source; as many at once. */
  readonly solicitationsPerSecondPerSource: number;
  /** Bubbles and pings forwarded per second and IPv4 source; as many at once. */
  readonly forwardedPerSecondPerSource: number;
  /** IPv4 sources whose rate is remembered; the least recently seen is forgotten first. */
  readonly maxSources: number;
}

/** Finds the shared secret of a client by its identifier in lower-case hex; undefined when there is none. */
export type ClientKeys =
  ReadonlyMap<string, Uint8Array> | ((clientId: string) => Uint8Array | undefined);

export interface ServerSettings {
  /** The address in the clients' prefix. */
  readonly primary: Ip4;
  /** The other address; null when the machine has one only: then solicitations with the cone bit get no answer. */
  readonly secondary: Ip4 | null;
  /** UDP port of both; 3544 unless a lab chose another. */
  readonly port?: number;
  /** Serve and forward to private IPv4 addresses: closed labs only. */
  readonly allowPrivate?: boolean;
  /** Directed broadcasts of the host's own links, refused as destinations (RFC 4380 §5.2.4). */
  readonly broadcasts?: readonly Ip4[];
  readonly clients?: ClientKeys;
  /** Answer only solicitations that a known client signed (RFC 4380 §5.3.1 rule 4). */
  readonly requireAuthentication?: boolean;
  readonly limits?: Partial<ServerLimits>;
  /** How rates are bounded: by KeyedBuckets, or by one that others ask, too. */
  readonly makeLimit?: MakeSourceLimit;
}

/** The settings that a running server takes. */
export type ServerRules = Required<
  Pick<ServerSettings, 'clients' | 'requireAuthentication' | 'limits'>
>;

/** Which of the server's two addresses. */
export type ServerSide = 'primary' | 'secondary';

export interface ServerInput {
  readonly from: Endpoint;
  readonly arrivedOn: ServerSide;
  /** UDP payload. */
  readonly bytes: Uint8Array;
}

export type ServerOutput =
  /** Send this UDP payload from the server's address `via` and its port. */
  | {
      readonly kind: 'transmit';
      readonly via: ServerSide;
      readonly to: Endpoint;
      readonly bytes: Uint8Array;
      readonly why: 'advertisement' | 'forward';
    }
  /** Send this IPv6 packet, as it is, to the native Internet. */
  | { readonly kind: 'native'; readonly bytes: Uint8Array };

/** Why the server refused what was no malformed datagram; those have the wire's names. */
export type ServerReason =
  | 'sourceNotGlobal'
  | 'sourceIsServer'
  | 'originUnexpected'
  | 'solicitationLimit'
  | 'solicitationCone'
  | 'authenticationMissing'
  | 'authenticationUnknown'
  | 'authenticationFailed'
  | 'forwardLimit'
  | 'notRelayed'
  | 'icmpTooLong'
  | 'trailersTooLong'
  | 'sourceMismatch'
  | 'sourceNotUnicast'
  | 'sourceEmbedded'
  | 'destinationNotGlobal'
  | 'destinationEmbedded'
  | 'destinationIsSource'
  | 'destinationIsServer'
  | 'clientOfAnotherServer'
  | 'clientNotGlobal'
  | 'bubbleToNative'
  | 'hopLimit';
