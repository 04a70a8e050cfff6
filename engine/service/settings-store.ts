// Module service/settings-store says of every setting what is in force and why, and changes, exports and imports those of the file.
import { chmodSync, mkdirSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { openKeychain } from '../host/index.ts';
import type { Api } from './api.ts';
import { readSettings } from './config.ts';
import type { FileSettings, Settings, SettingsPlaces } from './config.ts';
import { codeOf, ServiceError, systemCode } from './errors.ts';
import { IDENTITY, IdentityKeeper, KEYCHAIN } from './identity.ts';
import type { Identity } from './identity.ts';
import { judge, parseFile } from './judge.ts';
import type { LogEntry } from './log.ts';
import { configPaths } from './paths.ts';
import { readPolicy } from './policy.ts';
import type { SettingRow, settingsCalls, SettingsChange, SettingsState } from './settings-calls.ts';
import {
  DEFAULTS,
  fileSchema,
  LIVE_NAMES,
  NOT_EXPORTED,
  SECRETS,
  settingsSchema,
  WEAKENING,
} from './settings-schema.ts';
import { documentOf, settingsOf } from './settings-document.ts';
import { shapeOf } from './settings-shape.ts';
import { told } from './told.ts';

/** Policy's names of what the settings call otherwise. */
const POLICY_NAMES: Readonly<Record<string, string>> = {
  server: 'serverName',
  port: 'clientPort',
  refreshInterval: 'refreshRate',
};

type Values = Readonly<Record<string, unknown>>;

export interface StoreParts {
  readonly places: SettingsPlaces;
  /** False: nothing runs by these settings, so that they may lack a server, and none is in force before a start. */
  readonly runs: boolean;
  readonly onChange: () => void;
  readonly log?: (entry: LogEntry) => void;
}

/** The settings of one client; see `api`. */
export class SettingsStore {
  private readonly parts: StoreParts;
  /** What the service runs by. */
  private readonly inForce = new Map<string, unknown>();
  private readonly sources = new Map<string, string | undefined>();
  private latest: Settings | null = null;
  private error: string | null = null;
  private reload: () => Promise<unknown> = () => Promise.resolve();
  private readonly identity: IdentityKeeper;
  /** Changes and looks, one after the other. */
  private work: Promise<unknown> = Promise.resolve();

  /** Reads nothing yet. */
  constructor(parts: StoreParts) {
    this.parts = parts;
    const { log = () => undefined, places } = parts;
    // A file that was named is somebody's choice, and perhaps nobody's who has a desktop.
    const none = (): Promise<null> => Promise.resolve(null);
    this.identity = new IdentityKeeper({ open: places.explicit ? none : openKeychain, log });
  }

  /** The settings of this user where nothing runs by them, as far as they can be read. */
  static async idle(onChange: () => void = () => undefined): Promise<SettingsStore> {
    const places = { defaults: configPaths(), overrides: {} };
    const store = new SettingsStore({ places, runs: false, onChange });
    await store.look(false);
    try {
      store.read();
    } catch {
      // Its state says so.
    }
    return store;
  }

  /**
   * Looks what the keychain keeps, and moves the identity there if the user's own file has one. `asks`: the person may be asked to unlock
   * what is kept. `asksToMove`: also for what is in the file. Before `read`; never rejects.
   */
  look(asks: boolean, asksToMove = false): Promise<void> {
    return this.inTurn(async () => {
      await this.identity.look(asks);
      await this.moveIdentity(asksToMove);
    });
  }

  /** What nobody may be told. */
  get secrets(): readonly string[] {
    const { credentials, given } = this.latest ?? { credentials: null, given: {} };
    return [...Object.values(credentials ?? {}), ...(given.dnsKey ? [given.dnsKey] : [])];
  }

  /** Reads the files anew. Throws ServiceError 'bad-config'. */
  read(): Settings {
    try {
      const { places, runs } = this.parts;
      const fresh = readSettings({ ...places, kept: this.identity.value }, readPolicy(), runs);
      const first = this.latest === null || !runs;
      this.latest = fresh;
      this.error = null;
      for (const name of Object.keys(settingsSchema.shape))
        if (first || isLive(name, fresh.given)) this.putInForce(name, fresh);
      return fresh;
    } catch (error) {
      this.error = (error as Error).message.replaceAll('\n', ' ');
      throw error;
    } finally {
      this.parts.onChange();
    }
  }

  /** What puts changed files into force. */
  attach(reload: () => Promise<unknown>): void {
    this.reload = reload;
  }

  /** The calls of service/settings-calls. */
  readonly api: Pick<Api, keyof typeof settingsCalls> = {
    settings: () => Promise.resolve(this.state()),
    setSettings: ({ values }) =>
      this.inTurn(async () => {
        for (const name of Object.keys(values)) this.refuseRuled(name);
        const set = Object.entries(values).filter(([, value]) => value !== null);
        judge(fileSchema, Object.fromEntries(set), 'Not set');
        const without = (all: Values): Values =>
          Object.fromEntries(Object.entries(all).filter(([name]) => !Object.hasOwn(values, name)));
        const file = { ...without(this.own()), ...Object.fromEntries(set) };
        const about = IDENTITY.some((name) => Object.hasOwn(values, name));
        if (!about || !(await this.hasKeychain())) return this.replace(file, 'Not set');
        const parts = parted({ ...without(this.identity.value ?? {}), ...file });
        return this.replace(parts.file, 'Not set', parts.kept);
      }),
    exportSettings: () => {
      const given = Object.entries(this.mustRead().given as Values);
      const settings = Object.fromEntries(given.filter(([name]) => this.isExported(name)));
      return Promise.resolve({ document: documentOf(settings) });
    },
    importSettings: async ({ document, weaken }) => {
      const settings = settingsOf(document);
      const now = this.mustRead().given as Values;
      const opened = WEAKENING.filter(
        (name) =>
          (settings as Values)[name] !== undefined &&
          (settings as Values)[name] !== false &&
          !isDeepStrictEqual((settings as Values)[name], now[name]),
      );
      if (opened.length > 0 && !weaken)
        throw new ServiceError(
          'weakens',
          `Not imported: it would set ${opened.join(', ')}, which opens this PC further; if you trust where it comes from, import it with that allowed (--weaken).`,
          { names: opened.join(', ') },
        );
      return this.inTurn(async () => {
        const secret = Object.entries(this.own()).filter(([name]) => NOT_EXPORTED.has(name));
        const file = { ...settings, ...Object.fromEntries(secret) };
        const about = IDENTITY.some((name) => Object.hasOwn(file, name));
        if (!about || !(await this.hasKeychain())) return this.replace(file, 'Not imported');
        const parts = parted({ ...file, ...this.identity.value });
        return this.replace(parts.file, 'Not imported', parts.kept);
      });
    },
    unlockKeychain: async () => {
      await this.look(true, true);
      await this.reload();
      this.read();
      return this.state();
    },
  };

  state(): SettingsState {
    const { latest, error } = this;
    const rows = Object.keys(settingsSchema.shape).map((name) => this.row(name, latest));
    return { file: this.file(), error, rows, identity: this.identityPlace() };
  }

  /** Where the identity of secure qualification is, or would be. */
  private identityPlace(): SettingsState['identity'] {
    const { state } = this.identity;
    const source = this.policySource('key') ?? this.sources.get('key');
    if (source === KEYCHAIN) return 'keychain';
    const inFile = source === this.file();
    if (source !== undefined && !inFile) return 'elsewhere';
    if (state === 'absent') return 'file';
    if (inFile) return state === 'locked' ? 'file-locked' : 'file-stays';
    return state === 'open' ? 'keychain' : state;
  }

  private row(name: string, latest: Settings | null): SettingRow {
    const secret = SECRETS.has(name);
    const value = this.inForce.get(name) ?? (DEFAULTS as Values)[name] ?? null;
    const policy = this.policySource(name);
    const wanted = (latest?.given as Values | undefined)?.[name];
    return {
      ...{ name, secret },
      value: secret ? value !== null || null : value,
      default: (DEFAULTS as Values)[name] ?? null,
      source: policy ?? this.sources.get(name) ?? 'default',
      locked: policy !== undefined,
      needsRestart: !LIVE_NAMES.has(name),
      waiting: latest !== null && !isDeepStrictEqual(wanted, this.inForce.get(name)),
      ...shapeOf(name),
    };
  }

  private policySource(name: string): string | undefined {
    return this.latest?.policy.sources[POLICY_NAMES[name] ?? name];
  }

  private putInForce(name: string, { given, sources }: Settings): void {
    this.inForce.set(name, (given as Values)[name]);
    this.sources.set(name, sources[name]);
  }

  private isExported(name: string): boolean {
    const fromFile = this.latest!.sources[name]?.startsWith('/') ?? false;
    return fromFile && !NOT_EXPORTED.has(name) && this.policySource(name) === undefined;
  }

  /** What the policy or the command line sets is not changed by a file. */
  private refuseRuled(name: string): void {
    const policy = this.policySource(name);
    if (policy !== undefined)
      throw new ServiceError(
        'locked',
        `The policy ${policy} sets ${name}; only an administrator can change it.`,
        { name, source: policy },
      );
    if (Object.hasOwn(this.parts.places.overrides, name))
      throw new ServiceError(
        'locked',
        `${name} is set by the ${this.parts.places.overriddenBy ?? 'command line'}, which rules over the file; change it there.`,
        { name, source: this.parts.places.overriddenBy ?? 'command line' },
      );
  }

  private mustRead(): Settings {
    return this.latest ?? this.read();
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.work.then(work);
    this.work = done.catch(() => undefined);
    return done;
  }

  // ---- the keychain

  private async hasKeychain(): Promise<boolean> {
    await this.identity.look(false);
    return this.identity.state !== 'absent';
  }

  /** Throws ServiceError; nothing has changed then. */
  private async keep({ clientId, key }: Partial<Identity>, failure: string): Promise<void> {
    const whole = clientId !== undefined && key !== undefined ? { clientId, key } : null;
    try {
      await this.identity.keep(whole, true);
    } catch (error) {
      const code = codeOf(error);
      const todo = code === 'keychain-locked' ? ' Unlock it, and try again.' : '';
      throw new ServiceError(code, `${failure}: ${(error as Error).message}${todo}`);
    }
  }

  /** Written to the keychain first, read back, and only then out of the file: what fails half-way is done again the next time. */
  private async moveIdentity(asks: boolean): Promise<void> {
    const { state, value } = this.identity;
    if (state !== 'open') return;
    try {
      const own = this.own();
      const { kept, file } = parted({ ...value, ...own });
      const { clientId, key } = kept;
      const inFile = IDENTITY.some((name) => Object.hasOwn(own, name));
      if (!inFile || clientId === undefined || key === undefined) return;
      if (!isDeepStrictEqual(kept, value)) await this.identity.keep({ clientId, key }, asks);
      this.put(file, 'Not moved', { clientId, key }, true);
      const text = `Your identity for secure qualification was moved from ${this.file()} to the keychain.`;
      this.parts.log?.({ level: 'info', text, ...told('identity-moved', { file: this.file() }) });
    } catch (error) {
      // What is wrong with the file its reader says.
      if (codeOf(error) === 'bad-config') return;
      const failure = (error as Error).message;
      const text = `Your identity for secure qualification stays in ${this.file()}: ${failure}`;
      const params = { file: this.file(), failure };
      this.parts.log?.({ level: 'warning', text, ...told('identity-stays', params) });
    }
  }

  // ---- the file

  /** The one that a user may write: the named one, or his own. */
  private file(): string {
    const { explicit, defaults } = this.parts.places;
    return explicit ?? defaults.at(-1) ?? '';
  }

  /** What the file itself sets. Throws ServiceError 'bad-config'. */
  private own(): Values {
    let text: string;
    try {
      text = readFileSync(this.file(), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
      throw new ServiceError(
        'file-unreadable',
        `${this.file()} could not be read (${(error as Error).message}).`,
        { path: this.file(), why: systemCode(error) },
      );
    }
    const faults: string[] = [];
    const values = parseFile(fileSchema, text, this.file(), faults);
    if (faults.length > 0) throw new ServiceError('bad-config', oneOf(faults));
    return values;
  }

  /**
   * Makes `values` the content of the file, and `kept` that of the keychain if given, if all places together are good then; else nothing has
   * changed.
   */
  private async replace(
    values: Values,
    failure: string,
    kept?: Partial<Identity>,
  ): Promise<SettingsChange> {
    const before = (this.latest?.given ?? {}) as Values;
    if (kept) {
      this.put(values, failure, kept, false);
      await this.keep(kept, failure);
    }
    this.put(values, failure, this.identity.value, true);
    await this.reload();
    const after = this.read().given as Values;
    const changed = Object.keys(settingsSchema.shape).filter(
      (name) => !isDeepStrictEqual(before[name], after[name]),
    );
    const live = changed.filter((name) => this.parts.runs && isLive(name, after as FileSettings));
    return { applied: live, needRestart: changed.filter((name) => !live.includes(name)) };
  }

  /** Judges all places with `values` in the file and `kept` in the keychain, and if they are good writes the file, unless it is only a trial. */
  private put(
    values: Values,
    failure: string,
    kept: Partial<Identity> | null,
    writes: boolean,
  ): void {
    const path = resolved(this.file());
    const fresh = `${path}.new`;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(fresh, `${JSON.stringify(values, null, 2)}\n`, { mode: 0o600, flush: true });
      const mode = statSync(path, { throwIfNoEntry: false })?.mode;
      if (mode !== undefined) chmodSync(fresh, mode & 0o777);
      this.tryOut(fresh, failure, kept);
      if (writes) renameSync(fresh, path);
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      throw new ServiceError(
        'file-unwritable',
        `${failure}: ${path} can’t be written (${systemCode(error)}); change it as its owner, and then: shipworm reload`,
        { path, why: systemCode(error) },
      );
    } finally {
      rmSync(fresh, { force: true });
    }
  }

  /** Reads all places with `fresh` in the file's stead. Throws ServiceError 'bad-config'. */
  private tryOut(fresh: string, failure: string, kept: Partial<Identity> | null): void {
    const { places, runs } = this.parts;
    const { explicit, defaults } = places;
    const instead =
      explicit === undefined
        ? { defaults: [...defaults.slice(0, -1), fresh] }
        : { explicit: fresh };
    try {
      readSettings({ ...places, ...instead, kept }, readPolicy(), runs);
    } catch (error) {
      const faults = (error as Error).message.replaceAll(fresh, this.file()).split('\n');
      throw new ServiceError('bad-config', `${failure}: ${oneOf(faults)}`);
    }
  }
}

/** What of `all` goes into the keychain where there is one, and what into the file. */
function parted(all: Values): { readonly kept: Partial<Identity>; readonly file: Values } {
  const { clientId, key, ...file } = all as Values & Partial<Identity>;
  return {
    kept: { ...(clientId !== undefined && { clientId }), ...(key !== undefined && { key }) },
    file,
  };
}

/** Whether a running client takes the value that `given` has. */
function isLive(name: string, given: FileSettings): boolean {
  return LIVE_NAMES.has(name) || (name === 'exposeAll' && given.exposeAll !== true);
}

function oneOf(faults: readonly string[]): string {
  return faults.length === 1 ? faults[0]! : `${faults[0]!} (${faults.length - 1} more)`;
}

function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
