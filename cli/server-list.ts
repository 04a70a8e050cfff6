// Module cli/server-list lists and tries Teredo servers, and tries a relay, for `shipworm servers`.
import type { ServerRow } from '../engine/service/server-list-calls.ts';
import { callService } from '../engine/service/control-client.ts';
import { EXIT, Exit, print, printJson, table } from './output.ts';
import { ask, paths } from './query.ts';
import type { QueryOptions } from './query.ts';

const PROBE_MS = 20_000;
const FROM: Record<ServerRow['from'], string> = {
  settings: 'in use by your settings',
  own: 'your list',
  known: 'known by name',
};

export async function listServers(
  options: QueryOptions & { readonly probe?: boolean | string },
): Promise<void> {
  const { probe = false } = options;
  const only = typeof probe === 'string' ? { name: probe } : {};
  const where = paths(options);
  const rows = await ask(
    callService(where, 'servers', { probe: probe !== false, ...only }, PROBE_MS),
  );
  show(rows, options);
  const asked = rows.filter(({ name }) => typeof probe !== 'string' || name === probe);
  if (probe !== false && !asked.some(({ state }) => state === 'answers'))
    throw new Exit(EXIT.failed, options.json ? '' : 'No server answers; see: shipworm doctor');
  if (!options.json) print((await ask(callService(where, 'failover', {}))).text);
}

export async function addServer(name: string, options: QueryOptions): Promise<void> {
  show(await ask(callService(paths(options), 'addServer', { name })), options);
}

export async function removeServer(name: string, options: QueryOptions): Promise<void> {
  show(await ask(callService(paths(options), 'removeServer', { name })), options);
}

export async function checkRelay(address: string, options: QueryOptions): Promise<void> {
  const result = await ask(callService(paths(options), 'checkRelay', { address }, PROBE_MS));
  if (options.json) printJson(result);
  else if (result.ok) print(result.text);
  if (!result.ok) throw new Exit(EXIT.failed, options.json ? '' : result.text);
}

function show(rows: readonly ServerRow[], options: QueryOptions): void {
  if (options.json) printJson(rows);
  else print(serversText(rows));
}

function serversText(rows: readonly ServerRow[]): string {
  return table([
    ['', '#', 'SERVER', 'ADDRESS', 'FROM', 'STATE'],
    ...rows.map((row) => [
      row.inUse ? '*' : row.suggested ? '+' : '',
      row.order === null ? '' : String(row.order),
      row.name,
      row.address ?? '-',
      FROM[row.from],
      `${row.text}${row.suggested && !row.inUse ? ' The best of these.' : ''}`,
    ]),
  ]);
}
