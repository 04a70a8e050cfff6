// Plays a random network with our client, server and relay in it, and judges it by the rules and by how it heals.
import { relayConfig } from '../../../engine/relay/index.ts';
import { simulateRelay, simulateServer } from '../../../engine/service/simulated.ts';
import type { SimulatedClient } from '../../../engine/service/simulated.ts';
import type { TeredoRelay } from '../../../engine/relay/index.ts';
import type { TeredoServer } from '../../../engine/server/index.ts';
import {
  answerFrom,
  Host,
  Internet6,
  NAT_KINDS,
  Segment,
  Simulation,
  Trace,
} from '../../../engine/sim/index.ts';
import type { Interface, Node6, SeededRandom } from '../../../engine/sim/index.ts';
import {
  buildIp6Packet,
  decodeTeredo,
  formatIp6,
  IP6_HEADER_LENGTH,
  parseIp4,
  parseIp6,
  PROTOCOL,
  sameEndpoint,
  TEREDO_MTU,
  TEREDO_PORT,
} from '../../../engine/wire/index.ts';
import type { Ip4, Ip6 } from '../../../engine/wire/index.ts';
import { loneShot } from './attacks.ts';
import type { Knowledge } from './attacks.ts';
import { Faults } from './faults.ts';
import { LIMITS, RandomHome, SERVER, SERVER2 } from './home.ts';
import { Hostiles, HOSTILE_PORT, isHostile } from './hostiles.ts';
import type { Account } from './hostiles.ts';
import { crowdShot } from './row-attacks.ts';
import { Violation } from './rule-list.ts';
import type { Rule } from './rule-list.ts';
import { Watch } from './rules.ts';
import { LONE_ATTACKS, SUPPORTED } from './scenario.ts';
import type { Attack, HomeSpec, LoneAttack, Place, Scenario, Step } from './scenario.ts';

const ip = (text: string): Ip4 => parseIp4(text)!;
/** Bounds of relays, small enough that a crowd reaches them. */
const RELAY_LIMITS = { maxPending: 64, queueBytesTotal: 65_536 };
/** See the rule `heals`. */
const ADDRESS_HEALS_MS = 35_000;
const SEARCHED_HEALS_MS = 125_000;
/** See the rule `supported-pair-connects`. */
const PATH_HEALS_MS = 311_000;
const CONNECT_MS = 10_000;
/** See the rule `silence-is-told`. */
const SILENCE_TOLD_MS = 47_000;
const SEARCHED_SILENCE_MS = 137_000;
const CHECK_MS = 5_000;

export interface Outcome {
  readonly violation: { readonly rule: Rule; readonly text: string } | null;
  /** Events of the run; equal for equal runs. */
  readonly hash: string;
  readonly delivered: number;
  /** What became of the packets of each attack. */
  readonly accounts: ReadonlyMap<Attack, Account>;
}

/** Changes a machine as a bug would: for the tests of the rules. */
export type Tamper = (client: SimulatedClient, world: RandomWorld) => void;

/** A Linux router keeps the port, and counts as one that maps by destination only where it can't. */
function mapsByDestination({ kind }: HomeSpec): boolean {
  if (kind === 'none') return false;
  const { mapping, overloading } = NAT_KINDS[kind];
  return mapping !== 'endpointIndependent' && !overloading;
}

/** Reasons that speak of a server or network that is not there. */
const SILENT_REASONS: ReadonlySet<string> = new Set(['server-silent', 'no-network']);

const isLone = (attack: Attack): attack is LoneAttack =>
  (LONE_ATTACKS as readonly Attack[]).includes(attack);

export class RandomWorld {
  readonly simulation: Simulation;
  readonly internet: Segment;
  readonly homes: RandomHome[] = [];
  readonly natives: { readonly address: Ip6; readonly node: Node6 }[] = [];
  readonly watch: Watch;
  readonly attackerPort = HOSTILE_PORT;
  readonly hostiles: Hostiles;
  private readonly machines = new Map<
    string,
    { readonly discards: Readonly<Record<string, number>> }
  >();
  readonly server: TeredoServer;
  readonly relays: TeredoRelay[] = [];
  private readonly faults: Faults;
  readonly serverLinks: readonly Interface[];
  readonly relayLinks: Interface[] = [];
  private readonly scenario: Scenario;
  readonly random: SeededRandom;
  private nextId = 1;

