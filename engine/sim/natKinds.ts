// Module sim/natKinds names how NATs behave, in the words of RFC 4787, and the kinds that people meet.

/** What part of the remote endpoint a rule looks at: RFC 4787 §4.1 for mapping, §5 for filtering. */
export type Dependence = 'endpointIndependent' | 'addressDependent' | 'addressAndPortDependent';

/** RFC 4787 §4.2.1. `preserved` falls back to the next free port above. */
export type PortAssignment = 'preserved' | 'sequential' | 'random';

export interface NatBehaviour {
  readonly mapping: Dependence;
  readonly filtering: Dependence;
  readonly assignment: PortAssignment;
  /**
   * One external port may serve several mappings as long as their remote endpoints differ, as Linux does it. Only with
   * address-and-port-dependent mapping; RFC 4787 REQ-3 forbids it.
   */
  readonly overloading: boolean;
  /** §4.1: with several external addresses, one for each internal address (`paired`) or any for each mapping. */
  readonly pooling: 'paired' | 'arbitrary';
  /** §6: `external` shows the sender's external endpoint to the receiver, `internal` its internal one. */
  readonly hairpin: 'none' | 'external' | 'internal';
  /** §4.3: a mapping ends this long after its last refresh. */
  readonly timeoutMs: number;
  /** §4.3: packets from outside refresh too. Those from inside always do (REQ-6). */
  readonly refreshInbound: boolean;
  /**
   * What comes from outside and may not pass: `drop`, or `record` it as connection tracking without a drop rule does: the
   * entry holds its pair of endpoints, and an inside host that then sends to that remote endpoint gets another port.
   */
  readonly unsolicited: 'drop' | 'record';
  /** How long such a record lives after the last packet. */
  readonly recordMs: number;
  /** Answers what it doesn't let pass with an ICMPv4 port unreachable. */
  readonly rejects: boolean;
  /** §9: translates ICMPv4 errors and passes them on. */
  readonly passIcmp: boolean;
  /** Remote UDP ports that are not let through either way; `all` blocks UDP. */
  readonly blockedPorts: readonly number[] | 'all';
  /** Mappings at most; further ones are refused. */
  readonly maxMappings: number;
}

/** A NAT that meets RFC 4787, with the strictest filtering that it allows. */
const CONFORMING: NatBehaviour = {
  mapping: 'endpointIndependent',
  filtering: 'addressAndPortDependent',
  assignment: 'preserved',
  overloading: false,
  pooling: 'paired',
  hairpin: 'external',
  timeoutMs: 300_000,
  refreshInbound: false,
  unsolicited: 'drop',
  recordMs: 30_000,
  rejects: false,
  passIcmp: true,
  blockedPorts: [],
  maxMappings: 60_000,
};

/** Linux netfilter's masquerading: mappings by 5-tuple, ports kept as long as the 5-tuple is free, 120 s, both directions refresh. */
const NETFILTER: NatBehaviour = {
  ...CONFORMING,
  mapping: 'addressAndPortDependent',
  overloading: true,
  hairpin: 'none',
  timeoutMs: 120_000,
  refreshInbound: true,
};

export type NatKindName =
  | 'cone'
  | 'restricted'
  | 'portRestricted'
  | 'symmetric'
  | 'symmetricSequential'
  | 'symmetricPreserving'
  | 'symmetricByAddress'
  | 'linux'
  | 'open'
  | 'carrier';

/** Kinds of NAT by the names that RFC 4380 §3 and common talk give them. */
export const NAT_KINDS: Readonly<Record<NatKindName, NatBehaviour>> = {
  /** Lets anybody in through an existing mapping. */
  cone: { ...CONFORMING, filtering: 'endpointIndependent' },
  /** Lets in whoever's address was sent to. */
  restricted: { ...CONFORMING, filtering: 'addressDependent' },
  /** Lets in whoever's address and port were sent to. */
  portRestricted: CONFORMING,
  /** A new, unforeseeable port for each remote endpoint. */
  symmetric: {
    ...CONFORMING,
    mapping: 'addressAndPortDependent',
    assignment: 'random',
    hairpin: 'none',
  },
  /** A new port for each remote endpoint, the next one each time. */
  symmetricSequential: {
    ...CONFORMING,
    mapping: 'addressAndPortDependent',
    assignment: 'sequential',
    hairpin: 'none',
  },
  /** A mapping for each remote endpoint, of which the first keeps the port. */
  symmetricPreserving: {
    ...CONFORMING,
    mapping: 'addressAndPortDependent',
    hairpin: 'none',
  },
  /** A new port for each remote address. */
  symmetricByAddress: {
    ...CONFORMING,
    mapping: 'addressDependent',
    assignment: 'random',
    hairpin: 'none',
  },
  /** A Linux router with a drop rule, as home routers have it. */
  linux: NETFILTER,
  /** A Linux router without a drop rule. */
  open: { ...NETFILTER, unsolicited: 'record', rejects: true },
  /** A carrier's NAT: several addresses, other ports than those inside. */
  carrier: { ...CONFORMING, assignment: 'random', filtering: 'endpointIndependent' },
};
