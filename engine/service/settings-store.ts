// Module service/settings-store says of every setting what is in force and why, and changes, exports and imports those of the file.
import { chmodSync, mkdirSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Api } from './api.ts';
import { readSettings } from './config.ts';
import type { FileSettings, Settings, SettingsPlaces } from './config.ts';
import { ServiceError, systemCode } from './errors.ts';
import { judge, parseFile } from './judge.ts';
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

const DOCUMENT = 'shipworm settings';
const DOCUMENT_VERSION = 1;
const documentSchema = z.strictObject({
  document: z.literal(DOCUMENT, 'is not "shipworm settings"'),
  version: z.literal(DOCUMENT_VERSION, 'is one that this Shipworm does not know; use a newer one'),
  settings: z.record(z.string(), z.unknown(), 'must be an object of settings'),
});

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

  /** Reads nothing yet. */
  constructor(parts: StoreParts) {
    this.parts = parts;
  }

  /** Reads the files anew. Throws ServiceError 'bad-config'. */
  read(): Settings {
    try {
      const { places, runs } = this.parts;
      const fresh = readSettings(places, readPolicy(), runs);
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
    setSettings: async ({ values }) => {
      for (const name of Object.keys(values)) this.refuseRuled(name);
      const set = Object.entries(values).filter(([, value]) => value !== null);
      judge(fileSchema, Object.fromEntries(set), 'Not set');
      const rest = Object.entries(this.own()).filter(([name]) => !Object.hasOwn(values, name));
      return this.replace(Object.fromEntries([...rest, ...set]), 'Not set');
    },
    exportSettings: () => {
      const given = Object.entries(this.mustRead().given as Values);
      const settings = Object.fromEntries(given.filter(([name]) => this.isExported(name)));
      const document = { document: DOCUMENT, version: DOCUMENT_VERSION, settings };
      return Promise.resolve({ document: `${JSON.stringify(document, null, 2)}\n` });
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
      const secret = Object.entries(this.own()).filter(([name]) => NOT_EXPORTED.has(name));
      return this.replace({ ...settings, ...Object.fromEntries(secret) }, 'Not imported');
    },
  };

  state(): SettingsState {
    const { latest, error } = this;
    const rows = Object.keys(settingsSchema.shape).map((name) => this.row(name, latest));
    return { file: this.file(), error, rows };
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

  /** Makes `values` the content of the file, if all places together are good then; else nothing has changed. */
  private async replace(values: Values, failure: string): Promise<SettingsChange> {
    const before = (this.latest?.given ?? {}) as Values;
    const path = resolved(this.file());
    const fresh = `${path}.new`;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(fresh, `${JSON.stringify(values, null, 2)}\n`, { mode: 0o600, flush: true });
      const mode = statSync(path, { throwIfNoEntry: false })?.mode;
      if (mode !== undefined) chmodSync(fresh, mode & 0o777);
      this.tryOut(fresh, failure);
      renameSync(fresh, path);
    } catch (error) {
      rmSync(fresh, { force: true });
      if (error instanceof ServiceError) throw error;
      throw new ServiceError(
        'file-unwritable',
        `${failure}: ${path} can’t be written (${systemCode(error)}); change it as its owner, and then: shipworm reload`,
        { path, why: systemCode(error) },
      );
    }
    await this.reload();
    const after = this.read().given as Values;
    const changed = Object.keys(settingsSchema.shape).filter(
      (name) => !isDeepStrictEqual(before[name], after[name]),
    );
    const live = changed.filter((name) => this.parts.runs && isLive(name, after as FileSettings));
    return { applied: live, needRestart: changed.filter((name) => !live.includes(name)) };
  }

  /** Reads all places with `fresh` in the file's stead. Throws ServiceError 'bad-config'. */
  private tryOut(fresh: string, failure: string): void {
    const { places, runs } = this.parts;
    const { explicit, defaults } = places;
    const instead =
      explicit === undefined
        ? { defaults: [...defaults.slice(0, -1), fresh] }
        : { explicit: fresh };
    try {
      readSettings({ ...places, ...instead }, readPolicy(), runs);
    } catch (error) {
      const faults = (error as Error).message.replaceAll(fresh, this.file()).split('\n');
      throw new ServiceError('bad-config', `${failure}: ${oneOf(faults)}`);
    }
  }
}

/** Whether a running client takes the value that `given` has. */
function isLive(name: string, given: FileSettings): boolean {
  return LIVE_NAMES.has(name) || (name === 'exposeAll' && given.exposeAll !== true);
}

/** The settings of a document. Throws ServiceError 'bad-config'. */
function settingsOf(text: string): FileSettings {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new ServiceError('bad-config', 'Not imported: it is no JSON document.');
  }
  const { settings } = judge(documentSchema, json, 'Not imported');
  return judge(fileSchema, settings, 'Not imported');
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

type Shape = Pick<SettingRow, 'kind' | 'choices' | 'min' | 'max'>;
const shapes = new Map<string, Shape>();

/** What a value may look like, as the schema has it. */
function shapeOf(name: string): Shape {
  const known = shapes.get(name);
  if (known) return known;
  const schema = settingsSchema.shape[name as keyof typeof settingsSchema.shape] as z.ZodType;
  const found = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' });
  const { type, enum: choices, minimum, maximum, anyOf } = found;
  const kind =
    anyOf || type === 'array'
      ? 'list'
      : choices
        ? 'choice'
        : type === 'boolean'
          ? 'flag'
          : type === 'integer' || type === 'number'
            ? 'number'
            : type === 'object'
              ? 'object'
              : 'text';
  const shape: Shape = {
    kind,
    choices: choices ? choices.map(String) : null,
    min: typeof minimum === 'number' ? minimum : null,
    max: typeof maximum === 'number' ? maximum : null,
  };
  shapes.set(name, shape);
  return shape;
}
