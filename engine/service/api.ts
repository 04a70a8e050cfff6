// Module service/api declares every call of the running service once; the control socket's two ends derive from it.
import { z } from 'zod';
import { builtInCalls } from './builtin/calls.ts';
import { captureCalls } from './capture/calls.ts';
import { doctorCalls } from './doctor-calls.ts';
import { gateCalls } from './gate-calls.ts';
import { hookCalls } from './hook/calls.ts';
import { ownCalls } from './own/calls.ts';
import { pageSchema } from './paging.ts';
import type { Page } from './paging.ts';
import { pcCalls } from './pc-calls.ts';
import { reportCalls } from './report/calls.ts';
import { settingsCalls } from './settings-calls.ts';
import { serverListCalls } from './server-list-calls.ts';
import { serverCalls as aboutServers } from './server-calls.ts';

/** Endpoint as text, e.g. `198.51.100.7:40000`. */
const endpoint = z.string();
const count = z.record(z.string(), z.number());

/** Why the state is what it is; every code is explained in docs/codes.md. */
const reasonSchema = z.object({ code: z.string(), text: z.string() });

export const peerSchema = z.object({
  address: z.string(),
  kind: z.enum(['teredo', 'native', 'local']),
  endpoint: endpoint.nullable(),
  path: z.enum(['direct', 'bubbles', 'relay', 'local', 'hairpin']).nullable(),
  trusted: z.boolean(),
  rttMs: z.number().nullable(),
  bytesIn: z.number(),
  bytesOut: z.number(),
  lastHeardMs: z.number().nullable(),
});

export const statusSchema = z.object({
  state: z.enum([
    'off',
    'unneeded',
    'managed',
    'dormant',
    'qualifying',
    'qualified',
    'refused',
    'unknown',
  ]),
  reason: reasonSchema,
  address: z.string().nullable(),
  mtu: z.number().nullable(),
  server: endpoint.nullable(),
  /** As the settings have it. */
  serverName: z.string().nullable(),
  /** Round trip to it when it answered last. */
  serverRttMs: z.number().nullable(),
  mapped: endpoint.nullable(),
  nat: z.enum(['none', 'cone', 'restricted', 'symmetric', 'unknown']),
  /** The latest of them (`PAGE_ROWS`); the call `peers` gives the others. */
  peers: z.array(peerSchema),
  /** All of them, and those to which a path is open. */
  peerCounts: z.object({ known: z.number(), open: z.number() }),
  exposure: z.object({ mode: z.enum(['closed', 'allowed', 'all']), text: z.string() }),
  offloads: z.array(z.string()),
  attribution: z.string().nullable(),
  adapter: z.string().nullable(),
  /** What the router maps for the tunnel, if it is to be asked. */
  portMapping: z.object({
    state: z.enum(['off', 'idle', 'asking', 'none', 'mapped']),
    method: z.enum(['pcp', 'nat-pmp', 'upnp']).nullable(),
    external: endpoint.nullable(),
    /** The user had made it himself, in the router. */
    users: z.boolean(),
    text: z.string(),
  }),
  /** It runs on the network inside this process, not on a real one. */
  builtIn: z.boolean(),
  /** Named discards of the protocol and counters of the datapath. */
  counters: z.object({ discards: count, datapath: count }),
});

const pingSchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), rttMs: z.number(), path: peerSchema.shape.path.unwrap() }),
  z.object({ ok: z.literal(false), code: z.string(), text: z.string() }),
]);

/** What a reload of the configuration did: settings now in force, and changed ones that wait for the next start. */
const reloadSchema = z.object({
  applied: z.array(z.string()),
  needRestart: z.array(z.string()),
});

/** State of a server. */
export const serverStatusSchema = z.object({
  role: z.literal('server'),
  primary: z.string(),
  secondary: z.string().nullable(),
  port: z.number(),
  /** Clients' connectivity tests to native hosts can be sent on. */
  nativePings: z.boolean(),
  /** Since the start: advertisements, datagrams to clients, packets to native hosts, and what was refused, by reason. */
  counters: z.object({
    answered: z.number(),
    forwarded: z.number(),
    native: z.number(),
    discards: count,
  }),
});

