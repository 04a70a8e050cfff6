// Module client/addresses decides which IPv4 and IPv6 addresses a client may talk to.
import {
  decodeTeredo,
  directedBroadcast4,
  embedsRefused,
  inNetwork4,
  isReachable4,
  isReachableEndpoint,
  isUnicastPeer6,
  sameEndpoint,
} from '../wire/index.ts';
import type { Endpoint, Ip4, Ip6, Reach, TeredoAddress } from '../wire/index.ts';
import type { Ip4Network } from './types.ts';

/** What a packet's far end turned out to be, or why it is refused. */
export type Destination =
  | { readonly kind: 'teredo'; readonly teredo: TeredoAddress }
  | { readonly kind: 'native' }
  | { readonly kind: 'refused'; readonly reason: AddressReason };

export type AddressReason =
  | 'addressNotUnicast'
  | 'teredoServerNotGlobal'
  | 'teredoClientNotGlobal'
  | 'teredoClientInside'
  | 'teredoClientIsUs'
  | 'embeddedNotGlobal';

/** Networks wider than this are no links we are attached to but somebody's mistake; they judge nobody. */
const WIDEST_LINK_PREFIX = 8;

/** Home routers in a row mostly have a /24 between them. */
const OUTER_LINK_PREFIX = 24;
const LOCAL_REACH: Reach = { allowPrivate: true, broadcasts: [] };

/** Address policy of one client; pure, remembers only the host's networks and the mapped address. */
export class AddressPolicy {
  private networks: readonly Ip4Network[] = [];
  private mapped: Endpoint | null = null;
  private reach: Reach;

  constructor(allowPrivate: boolean) {
    this.reach = { allowPrivate, broadcasts: [] };
  }

  /** Takes the host's IPv4 networks: their directed broadcasts are refused (RFC 4380 §5.2.4). */
  setNetworks(networks: readonly Ip4Network[]): void {
    this.networks = networks;
    const broadcasts = networks
      .map((n) => directedBroadcast4(n.address, n.prefix))
      .filter((b) => b !== undefined);
    this.reach = { ...this.reach, broadcasts };
  }

  setMapped(mapped: Endpoint | null): void {
    this.mapped = mapped;
  }

  /** True when `ip` is an address of this very host: then no NAT stands before us. */
  isOwnInterface(ip: Ip4): boolean {
    return this.networks.some((n) => n.address === ip);
  }

  /** Our own IPv4 addresses that a neighbour could use. */
  get ownAddresses(): readonly Ip4[] {
    return this.networks.map((n) => n.address).filter((ip) => isReachable4(ip, LOCAL_REACH));
  }

  /** We are behind a NAT, on a network where others can be behind it, too. */
  get hasNeighbours(): boolean {
    const { mapped } = this;
    return (
      mapped !== null && !this.isOwnInterface(mapped.ip) && this.networks.some((n) => n.prefix < 31)
    );
  }

  /**
   * May `endpoint` be tried as another address of a peer behind our own router (RFC 6081 §5.6.4.2)? Only if the server sees the
   * peer at our mapped IPv4 address, and the endpoint is on a link of ours or on that of our outer router's `external` address:
   * whoever is elsewhere must not make us send into a private network.
   */
  isNeighbour(endpoint: Endpoint, peerIp: Ip4, external: Endpoint | null): boolean {
    if (endpoint.port === 0 || this.mapped?.ip !== peerIp) return false;
    const { broadcasts } = this.reach;
    if (!isReachable4(endpoint.ip, { allowPrivate: true, broadcasts })) return false;
    if (this.networks.some((n) => n.address === endpoint.ip)) return false;
    const beyond = external && !this.isPublic(external.ip) ? external.ip : null;
    return (
      this.isOnOwnLink(endpoint.ip) ||
      (beyond !== null &&
        beyond !== endpoint.ip &&
        inNetwork4(endpoint.ip, beyond, OUTER_LINK_PREFIX))
    );
  }

  /** True when `endpoint` is our own mapped one. */
  isMapped(endpoint: Endpoint): boolean {
    return this.mapped !== null && sameEndpoint(this.mapped, endpoint);
  }

  isMappedIp(ip: Ip4): boolean {
    return this.mapped?.ip === ip;
  }

  /** May we send UDP there on the word of somebody else (RFC 4380 §5.2.4)? Port 0 never. */
  maySendTo(endpoint: Endpoint): boolean {
    return isReachableEndpoint(endpoint, this.reach);
  }

  isPublic(ip: Ip4): boolean {
    return isReachable4(ip, this.reach);
  }

  /**
   * Judges the far end of a packet. A Teredo address is refused when its server or client part is not global
   * (RFC 4380 §5.2.4), when its client is on a network that we are attached to (a forged source would make us
   * answer an inside host), or is ourselves; a 6to4 or ISATAP address when it embeds us or nobody (RFC 6324 §3).
   */
  judge(address: Ip6): Destination {
    const teredo = decodeTeredo(address);
    if (teredo) {
      if (!this.isPublic(teredo.server)) return refused('teredoServerNotGlobal');
      if (this.isMapped(teredo.client)) return refused('teredoClientIsUs');
      if (!this.maySendTo(teredo.client)) return refused('teredoClientNotGlobal');
      if (this.isOnOwnLink(teredo.client.ip)) return refused('teredoClientInside');
      return { kind: 'teredo', teredo };
    }
    if (!isUnicastPeer6(address)) return refused('addressNotUnicast');
    const own = this.mapped ? [this.mapped.ip] : [];
    if (embedsRefused(address, own, this.reach)) return refused('embeddedNotGlobal');
    return { kind: 'native' };
  }

  /** On a link that we are attached to. */
  isOnOwnLink(ip: Ip4): boolean {
    return this.networks.some(
      (n) => n.prefix >= WIDEST_LINK_PREFIX && inNetwork4(ip, n.address, n.prefix),
    );
  }
}

function refused(reason: AddressReason): Destination {
  return { kind: 'refused', reason };
}
