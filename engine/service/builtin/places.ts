// Module builtin/places says who is who on the built-in network, and where.
import type { NatKindName } from '../../sim/index.ts';

/** How a PC reaches the Internet: a kind of NAT, or a public address of its own. */
export type AccessKind = NatKindName | 'none';

/** The kinds in plain words, in the order in which they are offered. */
export const ACCESS: Readonly<Record<AccessKind, string>> = {
  portRestricted:
    'a home router that lets in only whom you sent to, address and port (most of them)',
  restricted: 'a home router that lets in only whom you sent to, whatever their port',
  cone: 'a home router that lets everybody in through a port that you use',
  symmetric: 'a router with a new, random port for each destination',
  symmetricSequential: 'a router with a new port for each destination, counted up',
  symmetricPreserving: 'a router with a new port for each destination but the first',
  symmetricByAddress: 'a router with a new port for each destination address',
  linux: 'a Linux router with a firewall, as home routers have it',
  open: 'a Linux router without a firewall, which remembers what it rejected',
  carrier: 'a provider’s NAT in front of the home, with other ports than yours',
  none: 'no router: a public IPv4 address of your own',
};

/** Documentation addresses (RFC 5737, RFC 3849): they belong to nobody. */
export const SERVERS = [
  { name: 'Server', host: 'teredo-1.example', primary: '192.0.2.1', secondary: '192.0.2.2' },
  {
    name: 'Second server',
    host: 'teredo-2.example',
    primary: '192.0.2.129',
    secondary: '192.0.2.130',
  },
] as const;
export const RELAYS = [
  { name: 'Relay', address: '192.0.2.66', native: '2001:db8::66' },
  { name: 'Second relay', address: '192.0.2.67', native: '2001:db8::67' },
] as const;

/** A host with native IPv6; a quiet one answers nothing. */
export const NATIVES = [
  { name: 'Website', address: '2001:db8::80', quiet: false, text: 'a website that has IPv6 only' },
  {
    name: 'Quiet',
    address: '2001:db8::dead',
    quiet: true,
    text: 'a host whose firewall drops pings',
  },
] as const;

export interface PeerPlace {
  readonly name: string;
  readonly access: AccessKind;
}

/** Other people’s PCs, each with Teredo and behind another kind of router. */
export const PEERS: readonly PeerPlace[] = [
  { name: 'Ana', access: 'portRestricted' },
  { name: 'Ben', access: 'restricted' },
  { name: 'Chen', access: 'cone' },
  { name: 'Dora', access: 'symmetric' },
  { name: 'Edo', access: 'symmetricSequential' },
  { name: 'Fay', access: 'linux' },
  { name: 'Gil', access: 'open' },
  { name: 'Hana', access: 'carrier' },
  { name: 'Ivo', access: 'none' },
];

/** The user himself. */
export const YOU = { name: 'Your PC', router: 'Your router' } as const;
/** Milliseconds each line takes, one way; a packet crosses two between two places on the Internet. */
export const LINE = { delayMs: 10 } as const;
/** The port on which everybody here sends back what he gets. */
export const ECHO_PORT = 4242;
