// Module service/config makes a client's settings of its files, the command line and the machine policy, which rules over both.
import { isGlobalUnicast4, parseIp4 } from '../wire/index.ts';
import type { GateSettings } from '../gate/index.ts';
import { ServiceError } from './errors.ts';
import type { LogLevel } from './log.ts';
import { parseMetricsEndpoint } from './metrics-server.ts';
import type { MetricsEndpoint } from './metrics-server.ts';
import { mergeSettings } from './judge.ts';
import { readPolicy } from './policy.ts';
import type { MachinePolicy } from './policy.ts';
import { IDENTITY, KEYCHAIN } from './identity.ts';
import type { Identity } from './identity.ts';
import { fileSchema, withDefaults } from './settings-schema.ts';
import type { FileSettings } from './settings-schema.ts';

export type { FileSettings } from './settings-schema.ts';

/** Complete settings. */
export interface Settings {
  readonly servers: readonly string[];
  readonly server2: string | null;
  readonly port: number;
  /** Seconds of silence; 0: never. */
  readonly failoverAfter: number;
  readonly adapter: string;
  readonly control: string | null;
  readonly logLevel: LogLevel;
  /** Where Prometheus may ask; null: nowhere. */
  readonly metrics: MetricsEndpoint | null;
  readonly exposeAll: boolean;
  /** What the gate is told, but for what it remembers of networks. */
  readonly gate: Omit<GateSettings, 'networks' | 'exposeAll'>;
  readonly allowPrivate: boolean;
  /** Ask the router for a port. */
  readonly portMapping: boolean;
  readonly offloads: boolean;
  readonly workers: number;
  readonly localDiscovery: boolean;
  readonly intervalSearch: boolean;
  readonly birthdayProbing: boolean;
  readonly credentials: { readonly clientId: string; readonly key: string } | null;
  /** Run for a new address; null: nothing. */
  readonly addressCommand: readonly string[] | null;
  readonly dnsUpdate: DnsTarget | null;
  /** Seconds between refreshes of the NAT's mapping; null: what the protocol says. */
  readonly refreshRate: number | null;
  readonly policy: MachinePolicy;
  /** As they were given, the policy's over the others. */
  readonly given: FileSettings;
  /** Where each setting comes from that is not the default; the policy's are in `policy`. */
  readonly sources: Readonly<Record<string, string>>;
}

/** Where a client's settings are read from. */
export interface SettingsPlaces {
  readonly defaults: readonly string[];
  /** Read instead of `defaults`. */
  readonly explicit?: string | undefined;
  readonly overrides: FileSettings;
  /** What gave `overrides`. */
  readonly overriddenBy?: string;
  /** What the user's keychain keeps: over all files but his own. */
  readonly kept?: Partial<Identity> | null;
}

/** The record that leads to this PC, who keeps it, and by which key it is changed. */
export interface DnsTarget {
  readonly server: string;
  readonly port: number;
  readonly zone: string;
  readonly name: string;
  /** Seconds. */
  readonly ttl: number;
  readonly key: { readonly name: string; readonly secret: Uint8Array };
}
const DNS_PORT = 53;
/** Short: the address may change. */
const DNS_TTL_S = 300;

function dnsTarget({ dnsUpdate, dnsKey }: FileSettings, faults: string[]): DnsTarget | null {
  if ((dnsUpdate === undefined) !== (dnsKey === undefined))
    faults.push('dnsUpdate and dnsKey belong together: give both, or neither.');
  if (dnsUpdate === undefined || dnsKey === undefined) return null;
  const { server, port, zone, name, ttl, keyName } = dnsUpdate;
  if (name !== zone && !name.toLowerCase().endsWith(`.${zone.toLowerCase()}`))
    faults.push(`dnsUpdate: ${name} is not in the zone ${zone}.`);
  return {
    ...{ server, zone, name, port: port ?? DNS_PORT, ttl: ttl ?? DNS_TTL_S },
    key: { name: keyName, secret: Buffer.from(dnsKey, 'base64') },
  };
}

/** What a tunnel begins anew with, on the same adapter. */
export const TUNNEL_SETTINGS = [
  'servers',
  'server2',
  'port',
  'refreshRate',
  'intervalSearch',
  'credentials',
] as const;
/** What a running client takes. `exposeAll` only to close: what opens everything is begun anew. */
export const LIVE_CLIENT_SETTINGS = [
  ...(['gate', 'policy', 'given', 'sources', 'exposeAll'] as const),
  ...TUNNEL_SETTINGS,
] as const;
export type LiveClientSettings = Pick<Settings, (typeof LIVE_CLIENT_SETTINGS)[number]>;

/** A client's settings; see `mergeSettings`. The policy rules over all; `needsServer` false: it may name none. Throws ServiceError 'bad-config' with one line for each fault. */
export function readSettings(
  { defaults, explicit, overrides, overriddenBy, kept }: SettingsPlaces,
  policy: MachinePolicy = readPolicy(),
  needsServer = true,
): Settings {
  const faults: string[] = [];
  const sources: Record<string, string> = {};
  const by = overriddenBy ?? 'command line';
  const merged = mergeSettings(fileSchema, defaults, explicit, overrides, faults, sources, by);
  const nearer = [by, defaults.at(-1)];
  for (const name of IDENTITY) {
    const value = kept?.[name];
    if (value === undefined || nearer.includes(sources[name])) continue;
    merged[name] = value;
    sources[name] = KEYCHAIN;
  }
  const settings = complete(
    { ...merged, ...policy.settings },
    policy,
    sources,
    faults,
    needsServer,
  );
  if (faults.length > 0) throw new ServiceError('bad-config', faults.join('\n'));
  return settings;
}

function complete(
  given: FileSettings,
  policy: MachinePolicy,
  sources: Settings['sources'],
  faults: string[],
  needsServer: boolean,
): Settings {
  const merged = withDefaults(given);
  const { clientId, key } = merged;
  // It belongs to a server: to one that the policy names only the policy could name it.
  const server2 = policy.settings.server === undefined ? merged.server2 : undefined;
  if ((clientId === undefined) !== (key === undefined))
    faults.push('clientId and key belong together: give both, or neither.');
  const servers = typeof merged.server === 'string' ? [merged.server] : (merged.server ?? []);
  if (needsServer && servers.length === 0 && faults.length === 0)
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
    port: merged.port,
    failoverAfter: merged.failoverAfter,
    adapter: merged.adapter,
    localDiscovery: merged.localDiscovery,
    intervalSearch: merged.intervalSearch && policy.refreshRate === null,
    birthdayProbing: merged.birthdayProbing,
    control: merged.control ?? null,
    logLevel: merged.logLevel,
    metrics: merged.metrics === undefined ? null : parseMetricsEndpoint(merged.metrics),
    exposeAll: merged.exposeAll,
    gate: {
      on: merged.enabled,
      evenWithNativeIpv6: merged.evenWithNativeIpv6,
      answerEcho: merged.answerEcho,
      sleepAfterMs: merged.sleepAfter * 1000,
      newNetworks: merged.newNetworks,
    },
    allowPrivate: merged.allowPrivate,
    portMapping: merged.portMapping,
    offloads: merged.offloads,
    workers: merged.workers,
    addressCommand: merged.addressCommand ?? null,
    dnsUpdate: dnsTarget(merged, faults),
    credentials: clientId !== undefined && key !== undefined ? { clientId, key } : null,
    refreshRate: policy.refreshRate ?? merged.refreshInterval ?? null,
    policy,
    given,
    sources,
  };
}
