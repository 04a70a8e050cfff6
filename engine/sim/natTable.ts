// Module sim/natTable keeps the mappings of one NAT by RFC 4787: which external endpoint stands for which internal one, and who may use it.
import { endpointKey, sameEndpoint } from '../wire/index.ts';
import type { Endpoint, Ip4 } from '../wire/index.ts';
import type { Dependence, NatBehaviour } from './natKinds.ts';
import type { SeededRandom } from './random.ts';

export interface Mapping {
  readonly internal: Endpoint;
  readonly external: Endpoint;
  /** Remote endpoint that made it; its only one with address-and-port-dependent mapping. */
  readonly remote: Endpoint;
}

interface Live extends Mapping {
  readonly key: string;
  refreshedMs: number;
  /** Remote endpoints that were sent to, as the filter sees them, with the time of their last refresh. */
  readonly permitted: Map<number, number>;
}

export type Inbound =
  | { readonly ok: true; readonly internal: Endpoint }
  | { readonly ok: false; readonly reason: 'natFiltered' | 'natNoMapping' };

/** RFC 4787 §4.2.1 (REQ-3a): a port below 1024 is mapped to one below 1024, the others to one of the others. */
const WELL_KNOWN = { low: 1, high: 1023 };
const OTHERS = { low: 1024, high: 65_535 };
/** Draws of a random port before the table looks for any free one. */
const RANDOM_DRAWS = 64;

function reduce(remote: Endpoint, dependence: Dependence): number {
  switch (dependence) {
    case 'endpointIndependent':
      return 0;
    case 'addressDependent':
      return remote.ip;
    case 'addressAndPortDependent':
      return endpointKey(remote);
  }
}

/** Pure bookkeeping: takes endpoints and times, knows no packets. */
export class NatTable {
  readonly #random: SeededRandom;
  #addresses: readonly Ip4[];
  readonly #byInternal = new Map<string, Live>();
  readonly #byExternal = new Map<number, Set<Live>>();
  /** Unsolicited pairs of external and remote endpoint, with the time of the last packet. */
  readonly #recorded = new Map<string, number>();
  /** Ports that a host inside asked for (UPnP, NAT-PMP, PCP): everybody may use them to reach it. */
  readonly #granted = new Map<number, Endpoint>();
  readonly #paired = new Map<Ip4, Ip4>();
  #nextPort: number;
  behaviour: NatBehaviour;

  constructor(behaviour: NatBehaviour, addresses: readonly Ip4[], random: SeededRandom) {
    this.behaviour = behaviour;
    this.#addresses = addresses;
    this.#random = random;
    this.#nextPort = random.between(OTHERS.low, OTHERS.high);
  }

  /** Forgets everything, as after a power cut; `addresses` are those from now on. */
  clear(addresses: readonly Ip4[] = this.#addresses): void {
    this.#addresses = addresses;
    this.#byInternal.clear();
    this.#byExternal.clear();
    this.#recorded.clear();
    this.#granted.clear();
    this.#paired.clear();
  }

  get addresses(): readonly Ip4[] {
    return this.#addresses;
  }

  /** The external endpoint for a packet from `internal` to `remote`, made if need be and refreshed; undefined if the table is full. */
  outbound(internal: Endpoint, remote: Endpoint, now: number): Endpoint | undefined {
    const scope = `${endpointKey(internal)} ${reduce(remote, this.behaviour.mapping)}`;
    // The way round a recorded pair: a mapping for this remote endpoint alone.
    const exception = `${endpointKey(internal)} only ${endpointKey(remote)}`;
    let mapping = this.#live(exception, now) ?? this.#live(scope, now);
    let key = scope;
    if (mapping && this.#isRecorded(mapping.external, remote, now)) {
      mapping = undefined;
      key = exception;
    }
    mapping ??= this.#make(key, internal, remote, now);
    if (!mapping) return undefined;
    mapping.refreshedMs = now;
    mapping.permitted.set(reduce(remote, this.behaviour.filtering), now);
    return mapping.external;
  }

