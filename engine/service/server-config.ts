// Module service/server-config reads the settings of a server from a file and the command line.
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { isGlobalUnicast4, parseIp4, TEREDO_PORT } from '../wire/index.ts';
import type { Ip4 } from '../wire/index.ts';
import { control, flag, ip4, logLevel, workers } from './settings-schema.ts';
import { mergeSettings } from './judge.ts';
import { ServiceError } from './errors.ts';
import type { LogLevel } from './log.ts';
import { metricsEndpoint, parseMetricsEndpoint } from './metrics-server.ts';
import type { MetricsEndpoint } from './metrics-server.ts';

const rate = z
  .number('must be a number')
  .int('must be a whole number')
  .min(1, 'must be 1 or more')
  .max(1_000_000, 'must be 1,000,000 at most');

/** Settings of a server, as a file or the command line gives them. */
const fileSchema = z
  .strictObject({
    primary: ip4,
    secondary: ip4,
    /** This machine's own addresses, where its provider translates them to the public ones. */
    bindPrimary: ip4,
    bindSecondary: ip4,
    port: z
      .number('must be a number')
      .int('must be a whole number')
      .min(1, 'must be 1 to 65535')
      .max(65_535, 'must be 1 to 65535'),
    control,
    logLevel,
    metrics: metricsEndpoint,
    allowPrivate: flag,
    /** Identifier and secret of each client, as the client's `clientId` and `key`. */
    clients: z.record(
      z.string().min(1, 'is empty').max(255, 'is longer than 255 bytes'),
      z.string('must be text').min(1, 'is empty'),
      'must be an object of identifiers and keys',
    ),
    requireAuthentication: flag,
    workers,
    limits: z
      .strictObject(
        {
          solicitationsPerSecondPerSource: rate,
          forwardedPerSecondPerSource: rate,
          maxSources: rate,
        },
        { error: (issue) => (issue.code === 'invalid_type' ? 'must be an object' : undefined) },
      )
      .partial(),
  })
  .partial();

export type ServerFileSettings = z.infer<typeof fileSchema>;

/** Complete settings. */
export interface ServerSettings {
  readonly primary: Ip4;
  readonly secondary: Ip4 | null;
  /** Where the sockets are bound, if not at the public addresses themselves. */
  readonly bindPrimary: Ip4 | null;
  readonly bindSecondary: Ip4 | null;
  readonly port: number;
  readonly control: string | null;
  readonly logLevel: LogLevel;
  /** Where Prometheus may ask; null: nowhere. */
  readonly metrics: MetricsEndpoint | null;
  readonly allowPrivate: boolean;
  readonly clients: Readonly<Record<string, string>>;
  readonly requireAuthentication: boolean;
  /** Threads that read each address. */
  readonly workers: number;
  readonly limits: NonNullable<ServerFileSettings['limits']>;
}

/** What a running server takes by a reload; all else waits for the next start. */
export const LIVE_SERVER_SETTINGS = ['clients', 'requireAuthentication', 'limits'] as const;
export type LiveServerSettings = Pick<ServerSettings, (typeof LIVE_SERVER_SETTINGS)[number]>;

/** Merges `file`, if given, and `overrides`. Throws ServiceError 'bad-config' with one line for each fault. */
export function readServerSettings(
  file: string | undefined,
  overrides: ServerFileSettings,
): ServerSettings {
  const faults: string[] = [];
  const merged = mergeSettings(fileSchema, [], file, overrides, faults);
  const settings = complete(merged, faults);
  if (settings === null || faults.length > 0)
    throw new ServiceError('bad-config', faults.join('\n'));
  return settings;
}

function complete(merged: ServerFileSettings, faults: string[]): ServerSettings | null {
  const { primary, secondary, allowPrivate = false } = merged;
  for (const text of [primary, secondary])
    if (text !== undefined && !allowPrivate && !isGlobalUnicast4(parseIp4(text)!))
      faults.push(
        `${text} is not a public IPv4 address, so it can serve nobody; for a closed lab add --allow-private.`,
      );
  if (primary !== undefined && primary === secondary)
    faults.push('primary and secondary are the same address: give two, or leave secondary out.');
  const { bindPrimary, bindSecondary } = merged;
  if (bindSecondary !== undefined && secondary === undefined)
    faults.push('bindSecondary without secondary: name the public address, too.');
  else if (
    secondary !== undefined &&
    primary !== secondary &&
    (bindPrimary ?? primary) === (bindSecondary ?? secondary)
  )
    faults.push(
      'bindPrimary and bindSecondary are the same address: each public address needs one of its own.',
    );
  const clients = merged.clients ?? {};
  if (merged.requireAuthentication && Object.keys(clients).length === 0)
    faults.push('requireAuthentication without clients would serve nobody: add "clients".');
  if (primary === undefined) {
    if (faults.length === 0)
      faults.push(
        'No address is set: name one of this machine with --primary IP, or as "primary" in the configuration file.',
      );
    return null;
  }
  return {
    primary: parseIp4(primary)!,
    secondary: secondary === undefined ? null : parseIp4(secondary)!,
    bindPrimary: bindPrimary === undefined ? null : parseIp4(bindPrimary)!,
    bindSecondary: bindSecondary === undefined ? null : parseIp4(bindSecondary)!,
    port: merged.port ?? TEREDO_PORT,
    control: merged.control ?? null,
    logLevel: merged.logLevel ?? 'info',
    metrics: merged.metrics === undefined ? null : parseMetricsEndpoint(merged.metrics),
    allowPrivate,
    clients,
    requireAuthentication: merged.requireAuthentication ?? false,
    workers: merged.workers ?? availableParallelism(),
    limits: merged.limits ?? {},
  };
}
