// Module service/slice-feed tells those who watch a running client what changed in it, slice by slice, and keeps its log.
import type { Api, Status } from './api.ts';
import type { ServiceHooks } from './client-service.ts';
import type { LogEntry } from './log.ts';
import { applyUpdate, changeBetween, LOG_ROWS } from './slices.ts';
import type { EngineSnapshot, ListenerRow, LogRow, Update } from './slices.ts';

/** At most ten updates a second; what nobody tells of (counters, ages of peers) is looked at each second. */
const FASTEST_MS = 100;
const LOOK_MS = 1_000;
/** Who listens is asked of the system, so less often. */
const LISTENERS_MS = 2_000;

/** The last lines of a log. It outlives the client that wrote them. */
export class LogRing {
  private rows: LogRow[] = [];
  private seq = 0;
  private listed: readonly LogRow[] = [];

  add({ level, text, told }: LogEntry): void {
    const at = Date.now();
    this.rows.push({ seq: ++this.seq, at, level, text, ...(told && { told }) });
    // Cut rarely, so that each line costs nothing.
    if (this.rows.length > LOG_ROWS * 1.1) this.rows = this.rows.slice(-LOG_ROWS);
  }

  /** The last LOG_ROWS lines, the oldest first. */
  list(): readonly LogRow[] {
    if (this.listed.at(-1)?.seq !== this.seq) this.listed = this.rows.slice(-LOG_ROWS);
    return this.listed;
  }
}

type Watcher = (update: Update<EngineSnapshot>) => void;
type WatchedApi = Pick<
  Api,
  | 'apps'
  | 'reachable'
  | 'flows'
  | 'questions'
  | 'policy'
  | 'network'
  | 'builtIn'
  | 'doctorState'
  | 'servers'
  | 'failover'
  | 'ownState'
  | 'pcs'
  | 'settings'
  | 'captureState'
  | 'hookState'
>;

/** The slices of one client. While nobody watches it has no timer and asks for nothing. */
export class SliceFeed {
  readonly log: LogRing;
  /** Each with whether it has the whole already. */
  private readonly watchers = new Map<Watcher, { whole: boolean }>();
  private source: { readonly api: WatchedApi; readonly status: () => Status } | null = null;
  private last: EngineSnapshot | null = null;
  private lookedAt = -Infinity;
  private listeners: { readonly at: number; readonly rows: readonly ListenerRow[] } | null = null;
  private timer: NodeJS.Timeout | null = null;
  private looking = false;
  private again = false;

  constructor(log = new LogRing()) {
    this.log = log;
  }

  /** `hooks` that tell this feed, too. */
  wrap<H extends ServiceHooks>(hooks: H): H {
    return {
      ...hooks,
      log: (entry: LogEntry) => {
        this.log.add(entry);
        hooks.log(entry);
        this.changed();
      },
      onChange: () => {
        hooks.onChange?.();
        this.changed();
      },
    };
  }

  /** The client runs: from now on those who watch hear of it. */
  attach(api: WatchedApi, status: () => Status): void {
    this.source = { api, status };
    this.changed();
  }

  /** Calls back with the whole first, then with changes. Returns a stop function. */
  watch(onUpdate: Watcher): () => void {
    this.watchers.set(onUpdate, { whole: false });
    this.arm(0);
    return () => {
      this.watchers.delete(onUpdate);
      if (this.watchers.size > 0) return;
      if (this.timer) clearTimeout(this.timer);
      this.timer = null;
      this.last = null;
    };
  }

  /** Something changed: it is told soon. */
  changed(): void {
    this.arm(FASTEST_MS);
  }

  /** Looks `wait` ms after the last look, or at once if that is past. */
  private arm(wait: number): void {
    if (this.watchers.size === 0 || !this.source) return;
    if (this.looking) {
      this.again = true;
      return;
    }
    if (this.timer) clearTimeout(this.timer);
    const due = Math.max(0, this.lookedAt + wait - performance.now());
    this.timer = setTimeout(() => void this.look(this.source!), due);
  }

  private async look(source: NonNullable<typeof this.source>): Promise<void> {
    this.looking = true;
    this.again = false;
    this.lookedAt = performance.now();
    try {
      const now = await this.read(source);
      const change = this.last && changeBetween(this.last, now);
      this.last = change ? applyUpdate(this.last, change) : (this.last ?? now);
      for (const [watcher, state] of this.watchers) {
        if (!state.whole) watcher({ kind: 'snapshot', snapshot: this.last });
        else if (change) watcher(change);
        state.whole = true;
      }
    } catch {
      // The client closes: whoever closes it tells.
    } finally {
      this.looking = false;
      this.arm(this.wait());
    }
  }

  /** Who changed something while it was looked at is not kept waiting. */
  private wait(): number {
    return this.again ? FASTEST_MS : LOOK_MS;
  }

  private async read({
    api,
    status: statusOf,
  }: NonNullable<typeof this.source>): Promise<EngineSnapshot> {
    const none = {};
    const { peers, ...status } = statusOf();
    const at = Date.now();
    const { datapath } = status.counters;
    return {
      status,
      peers: peers.map(({ lastHeardMs, ...peer }) => ({
        ...peer,
        lastHeardAt: lastHeardMs === null ? null : at - lastHeardMs,
      })),
      apps: await api.apps(none),
      reachable: await this.readListeners(api),
      flows: (await api.flows(none)).map(({ idleMs, ...flow }) => ({
        ...flow,
        lastAt: at - idleMs,
      })),
      questions: (await api.questions(none)).map(({ firstAgoMs, lastAgoMs, ...question }) => ({
        ...question,
        firstAt: at - firstAgoMs,
        lastAt: at - lastAgoMs,
      })),
      policy: await api.policy(none),
      network: await api.network(none),
      builtIn: (await api.builtIn?.(none)) ?? null,
      doctor: await api.doctorState(none),
      servers: { rows: await api.servers(none), failover: await api.failover(none) },
      own: await api.ownState(none),
      knownPcs: await api.pcs(none),
      settings: await api.settings(none),
      capture: await api.captureState(none),
      hook: await api.hookState(none),
      log: this.log.list(),
      traffic: {
        at,
        bytesIn: datapath['bytesIn'] ?? 0,
        bytesOut: datapath['bytesOut'] ?? 0,
      },
    };
  }

  private async readListeners(api: WatchedApi): Promise<readonly ListenerRow[]> {
    const now = performance.now();
    if (this.listeners && now - this.listeners.at < LISTENERS_MS) return this.listeners.rows;
    // Without names nobody can be listed; `status` says so.
    const rows = await api.reachable({}).catch((): ListenerRow[] => []);
    this.listeners = { at: now, rows };
    return rows;
  }
}
