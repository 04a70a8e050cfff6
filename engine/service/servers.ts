// Module service/servers keeps the list of servers: those of the settings, the user's own, and public ones that are known by name alone.
import type { ProbeHost } from '../host/probe-types.ts';
import { formatIp4, isGlobalUnicast4, parseEndpoint, parseIp4 } from '../wire/index.ts';
import type { Api, Status } from './api.ts';
import type { Settings } from './config.ts';
import { askServer } from './doctor/solicit.ts';
import type { ServerAnswers } from './doctor/solicit.ts';
import { ServiceError } from './errors.ts';
import type { ServiceErrorCode } from './errors.ts';
import type { FailureParams } from './failure.ts';
import type { Failover, ServerRow, serverListCalls } from './server-list-calls.ts';
import { hostName } from './settings-schema.ts';
import { noteAnswer } from './state-file.ts';
import type { StateStore } from './state-file.ts';

/** Public servers that once served everybody. None is used or asked unless the user says so. */
const KNOWN_SERVERS: readonly string[] = [
  'teredo.remlab.net',
  'teredo-debian.remlab.net',
  'teredo.trex.fi',
  'teredo.iks-jena.de',
  'win1910.ipv6.microsoft.com',
];
const PROBE_MS = 4_000;
const PING_MS = 8_000;
/** A user's own list is short. */
const MAX_OWN = 32;

export interface ServersParts {
  readonly host: ProbeHost;
  readonly settings: Settings;
  readonly state: StateStore;
  readonly service: { summary(): Omit<Status, 'peers'>; readonly api: Pick<Api, 'ping' | 'peers'> };
  readonly onChange: () => void;
}

interface Seen {
  readonly address: number | null;
  readonly answers: ServerAnswers | null;
  readonly error: string | null;
  /** Ms since 1970. */
  readonly at: number;
}

export class ServerCatalogue {
  private readonly parts: ServersParts;
  private readonly seen = new Map<string, Seen>();
  private readonly probing = new Set<string>();

  constructor(parts: ServersParts) {
    this.parts = parts;
  }

  /** The calls of service/server-list-calls. */
  readonly api: Pick<Api, keyof typeof serverListCalls> = {
    servers: async ({ probe, name: only }) => {
      const names = this.names().map(([name]) => name);
      if (only !== undefined && !names.includes(only))
        return reject('server-unknown', `${only} is not on the list; add it first.`, {
          name: only,
        });
      const asked = names.filter((name) => probe && (only === undefined || name === only));
      await Promise.all(asked.map((name) => this.probe(name)));
      return this.rows();
    },
    failover: () => Promise.resolve(this.failover()),
    addServer: ({ name }) => {
      const { ownServers } = this.parts.state.value;
      if (!hostName.safeParse(name).success)
        return reject('no-host-name', `${name} is no host name or IPv4 address.`, { name });
      if (ownServers.length >= MAX_OWN)
        return reject('list-full', `There are ${MAX_OWN} servers on your list; remove one first.`, {
          limit: MAX_OWN,
        });
      return this.change([...ownServers.filter((each) => each !== name), name]);
    },
    removeServer: ({ name }) => {
      const { ownServers } = this.parts.state.value;
      return ownServers.includes(name)
        ? this.change(ownServers.filter((each) => each !== name))
        : reject('server-unknown', `${name} is not on your list.`, { name });
    },
    checkRelay: ({ address }) => this.checkRelay(address),
  };

  private change(ownServers: readonly string[]): Promise<ServerRow[]> {
    this.parts.state.update({ ownServers });
    this.parts.onChange();
    return Promise.resolve(this.rows());
  }

  private names(): (readonly [string, ServerRow['from']])[] {
    const { settings, state, host } = this.parts;
    const found = new Map<string, ServerRow['from']>();
    for (const name of settings.servers) found.set(name, 'settings');
    for (const name of state.value.ownServers) if (!found.has(name)) found.set(name, 'own');
    if (!host.builtIn)
      for (const name of KNOWN_SERVERS) if (!found.has(name)) found.set(name, 'known');
    return [...found];
  }

  /** Asks one server by solicitations to both of its addresses. */
  private async probe(name: string): Promise<void> {
    if (this.probing.has(name)) return;
    this.probing.add(name);
    this.parts.onChange();
    const seen = await this.ask(name).catch((error: unknown) => ({
      ...{ address: null, answers: null, error: (error as Error).message },
    }));
    this.seen.set(name, { ...seen, at: Date.now() });
    this.probing.delete(name);
    this.parts.onChange();
  }

  private async ask(name: string): Promise<Omit<Seen, 'at'>> {
    const { host, settings, state } = this.parts;
    const { allowPrivate, credentials, servers } = settings;
    const addresses = await host.resolve(name);
    const server = addresses.find((ip) => allowPrivate || isGlobalUnicast4(ip));
    if (server === undefined) return { address: addresses[0] ?? null, answers: null, error: null };
    const own = name === servers[0] && settings.server2 !== null;
    const server2 = own ? parseIp4(settings.server2)! : (server + 1) >>> 0;
    const key = servers.includes(name) ? credentials : null;
    const question = { server, server2, allowPrivate, credentials: key };
    const answers = await askServer(host, question, PROBE_MS);
    if (answers.primary.rttMs !== null) noteAnswer(state, server);
    return { address: server, answers, error: null };
  }

