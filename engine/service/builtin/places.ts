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

/** A root name server: it answers whether UDP gets out at all, and pings by native IPv6. */
export const ROOT_SERVER = {
  name: 'Root name server',
  address: '198.41.0.4',
  native: '2001:503:ba3e::2:30',
} as const;

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

/** What a program does while it runs. */
export interface ProgramPlace {
  readonly name: string;
  readonly path: string;
  readonly text: string;
  /** Name of the host that it talks to, and how often, ms; null: it does not begin anything. */
  readonly talks: { readonly to: string; readonly everyMs: number } | null;
  /** UDP port on which it waits for everybody; null: it does not. */
  readonly listens: number | null;
  /** It runs so long, ms, and comes again after a while; null: until it is stopped. */
  readonly comes: { readonly runMs: number; readonly pauseMs: number } | null;
}

/** The programs on the user's PC. `startsAfterMs`: by itself; null: when the user starts it. */
export const PROGRAMS: readonly (ProgramPlace & { readonly startsAfterMs: number | null })[] = [
  {
    name: 'Chess',
    path: '/usr/games/chess',
    text: 'a game with Ana; it is allowed',
    talks: { to: 'Ana', everyMs: 1_000 },
    listens: null,
    comes: { runMs: 120_000, pauseMs: 90_000 },
    startsAfterMs: 3_000,
  },
  {
    name: 'Photos',
    path: '/opt/photos/photos',
    text: 'wants to send pictures to a website; nobody has allowed it',
    talks: { to: 'Website', everyMs: 5_000 },
    listens: null,
    comes: { runMs: 60_000, pauseMs: 60_000 },
    startsAfterMs: 8_000,
  },
  {
    name: 'Files',
    path: '/usr/sbin/smbd',
    text: 'shares files with everybody who can reach it; nobody has allowed it',
    talks: null,
    listens: 445,
    comes: null,
    startsAfterMs: 0,
  },
  {
    name: 'Homepage',
    path: '/usr/sbin/homepage',
    text: 'may be reached from the Internet once you start and allow it',
    talks: null,
    listens: 8080,
    comes: null,
    startsAfterMs: null,
  },
];
/** What may pass from the start. */
export const ALLOWED: readonly string[] = ['Chess'];
