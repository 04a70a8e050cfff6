// Module service/slices names what a screen shows, slice by slice, and makes the next snapshot of one and an update.
//
// Everything here is pure and needs no package, so that a window can bundle it. Times are ms since 1970 where the API's calls
// give ages: a row that only grew older is then the same row.
import type { CallResult, PeerEntry, Status } from './api.ts';
import type { BuiltInState } from './builtin/calls.ts';
import type { CaptureState } from './capture/calls.ts';
import type { DoctorState } from './doctor-calls.ts';
import type { HookState } from './hook/calls.ts';
import { NOTHING_TOLD } from './hook/state.ts';
import type { KnownPc } from './pc-calls.ts';
import type { LogLevel } from './log.ts';
import type { OwnState } from './own/calls.ts';
import { NOT_ASKED } from './portmap/state.ts';
import type { Failover, ServerRow } from './server-list-calls.ts';
import type { SettingsState } from './settings-calls.ts';
import type { ShellState } from './shell-calls.ts';
import type { Told } from './told.ts';

type FlowEntry = CallResult<'flows'>[number];
type QuestionEntry = CallResult<'questions'>[number];

export type StatusSlice = Omit<Status, 'peers'>;
export type PeerRow = Omit<PeerEntry, 'lastHeardMs'> & { readonly lastHeardAt: number | null };
export type AppRow = CallResult<'apps'>[number];
export type ListenerRow = CallResult<'reachable'>[number];
export type FlowRow = Omit<FlowEntry, 'idleMs'> & { readonly lastAt: number };
export type QuestionRow = Omit<QuestionEntry, 'firstAgoMs' | 'lastAgoMs'> & {
  readonly firstAt: number;
  readonly lastAt: number;
};

/** One line of the log; `seq` counts from 1. */
export interface LogRow {
  readonly seq: number;
  readonly at: number;
  readonly level: LogLevel;
  readonly text: string;
  readonly told?: Told;
}

