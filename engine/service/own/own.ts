// Module own/own looks at one's own server and relay from outside: it gathers the facts by real packets, and has them judged.
import type { ProbeHost } from '../../host/probe-types.ts';
import { isNative6, parseIp4, parseIp6 } from '../../wire/index.ts';
import type { Ip4, Ip6 } from '../../wire/index.ts';
import type { Api } from '../api.ts';
import type { Settings } from '../config.ts';
import { judgeAll } from '../doctor/check.ts';
import { managedFacts, nameFacts } from '../doctor/doctor.ts';
import { tryUdpOut } from '../doctor/paths.ts';
import { askConnected, within } from '../doctor/solicit.ts';
import type { ServerQuestion } from '../doctor/solicit.ts';
import { judgeManaged } from '../doctor/checks-machine.ts';
import { ServiceError } from '../errors.ts';
import type { ownCalls, OwnParams, OwnReport, OwnState } from './calls.ts';
import { RELAY_CHECKS } from './checks-relay.ts';
import { SERVER_CHECKS } from './checks-server.ts';
import type { NativeFacts, OwnFacts } from './facts.ts';
import { tryForwarding } from './forwarding.ts';
import { tryNative } from './native.ts';
import { askSides } from './sides.ts';
import { ownVerdict } from './verdict.ts';

/** Longest waits, ms. */
const NAMES_MS = 5_000;
const POLICY_MS = 4_000;
const SERVER_MS = 4_000;
const PATH_MS = 3_000;
/** From the begin of one look to that of the next, ms: nobody's server is to be flooded by a finger on a button. */
const APART_MS = 10_000;
/** Root name servers a, k and m, as native hosts that answer pings and stand all over the world. */
const WITNESSES: readonly Ip6[] = ['2001:503:ba3e::2:30', '2001:7fd::1', '2001:dc3::35'].map(
  (text) => parseIp6(text)!,
);

/** In the order in which one rests on another. */
export const OWN_CHECKS = [...SERVER_CHECKS, ...RELAY_CHECKS];

export interface OwnParts {
  readonly host: ProbeHost;
  readonly settings: Pick<
    Settings,
    'servers' | 'server2' | 'allowPrivate' | 'credentials' | 'gate' | 'policy'
  >;
  readonly onChange: () => void;
}

type Part = { -readonly [N in keyof OwnFacts]: OwnFacts[N] };

/** What was asked for, read. */
interface Wish {
  readonly secondary: Ip4 | null;
  readonly relay: Ip4 | null;
  readonly native: string | null;
  readonly allowPrivate: boolean;
}

/** The check of one client, or of a command. */
export class OwnCheck {
  private readonly parts: OwnParts;
  private report: OwnReport | null = null;
  private running: OwnParams | null = null;
  private beganAt = -Infinity;

  constructor(parts: OwnParts) {
    this.parts = parts;
  }

  /** The calls of own/calls. */
  readonly api: Pick<Api, keyof typeof ownCalls> = {
    checkOwn: (params) => this.look(params),
    ownState: () => Promise.resolve(this.state()),
  };

  state(): OwnState {
    return { report: this.report, running: this.running };
  }

  /** Rejects with ServiceError for what can't be asked, or when a look is under way; never for what it finds. */
  async look(asked: OwnParams): Promise<OwnReport> {
    const wish = this.read(asked);
    if (this.running)
      throw new ServiceError(
        'look-runs',
        `${this.running.server} is being looked at; wait for that.`,
        { server: this.running.server },
      );
    const { host, onChange } = this.parts;
    this.running = asked;
    onChange();
    try {
      const early = this.beganAt + APART_MS - host.now();
      if (early > 0) await new Promise<void>((resolve) => host.after(early, resolve));
      this.beganAt = host.now();
      const facts = await this.gather(asked.server, wish);
      const checks = judgeAll(OWN_CHECKS, facts);
      this.report = {
        ...{ at: Date.now(), builtIn: host.builtIn ?? false, asked },
        checks: checks.map((each) => ({ ...each, dependsOn: [...each.dependsOn] })),
        verdict: ownVerdict(facts, checks),
      };
      return this.report;
    } finally {
      this.running = null;
      onChange();
    }
  }