  rows(): ServerRow[] {
    const { server, serverName } = this.parts.service.summary();
    const ip = parseEndpoint(server ?? '')?.ip ?? null;
    const rows = this.names().map(([name, from]) => this.row(name, from, { name: serverName, ip }));
    const quickest = rows
      .filter(({ state, primary }) => state === 'answers' && primary.rttMs !== null)
      // One that tells the kind of router is worth more than some milliseconds.
      .sort((a, b) => cost(a) - cost(b))[0];
    return rows.map((row) => ({ ...row, suggested: row === quickest }));
  }

  private row(
    name: string,
    from: ServerRow['from'],
    used: { readonly name: string | null; readonly ip: number | null },
  ): ServerRow {
    const seen = this.seen.get(name);
    const asked = seen?.address ?? parseIp4(name) ?? null;
    const inUse = used.ip !== null && (asked === used.ip || name === used.name);
    const address = inUse ? used.ip : asked;
    const { primary, secondary } = seen?.answers ?? { primary: null, secondary: null };
    const place = this.parts.settings.servers.indexOf(name);
    const text4 = address === null ? null : formatIp4(address);
    return {
      ...{ name, from, ...stateOf(name, seen), address: text4 },
      primary: { rttMs: primary?.rttMs ?? null },
      secondary: { rttMs: secondary?.rttMs ?? null },
      inUse,
      suggested: false,
      answeredAt: text4 === null ? null : (this.parts.state.value.answers[text4] ?? null),
      probedAt: seen?.at ?? null,
      probing: this.probing.has(name),
      order: place < 0 ? null : place + 1,
    };
  }

  private failover(): Failover {
    const { servers, failoverAfter: afterSeconds, policy } = this.parts.settings;
    const { state, reason } = this.parts.service.summary();
    const code =
      reason.code === 'server-silent'
        ? 'server-silent'
        : servers.length < 2
          ? 'single'
          : afterSeconds === 0
            ? 'off'
            : state === 'qualified' || state === 'qualifying'
              ? 'ready'
              : 'asleep';
    return {
      ...{ code, text: FAILOVER_TEXTS[code](afterSeconds), afterSeconds },
      locked: policy.sources['serverName'] ?? null,
      change:
        reason.code === 'server-changed' || reason.code === 'server-setting-changed'
          ? { code: reason.code, text: reason.text }
          : null,
    };
  }

  /** Pings through the tunnel and names the relay that answered for the host. */
  private async checkRelay(address: string): ReturnType<Api['checkRelay']> {
    const { api } = this.parts.service;
    const result = await api.ping({ address, timeoutMs: PING_MS });
    const peer = (await api.peers({ match: address })).find((each) => each.address === address);
    const carriedBy = peer?.kind === 'native' ? peer.endpoint : null;
    if (!result.ok)
      return { ok: false, carriedBy, rttMs: null, code: result.code, text: result.text };
    const { rttMs } = result;
    return carriedBy === null
      ? {
          ok: false,
          carriedBy,
          rttMs,
          code: 'no-relay',
          text: `${address} answers, but it is no native host: no relay was needed.`,
        }
      : {
          ...{ ok: true, carriedBy, rttMs, code: 'answers' },
          text: `${address} answers in ${Math.round(rttMs)} ms; the relay at ${carriedBy} carried it.`,
        };
  }
}

const cost = ({ primary, secondary }: ServerRow): number =>
  primary.rttMs! + (secondary.rttMs === null ? 1_000 : 0);

const FAILOVER_TEXTS: Record<Failover['code'], (seconds: number) => string> = {
  off: () => 'No other server takes over by itself.',
  single: () => 'There is no other server to take over; a second one in the settings would.',
  asleep: () => 'No server is in use just now.',
  ready: (seconds) => `Another server takes over when this one is silent for ${seconds} s.`,
  'server-silent': () => 'The server in use is silent; the address still serves.',
};

function stateOf(name: string, seen: Seen | undefined): Pick<ServerRow, 'state' | 'code' | 'text'> {
  if (!seen)
    return {
      ...{ state: 'not-verified', code: 'not-asked' },
      text: 'Not verified: it was not asked yet.',
    };
  const { answers, error } = seen;
  if (!answers)
    return error === null
      ? {
          ...{ state: 'not-found', code: 'no-public-address' },
          text: `${name} has no public IPv4 address.`,
        }
      : { state: 'not-found', code: 'not-found', text: error };
  const { primary, secondary, keyRefused, refused } = answers;
  if (keyRefused)
    return {
      ...{ state: 'refuses', code: 'wants-key' },
      text: 'It wants a client id and key that it knows.',
    };
  if (primary.rttMs === null)
    return refused === 'ECONNREFUSED'
      ? {
          ...{ state: 'silent', code: 'nobody-there' },
          text: 'The machine says that no server runs there.',
        }
      : {
          ...{ state: 'silent', code: 'silent' },
          text: 'It did not answer: it is off, or the network drops UDP port 3544.',
        };
  const ms = Math.round(primary.rttMs);
  return secondary.rttMs === null
    ? {
        ...{ state: 'answers', code: 'answers-half' },
        text: `It answers in ${ms} ms, but its second address does not, so that symmetric routers can’t be told.`,
      }
    : {
        ...{ state: 'answers', code: 'answers' },
        text: `It answers in ${ms} ms from both of its addresses.`,
      };
}

function reject(code: ServiceErrorCode, text: string, params: FailureParams): Promise<never> {
  return Promise.reject(new ServiceError(code, text, params));
}
