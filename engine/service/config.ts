// Module service/config reads configuration files against a schema and says of each fault where it is, why, and how to mend it.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { isGlobalUnicast4, parseIp4 } from '../wire/index.ts';
import type { GateSettings } from '../gate/index.ts';
import { ServiceError } from './errors.ts';
import { LOG_LEVELS } from './log.ts';
import type { LogLevel } from './log.ts';
import { metricsEndpoint, parseMetricsEndpoint } from './metrics-server.ts';
import type { MetricsEndpoint } from './metrics-server.ts';

/** The tunnel sleeps so long after the last allowed flow or listener. */
const SLEEP_AFTER_S = 30;

const hostName = z
  .string()
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/,
    'is no host name or IPv4 address; write one, e.g. "teredo.example.net"',
  );
export const ip4 = z
  .string()
  .refine(
    (text) => parseIp4(text) !== undefined,
    'is no IPv4 address; write one, e.g. "192.0.2.2"',
  );
export const flag = z.boolean('must be true or false');

export const interfaceName = z
  .string('must be a name')
  .regex(
    /^[A-Za-z0-9_.-]{1,15}$/,
    'is no interface name; use 1 to 15 letters, digits, dots, dashes or underscores',
  );
export const logLevel = z.enum(LOG_LEVELS, 'must be "info", "warning" or "error"');
export const control = z.string('must be a path').startsWith('/', 'must be an absolute path');

/** Settings of a client, as a file or the command line gives them. */
export const settingsSchema = z.strictObject({
  /** Host names or addresses of servers, the first that works is used. */
  server: z.union([hostName, z.array(hostName).min(1, 'is empty; name at least one server')], {
    error: 'must be a host name, or a list of them',
  }),
  server2: ip4,
  port: z
    .number('must be a number')
    .int('must be a whole number')
    .min(0, 'must be 0 (chosen once and remembered) to 65535')
    .max(65_535, 'must be 0 (chosen once and remembered) to 65535'),
  adapter: interfaceName,
  control,
  logLevel,
  metrics: metricsEndpoint,
  exposeAll: flag,
  /** The user's switch. */
  enabled: flag,
  evenWithNativeIpv6: flag,
  answerEcho: flag,
  /** Seconds after the last use until the tunnel sleeps. */
  sleepAfter: z
    .number('must be a number of seconds')
    .min(1, 'must be 1 to 86400 seconds')
    .max(86_400, 'must be 1 to 86400 seconds'),
  newNetworks: z.enum(['ask', 'on', 'off'], 'must be "ask", "on" or "off"'),
  allowPrivate: flag,
  /** Segmentation and checksum offloads of adapter and socket, where this kernel has them. */
  offloads: flag,
  clientId: z.string('must be text').min(1, 'is empty').max(255, 'is longer than 255 bytes'),
  key: z.string('must be text').min(1, 'is empty'),
});
const fileSchema = settingsSchema.partial();

export type FileSettings = z.infer<typeof fileSchema>;

/** Complete settings. */
export interface Settings {
  readonly servers: readonly string[];
  readonly server2: string | null;
  readonly port: number;
  readonly adapter: string;
  readonly control: string | null;
  readonly logLevel: LogLevel;
  /** Where Prometheus may ask; null: nowhere. */
  readonly metrics: MetricsEndpoint | null;
  readonly exposeAll: boolean;
  /** What the gate is told, but for what it remembers of networks. */
  readonly gate: Omit<GateSettings, 'networks' | 'exposeAll'>;
  readonly allowPrivate: boolean;
  readonly offloads: boolean;
  readonly credentials: { readonly clientId: string; readonly key: string } | null;
}

/** A client's settings; see `mergeSettings`. Throws ServiceError 'bad-config' with one line for each fault. */
export function readSettings(
  defaults: readonly string[],
  explicit: string | undefined,
  overrides: FileSettings,
): Settings {
  const faults: string[] = [];
  const merged = mergeSettings(fileSchema, defaults, explicit, overrides, faults);
  const settings = complete(merged, faults);
  if (faults.length > 0) throw new ServiceError('bad-config', faults.join('\n'));
  return settings;
}

/** A schema of settings: one flat object, in which groups may be nested. */
export type SettingsSchema = z.ZodObject<z.ZodRawShape>;

