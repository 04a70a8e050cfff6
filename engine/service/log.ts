// Module service/log names what a running client tells, and puts it into one plain line each.
import type { ClientStatus } from '../client/client.ts';
import type { ClientEvent, NatKind, PeerKind, PeerPath } from '../client/types.ts';
import { formatEndpoint, formatIp6, TEREDO_MTU } from '../wire/index.ts';
import { told } from './told.ts';
import type { Told } from './told.ts';

/** From the most talkative to the most silent. */
export const LOG_LEVELS = ['info', 'warning', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogEntry {
  readonly level: LogLevel;
  readonly text: string;
  /** The same by its code; not everything has one. */
  readonly told?: Told;
}

/** A log that passes on what is at least as grave as its level. */
export class LeveledLog {
  level: LogLevel;
  private readonly to: (entry: LogEntry) => void;

  constructor(level: LogLevel, to: (entry: LogEntry) => void) {
    this.level = level;
    this.to = to;
  }

  readonly log = (entry: LogEntry): void => {
    if (LOG_LEVELS.indexOf(entry.level) >= LOG_LEVELS.indexOf(this.level)) this.to(entry);
  };
}

const NATS: Record<NatKind, string> = {
  none: 'There is no NAT: this PC has a public address.',
  cone: 'The router is a cone NAT: everybody can reach us once we have an address.',
  restricted: 'The router keeps one port for us (restricted NAT): direct paths work.',
  symmetric:
    'The router uses another port for each destination (symmetric NAT): native IPv6 hosts can be reached, some Teredo peers can’t.',
  unknown: 'The kind of router is not known yet.',
};
const KINDS: Record<PeerKind, string> = {
  teredo: 'Teredo peer',
  native: 'native host',
  local: 'local peer',
};
const PATHS: Record<PeerPath, string> = {
  direct: 'they opened the way',
  bubbles: 'direct, opened by bubbles',
  relay: 'through the relay',
  local: 'on this network',
  hairpin: 'through our own router',
};
const DOWN: Record<(ClientEvent & { kind: 'peerDown' })['why'], string> = {
  silent: 'silent for 30 s',
  evicted: 'made room for others',
  unreachable: 'its port is closed',
  reset: 'the path is asked for anew',
};

/** The line for a client's event; null for one that says nothing to a person. */
export function describeEvent(event: ClientEvent): LogEntry | null {
  switch (event.kind) {
    case 'state':
      return {
        level: event.state === 'qualified' && event.reason !== 'server-silent' ? 'info' : 'warning',
        text: event.text,
        ...told('state', { reason: event.reason }),
      };
    case 'nat':
      return {
        level: event.nat === 'symmetric' ? 'warning' : 'info',
        text: NATS[event.nat],
        ...told('nat', { nat: event.nat }),
      };
    case 'interval':
      return {
        level: 'info',
        text: `This router keeps its mappings for ${Math.floor(event.ms / 1000)} s at least; the server is asked no more often.`,
        ...told('interval', { seconds: Math.floor(event.ms / 1000) }),
      };
    case 'mapped':
      return {
        level: 'info',
        text: `The server sees us as ${formatEndpoint(event.mapped)}.`,
        ...told('mapped', { endpoint: formatEndpoint(event.mapped) }),
      };
    case 'peerUp':
      return {
        level: 'info',
        text: `Peer up: ${formatIp6(event.address)} (${KINDS[event.peer]}) at ${formatEndpoint(event.endpoint)}, ${PATHS[event.path]}.`,
        ...told('peer-up', {
          address: formatIp6(event.address),
          kind: event.peer,
          endpoint: formatEndpoint(event.endpoint),
          path: event.path,
        }),
      };
    case 'peerDown':
      return {
        level: 'info',
        text: `Peer gone: ${formatIp6(event.address)} (${DOWN[event.why]}).`,
        ...told('peer-gone', { address: formatIp6(event.address), why: event.why }),
      };
  }
}

export function askingEntry(name: string, endpoint: string, port: number): LogEntry {
  return {
    level: 'info',
    text: `Asking ${name} (${endpoint}) from UDP port ${port}.`,
    ...told('asking', { name, endpoint, port: String(port) }),
  };
}

/** Peers coming and going are told up to this many a minute; the rest is summed up. */
const PEER_LINES_PER_MINUTE = 60;

/** Bounds the lines about peers. */
export class PeerLines {
  private readonly log: (entry: LogEntry) => void;
  private minute = 0;
  private count = 0;

  constructor(log: (entry: LogEntry) => void) {
    this.log = log;
  }

  /** Whether one more may be told at `now`, ms; the first too many says so itself. */
  may(now: number): boolean {
    const minute = Math.floor(now / 60_000);
    if (minute !== this.minute) this.count = 0;
    this.minute = minute;
    this.count += 1;
    if (this.count === PEER_LINES_PER_MINUTE + 1)
      this.log({
        level: 'info',
        text: 'Many peers come and go; the rest of this minute is not told. See: shipworm peers',
        ...told('many-peers'),
      });
    return this.count <= PEER_LINES_PER_MINUTE;
  }
}

/** What is told when a server's answer, or its silence, leaves us qualified. */
export function qualifiedEntry(
  { reason, text }: { readonly reason: string; readonly text: string },
  status: ClientStatus,
): LogEntry {
  if (reason === 'server-silent') return { level: 'warning', text, ...told('state', { reason }) };
  const { address, server, mapped, mtu } = status;
  return {
    level: 'info',
    text: `Qualified: ${address === null ? '' : formatIp6(address)} (server ${formatEndpoint(server)}, mapped ${mapped ? formatEndpoint(mapped) : ''}, MTU ${mtu || TEREDO_MTU}).`,
    ...told('qualified', {
      address: address === null ? '' : formatIp6(address),
      server: formatEndpoint(server),
      mapped: mapped ? formatEndpoint(mapped) : '',
      mtu: String(mtu || TEREDO_MTU),
    }),
  };
}
