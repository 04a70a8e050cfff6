// Module doctor/doctor gathers the facts side by side, each within its time, has them judged, and keeps the last report.
import type { MachineFacts, ProbeHost } from '../../host/probe-types.ts';
import { isGlobalUnicast4, parseIp4 } from '../../wire/index.ts';
import type { Settings } from '../config.ts';
import type { DoctorReport, DoctorState } from '../doctor-calls.ts';
import type { FactName } from './check.ts';
import { CHECKS, judge } from './checks.ts';
import type {
  EngineFacts,
  Facts,
  ManagedFacts,
  MappingFacts,
  NameFacts,
  NetworkFacts,
  ServerFacts,
} from './facts.ts';
import { tryHairpin, tryIdle, tryUdpOut } from './paths.ts';
import { askServer, within } from './solicit.ts';
import type { ServerQuestion } from './solicit.ts';
import { BEYOND, verdictOf } from './verdict.ts';

/** Longest waits, ms. */
const NAMES_MS = 5_000;
const SERVER_MS = 4_000;
const PATH_MS = 3_000;
const LOCAL_MS = 4_000;
const WAKE_MS = 5_000;
/** A way is left unused for so long by a thorough look, ms: a refresh interval (RFC 4380 §5.2) and a little more. */
const IDLE_MS = 32_000;
/** Addresses of servers that are asked at most. */
const MAX_SERVERS = 6;

/** The client that runs, if one does. */
export interface EngineView {
  facts(): EngineFacts;
  /** Asks for the tunnel as a person does. */
  stir(): void;
}

/** What the doctor looks at, and what it is told. */
export interface DoctorParts {
  readonly host: ProbeHost;
  readonly settings: Pick<
    Settings,
    'servers' | 'server2' | 'allowPrivate' | 'credentials' | 'gate' | 'policy' | 'adapter'
  >;
  readonly engine: EngineView | null;
  /** When the server at that address answered last, ms ago; null: never that we know. */
  readonly answeredAgo: (server: number) => number | null;
  readonly answered: (server: number) => void;
  /** What the router offers; rejects never. */
  readonly mapping: () => Promise<MappingFacts | null>;
  /** Ms since 1970. */
  readonly today: () => number;
  readonly onChange: () => void;
}

type Part = { -readonly [N in keyof Facts]: Facts[N] };

/** One doctor for a client, or for a command. */
export class Doctor {
  private readonly parts: DoctorParts;
  private report: DoctorReport | null = null;
  private looking: Promise<DoctorReport> | null = null;
  private readonly missing = new Set<FactName>();

  constructor(parts: DoctorParts) {
    this.parts = parts;
  }

  state(): DoctorState {
    const running = CHECKS.filter(({ needs }) => needs.some((each) => this.missing.has(each)));
    return { report: this.report, running: running.map(({ code, title }) => ({ code, title })) };
  }

  /** One look at a time. Never rejects for what it finds. */
  look(thorough = false): Promise<DoctorReport> {
    this.looking ??= this.gather(thorough).then((facts) => {
      this.looking = null;
      const checks = judge(facts);
      this.report = {
        at: this.parts.today(),
        builtIn: this.parts.host.builtIn ?? false,
        client: facts.engine !== null,
        checks: checks.map((each) => ({ ...each, dependsOn: [...each.dependsOn] })),
        verdict: verdictOf(facts, checks),
        beyond: [...BEYOND],
      };
      this.parts.onChange();
      return this.report;
    });
    return this.looking;
  }

  private async gather(thorough: boolean): Promise<Facts> {
    const { host, settings } = this.parts;
    const facts: Part = {
      engine: null,
      names: null,
      servers: null,
      udpOut: null,
      hairpin: null,
      idle: null,
      mapping: null,
      network: null,
      machine: null,
      managed: null,
      evenWithNativeIpv6: settings.gate.evenWithNativeIpv6,
    };
    const take = async <N extends FactName>(
      name: N,
      ms: number,
      work: Promise<Facts[N]>,
    ): Promise<void> => {
      facts[name] = await within<Part[N]>(host, ms, work);
      this.missing.delete(name);
      this.parts.onChange();
    };
    const names = this.names();
    const servers = names.then((found) => this.servers(found));
    const best = servers.then((asked) => this.best(asked));
    const idleMs = thorough ? IDLE_MS + 3 * PATH_MS : 0;
    for (const name of ['names', 'servers', 'udpOut', 'hairpin', 'idle'] as const)
      this.missing.add(name);
    for (const name of ['mapping', 'network', 'machine', 'managed', 'engine'] as const)
      this.missing.add(name);
    this.parts.onChange();
    await Promise.all([
      take('engine', WAKE_MS + 1_000, this.engine()),
      take('names', NAMES_MS, names),
      take('servers', NAMES_MS + SERVER_MS + 1_000, servers),
      take('udpOut', PATH_MS + 1_000, tryUdpOut(host, PATH_MS)),
      take(
        'hairpin',
        NAMES_MS + SERVER_MS + 3 * PATH_MS,
        best.then((question) => (question ? tryHairpin(host, question, PATH_MS) : null)),
      ),
      take(
        'idle',
        NAMES_MS + SERVER_MS + idleMs,
        best.then((question) => (question && thorough ? this.idle(question) : null)),
      ),
      take('mapping', LOCAL_MS, this.parts.mapping()),
      take('network', LOCAL_MS, this.network()),
      take('machine', LOCAL_MS, this.machine()),
      take('managed', LOCAL_MS, managedFacts(host, settings)),
    ]);
    return facts;
  }