/**
 * Merges the files that exist of `defaults` (a later one rules), `explicit` instead of them if given, and `overrides`. Each
 * fault becomes a line in `faults`.
 */
export function mergeSettings<S extends SettingsSchema>(
  schema: S,
  defaults: readonly string[],
  explicit: string | undefined,
  overrides: unknown,
  faults: string[],
): z.infer<S> {
  const files = explicit === undefined ? defaults : [resolve(explicit)];
  let merged = {} as z.infer<S>;
  for (const file of files) {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!missing || explicit !== undefined)
        faults.push(
          `${file}: could not be read (${(error as Error).message}); check the path and its permissions.`,
        );
      continue;
    }
    merged = { ...merged, ...parseFile(schema, text, file, faults) };
  }
  return { ...merged, ...parseWith(schema, overrides, 'command line', faults) };
}

function complete(merged: FileSettings, faults: string[]): Settings {
  const { clientId, key, server2 } = merged;
  if ((clientId === undefined) !== (key === undefined))
    faults.push('clientId and key belong together: give both, or neither.');
  const servers = typeof merged.server === 'string' ? [merged.server] : (merged.server ?? []);
  if (servers.length === 0 && faults.length === 0)
    faults.push(
      'No server is set: name one with --server HOST, or as "server" in the configuration file.',
    );
  for (const ip of [...servers, ...(server2 ? [server2] : [])]) {
    const parsed = parseIp4(ip);
    if (parsed !== undefined && !merged.allowPrivate && !isGlobalUnicast4(parsed))
      faults.push(
        `${ip} is not a public IPv4 address, so it can serve nobody; for a closed lab add --allow-private.`,
      );
  }
  return {
    servers,
    server2: server2 ?? null,
    port: merged.port ?? 0,
    adapter: merged.adapter ?? 'teredo',
    control: merged.control ?? null,
    logLevel: merged.logLevel ?? 'info',
    metrics: merged.metrics === undefined ? null : parseMetricsEndpoint(merged.metrics),
    exposeAll: merged.exposeAll ?? false,
    gate: {
      on: merged.enabled ?? true,
      evenWithNativeIpv6: merged.evenWithNativeIpv6 ?? false,
      answerEcho: merged.answerEcho ?? false,
      sleepAfterMs: (merged.sleepAfter ?? SLEEP_AFTER_S) * 1000,
      newNetworks: merged.newNetworks ?? 'on',
    },
    allowPrivate: merged.allowPrivate ?? false,
    offloads: merged.offloads ?? true,
    credentials: clientId !== undefined && key !== undefined ? { clientId, key } : null,
  };
}

function parseFile<S extends SettingsSchema>(
  schema: S,
  text: string,
  file: string,
  faults: string[],
): Partial<z.infer<S>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    faults.push(`${file}: is no valid JSON (${(error as Error).message}).`);
    return {};
  }
  return parseWith(schema, json, file, faults);
}

function parseWith<S extends SettingsSchema>(
  schema: S,
  value: unknown,
  where: string,
  faults: string[],
): Partial<z.infer<S>> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  faults.push(...describe(parsed.error, where, schema));
  return {};
}

/** One line for each fault: where, what, and how to mend it. */
function describe(error: z.ZodError, where: string, schema: SettingsSchema): string[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map(
        (key) =>
          `${where}: there is no setting "${[...issue.path, key].join('.')}"; ${suggestion(key, namesAt(schema, issue.path))}.`,
      );
    if (issue.path.length === 0) return [`${where}: must be one JSON object of settings.`];
    return [`${where}: "${issue.path.join('.')}" ${issue.message}.`];
  });
}

/** The settings that there are in the group at `path`. */
function namesAt(schema: SettingsSchema, path: readonly PropertyKey[]): string[] {
  let group: unknown = schema;
  for (const part of path) {
    const inner = (group as SettingsSchema).shape[String(part)];
    group = inner instanceof z.ZodOptional ? inner.unwrap() : inner;
  }
  return Object.keys((group as SettingsSchema).shape);
}

function suggestion(key: string, names: readonly string[]): string {
  const near = names
    .map((name) => ({ name, distance: editDistance(name.toLowerCase(), key.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0]!;
  return near.distance <= 2
    ? `"${near.name}" may be meant`
    : `remove it (there are ${names.join(', ')})`;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
