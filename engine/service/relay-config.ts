// Module service/relay-config reads the settings of a relay from a file and the command line.
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { parseIp4, parseIp6 } from '../wire/index.ts';
import type { Ip4, Ip6 } from '../wire/index.ts';
import type { Ip6Network, RelayLimits } from '../relay/index.ts';
import {
  adapterWorkers,
  control,
  flag,
  interfaceName,
  ip4,
  logLevel,
  MAX_ADAPTER_WORKERS,
} from './settings-schema.ts';
import { mergeSettings } from './judge.ts';
import { ServiceError } from './errors.ts';
import type { LogLevel } from './log.ts';
import { metricsEndpoint, parseMetricsEndpoint } from './metrics-server.ts';
import type { MetricsEndpoint } from './metrics-server.ts';

/** Fixed, so that a firewall can let it in; Miredo's relays use it, too. */
const DEFAULT_PORT = 3545;

/** Not by the system's tables of languages, which take longer to load than all settings to judge. */
const withCommas = (number: number): string => String(number).replace(/\B(?=(\d{3})+$)/g, ',');
const bound = (smallest: number, largest: number): z.ZodNumber =>
  z
    .number('must be a number')
    .int('must be a whole number')
    .min(smallest, `must be ${smallest} or more`)
    .max(largest, `must be ${withCommas(largest)} at most`);
const rate = bound(1, 1_000_000);

const network = z
  .string()
  .refine(
    (text) => parseNetwork(text) !== undefined,
    'has an entry that is no IPv6 network; write them as "2001:db8::/32"',
  );

/** Settings of a relay, as a file or the command line gives them. */
const fileSchema = z
  .strictObject({
    bind: ip4,
    port: bound(0, 65_535),
    hostSpecific: flag,
    adapter: interfaceName,
    /** Interface towards native IPv6; by default that of the default route, or the only one with an address. */
    native: interfaceName,
    /** The relay's own IPv6 address, source of its ICMPv6 errors; by default one of that interface. */
    address: z
      .string()
      .refine(
        (text) => parseIp6(text) !== undefined,
        'is no IPv6 address; write one, e.g. "2001:db8::1"',
      ),
    /** Native networks that are served; by default all. */
    served: z
      .array(network, 'must be a list of IPv6 networks')
      .min(1, 'is empty; leave it out to serve everybody'),
    /** A NAT or a firewall that lets no stranger in stands before this machine. */
    behindNat: flag,
    control,
    logLevel,
    metrics: metricsEndpoint,
    allowPrivate: flag,
    /** Segmentation and checksum offloads of adapter and socket, where this kernel has them. */
    offloads: flag,
    /** One for each core by default. */
    workers: adapterWorkers,
    limits: z
      .strictObject(
        {
          maxPeers: bound(1, 1_048_576),
          maxPending: bound(1, 65_536),
          queueBytesPerPeer: bound(1_280, 1_000_000),
          queuePacketsPerPeer: bound(1, 10_000),
          queueBytesTotal: bound(1_280, 1_000_000_000),
          bubblesPerSecondPerSource: rate,
          bubblesPerSecondPerServer: rate,
          bubblesPerSecond: rate,
          bubblesPerSecondToUnknown: rate,
          maxSources: rate,
          icmpPerSecond: rate,
        },
        { error: (issue) => (issue.code === 'invalid_type' ? 'must be an object' : undefined) },
      )
      .partial(),
  })
  .partial();

export type RelayFileSettings = z.infer<typeof fileSchema>;

/** Complete settings; null and undefined: found out from the system at the start. */
export interface RelaySettings {
  /** 0: all addresses of this machine. */
  readonly bind: Ip4;
  readonly port: number;
  readonly hostSpecific: boolean;
  readonly adapter: string;
  readonly native: string | null;
  readonly address: Ip6 | null;
  /** Empty: the whole native Internet, or this host alone if it is host-specific. */
  readonly served: readonly Ip6Network[];
  readonly behindNat: boolean | null;
  readonly control: string | null;
  readonly logLevel: LogLevel;
  /** Where Prometheus may ask; null: nowhere. */
  readonly metrics: MetricsEndpoint | null;
  readonly allowPrivate: boolean;
  readonly offloads: boolean;
  readonly workers: number;
  readonly limits: Partial<RelayLimits>;
}

/** What a running relay takes by a reload; all else waits for the next start. */
export const LIVE_RELAY_SETTINGS = ['served', 'limits'] as const;
export type LiveRelaySettings = Pick<RelaySettings, (typeof LIVE_RELAY_SETTINGS)[number]>;

/** Merges `file`, if given, and `overrides`. Throws ServiceError 'bad-config' with one line for each fault. */
export function readRelaySettings(
  file: string | undefined,
  overrides: RelayFileSettings,
): RelaySettings {
  const faults: string[] = [];
  const merged = mergeSettings(fileSchema, [], file, overrides, faults);
  if (merged.hostSpecific && merged.served)
    faults.push(
      'hostSpecific serves this host alone: leave "served" out, or be a relay for networks.',
    );
  if (faults.length > 0) throw new ServiceError('bad-config', faults.join('\n'));
  const limits = Object.entries(merged.limits ?? {}).filter(([, limit]) => limit !== undefined);
  return {
    bind: merged.bind === undefined ? 0 : parseIp4(merged.bind)!,
    port: merged.port ?? DEFAULT_PORT,
    hostSpecific: merged.hostSpecific ?? false,
    adapter: merged.adapter ?? 'teredo',
    native: merged.native ?? null,
    address: merged.address === undefined ? null : parseIp6(merged.address)!,
    served: (merged.served ?? []).map((text) => parseNetwork(text)!),
    behindNat: merged.behindNat ?? null,
    control: merged.control ?? null,
    logLevel: merged.logLevel ?? 'info',
    metrics: merged.metrics === undefined ? null : parseMetricsEndpoint(merged.metrics),
    allowPrivate: merged.allowPrivate ?? false,
    offloads: merged.offloads ?? true,
    workers: merged.workers ?? Math.min(availableParallelism(), MAX_ADAPTER_WORKERS),
    limits: Object.fromEntries(limits),
  };
}

/** `address/length`, undefined for anything else. */
function parseNetwork(text: string): Ip6Network | undefined {
  const [, before, length] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const address = before === undefined ? undefined : parseIp6(before);
  const prefix = Number(length);
  return address === undefined || prefix > 128 ? undefined : { address, prefix };
}
