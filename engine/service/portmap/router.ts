// Module portmap/router asks a router for a port by PCP, NAT-PMP or UPnP-IGD, and takes it back.
import type { ProbeHost, UpnpGateway } from '../../host/probe-types.ts';
import { localTowards } from '../../host/probe-types.ts';
import {
  buildPcpAnnounce,
  buildPcpMapRequest,
  buildPmpAddressRequest,
  buildPmpMapRequest,
  formatIp4,
  parsePortmapAnswer,
  PCP_NONCE,
  PORTMAP_PORT,
} from '../../wire/index.ts';
import type { Endpoint, Ip4, PortmapAnswer } from '../../wire/index.ts';
import { say } from '../doctor/sayings.ts';
import type { MappingFacts, Offer } from '../doctor/facts.ts';
import { open, repeated } from '../doctor/solicit.ts';

export type Method = 'pcp' | 'nat-pmp' | 'upnp';

/** A port that a router maps for us. */
export interface Lease {
  readonly method: Method;
  readonly internalPort: number;
  readonly externalPort: number;
  /** Null: the router did not say. */
  readonly external: Ip4 | null;
  /** Seconds; 0: for ever. */
  readonly lifetime: number;
  /** It was there before and is somebody's own work: it is used, but neither renewed nor removed. */
  readonly users: boolean;
}

/** Asked for, seconds: a dead client's port is free again that soon. */
const LIFETIME_S = 1_200;
/** Under this name our ports are in the router's list. */
const DESCRIPTION = 'Shipworm';
/** Ports tried by UPnP when the wanted one is somebody else's. */
const UPNP_TRIES = 4;
const FIRST_DYNAMIC_PORT = 49_152;
/** UPnP errors: the port is another's; the router knows only ports for ever (IGD:1 §2.4.16). */
const UPNP_CONFLICT = 718;
const UPNP_ONLY_PERMANENT = 725;
/** Answers of a router that can't now or won't (RFC 6886 §3.5, RFC 6887 §7.4), by number. */
const PMP_RESULTS = [
  '',
  'another version',
  'not allowed',
  'no network',
  'no ports left',
  'not known',
];

/** The way to a router, and one's own address towards it. */
interface Way {
  readonly gateway: Endpoint;
  readonly local: Ip4;
}

async function wayOut(host: ProbeHost): Promise<Way | null> {
  const [gateway] = host.gateways();
  const local = localTowards((await host.networkState()).networks, gateway);
  return gateway === undefined || local === null
    ? null
    : { gateway: { ip: gateway, port: PORTMAP_PORT }, local };
}

/** Sends `bytes` until `wanted` finds its answer among what comes from the gateway; null when it does not within `ms`. */
async function exchange<T>(
  host: ProbeHost,
  { gateway }: Way,
  bytes: Uint8Array,
  ms: number,
  wanted: (answer: PortmapAnswer) => T | null,
): Promise<T | null> {
  let settle: (value: T | null) => void = () => undefined;
  const socket = await open(host, {
    connectTo: gateway,
    onDatagram: (from, answer) => {
      const parsed = from.ip === gateway.ip ? parsePortmapAnswer(answer) : null;
      const found = parsed && wanted(parsed);
      if (found !== null) settle(found);
    },
    // Nobody listens there.
    onRefused: () => settle(null),
  });
  const result = await repeated<T | null>(
    host,
    ms,
    () => socket.send(gateway, bytes),
    (done) => (settle = done),
    () => null,
  );
  socket.close();
  return result;
}

const isPmpMap = (answer: PortmapAnswer) => (answer.kind === 'pmpMap' ? answer : null);

