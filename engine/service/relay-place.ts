// Module service/relay-place finds out where a relay stands: its own address, its native interface, and whom it serves.
import { HostError } from '../host/types.ts';
import type { HostAddress6, RelayHost } from '../host/types.ts';
import type { Ip6Network } from '../relay/index.ts';
import { formatIp6, isGlobalUnicast4, isNative6 } from '../wire/index.ts';
import type { Ip4, Ip6 } from '../wire/index.ts';
import type { RelaySettings } from './relay-config.ts';

/** Where one relay stands. */
export interface RelayPlace {
  /** Its own native address. */
  readonly address: Ip6;
  /** The interface towards native IPv6; null for a host-specific relay, which forwards nothing. */
  readonly native: string | null;
}

/**
 * Chooses what the settings leave open: the interface of the default route, or the only one with a native address, and a lasting
 * address of it. Throws HostError 'no-native-ipv6' where a person must say it, or there is none.
 */
export function findPlace(host: RelayHost, settings: RelaySettings): RelayPlace {
  const { addresses, defaultInterface } = host.native6();
  const usable = addresses.filter((a) => isNative(a.address, settings));
  const native = settings.hostSpecific ? null : nativeInterface(usable, defaultInterface, settings);
  const here = usable.filter((a) => native === null || a.interface === native);
  const address = settings.address ?? (here.find((a) => !a.passing) ?? here[0])?.address;
  if (address === undefined)
    throw new HostError(
      'no-native-ipv6',
      native === null
        ? 'This machine has no native IPv6 address, so it can’t be a relay; give it one first.'
        : `The interface ${native} has no native IPv6 address; give it one first, or name another with --native.`,
    );
  if (!usable.some((a) => a.address === address))
    throw new HostError(
      'no-native-ipv6',
      `${formatIp6(address)} is not a native IPv6 address of this machine; set "address" to one that "ip -6 address" shows.`,
    );
  return { address, native };
}

/** The native hosts that are served: this host's own addresses for a host-specific relay, else as set (none: everybody). */
export function servedNetworks(host: RelayHost, settings: RelaySettings): readonly Ip6Network[] {
  if (!settings.hostSpecific) return settings.served;
  return host
    .native6()
    .addresses.filter((a) => isNative(a.address, settings))
    .map(({ address }) => ({ address, prefix: 128 }));
}

/** A machine without a public IPv4 address stands behind a NAT, and must open the way to each client itself (RFC 4380 §5.4.1). */
export function standsBehindNat(own: readonly Ip4[], settings: RelaySettings): boolean {
  return settings.behindNat ?? (settings.hostSpecific || !own.some((ip) => isGlobalUnicast4(ip)));
}

function isNative(address: Ip6, { allowPrivate }: RelaySettings): boolean {
  return isNative6(address, { allowPrivate, broadcasts: [] });
}

function nativeInterface(
  usable: readonly HostAddress6[],
  defaultInterface: string | null,
  settings: RelaySettings,
): string {
  if (settings.native !== null) return settings.native;
  if (defaultInterface !== null) return defaultInterface;
  const names = [...new Set(usable.map((a) => a.interface))];
  if (names.length === 1) return names[0]!;
  throw new HostError(
    'no-native-ipv6',
    names.length === 0
      ? 'This machine has no native IPv6 address, so it can’t be a relay; give it one first.'
      : `Native IPv6 is on ${names.join(' and ')}, and none has the default route; name the one to relay for with --native.`,
  );
}