  private read({ server, secondary, relay, native, allowPrivate }: OwnParams): Wish {
    const ip = (text: string | undefined, what: string): Ip4 | null => {
      if (text === undefined) return null;
      const found = parseIp4(text);
      if (found === undefined)
        throw new ServiceError(
          'no-ipv4-address',
          `${what} must be an IPv4 address; ${text} is none.`,
          { given: text },
        );
      return found;
    };
    const wish = {
      secondary: ip(secondary, 'The second address'),
      relay: ip(relay, 'The relay'),
      native: native ?? null,
      allowPrivate: allowPrivate ?? this.parts.settings.allowPrivate,
    };
    if (wish.secondary !== null && wish.secondary === parseIp4(server))
      throw new ServiceError(
        'same-addresses',
        'The second address must be another one than the first.',
      );
    return wish;
  }

  private async gather(server: string, wish: Wish): Promise<OwnFacts> {
    const { host, settings } = this.parts;
    const { allowPrivate, relay } = wish;
    const facts: Part = {
      ...{ allowPrivate, relay, managed: null, ipv4: null, name: null },
      ...{ server: null, server2: null, primary: null, secondary: null, refused: null },
      ...{ udpOut: null, coneFrom: undefined, bubbles: null, native: null, witness: null },
    };
    const [managed, network] = await Promise.all([
      within(host, POLICY_MS, managedFacts(host, settings)),
      within(host, POLICY_MS, host.networkState()),
    ]);
    facts.managed = managed;
    facts.ipv4 = network?.ipv4 ?? null;
    // Unless it may surely be spoken here, and where nothing leads out, nothing is sent.
    if (judgeManaged(managed).result !== 'good' || facts.ipv4 === false) return facts;
    facts.name = await within(host, NAMES_MS, nameFacts(host, server, allowPrivate));
    const found = facts.name?.usable[0];
    if (found === undefined) return facts;
    facts.server = found;
    facts.server2 = wish.secondary ?? this.secondOf(server, found);
    const question: ServerQuestion = {
      ...{ server: found, server2: facts.server2, allowPrivate },
      // The key is for whom the settings name, and for nobody else.
      credentials: settings.servers.includes(server) ? settings.credentials : null,
    };
    const refused = askConnected(host, question, SERVER_MS);
    const sides = await askSides(host, question, SERVER_MS, refused);
    Object.assign(facts, sides);
    const { reading } = sides.primary;
    if (!reading) {
      facts.refused = await refused;
      if (facts.refused === null) facts.udpOut = await tryUdpOut(host, PATH_MS);
    }
    if (reading?.fault !== null || reading.keyRefused) return facts;
    [facts.bubbles, facts.native] = await Promise.all([
      tryForwarding(host, question, PATH_MS),
      this.native(question, wish.native),
    ]);
    if (facts.native?.given && facts.native.relay === null && facts.native.error === null)
      facts.witness = await this.native(question, null);
    return facts;
  }

  private secondOf(name: string, server: Ip4): Ip4 {
    const { servers, server2 } = this.parts.settings;
    // The setting is the secondary of the first server.
    return name === servers[0] && server2 !== null ? parseIp4(server2)! : (server + 1) >>> 0;
  }

  /** `name`: a native host; null: root name servers. */
  private async native(question: ServerQuestion, name: string | null): Promise<NativeFacts | null> {
    const { host } = this.parts;
    if (name === null) return tryNative(host, question, WITNESSES, null, PATH_MS);
    const reach = { allowPrivate: question.allowPrivate, broadcasts: [] };
    const given = parseIp6(name);
    try {
      const all = given === undefined ? await host.resolve6(name) : [given];
      const native = all.filter((each) => isNative6(each, reach));
      if (native.length === 0) throw new Error(`${name} has no address of native IPv6.`);
      return await tryNative(host, question, native.slice(0, 1), name, PATH_MS);
    } catch (error) {
      const nothing = { relay: null, firstMs: null, bubble: false, directMs: null };
      return { host: name, given: true, error: (error as Error).message, ...nothing };
    }
  }
}