/** Asks the three, changing nothing. */
export async function findOffers(
  host: ProbeHost,
  ms: number,
): Promise<Omit<MappingFacts, 'active'>> {
  const way = await wayOut(host);
  if (!way) {
    const nobody: Offer = { offered: null, seen: say('no-router') };
    return { upnp: nobody, natPmp: nobody, pcp: nobody };
  }
  const router = formatIp4(way.gateway.ip);
  const none = (name: string): Offer => ({
    offered: false,
    seen: say('router-silent', { router, way: name }),
  });
  const refuses = (name: string, result: string | number): Offer => ({
    offered: false,
    seen: say('router-refuses', { router, way: name, result }),
  });
  const answers = (name: string, address: Ip4 | null): Offer => ({
    offered: true,
    seen:
      address === null
        ? say('router-answers', { router, way: name })
        : say('router-answers-with', { router, way: name, address: formatIp4(address) }),
  });
  const [pcp, pmp, upnp] = await Promise.all([
    exchange(host, way, buildPcpAnnounce(way.local), ms, (answer) =>
      answer.kind === 'pcpAnnounce' ? answer.result : null,
    ),
    exchange(host, way, buildPmpAddressRequest(), ms, (answer) =>
      answer.kind === 'pmpAddress' ? answer : null,
    ),
    host.findUpnp(ms),
  ]);
  const external = upnp ? await upnp.externalAddress().catch(() => null) : null;
  return {
    pcp: pcp === 0 ? answers('PCP', null) : pcp === null ? none('PCP') : refuses('PCP', pcp),
    natPmp:
      pmp === null
        ? none('NAT-PMP')
        : pmp.result === 0
          ? answers('NAT-PMP', pmp.external)
          : refuses('NAT-PMP', PMP_RESULTS[pmp.result] ?? pmp.result),
    upnp: upnp ? answers('UPnP-IGD', external) : none('UPnP-IGD'),
  };
}

/** One router, spoken to in the way that it answered. */
export class Router {
  private readonly host: ProbeHost;
  private readonly nonce: Uint8Array;
  private upnp: UpnpGateway | null = null;

  constructor(host: ProbeHost) {
    this.host = host;
    this.nonce = host.random.bytes(PCP_NONCE);
  }

  /**
   * A mapping of UDP `internalPort`, outside at `wanted` if that can be. Asks in all `methods` at once and takes the first that
   * is given, PCP before NAT-PMP before UPnP where several are. Null when none is within `ms`.
   */
  async map(
    internalPort: number,
    wanted: number,
    ms: number,
    methods: readonly Method[] = ['pcp', 'nat-pmp', 'upnp'],
  ): Promise<Lease | null> {
    const way = await wayOut(this.host);
    if (!way) return null;
    // Found beside the others, but asked only when they gave nothing: each gives a mapping of its own.
    const upnp = methods.includes('upnp') ? this.findUpnp(ms) : Promise.resolve(null);
    for (const method of methods) {
      const half = methods.length === 1 ? ms : ms / 3;
      const lease =
        method === 'pcp'
          ? await this.mapPcp(way, internalPort, wanted, LIFETIME_S, half)
          : method === 'nat-pmp'
            ? await this.mapPmp(way, internalPort, wanted, half)
            : await this.mapUpnp(way, await upnp, internalPort, wanted);
      if (lease) return lease;
    }
    return null;
  }

  /** Gives a port back, as far as the router hears it. What is the user's own stays. */
  async unmap(lease: Lease, ms: number): Promise<void> {
    const way = await wayOut(this.host);
    if (!way || lease.users) return;
    const { method, internalPort, externalPort } = lease;
    if (method === 'pcp') await this.mapPcp(way, internalPort, externalPort, 0, ms);
    else if (method === 'nat-pmp')
      await exchange(this.host, way, buildPmpMapRequest(internalPort, 0, 0), ms, isPmpMap);
    else await this.unmapUpnp(way, lease);
  }