/** Bytes of packets that passed since the start, and when that was. */
export interface Traffic {
  readonly at: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Teredo servers, and what happens when the one in use falls silent. */
export interface ServersSlice {
  readonly rows: readonly ServerRow[];
  readonly failover: Failover;
}

/** Everything that a running client shows. */
export interface EngineSnapshot {
  readonly status: StatusSlice;
  readonly peers: readonly PeerRow[];
  readonly apps: readonly AppRow[];
  readonly reachable: readonly ListenerRow[];
  readonly flows: readonly FlowRow[];
  readonly questions: readonly QuestionRow[];
  readonly policy: CallResult<'policy'>;
  readonly network: CallResult<'network'>;
  /** Null on a real network. */
  readonly builtIn: BuiltInState | null;
  readonly doctor: DoctorState;
  readonly servers: ServersSlice;
  /** The check of one's own server and relay. */
  readonly own: OwnState;
  readonly knownPcs: readonly KnownPc[];
  readonly settings: SettingsState;
  readonly capture: CaptureState;
  /** What was told of the address outside. */
  readonly hook: HookState;
  readonly log: readonly LogRow[];
  readonly traffic: Traffic;
}

/** What a window shows: the client, and the app around it. */
export interface Snapshot extends EngineSnapshot {
  readonly shell: ShellState;
}

/** How a long list changed: rows to put in place of those with their key, or at the end, and keys of rows that are gone. */
export interface Patch<Row> {
  readonly upsert: readonly Row[];
  readonly remove: readonly string[];
}

interface Lists {
  readonly peers: PeerRow;
  readonly flows: FlowRow;
  readonly log: LogRow;
}
export type ListName = keyof Lists;
type Row = Lists[ListName];
type RowKey = (row: Row) => string;
export type Patches = { readonly [L in ListName]?: Patch<Lists[L]> };

/** The first update is the whole; later ones hold the slices that changed, long lists as patches. */
export type Update<S extends EngineSnapshot = Snapshot> =
  | { readonly kind: 'snapshot'; readonly snapshot: S }
  | {
      readonly kind: 'change';
      readonly set: Partial<Omit<S, ListName>>;
      readonly patches: Patches;
    };

/** Log lines that are kept. */
export const LOG_ROWS = 10_000;
/** A time is the same if it differs by less: it was computed from an age. */
const SAME_TIME_MS = 500;

/** The key of a row in its list. */
export const ROW_KEY: { readonly [L in ListName]: (row: Lists[L]) => string } = {
  peers: ({ address }) => address,
  flows: (row) =>
    `${row.protocol} ${row.local} ${row.localPort} ${row.remote} ${row.remotePort} ${row.direction}`,
  log: ({ seq }) => String(seq),
};
const LISTS: readonly ListName[] = ['peers', 'flows', 'log'];

/** The snapshot after `update`. Rows and slices that did not change stay the very same objects. */
export function applyUpdate<S extends EngineSnapshot>(snapshot: S | null, update: Update<S>): S {
  if (update.kind === 'snapshot') return update.snapshot;
  if (!snapshot) throw new TypeError('The first update must be a whole snapshot.');
  const lists: Partial<Record<ListName, readonly unknown[]>> = {};
  for (const name of LISTS) {
    const change: Patch<Row> | undefined = update.patches[name];
    if (change) lists[name] = patched<Row>(snapshot[name], change, ROW_KEY[name] as RowKey);
  }
  return { ...snapshot, ...update.set, ...lists };
}

/** Where each key stands in a list that was patched before: a row's key costs more than finding its place. */
const places = new WeakMap<object, Map<string, number>>();

function patched<Row>(
  rows: readonly Row[],
  { upsert, remove }: Patch<Row>,
  key: (row: Row) => string,
): readonly Row[] {
  const known = places.get(rows) ?? new Map(rows.map((row, i) => [key(row), i]));
  const gone = new Set(remove.map((name) => known.get(name)));
  const list = rows.slice();
  for (const row of upsert) {
    const name = key(row);
    const at = known.get(name) ?? list.length;
    known.set(name, at);
    list[at] = row;
  }
  places.delete(rows);
  if (remove.length > 0) return list.filter((_, i) => !gone.has(i));
  places.set(list, known);
  return list;
}

/** What leads from `before` to `after`; null when nothing changed. */
export function changeBetween<S extends EngineSnapshot>(before: S, after: S): Update<S> | null {
  const set: Record<string, unknown> = {};
  const patches: Partial<Record<ListName, Patch<unknown>>> = {};
  for (const name of Object.keys(after) as (keyof S & string)[]) {
    if (before[name] === after[name] || (LISTS as readonly string[]).includes(name)) continue;
    if (!same(before[name], after[name])) set[name] = after[name];
  }
  for (const name of LISTS) {
    const [old, now]: (readonly Row[])[] = [before[name], after[name]];
    const patch = old === now ? null : patchBetween(old!, now!, ROW_KEY[name] as RowKey);
    if (patch) patches[name] = patch;
  }
  if (Object.keys(set).length === 0 && Object.keys(patches).length === 0) return null;
  return {
    kind: 'change',
    set: set as Partial<Omit<S, ListName>>,
    patches: patches as Patches,
  };
}

function patchBetween<Row>(
  before: readonly Row[],
  after: readonly Row[],
  key: (row: Row) => string,
): Patch<Row> | null {
  const old = new Map(before.map((row) => [key(row), row]));
  const upsert: Row[] = [];
  for (const row of after) {
    const name = key(row);
    const was = old.get(name);
    old.delete(name);
    if (was !== row && (was === undefined || !same(was, row))) upsert.push(row);
  }
  return upsert.length === 0 && old.size === 0 ? null : { upsert, remove: [...old.keys()] };
}

/** The same content. Numbers whose name ends in `At` are times and may differ a little. */
function same(a: unknown, b: unknown, name = ''): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a === 'number' && typeof b === 'number')
    return name.endsWith('At') && Math.abs(a - b) < SAME_TIME_MS;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (key) =>
      key in b &&
      same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], key),
  );
}

/** What is shown of a client that does not run, and why it does not. */
export function emptySnapshot(reason: Status['reason'], log: readonly LogRow[]): EngineSnapshot {
  return {
    status: {
      state: 'off',
      reason,
      address: null,
      mtu: null,
      server: null,
      serverName: null,
      serverRttMs: null,
      mapped: null,
      nat: 'unknown',
      peerCounts: { known: 0, open: 0 },
      exposure: { mode: 'closed', text: '' },
      offloads: [],
      attribution: null,
      portMapping: NOT_ASKED,
      adapter: null,
      builtIn: false,
      counters: { discards: {}, datapath: {} },
    },
    peers: [],
    apps: [],
    reachable: [],
    flows: [],
    questions: [],
    policy: { files: [], values: [], apps: [] },
    network: { id: null, choice: 'ask', remembered: [] },
    builtIn: null,
    doctor: { report: null, running: [] },
    servers: {
      rows: [],
      failover: { code: 'asleep', text: '', afterSeconds: 0, locked: null, change: null },
    },
    own: { report: null, running: null },
    knownPcs: [],
    settings: { file: '', error: null, rows: [], identity: 'file' },
    capture: {
      ...{ running: false, packets: 0, bytes: 0, dropped: 0, limitBytes: 0 },
      ...{ startedAt: null, end: null, text: null },
    },
    hook: NOTHING_TOLD,
    log,
    traffic: { at: 0, bytesIn: 0, bytesOut: 0 },
  };
}