/** State of a relay. */
export const relayStatusSchema = z.object({
  role: z.literal('relay'),
  hostSpecific: z.boolean(),
  /** Its own IPv6 address. */
  address: z.string(),
  /** Interface towards native IPv6; null when it forwards nothing. */
  native: z.string().nullable(),
  adapter: z.string(),
  bind: endpoint.nullable(),
  /** Between which interfaces the system forwards for it: none, adapter and native interface, all. */
  forwarding: z.enum(['none', 'two', 'every']),
  /** Native networks it serves; none named: everybody. */
  served: z.array(z.string()),
  /** Clients that have answered, and those that are being asked. */
  clients: z.number(),
  pending: z.number(),
  queuedBytes: z.number(),
  offloads: z.array(z.string()),
  /** Since the start: packets carried either way, bubbles to clients, ICMPv6 errors to native hosts, what was refused, by reason. */
  counters: z.object({
    toClients: z.number(),
    fromClients: z.number(),
    bubbles: z.number(),
    errors: z.number(),
    discards: count,
    datapath: count,
  }),
});

/** The calls of a client: what each takes and gives. */
export const calls = {
  status: { params: z.strictObject({}), result: statusSchema },
  peers: { params: pageSchema, result: z.array(peerSchema) },
  ping: {
    params: z.strictObject({
      address: z.string(),
      timeoutMs: z.number().int().min(100).max(60_000),
    }),
    result: pingSchema,
  },
  reload: { params: z.strictObject({}), result: reloadSchema },
  ...gateCalls,
  ...doctorCalls,
  ...ownCalls,
  ...serverListCalls,
  ...pcCalls,
  ...settingsCalls,
  ...captureCalls,
  ...hookCalls,
  ...reportCalls,
  ...aboutServers,
  ...builtInCalls,
} as const;

export type CallName = keyof typeof calls;
export type Params<C extends CallName> = z.infer<(typeof calls)[C]['params']>;
export type CallResult<C extends CallName> = z.infer<(typeof calls)[C]['result']>;
export type Status = z.infer<typeof statusSchema>;
export type ServerStatus = z.infer<typeof serverStatusSchema>;
export type RelayStatus = z.infer<typeof relayStatusSchema>;
export type ReloadResult = z.infer<typeof reloadSchema>;
export type PeerEntry = z.infer<typeof peerSchema>;

/** What a client offers: one method a call. */
export type Api = { [C in Exclude<CallName, BuiltInCall>]: Method<C> } & BuiltInApi;

/** The calls that the client itself answers; the others stand around it. */
export type ClientApi = Pick<
  Api,
  'status' | 'peers' | 'ping' | keyof typeof gateCalls | keyof typeof aboutServers
>;

/** What a client on the built-in network offers besides. */
export type BuiltInApi = { [C in BuiltInCall]?: Method<C> };
type BuiltInCall = keyof typeof builtInCalls;
type Method<C extends CallName> = (params: Params<C>) => Promise<CallResult<C>>;

/** What a server offers. */
export interface ServerApi {
  status(params: Record<string, never>): Promise<ServerStatus>;
  reload(params: Record<string, never>): Promise<ReloadResult>;
}

/** What a relay offers. */
export interface RelayApi {
  status(params: Record<string, never>): Promise<RelayStatus>;
  peers(params: Page): Promise<PeerEntry[]>;
  reload(params: Record<string, never>): Promise<ReloadResult>;
}

/** One request on the control socket: a JSON line. */
export const requestSchema = z.object({
  id: z.number().int(),
  call: z.string(),
  params: z.unknown().optional(),
});

/** Its answer. Errors are data too. Only the call `watch` is answered by many lines `{id, update}`, each an `Update` of service/slices. */
export const responseSchema = z.union([
  z.object({ id: z.number().int(), result: z.unknown() }),
  z.object({ id: z.number().int(), error: reasonSchema }),
]);
