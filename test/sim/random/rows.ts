// Module random/rows says for each attack of docs/security.md what the crowd sends for it, and what must become of that.
import { LIES } from './lies.ts';
import type { Attack, Fault } from './scenario.ts';

/**
 * What must become of a packet that reaches one of our machines. `refused`: it is discarded under a name, and no packet of ours comes
 * of it. `bounded`: it may be taken, as far as the other rules allow.
 */
export type Fate = 'refused' | 'bounded';

export interface Row {
  /** Its packets, if it is made of packets. */
  readonly attacks: readonly Attack[];
  /** States of the network that are the attack. */
  readonly faults: readonly Fault[];
  /** Why nothing is sent for it. */
  readonly unsent?: string;
}

const row = (attacks: readonly Attack[], faults: readonly Fault[] = []): Row => ({
  attacks,
  faults,
});

/** All rows, by their ids. */
export const ROWS: Readonly<Record<string, Row>> = {
  'M-0401': row(['cut', 'junk']),
  'M-0501': row(['looping']),
  'M-0601': row(['unfit', 'junk', 'fragment']),
  'M-0604': row(['unfit']),
  'M-0602': row([], ['sendFails']),
  'M-0603': row(['toServerItself']),
  'M-0701': row(['routingHeader', 'sourceRouting']),
  'H-source-routing': row(['routingHeader', 'sourceRouting']),
  'M-0702': row(['guessedBits']),
  'M-0703': row(['bubbleFromPrivate', 'viaServer', 'viaRelay', 'programToPrivate']),
  'H-ingress-bypass': row(['insideSource']),
  'H-inducement': row(['bubbleFromStranger', 'everNewSources', 'everNewLinks']),
  'H-queue': row(['largeToDead']),
  'H-cache': row(['everNewLinks', 'everNewClients']),
  'B-relay-flood': row(['everNewClients']),
  'R-spoofed-server': row(['advertisement', 'spoofedAdvertisement', 'replayedAdvertisement']),
  'R-mitm': row([], LIES),
  'H-peer-spoof': row(['forgedPeer', 'forgedNative', 'unprovenNative']),
  'H-ping-guess': row(['echoReply', 'guessedPing']),
  'R-reflection': row(['solicitation', 'reflection', 'forgedSolicitation']),
  'L-1…3': row(['circle']),
  'H-scan': row(['scan']),
  'H-discovery': row(['discoveryLie']),
  'H-server-switch': {
    attacks: [],
    faults: [],
    unsent: 'somebody at the machine does it, and no packet',
  },
  'H-relay-dead': row([], ['relayDead']),
  'H-3544': row([], ['blocked3544']),
  'X-trailers': row(['trailers', 'refusedTrailers']),
  'X-nested': row(['nested']),
};

/** Of these each packet must be refused. */
const REFUSED: ReadonlySet<Attack> = new Set<Attack>([
  'cut',
  'looping',
  'unfit',
  'toServerItself',
  'routingHeader',
  'sourceRouting',
  'guessedBits',
  'programToPrivate',
  'insideSource',
  'spoofedAdvertisement',
  'replayedAdvertisement',
  'circle',
  'scan',
  'discoveryLie',
  'refusedTrailers',
  'nested',
]);

export function fateOf(attack: Attack): Fate {
  return REFUSED.has(attack) ? 'refused' : 'bounded';
}
