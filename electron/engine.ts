// Module electron/engine runs the client inside the app: on the built-in network or a real one, one at a time, and tells what becomes of it.
import type { Api, Status } from '../engine/service/api.ts';
import type { ServiceHooks } from '../engine/service/client-service.ts';
import { startBuiltIn } from '../engine/service/builtin/start.ts';
import type { SettingsPlaces } from '../engine/service/config.ts';
import { loneDoctor } from '../engine/service/doctor/alone.ts';
import { doctorApi } from '../engine/service/doctor/api.ts';
import type { Doctor } from '../engine/service/doctor/doctor.ts';
import { failureOf, ServiceError } from '../engine/service/errors.ts';
import type { LogEntry } from '../engine/service/log.ts';
import { configPaths } from '../engine/service/paths.ts';
import type { ShellState } from '../engine/service/shell-calls.ts';
import { LogRing, SliceFeed } from '../engine/service/slice-feed.ts';
import { emptySnapshot } from '../engine/service/slices.ts';
import type { EngineSnapshot, Update } from '../engine/service/slices.ts';
import { startClient } from '../engine/service/start.ts';

export type NetworkKind = ShellState['networkKind'];
export type EngineState = ShellState['engine'];

/** What both kinds of client offer. */
interface Running {
  readonly api: Api;
  status(): Status;
  pause(paused: boolean): void;
  close(): Promise<void>;
}

export interface EngineHooks {
  /** Something changed: the state of the engine, or something in the client. */
  readonly onChange: () => void;
  readonly onLog: (entry: LogEntry) => void;
}

type Watcher = (update: Update<EngineSnapshot>) => void;

const STARTING: EngineState = { state: 'starting', code: null, text: null };

export class Engine {
  readonly log = new LogRing();
  private readonly hooks: EngineHooks;
  private readonly watchers = new Map<Watcher, () => void>();
  private running: Running | null = null;
  private feed: SliceFeed | null = null;
  private current: EngineState = STARTING;
  private paused = false;
  /** Where the client that did not start would have had its settings from. */
  private places: SettingsPlaces | null = null;
  /** Looks why it did not. */
  private doctor: Doctor | null = null;
  /** Starts and stops, one after the other. */
  private work: Promise<void> = Promise.resolve();

  constructor(hooks: EngineHooks) {
    this.hooks = hooks;
  }

  get state(): EngineState {
    return this.current;
  }

  get api(): Api | null {
    return this.running?.api ?? null;
  }

  /** What answers although no client runs: a doctor where one failed to start. Throws ServiceError 'bad-config'. */
  get doctorAlone(): Pick<Api, 'doctor' | 'doctorState'> | null {
    if (this.current.state !== 'failed' || !this.places) return null;
    this.doctor ??= this.callDoctor(this.places);
    return doctorApi(this.doctor);
  }

  status(): Status | null {
    return this.running?.status() ?? null;
  }

  /** Ends what runs and starts a client on that network. Never rejects: a failure is the state. */
  start(kind: NetworkKind, server: string | null): Promise<void> {
    return this.then(async () => {
      await this.end();
      this.doctor = null;
      this.places = null;
      this.become(STARTING);
      const feed = new SliceFeed(this.log);
      try {
        this.running = await this.launch(kind, server, feed);
        this.running.pause(this.paused);
        this.feed = feed;
        this.become({ state: 'running', code: null, text: null });
      } catch (error) {
        this.failed(error as Error);
      }
    });
  }

  /** Off until told otherwise, over starts too. */
  pause(paused: boolean): void {
    this.paused = paused;
    this.running?.pause(paused);
  }

  /** Something outside changed: those who watch are told soon. */
  look(): void {
    this.feed?.changed();
  }

  /** Leaves the machine as it was. */
  close(): Promise<void> {
    return this.then(() => this.end());
  }

  /** Slices of whatever runs; each start and each failure begins with a whole snapshot. Returns a stop function. */
  watch(onUpdate: Watcher): () => void {
    this.watchers.set(onUpdate, () => undefined);
    this.tell(onUpdate);
    return () => {
      this.watchers.get(onUpdate)?.();
      this.watchers.delete(onUpdate);
    };
  }

  note(entry: LogEntry): void {
    this.log.add(entry);
    this.hooks.onLog(entry);
    this.feed?.changed();
  }

  private then(work: () => Promise<void>): Promise<void> {
    this.work = this.work.then(work);
    return this.work;
  }

  private async end(): Promise<void> {
    const { running } = this;
    this.running = null;
    this.feed = null;
    for (const stop of this.watchers.values()) stop();
    await running?.close();
  }

  private launch(kind: NetworkKind, server: string | null, feed: SliceFeed): Promise<Running> {
    const hooks = {
      log: this.hooks.onLog,
      onChange: this.hooks.onChange,
      onFailed: (error: Error) => {
        if (this.feed === feed) {
          this.running = null;
          this.feed = null;
          this.failed(error);
        }
      },
    };
    if (kind === 'built-in') return this.launchBuiltIn(feed, hooks);
    const overrides = server === null ? {} : { server };
    this.places = { defaults: configPaths(), overrides, overriddenBy: 'app' };
    return startClient(this.places, { ...hooks, feed });
  }

  /** Where another client has the control socket already, the built-in network does without. */
  private async launchBuiltIn(feed: SliceFeed, hooks: ServiceHooks): Promise<Running> {
    try {
      return await startBuiltIn({ feed }, hooks);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      this.note({ level: 'warning', text: error.message });
      return startBuiltIn({ feed, control: null }, hooks);
    }
  }

  /** One that was called before another start is not listened to any more. */
  private callDoctor(places: SettingsPlaces): Doctor {
    const doctor = loneDoctor(places, () => {
      if (this.doctor === doctor) this.tellAll();
    });
    return doctor;
  }

  private failed(error: Error): void {
    this.note({ level: 'error', text: error.message });
    this.become({ state: 'failed', ...failureOf(error) });
  }

  private become(state: EngineState): void {
    this.current = state;
    this.tellAll();
    this.hooks.onChange();
  }

  private tellAll(): void {
    for (const [watcher, stop] of this.watchers) {
      stop();
      this.tell(watcher);
    }
  }

  private tell(watcher: Watcher): void {
    if (this.feed) {
      this.watchers.set(watcher, this.feed.watch(watcher));
      return;
    }
    const { code, text } = this.current;
    const reason = { code: code ?? 'starting', text: text ?? '' };
    const snapshot = emptySnapshot(reason, this.log.list());
    const doctor = this.doctor?.state() ?? snapshot.doctor;
    watcher({ kind: 'snapshot', snapshot: { ...snapshot, doctor } });
    this.watchers.set(watcher, () => undefined);
  }
}
