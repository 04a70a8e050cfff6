// Module service/reload puts settings that were read anew into force, as far as a running service can take them.
import { isDeepStrictEqual } from 'node:util';
import { told as byCode } from './told.ts';
import type { ReloadResult } from './api.ts';
import { ServiceError } from './errors.ts';
import { LeveledLog } from './log.ts';
import type { LogEntry, LogLevel } from './log.ts';

export interface ReloadOptions<S, K extends keyof S & string> {
  /** What the service was started with. */
  readonly settings: S;
  /** Reads and judges the whole of the settings anew. Throws ServiceError 'bad-config'. */
  readonly read: () => S;
  /** The settings that a running service takes; all others wait for the next start. */
  readonly live: readonly K[];
  /** Puts new values of `live` into force. */
  readonly apply: (settings: Pick<S, K>) => void;
  readonly log: (entry: LogEntry) => void;
}

/** Where settings come from, no settings themselves. */
const ABOUT_SETTINGS: readonly string[] = ['given', 'sources'];

/** Reloads one service; see `reload`. */
export class Reloader<S extends object, K extends keyof S & string> {
  private readonly options: ReloadOptions<S, K>;
  private current: S;

  constructor(options: ReloadOptions<S, K>) {
    this.options = options;
    this.current = options.settings;
  }

  /**
   * Reads the settings anew, and only if all of them are good applies those that changed and can be applied. Throws
   * ServiceError 'bad-config' when one is not: then nothing has changed.
   */
  reload(): ReloadResult {
    const { log, apply } = this.options;
    const fresh = this.readAll();
    const changed = Object.keys(fresh).filter(
      (key) => !isDeepStrictEqual(fresh[key as keyof S], this.current[key as keyof S]),
    );
    const live: readonly string[] = this.options.live;
    const applied = changed.filter((key) => live.includes(key));
    const needRestart = changed.filter((key) => !live.includes(key));
    const told = applied.filter((key) => !ABOUT_SETTINGS.includes(key));
    const result = { applied: told, needRestart };
    const level = needRestart.length > 0 ? 'warning' : 'info';
    const names = { applied: told.join(', '), needRestart: needRestart.join(', ') };
    log({ level, text: reloadText(result), ...byCode('reloaded', names) });
    // Told before: a new log level is for what comes after.
    if (applied.length > 0) {
      const values = Object.fromEntries(live.map((key) => [key, fresh[key as keyof S]]));
      this.current = { ...this.current, ...values };
      apply(this.current);
    }
    return result;
  }

  private readAll(): S {
    try {
      return this.options.read();
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      const text = `The configuration was not reloaded, and the old one stays in force: ${error.message.replaceAll('\n', ' ')}`;
      this.options.log({ level: 'error', text });
      throw new ServiceError(error.code, text, error.params);
    }
  }
}

/** A service's log at the level of its settings, and the reload of these. `apply` takes new values of `live`. */
export function reloadable<S extends { readonly logLevel: LogLevel }, K extends keyof S & string>(
  settings: S,
  { log, reread }: { readonly log: (entry: LogEntry) => void; readonly reread: () => S },
  live: readonly K[],
  apply: (settings: Pick<S, K>) => void,
): { readonly log: (entry: LogEntry) => void; readonly reload: () => Promise<ReloadResult> } {
  const leveled = new LeveledLog(settings.logLevel, log);
  const reloader = new Reloader<S, K | 'logLevel'>({
    settings,
    read: reread,
    live: [...live, 'logLevel'],
    apply: (fresh) => {
      leveled.level = fresh.logLevel;
      apply(fresh);
    },
    log: leveled.log,
  });
  return {
    log: leveled.log,
    reload: () => new Promise((resolve) => resolve(reloader.reload())),
  };
}

/** What a reload did, in a sentence or two. */
export function reloadText({ applied, needRestart }: ReloadResult): string {
  const done =
    applied.length > 0
      ? `The configuration was reloaded; new: ${applied.join(', ')}.`
      : needRestart.length > 0
        ? 'The configuration was read anew.'
        : 'The configuration was read anew; nothing has changed.';
  return needRestart.length > 0
    ? `${done} A change of ${needRestart.join(', ')} needs a restart; the old value stays until then.`
    : done;
}
