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
import type { AddressRange } from '../datapath/types.ts';
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

  /** What `isServed` says as ranges, without addresses that hide an IPv4 one: `embedsRefused` judges those one by one. */
  ranges(): { accept: AddressRange[]; except: AddressRange[] } {
    const native = [GLOBAL, ...(this.config.allowPrivate ? [UNIQUE_LOCAL] : [])];
    const everybody = this.served.length === 0 && !this.config.hostSpecific;
    const served = everybody
      ? native
      : this.served.flatMap((n) => native.flatMap((r) => both(n, r)));
    const own = { address: this.config.address, prefix: 128 };
    return { accept: [own, ...served].map(range), except: [...EMBEDDING, range(TEREDO)] };
  }

  /** A 6to4 or ISATAP address that leads back to this host, or to nobody. */
  embedsRefused(address: Ip6): boolean {
    return embedsRefused(address, this.own, this.reach);
  }
}

/** Global unicast as it is assigned, and unique local addresses (as wire's `isNative6` takes them). */
const GLOBAL: Ip6Network = { address: 1n << 125n, prefix: 3 };
const UNIQUE_LOCAL: Ip6Network = { address: 0x7en << 121n, prefix: 7 };
const TEREDO: Ip6Network = { address: 0x20010000n << 96n, prefix: 32 };
/** 6to4, and ISATAP interface identifiers with and without the universal bit (as wire's `embeddedIp4` knows them). */
const EMBEDDING: readonly AddressRange[] = [
  range({ address: 0x2002n << 112n, prefix: 16 }),
  { value: 0x00005efen << 32n, mask: 0xfdffffffn << 32n },
];

function range({ address, prefix }: Ip6Network): AddressRange {
  const mask = ((1n << BigInt(prefix)) - 1n) << BigInt(128 - prefix);
  return { value: address & mask, mask };
}

/** What is in `a` and in `b`: networks lie within each other or apart. */
function both(a: Ip6Network, b: Ip6Network): Ip6Network[] {
  const [wide, narrow] = a.prefix <= b.prefix ? [a, b] : [b, a];
  return inNetwork6(narrow.address, wide) ? [narrow] : [];
}

function inNetwork6(address: Ip6, network: Ip6Network): boolean {
  const shift = BigInt(128 - network.prefix);
  return address >> shift === network.address >> shift;
}
