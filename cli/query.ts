// Module cli/query asks what is running: `shipworm status`, `reload`, `peers` and `ping`.
import type { Command } from 'commander';
import type { PeerEntry, RelayStatus, ServerStatus, Status } from '../engine/service/api.ts';
import { callService, callStatus, PATIENT_MS } from '../engine/service/control-client.ts';
import { ServiceError } from '../engine/service/errors.ts';
import { controlCandidates } from '../engine/service/paths.ts';
import { reloadText } from '../engine/service/reload.ts';
import { parseIp6 } from '../engine/wire/index.ts';
import { PAGE_ROWS, pageSchema } from '../engine/service/paging.ts';
import type { Page } from '../engine/service/paging.ts';
import { bytesText, counted, EXIT, Exit, print, printJson, table } from './output.ts';

export interface QueryOptions {
  readonly control?: string;
  readonly json?: boolean;
}

export const paths = (options: QueryOptions): string[] =>
  options.control === undefined ? controlCandidates() : [options.control];

/** A search through the million clients of a busy relay takes its time. */
const SEARCH_MS = 60_000;

/** Codes of what is wrong with the words that a person gave. */
const CONFIGURATION = ['bad-config', 'locked', 'weakens'];

/** Runs a call; a service that is not there is exit code 3. */
export async function ask<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'not-running')
      throw new Exit(EXIT.notRunning, error.message);
    if (error instanceof ServiceError && CONFIGURATION.includes(error.code))
      throw new Exit(EXIT.usage, error.message);
    throw error;
  }
}

type AnyStatus = Status | ServerStatus | RelayStatus;
type Role = 'client' | 'server' | 'relay';

interface Running {
  readonly path: string;
  readonly role: Role;
  readonly status: AnyStatus;
}

/** All that runs and may be asked; fails with exit code 3 when nothing does. */
async function whatRuns(options: QueryOptions): Promise<readonly Running[]> {
  const asked = paths(options).map(async (path): Promise<Running | null> => {
    try {
      const status = await callStatus([path]);
      return { path, role: 'role' in status ? status.role : 'client', status };
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'not-running') return null;
      throw error;
    }
  });
  const found = (await Promise.all(asked)).filter((one) => one !== null);
  // The failure has words for all places together.
  if (found.length === 0) await ask(callStatus(paths(options)));
  return found;
}

/** The one that is meant, of those with a role in `roles`; where several run the user must name it. */
async function theOne(options: QueryOptions, roles: readonly Role[]): Promise<Running> {
  const found = await whatRuns(options);
  const fitting = found.filter(({ role }) => roles.includes(role));
  if (fitting.length > 1)
    throw new Exit(
      EXIT.usage,
      `Several run here; name one: ${fitting.map(({ path, role }) => `--control ${path} (${role})`).join(' or ')}`,
    );
  return fitting[0] ?? found[0]!;
}
const ANY: readonly Role[] = ['client', 'server', 'relay'];

export async function showStatus(options: QueryOptions): Promise<void> {
  if (options.json) printJson((await theOne(options, ANY)).status);
  else print((await whatRuns(options)).map(({ status }) => textOf(status)).join('\n\n'));
}

function textOf(status: AnyStatus): string {
  if (!('role' in status)) return statusText(status);
  return status.role === 'server' ? serverText(status) : relayText(status);
}

/** There is no conversation with a server. */
const ASLEEP: readonly Status['state'][] = ['dormant', 'managed', 'off', 'unneeded'];

/** Who sees to it that nobody else passes: `programs`, or the other way with the reason. */
function enforcementText(attribution: Status['attribution']): string {
  if (attribution === null) return 'nobody can be named here, so that nobody passes';
  const [mode, ...more] = attribution.split(/(?=[:;])/);
  if (mode === 'programs') return `in the kernel, socket by socket${more.join('')}`;
  return `by questions to the kernel, which leaves a short window (docs/security.md); ${attribution}`;
}

export function statusText(status: Status): string {
  const { known, open } = status.peerCounts;
  const refused = Object.values(status.counters.discards).reduce((sum, n) => sum + n, 0);
  const asleep = ASLEEP.includes(status.state);
  const awake = (...rows: [string, string][]): [string, string][] => (asleep ? [] : rows);
  const none = asleep ? 'none' : 'none yet';
  const kept = status.state === 'dormant' ? ' (kept for when it wakes)' : '';
  const rows: [string, string][] = [
    ['State', `${status.state} (${status.reason.code}): ${status.reason.text}`],
    ['Address', status.address === null ? none : `${status.address}${kept}`],
    ...awake(
      ['Server', status.server ?? 'not found yet'],
      ['Mapped', status.mapped ?? 'unknown'],
      ['NAT', status.nat],
    ),
    ...(status.portMapping.state === 'off'
      ? []
      : [['Port', status.portMapping.text] as [string, string]]),
    ...(status.builtIn
      ? [['Network', 'BUILT IN: all of it is inside the client’s process'] as [string, string]]
      : []),
    ['Adapter', `${status.adapter ?? 'none'}${status.mtu === null ? '' : `, MTU ${status.mtu}`}`],
    ...awake(['Peers', `${open} with an open path, ${known} known`]),
    ['Exposure', status.exposure.text],
    ...(status.exposure.mode === 'all'
      ? []
      : [['Enforced', enforcementText(status.attribution)] as [string, string]]),
    ['Discarded', `${counted(refused, 'packet')}${refused > 0 ? ' (reasons: --json)' : ''}`],
  ];
  return table(rows);
}