  constructor(scenario: Scenario, tamper?: Tamper) {
    this.scenario = scenario;
    const simulation = new Simulation(scenario.seed);
    this.simulation = simulation;
    this.random = simulation.random.fork('player');
    this.internet = new Segment(simulation, 'internet');
    const relays = Array.from({ length: scenario.relays }, (_, i) => `relay${i}`);
    const names = scenario.homes.map((_, i) => `home${i}`);
    const native = new Internet6(simulation);
    this.hostiles = new Hostiles(simulation, this.internet, native, scenario.attackers ?? 1);
    this.watch = new Watch(simulation, {
      machines: new Set(['server', ...relays, ...names]),
      server: 'server',
      relays: new Set(relays),
      symmetric: new Set(names.filter((_, i) => mapsByDestination(scenario.homes[i]!))),
      neighbours: (node) => this.neighboursOf(node),
      seeking: new Set(
        names.filter((_, i) => scenario.homes[i]!.settings?.localDiscovery === true),
      ),
      hostiles: this.hostiles,
      isTrue: (bytes) => this.faults.lies.isValid(bytes),
      discardsOf: (node) => this.machines.get(node)!.discards,
      duplicates: scenario.homes.some(({ line }) => (line.duplicate ?? 0) > 0),
    });
    const host = new Host(simulation, 'server');
    this.serverLinks = [SERVER, SERVER2].map((each) => host.addInterface(this.internet, each));
    const serverNode = native.attach('server', [parseIp6('2001:db8:53::1')!]);
    this.faults = new Faults(this, host);
    const settings = { primary: SERVER, secondary: SERVER2 };
    this.server = simulateServer(simulation, host, settings, serverNode);
    this.machines.set('server', this.server);
    relays.forEach((name, i) => {
      const machine = new Host(simulation, name);
      this.relayLinks.push(machine.addInterface(this.internet, ip(`203.0.113.${20 + i}`)));
      const address = parseIp6(`2001:db8:7e::${i + 1}`)!;
      const node = native.attach(name, [address]);
      native.route(parseIp6('2001::')!, 32, node, i);
      const config = relayConfig({ address, limits: RELAY_LIMITS });
      const relay = simulateRelay(simulation, machine, config, node);
      this.relays.push(relay);
      this.machines.set(name, relay);
    });
    for (let i = 0; i < scenario.natives; i++) this.addNative(native, i);
    for (const [i, spec] of scenario.homes.entries())
      this.homes.push(new RandomHome(this, i, spec));
    for (const { name, client } of this.homes) this.machines.set(name, client);
    if (tamper) for (const home of this.homes) tamper(home.simulated, this);
  }

  private neighboursOf(node: string): readonly Ip4[] {
    const home = this.homes.find(({ name }) => name === node);
    if (!home?.nat) return [];
    return this.homes
      .filter((each) => each !== home && each.nat === home.nat)
      .map(({ own }) => own);
  }

  private addNative(native: Internet6, i: number): void {
    const address = parseIp6(`2001:db8:66::${i + 1}`)!;
    const node = native.attach(`native${i}`, [address]);
    node.onPacket = (packet) => {
      if (packet[6] === PROTOCOL.udp) this.watch.noteDelivered(`native${i}`, [address], packet);
      else {
        const answer = answerFrom(address, packet);
        if (answer) node.send(answer);
      }
    };
    this.natives.push({ address, node });
  }

  private addressOf(place: Place): Ip6 | null {
    if ('native' in place) return this.natives[place.native]!.address;
    return this.homes[place.home]!.client.status().address;
  }

  /** A program at `from` sends one packet to `to`; its number, 0 if one of them has no address. */
  send(from: Place, to: Place, large = false): number {
    const source = this.addressOf(from);
    const destination = this.addressOf(to);
    if (source === null || destination === null || source === destination) return 0;
    if ('home' in from && this.homes[from.home]!.isAsleep) return 0;
    const id = this.nextId++;
    // Never the mark of a forged packet.
    const payload = new Uint8Array(large ? TEREDO_MTU - IP6_HEADER_LENGTH : 10);
    payload.set([0x30, 0x39, 0, 9, 0, 10, 0, 0, (id >> 8) & 0x7f, id & 0xff]);
    const fields = { nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination };
    const packet = buildIp6Packet(fields, payload);
    this.watch.noteSent(id, source, destination);
    if ('native' in from) this.natives[from.native]!.node.send(packet);
    else this.homes[from.home]!.simulated.station.datapath.fromAdapter(packet);
    return id;
  }

  /** Delay of the lines of the server and the relays, ms each way; those of the homes have their own. */
  setDelay(delayMs: number): void {
    for (const { line } of [...this.serverLinks, ...this.relayLinks]) line.set({ delayMs });
  }