  /** Wakes the tunnel, and gives it time for both answers of its server. */
  private async engine(): Promise<EngineFacts | null> {
    const { engine, host } = this.parts;
    if (!engine) return null;
    engine.stir();
    const end = host.now() + WAKE_MS;
    for (;;) {
      const facts = engine.facts();
      const { state, nat } = facts.status;
      const open = state === 'qualifying' || (state === 'qualified' && nat === 'unknown');
      if (!open || host.now() >= end) return facts;
      await new Promise<void>((resolve) => host.after(100, resolve));
    }
  }

  private names(): Promise<NameFacts[]> {
    const { host, settings } = this.parts;
    const { servers, allowPrivate } = settings;
    return Promise.all(servers.map((name) => nameFacts(host, name, allowPrivate)));
  }

  private servers(names: readonly NameFacts[]): Promise<ServerFacts[]> {
    const { host, settings, answeredAgo, answered } = this.parts;
    const { server2, allowPrivate, credentials } = settings;
    const places = names
      .flatMap(({ name, usable }) => usable.map((server) => ({ name, server })))
      .slice(0, MAX_SERVERS);
    return Promise.all(
      places.map(async ({ name, server }, nth): Promise<ServerFacts> => {
        const own = nth === 0 && server2 !== null ? parseIp4(server2)! : (server + 1) >>> 0;
        const question = { server, server2: own, allowPrivate, credentials };
        const answeredAgoMs = answeredAgo(server);
        const answers = await askServer(host, question, SERVER_MS, nth === 0);
        if (answers.primary.rttMs !== null) answered(server);
        return { name, ...answers, answeredAgoMs };
      }),
    );
  }

  /** The server that answered first, to try the ways with. */
  private best(servers: readonly ServerFacts[]): ServerQuestion | null {
    const { allowPrivate, credentials } = this.parts.settings;
    const [first] = servers
      .filter(({ primary }) => primary.rttMs !== null)
      .sort((a, b) => a.primary.rttMs! - b.primary.rttMs!);
    return first
      ? { server: first.server, server2: first.server2, allowPrivate, credentials }
      : null;
  }

  private async idle(question: ServerQuestion): Promise<Facts['idle']> {
    const kept = await tryIdle(this.parts.host, question, PATH_MS, IDLE_MS);
    return kept === null ? null : { ms: IDLE_MS, kept };
  }

  private async network(): Promise<NetworkFacts> {
    const { host } = this.parts;
    const { networks, ipv4, nativeIpv6 } = await host.networkState();
    const addresses = networks.map(({ address }) => address);
    return { ipv4, nativeIpv6, addresses, gateways: host.gateways() };
  }

  private machine(): Promise<MachineFacts> {
    const { host, engine } = this.parts;
    return host.machine(engine === null ? null : engine.facts().status.adapter);
  }
}

/** What becomes of looking `name` up. */
export async function nameFacts(
  host: Pick<ProbeHost, 'resolve'>,
  name: string,
  allowPrivate: boolean,
): Promise<NameFacts> {
  try {
    const addresses = await host.resolve(name);
    const usable = addresses.filter((ip) => allowPrivate || isGlobalUnicast4(ip));
    return { name, addresses, usable, error: null };
  } catch (error) {
    return { name, addresses: [], usable: [], error: (error as Error).message };
  }
}

/** Whether this machine's policy, its user or a domain controller keep Teredo off. */
export async function managedFacts(
  host: Pick<ProbeHost, 'networkState' | 'findDomain'>,
  settings: Pick<Settings, 'gate' | 'policy'>,
): Promise<ManagedFacts> {
  const { suffixes } = await host.networkState();
  return {
    domain: await host.findDomain(suffixes),
    policyState: settings.policy.gate.state,
    policyFile: settings.policy.sources['state'] ?? null,
    enabled: settings.gate.on,
  };
}
