// Module relay/addresses decides between which addresses a relay carries packets.
import {
  decodeTeredo,
  directedBroadcast4,
  embedsRefused,
  isNative6,
  isReachable4,
  isReachableEndpoint,
} from '../wire/index.ts';
import type { Endpoint, Ip4, Ip6, Reach, TeredoAddress } from '../wire/index.ts';
import type { Ip6Network, RelayConfig, RelayIp4Network, RelayReason } from './types.ts';

/** Address policy of one relay; remembers only the host's networks and the served ranges. */
export class RelayPolicy {
  private readonly config: RelayConfig;
  private own: readonly Ip4[] = [];
  private reach: Reach;
  private served: readonly Ip6Network[] = [];

  constructor(config: RelayConfig) {
    this.config = config;
    this.reach = { allowPrivate: config.allowPrivate, broadcasts: [] };
  }

  setNetworks(networks: readonly RelayIp4Network[], served: readonly Ip6Network[]): void {
    this.own = networks.map((n) => n.address);
    const broadcasts = networks
      .map((n) => directedBroadcast4(n.address, n.prefix))
      .filter((b) => b !== undefined);
    this.reach = { allowPrivate: this.config.allowPrivate, broadcasts };
    this.served = served;
  }

  /** May a datagram come from there, and go there? */
  isReachable(endpoint: Endpoint): boolean {
    return isReachableEndpoint(endpoint, this.reach);
  }

  /** The parts of a client's address, or why we have nothing to do with it (RFC 4380 §5.4.1, §5.2.4; RFC 6324 §3). */
  client(address: Ip6): TeredoAddress | RelayReason {
    const teredo = decodeTeredo(address);
    if (!teredo) return 'destinationNotTeredo';
    if (!isReachable4(teredo.server, this.reach)) return 'teredoServerNotGlobal';
    if (this.own.includes(teredo.client.ip)) return 'teredoClientIsUs';
    return this.isReachable(teredo.client) ? teredo : 'teredoClientNotGlobal';
  }

  /** True for the native hosts that we serve (RFC 4380 §5.4.2), and for ourselves. */
  isServed(address: Ip6): boolean {
    if (address === this.config.address) return true;
    if (!isNative6(address, this.reach)) return false;
    if (this.served.length === 0) return !this.config.hostSpecific;
    return this.served.some((n) => inNetwork6(address, n));
  }

  /** A 6to4 or ISATAP address that leads back to this host, or to nobody. */
  embedsRefused(address: Ip6): boolean {
    return embedsRefused(address, this.own, this.reach);
  }
}

function inNetwork6(address: Ip6, network: Ip6Network): boolean {
  const shift = BigInt(128 - network.prefix);
  return address >> shift === network.address >> shift;
}