/** `reason count, …`, the most frequent first. */
function reasonsText(discards: Readonly<Record<string, number>>): string {
  const reasons = Object.entries(discards).sort(([, a], [, b]) => b - a);
  return reasons.map(([name, count]) => `${name} ${count}`).join(', ') || 'nothing';
}

const FORWARDING_TEXTS: Record<RelayStatus['forwarding'], string> = {
  none: 'nothing: it serves this machine alone',
  two: 'between adapter and native interface',
  every: 'between all interfaces (this kernel can’t do it for two alone)',
};

function relayText(status: RelayStatus): string {
  const { counters, served } = status;
  return table([
    ['Role', status.hostSpecific ? 'relay for this machine alone' : 'relay'],
    ['Address', status.address],
    ['UDP', status.bind ?? 'not open yet'],
    ['Native', status.native ?? 'this machine'],
    ['Adapter', status.adapter],
    ['Forwards', FORWARDING_TEXTS[status.forwarding]],
    ['Serves', served.join(', ') || 'all native hosts whose packets come here'],
    ['Clients', `${status.clients} known, ${status.pending} being asked`],
    ['Carried', `${counters.toClients} packets to clients, ${counters.fromClients} from them`],
    ['Discarded', reasonsText(counters.discards)],
  ]);
}

function serverText({ primary, secondary, port, nativePings, counters }: ServerStatus): string {
  return table([
    ['Role', 'server'],
    ['Primary', `${primary}, UDP port ${port}`],
    ['Secondary', secondary ?? 'none: clients can’t tell symmetric NATs'],
    ['Answered', `${counters.answered} solicitations`],
    ['Forwarded', `${counters.forwarded} to clients, ${counters.native} to native hosts`],
    ['Native', nativePings ? 'clients’ pings are sent on' : 'clients’ pings can’t be sent on'],
    ['Discarded', reasonsText(counters.discards)],
  ]);
}

export async function reload(options: QueryOptions): Promise<void> {
  const result = await ask(
    callService([(await theOne(options, ANY)).path], 'reload', {}, PATIENT_MS),
  );
  if (options.json) printJson(result);
  else print(reloadText(result));
}

/** Which part of a long list is to be shown. */
export type PageOptions = QueryOptions & Page;

/** Lets `command`, which lists what may be long, take which part of it is wanted. */
export function paged(command: Command): Command {
  return command
    .option('--limit <rows>', `at most so many, the latest (default: ${PAGE_ROWS})`, Number)
    .option('--offset <rows>', 'leave out so many of the latest', Number)
    .option('--match <text>', 'only rows with this text');
}

/** As the service takes it. Ends with the usage's exit code for what is none. */
export function pageFrom({ limit, offset, match }: PageOptions): Page {
  const asked = { limit, offset, match };
  const page = pageSchema.safeParse(asked);
  if (page.success) return page.data;
  throw new Exit(
    EXIT.usage,
    '--limit takes a whole number from 1 to 100000, --offset one from 0 on, --match a text.',
  );
}

/** Says where the rows are that `shown` are not, if there may be others. */
export function moreText(shown: number, { limit = PAGE_ROWS, offset = 0 }: Page): string {
  if (shown < limit) return '';
  return `\nThe latest ${shown}${offset > 0 ? ` but for ${offset}` : ''}; others: --offset ${offset + shown}, more: --limit, some: --match TEXT`;
}

export async function showPeers(options: PageOptions): Promise<void> {
  const page = pageFrom(options);
  const { path } = await theOne(options, ['client', 'relay']);
  const patience = page.match === undefined ? undefined : SEARCH_MS;
  const peers = await ask(callService([path], 'peers', page, patience));
  if (options.json) printJson(peers);
  else print(peersText(peers) + moreText(peers.length, page));
}

export function peersText(peers: readonly PeerEntry[]): string {
  if (peers.length === 0)
    return 'No peers yet: one appears when a packet goes to it or comes from it.';
  return table([
    ['ADDRESS', 'KIND', 'PATH', 'ENDPOINT', 'RTT', 'IN', 'OUT', 'HEARD'],
    ...peers.map(peerRow),
  ]);
}

function peerRow(peer: PeerEntry): string[] {
  return [
    peer.address,
    peer.kind,
    peer.trusted ? (peer.path ?? 'direct') : 'no path',
    peer.endpoint ?? '-',
    peer.rttMs === null ? '-' : `${peer.rttMs.toFixed(1)} ms`,
    bytesText(peer.bytesIn),
    bytesText(peer.bytesOut),
    peer.lastHeardMs === null ? 'never' : `${(peer.lastHeardMs / 1000).toFixed(0)} s ago`,
  ];
}

export async function showPing(
  address: string,
  options: QueryOptions & { readonly timeout: number },
): Promise<void> {
  if (parseIp6(address) === undefined) throw new Exit(EXIT.usage, `${address} is no IPv6 address.`);
  const timeoutMs = Math.round(options.timeout * 1000);
  if (!(timeoutMs >= 100 && timeoutMs <= 60_000))
    throw new Exit(EXIT.usage, '--timeout takes 0.1 to 60 seconds.');
  const { path } = await theOne(options, ['client']);
  const result = await ask(callService([path], 'ping', { address, timeoutMs }, timeoutMs + 5_000));
  if (options.json) printJson(result);
  else if (result.ok)
    print(`${address} answered in ${result.rttMs.toFixed(1)} ms (path: ${result.path}).`);
  if (!result.ok) throw new Exit(EXIT.failed, options.json ? '' : result.text);
}