  private attack(step: Step & { kind: 'attack' }): void {
    const home = this.homes[step.home]!;
    const { address, mapped } = home.client.status();
    if (address === null || mapped === null) return;
    const others = this.homes.filter((each) => each !== home);
    const natives = this.natives.map((each) => each.address);
    const servers = [SERVER, SERVER2].map((each) => ({ ip: each, port: TEREDO_PORT }));
    const relays = this.relayLinks.map((link) => ({ ip: link.address, port: TEREDO_PORT }));
    const addresses = others.flatMap((each) => each.addresses);
    const peers = others.flatMap(({ client }) => {
      const status = client.status();
      return status.address !== null && status.mapped !== null
        ? [{ address: status.address, mapped: status.mapped }]
        : [];
    });
    for (let i = 0; i < step.count; i++) {
      const attacker = this.hostiles.pick(this.random);
      const knowledge: Knowledge = {
        random: this.random,
        attacker,
        server: servers[this.random.chance(0.5) ? 0 : 1]!,
        servers,
        relays,
        target: {
          address,
          mapped,
          own: home.nat && { ip: home.own, port: home.simulated.station.socket.port },
          probeId: home.client.probeId,
          advertised: this.watch.advertisedTo(home.name),
        },
        others: addresses,
        peers,
        natives,
      };
      const { attack } = step;
      const shot = isLone(attack) ? loneShot(attack, knowledge) : crowdShot(attack, knowledge);
      if (shot?.side === 'program')
        this.watch.noteProgram(home.name, attack, shot.bytes.length, () =>
          home.simulated.station.datapath.fromAdapter(shot.bytes),
        );
      else if (shot) this.hostiles.send(attack, shot, home.nat);
    }
  }

  run(): void {
    const { simulation, scenario } = this;
    const start = simulation.now;
    for (const home of this.homes) home.simulated.start();
    for (const step of scenario.steps) {
      const at = start + step.at;
      if (step.kind === 'send')
        simulation.schedule(at, () => void this.send(step.from, step.to, step.large));
      else if (step.kind === 'attack') simulation.schedule(at, () => this.attack(step));
      else {
        simulation.schedule(at, () => this.faults.set(step, true));
        simulation.schedule(start + step.until, () => this.faults.set(step, false));
      }
    }
    const check = (): void => {
      this.checkState();
      simulation.after(CHECK_MS, check);
    };
    check();
    simulation.runUntil(start + scenario.quietAt);
    this.heal();
  }

  private fail(rule: Rule, text: string): never {
    throw new Violation(rule, this.simulation.now, text);
  }

  /** What holds at any time. */
  private checkState(): void {
    for (const relay of this.relays) {
      const { pending, queuedBytes } = relay.status();
      if (pending > RELAY_LIMITS.maxPending || queuedBytes > RELAY_LIMITS.queueBytesTotal)
        this.fail('bounded-state', `a relay waits for ${pending} with ${queuedBytes} bytes`);
    }
    const honest = new Set([
      ...this.homes.flatMap((home) => home.addresses),
      ...this.natives.map((native) => native.address),
    ]);
    for (const home of this.homes) this.checkSilence(home);
    for (const { name, client, addresses } of this.homes) {
      const rows = client.peers(this.simulation.now);
      if (rows.length > LIMITS.maxPeers)
        this.fail('bounded-state', `${name} keeps ${rows.length} peers`);
      for (const { trusted, endpoint, kind, address: peer } of rows)
        if (
          trusted &&
          endpoint &&
          isHostile(endpoint.ip) &&
          (kind === 'native' || honest.has(peer))
        )
          this.fail('trust-is-earned', `${name} believes ${formatIp6(peer)} to be an attacker`);
      const { address, mapped } = client.status();
      if (address === null) continue;
      const decoded = decodeTeredo(address);
      if (!decoded || decoded.server !== SERVER || isHostile(decoded.client.ip) || !mapped)
        this.fail('address-from-server', `${name} has ${formatIp6(address)}`);
      if (!sameEndpoint(decoded.client, mapped))
        this.fail('address-from-server', `${name}: ${formatIp6(address)} is not its mapping`);
      if (!addresses.includes(address)) addresses.push(address);
    }
  }

  /** It does not say that all is well while its server is silent. */
  private checkSilence({ name, client, spec, isAsleep }: RandomHome): void {
    const { state, reason } = client.status();
    if (isAsleep || state !== 'qualified' || SILENT_REASONS.has(reason.code)) return;
    const most = spec.settings?.intervalSearch ? SEARCHED_SILENCE_MS : SILENCE_TOLD_MS;
    const since = this.simulation.now - this.watch.lastAnswer(name);
    if (since > most)
      this.fail('silence-is-told', `${name} says ${reason.code} after ${Math.round(since)} ms`);
  }

