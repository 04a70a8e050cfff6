// Module service/present puts the machine's values into the API's words.
import type { TeredoClient } from '../client/client.ts';
import type { PeerRow, PingResult } from '../client/types.ts';
import type { GateReason, Rule } from '../gate/index.ts';
import type { RelayPeerRow } from '../relay/index.ts';
import { formatEndpoint, formatIp6 } from '../wire/index.ts';
import type { CallResult, PeerEntry, Status } from './api.ts';
import { pageOf } from './paging.ts';
import type { Page } from './paging.ts';

const PING_TEXTS: Record<(PingResult & { ok: false })['code'], string> = {
  'no-path':
    'No path: the peer answered none of our bubbles (or the host none of our tests). It may be off, or behind a router that lets nothing in.',
  'no-reply': 'The path is open, but the host does not answer echo requests.',
  'not-qualified': 'There is no Teredo address yet; see: shipworm status',
  'address-refused':
    'That address can be nobody’s: it is our own, not unicast, or has a private IPv4 address inside.',
  busy: 'Too many pings or new peers at once; try again in a moment.',
};

/** The outcome of a ping, a failure with its sentence. */
export function pingResult(result: PingResult): CallResult<'ping'> {
  return result.ok ? result : { ok: false, code: result.code, text: PING_TEXTS[result.code] };
}

/** The peers of a client at `now`, ms: a page of them, and how many there are; none while there is no client. */
export function peersOf(
  client: Pick<TeredoClient, 'peers' | 'peerCounts'> | null,
  now: number,
): { page: (page: Page) => PeerEntry[]; counts: () => Status['peerCounts'] } {
  return {
    page: (page) =>
      pageOf(page, (choose) =>
        (client?.peers(now, choose) ?? []).map((row) => peerEntry(row, now)),
      ),
    counts: () => client?.peerCounts(now) ?? { known: 0, open: 0 },
  };
}

/** One row of `peers`; `now` is the time of the call, ms. */
function peerEntry(row: PeerRow, now: number): PeerEntry {
  return {
    address: formatIp6(row.address),
    kind: row.kind,
    endpoint: row.endpoint && formatEndpoint(row.endpoint),
    path: row.path,
    trusted: row.trusted,
    rttMs: row.rttMs,
    bytesIn: row.bytesIn,
    bytesOut: row.bytesOut,
    lastHeardMs: heardMs(row.lastReceivedMs, now),
  };
}

/** One row of a relay's `peers`: a Teredo client. */
export function clientEntry(row: RelayPeerRow, now: number): PeerEntry {
  return {
    address: formatIp6(row.address),
    kind: 'teredo',
    endpoint: row.endpoint && formatEndpoint(row.endpoint),
    path: row.endpoint && 'direct',
    trusted: row.trusted,
    rttMs: null,
    bytesIn: row.bytesIn,
    bytesOut: row.bytesOut,
    lastHeardMs: heardMs(row.lastReceivedMs, now),
  };
}

function heardMs(lastReceivedMs: number | null, now: number): number | null {
  return lastReceivedMs === null ? null : Math.max(0, Math.round(now - lastReceivedMs));
}

/** Why it is not yet `qualified` though the server has answered. */
export const SETTING_UP = {
  code: 'starting',
  text: 'Putting the address on the adapter.',
} as const;

/** What the machine's state is called while the gate lets it be. */
export function stateOf(state: string | undefined): Status['state'] {
  return state === 'qualified' || state === 'refused' ? state : 'qualifying';
}

/** Rules whose times are moved from one clock to another. */
export function shifted(rules: readonly Rule[], ms: number): Rule[] {
  return rules.map((rule) =>
    rule.until.kind === 'time'
      ? { ...rule, until: { kind: 'time', at: rule.until.at + ms } }
      : rule,
  );
}

/** In these states the address goes, too; it is learnt anew. */
export const TAKES_ADDRESS: ReadonlySet<GateReason> = new Set([
  'switched-off',
  'policy-disabled',
  'policy-damaged',
]);

/** Counts by name, of both. */
export function addedUp(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Record<string, number> {
  const sum = { ...a };
  for (const [name, count] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}