  /** Where a packet from `remote` to `external` goes, if it may; refreshes if inbound packets do. */
  inbound(external: Endpoint, remote: Endpoint, now: number): Inbound {
    let isMapped = false;
    for (const mapping of this.#byExternal.get(endpointKey(external)) ?? []) {
      if (this.#isExpired(mapping, now)) {
        this.#remove(mapping);
        continue;
      }
      isMapped = true;
      if (!this.#admits(mapping, remote, now)) continue;
      if (this.behaviour.refreshInbound) {
        mapping.refreshedMs = now;
        const permission = reduce(remote, this.behaviour.filtering);
        if (mapping.permitted.has(permission)) mapping.permitted.set(permission, now);
      }
      return { ok: true, internal: mapping.internal };
    }
    const granted = this.#granted.get(endpointKey(external));
    if (granted) return { ok: true, internal: granted };
    return { ok: false, reason: isMapped ? 'natFiltered' : 'natNoMapping' };
  }

  /**
   * Grants `internal` an external endpoint with its own port that lets everybody in, as for a request by UPnP; null if the port is
   * somebody else's. What `internal` sends leaves from it as long as the mapping behaviour allows.
   */
  grant(internal: Endpoint): Endpoint | null {
    const external = { ip: this.#externalAddress(internal.ip), port: internal.port };
    const holder = this.#granted.get(endpointKey(external)) ?? internal;
    if (endpointKey(holder) !== endpointKey(internal)) return null;
    this.#granted.set(endpointKey(external), internal);
    return external;
  }

  /** Notes a packet from outside that found no way in (`unsolicited: 'record'`). */
  record(external: Endpoint, remote: Endpoint, now: number): void {
    if (this.#recorded.size >= this.behaviour.maxMappings)
      for (const [key, at] of this.#recorded)
        if (now - at >= this.behaviour.recordMs) this.#recorded.delete(key);
    if (this.#recorded.size < this.behaviour.maxMappings)
      this.#recorded.set(`${endpointKey(external)} ${endpointKey(remote)}`, now);
  }

  /** The mapping that an ICMP error about a packet from `external` to `remote` concerns. Refreshes nothing. */
  byExternal(external: Endpoint, remote: Endpoint, now: number): Mapping | undefined {
    for (const mapping of this.#byExternal.get(endpointKey(external)) ?? [])
      if (!this.#isExpired(mapping, now) && this.#serves(mapping, remote)) return mapping;
    return undefined;
  }

  /** The mapping that stands for `internal` towards `remote`. Refreshes nothing. */
  byInternal(internal: Endpoint, remote: Endpoint, now: number): Mapping | undefined {
    return (
      this.#live(`${endpointKey(internal)} only ${endpointKey(remote)}`, now) ??
      this.#live(`${endpointKey(internal)} ${reduce(remote, this.behaviour.mapping)}`, now)
    );
  }

  /** All mappings in force, oldest first. */
  list(now: number): Mapping[] {
    return [...this.#byInternal.values()].filter((mapping) => !this.#isExpired(mapping, now));
  }

  #isExpired(mapping: Live, now: number): boolean {
    return now - mapping.refreshedMs >= this.behaviour.timeoutMs;
  }

  #live(key: string, now: number): Live | undefined {
    const mapping = this.#byInternal.get(key);
    if (!mapping || !this.#isExpired(mapping, now)) return mapping;
    this.#remove(mapping);
    return undefined;
  }

  #remove(mapping: Live): void {
    this.#byInternal.delete(mapping.key);
    const key = endpointKey(mapping.external);
    const sharers = this.#byExternal.get(key);
    sharers?.delete(mapping);
    if (sharers?.size === 0) this.#byExternal.delete(key);
  }

  /** Whether `mapping` is the one that carries traffic to `remote`. */
  #serves(mapping: Live, remote: Endpoint): boolean {
    const { mapping: dependence } = this.behaviour;
    return reduce(mapping.remote, dependence) === reduce(remote, dependence);
  }

  #admits(mapping: Live, remote: Endpoint, now: number): boolean {
    const { filtering, timeoutMs, overloading } = this.behaviour;
    // A shared port tells its mappings apart by the remote endpoint, whatever the filter would let in.
    if (overloading && endpointKey(mapping.remote) !== endpointKey(remote)) return false;
    if (filtering === 'endpointIndependent') return true;
    const at = mapping.permitted.get(reduce(remote, filtering));
    return at !== undefined && now - at < timeoutMs;
  }

  #isRecorded(external: Endpoint, remote: Endpoint, now: number): boolean {
    const at = this.#recorded.get(`${endpointKey(external)} ${endpointKey(remote)}`);
    return at !== undefined && now - at < this.behaviour.recordMs;
  }

  #isFree(external: Endpoint, remote: Endpoint, now: number): boolean {
    if (this.#isRecorded(external, remote, now)) return false;
    for (const mapping of this.#byExternal.get(endpointKey(external)) ?? []) {
      if (this.#isExpired(mapping, now)) this.#remove(mapping);
      else if (!this.behaviour.overloading) return false;
      else if (endpointKey(mapping.remote) === endpointKey(remote)) return false;
    }
    return true;
  }

  #make(key: string, internal: Endpoint, remote: Endpoint, now: number): Live | undefined {
    if (this.#byInternal.size >= this.behaviour.maxMappings) {
      for (const mapping of this.#byInternal.values())
        if (this.#isExpired(mapping, now)) this.#remove(mapping);
      if (this.#byInternal.size >= this.behaviour.maxMappings) return undefined;
    }
    const ip = this.#externalAddress(internal.ip);
    const port = this.#freePort(ip, internal, remote, now);
    if (port === undefined) return undefined;
    const external = { ip, port };
    const mapping = { key, internal, external, remote, refreshedMs: now, permitted: new Map() };
    this.#byInternal.set(key, mapping);
    const sharers = this.#byExternal.get(endpointKey(external));
    if (sharers) sharers.add(mapping);
    else this.#byExternal.set(endpointKey(external), new Set([mapping]));
    return mapping;
  }

  #externalAddress(internal: Ip4): Ip4 {
    if (this.behaviour.pooling === 'arbitrary') return this.#random.pick(this.#addresses);
    const known = this.#paired.get(internal);
    if (known !== undefined) return known;
    const address = this.#addresses[this.#paired.size % this.#addresses.length]!;
    this.#paired.set(internal, address);
    return address;
  }

  #freePort(ip: Ip4, internal: Endpoint, remote: Endpoint, now: number): number | undefined {
    const internalPort = internal.port;
    const { low, high } = internalPort <= WELL_KNOWN.high ? WELL_KNOWN : OTHERS;
    const isFree = (port: number): boolean => this.#isFree({ ip, port }, remote, now);
    let start = internalPort;
    const holder = this.#granted.get(endpointKey({ ip, port: internalPort }));
    if (holder && sameEndpoint(holder, internal) && isFree(internalPort)) return internalPort;
    switch (this.behaviour.assignment) {
      case 'preserved':
        break;
      case 'sequential':
        start = Math.max(low, Math.min(high, this.#nextPort));
        break;
      case 'random':
        for (let draw = 0; draw < RANDOM_DRAWS; draw++) {
          const port = this.#random.between(low, high);
          if (port !== internalPort && isFree(port)) return port;
        }
        start = this.#random.between(low, high);
    }
    const size = high - low + 1;
    for (let i = 0; i < size; i++) {
      const port = low + ((start - low + i) % size);
      if (!isFree(port)) continue;
      if (this.behaviour.assignment === 'sequential')
        this.#nextPort = port === high ? low : port + 1;
      return port;
    }
    return undefined;
  }
}