  private async mapPcp(
    way: Way,
    internalPort: number,
    externalPort: number,
    lifetime: number,
    ms: number,
  ): Promise<Lease | null> {
    const { nonce } = this;
    const request = { client: way.local, nonce, internalPort, externalPort, lifetime };
    const answer = await exchange(this.host, way, buildPcpMapRequest(request), ms, (each) =>
      each.kind === 'pcpMap' && each.nonce.every((byte, i) => byte === nonce[i]) ? each : null,
    );
    if (answer?.result !== 0 || answer.lifetime === 0) return null;
    const { external, lifetime: given } = answer;
    return {
      ...{ method: 'pcp', internalPort, externalPort: answer.externalPort, external },
      ...{ lifetime: given, users: false },
    };
  }

  private async mapPmp(
    way: Way,
    internalPort: number,
    wanted: number,
    ms: number,
  ): Promise<Lease | null> {
    const [answer, address] = await Promise.all([
      exchange(this.host, way, buildPmpMapRequest(internalPort, wanted, LIFETIME_S), ms, isPmpMap),
      exchange(this.host, way, buildPmpAddressRequest(), ms, (each) =>
        each.kind === 'pmpAddress' ? each : null,
      ),
    ]);
    if (answer?.result !== 0 || answer.internalPort !== internalPort) return null;
    return {
      ...{ method: 'nat-pmp', internalPort, externalPort: answer.externalPort },
      external: address?.result === 0 ? address.external : null,
      ...{ lifetime: answer.lifetime, users: false },
    };
  }

  private async findUpnp(ms: number): Promise<UpnpGateway | null> {
    this.upnp ??= await this.host.findUpnp(ms);
    return this.upnp;
  }

  private async mapUpnp(
    { local }: Way,
    upnp: UpnpGateway | null,
    internalPort: number,
    wanted: number,
  ): Promise<Lease | null> {
    if (!upnp) return null;
    try {
      // The user may have mapped our very port himself.
      const candidates = [
        internalPort,
        wanted,
        ...Array.from({ length: UPNP_TRIES }, () => this.anyPort()),
      ];
      for (const port of candidates) {
        const entry = await upnp.entry(port);
        const here = entry?.client === formatIp4(local) && entry.internalPort === internalPort;
        const users = entry !== null && here && entry.description !== DESCRIPTION;
        if (entry ? !here : port === internalPort && wanted !== port) continue;
        const lifetime = users ? 0 : await this.addUpnp(upnp, port, internalPort, local);
        if (lifetime === null) continue;
        const external = await upnp.externalAddress().catch(() => null);
        return { method: 'upnp', internalPort, externalPort: port, external, lifetime, users };
      }
    } catch {
      // It refuses, or is gone: the next try looks for it anew.
      this.upnp = null;
    }
    return null;
  }

  /** The seconds that it lives, 0 for ever; null: the port is somebody else's. */
  private async addUpnp(
    upnp: UpnpGateway,
    externalPort: number,
    internalPort: number,
    client: Ip4,
  ): Promise<number | null> {
    const mapping = { externalPort, internalPort, client, description: DESCRIPTION };
    for (const lifetime of [LIFETIME_S, 0]) {
      try {
        await upnp.add({ ...mapping, lifetime });
        return lifetime;
      } catch (error) {
        const { code } = error as { readonly code?: unknown };
        if (code === UPNP_CONFLICT) return null;
        if (code !== UPNP_ONLY_PERMANENT) throw error;
      }
    }
    return null;
  }

  /** Looks first whose it is: meanwhile somebody may have it as his own. */
  private async unmapUpnp({ local }: Way, { internalPort, externalPort }: Lease): Promise<void> {
    try {
      const entry = await this.upnp?.entry(externalPort);
      const ours =
        entry?.client === formatIp4(local) &&
        entry.internalPort === internalPort &&
        entry.description === DESCRIPTION;
      if (ours) await this.upnp?.remove(externalPort);
    } catch {
      // It is gone, or its lease will end.
    }
  }

  private anyPort(): number {
    const draw = this.host.random.bytes(2);
    return FIRST_DYNAMIC_PORT + (((draw[0]! << 8) | draw[1]!) >>> 2);
  }
}