  /** From here on nothing is wrong any more: everybody gets an address, and whom RFC 4380 lets talk can talk. */
  private heal(): void {
    const { simulation, homes } = this;
    for (const home of homes) {
      home.line.up = true;
      home.line.set({ loss: 0, duplicate: 0, reorder: 0, delayMs: home.spec.line.delayMs ?? 5 });
      home.nat?.setBehaviour({ blockedPorts: [] });
      home.link.setUp(true);
    }
    for (const { line } of [...this.serverLinks, ...this.relayLinks]) line.set({ loss: 0 });
    const quiet = simulation.now;
    const searches = (home: RandomHome): boolean => home.spec.settings?.intervalSearch === true;
    simulation.runUntil(quiet + ADDRESS_HEALS_MS);
    for (const home of homes) if (!searches(home)) this.checkHealed(home, true);
    simulation.runUntil(quiet + SEARCHED_HEALS_MS);
    for (const home of homes) if (searches(home)) this.checkHealed(home, true);
    simulation.runUntil(quiet + PATH_HEALS_MS);
    const supported = homes.flatMap(({ spec }, i) =>
      (SUPPORTED as readonly string[]).includes(spec.kind) ? [i] : [],
    );
    for (const a of supported)
      for (const b of supported)
        if (a !== b) {
          this.connect({ home: a }, { home: b });
          if (this.carriesLarge(a) && this.carriesLarge(b))
            this.connect({ home: a }, { home: b }, true);
        }
    if (this.scenario.relays > 0)
      for (const a of supported) {
        this.connect({ home: a }, { native: 0 });
        this.connect({ native: 0 }, { home: a });
        if (this.carriesLarge(a)) this.connect({ native: 0 }, { home: a }, true);
      }
    // Each of them was spoken to: nothing speaks against its address any more.
    if (supported.length > 1 || this.scenario.relays > 0)
      for (const a of supported) this.checkHealed(homes[a]!, false);
  }

  /** `mayDoubt`: nobody has spoken to it yet, so that it can't know whether its server lies. */
  private checkHealed(home: RandomHome, mayDoubt: boolean): void {
    const { name, client } = home;
    const { state, reason, mapped, address } = client.status();
    const after = `long after the last fault`;
    const doubts =
      mayDoubt &&
      reason.code === 'no-traffic' &&
      client.peers(this.simulation.now).every(({ trusted }) => !trusted);
    if (state !== 'qualified' && !doubts)
      this.fail('heals', `${name} is ${state} (${reason.code}) ${after}`);
    if (address === null) this.fail('heals', `${name} has no address ${after}`);
    if (mapped?.ip !== home.external)
      this.fail('heals', `${name} has not noticed its new external address ${after}`);
  }

  private carriesLarge(home: number): boolean {
    const { spec } = this.homes[home]!;
    const { line } = spec.behind === undefined ? spec : this.homes[spec.behind]!.spec;
    return line.mtu === undefined;
  }

  private connect(from: Place, to: Place, large = false): void {
    const id = this.send(from, to, large);
    const end = this.simulation.now + CONNECT_MS;
    while (this.simulation.now < end && !this.watch.wasDelivered(id))
      this.simulation.runUntil(this.simulation.now + 100);
    if (!this.watch.wasDelivered(id))
      this.fail(
        'supported-pair-connects',
        `${JSON.stringify(from)} to ${JSON.stringify(to)}: nothing${large ? ' large' : ''} arrived in ${CONNECT_MS} ms`,
      );
  }
}

/** Plays `scenario`; `tamper` is for the tests of the rules. `trace` gets the last `keep` events as text. */
export function play(
  scenario: Scenario,
  options: { readonly tamper?: Tamper; readonly keep?: number; readonly trace?: string[] } = {},
): Outcome {
  const world = new RandomWorld(scenario, options.tamper);
  const trace = options.trace ? new Trace(world.simulation, options.keep ?? 100) : null;
  let violation: Outcome['violation'] = null;
  try {
    world.run();
  } catch (error) {
    if (error instanceof Violation) violation = { rule: error.rule, text: error.message };
    else violation = { rule: 'no-exception', text: (error as Error).stack ?? String(error) };
  }
  if (trace) options.trace!.push(...trace.lines());
  return {
    violation,
    hash: trace?.hash() ?? '',
    delivered: world.watch.deliveredCount,
    accounts: world.hostiles.accounts,
  };
}
