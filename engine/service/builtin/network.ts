// Module builtin/network is a whole Internet in the process, for the running client: choose the router, let things fail, start programs.
import { matcherFor } from '../../gate/index.ts';
import type { Rule } from '../../gate/index.ts';
import { Host } from '../../sim/index.ts';
import type { Interface, Nat } from '../../sim/index.ts';
import { formatIp6 } from '../../wire/index.ts';
import type { Ip4, Ip6 } from '../../wire/index.ts';
import { NOTHING } from '../state-file.ts';
import type { Remembered, StateStore } from '../state-file.ts';
import type { BuiltInChange, BuiltInState } from './calls.ts';
import { applyFaults, FAULTS, happen } from './faults.ts';
import type { FaultName } from './faults.ts';
import { BuiltInHost } from './host.ts';
import { Pace } from './pace.ts';
import {
  ACCESS,
  ALLOWED,
  NATIVES,
  PEERS,
  PROGRAMS,
  RELAYS,
  ROOT_SERVER,
  SERVERS,
  YOU,
} from './places.ts';
import type { AccessKind } from './places.ts';
import { Pc } from './programs.ts';
import {
  addHome,
  addNameServer,
  addNative,
  addRelay,
  addRouter,
  addServer,
  buildWorld,
  homeNetwork,
  ip4,
  ip6,
  plug,
} from './world.ts';
import type { Access, Home, World } from './world.ts';

const SEED = 4380;
const PEER_PORT = 50_001;
const FIRST_KIND: AccessKind = 'portRestricted';
/** The page of a hotel is in its own network, where no server can be. */
const PORTAL = '192.168.1.1';
const KINDS = Object.keys(ACCESS) as AccessKind[];

/** What the network needs of the client that runs on it. */
export interface Gatekeeping {
  readonly rules: () => readonly Rule[];
  readonly allow: (rule: Rule) => void;
  readonly forget: (id: string) => void;
}

/** The memory of a client that shall leave nothing behind. */
class ForgetfulStore implements StateStore {
  readonly damaged = false;
  value: Remembered;

  constructor(rules: readonly Rule[]) {
    this.value = { ...NOTHING, rules };
  }

  update(change: Partial<Remembered>): void {
    this.value = { ...this.value, ...change };
  }

  note(change: Partial<Remembered>): void {
    this.update(change);
  }

  flush(): void {
    // There is nothing to write to.
  }
}

/** Nothing moves before `run`. */
export class BuiltInNetwork {
  readonly host: BuiltInHost;
  readonly state: StateStore;
  /** Host names of the servers, for the client's settings. */
  readonly servers: readonly string[] = SERVERS.map(({ host }) => host);
  private readonly world: World;
  private readonly pace: Pace;
  private readonly firstSpeed: number;
  private readonly pc: Pc;
  private readonly you: Host;
  private readonly peers: readonly Home[];
  private readonly server: readonly Interface[];
  private readonly relays: readonly ReturnType<typeof addRelay>[];
  private readonly routers = new Map<AccessKind, Nat | null>();
  private readonly faults = new Set<FaultName>();
  private kind: AccessKind = FIRST_KIND;
  private plugged: Interface;
  private withdraw: () => void;
  private renumbered = 0;
  private gate: Gatekeeping | null = null;

  constructor(options: { readonly speed?: number; readonly nat?: AccessKind } = {}) {
    const world = buildWorld(SEED);
    this.world = world;
    const { simulation } = world;
    this.firstSpeed = options.speed ?? 1;
    this.pace = new Pace(simulation, this.firstSpeed);
    for (const each of NATIVES) addNative(world, each);
    const [server] = SERVERS.map((each) => addServer(world, each));
    this.server = server!;
    this.relays = RELAYS.map((each) => addRelay(world, each));
    this.withdraw = this.relays[0]!.serve();
    this.peers = PEERS.map(({ name, access: kind }, i) =>
      addHome(world, {
        name,
        access: { ...peerAccess(kind, i), router: `${name}’s router` },
        port: PEER_PORT + i,
        server: SERVERS[0].primary,
      }),
    );
    this.you = new Host(simulation, YOU.name);
    this.kind = options.nat ?? FIRST_KIND;
    this.plugged = plug(world, this.you, accessOf(this.kind), this.router());
    this.pc = new Pc(simulation, PROGRAMS, {
      send: (packet) => this.host.send(packet),
      addressOf: (name) => this.addressOf(name),
    });
    this.host = new BuiltInHost({
      simulation,
      pace: this.pace,
      host: this.you,
      pc: this.pc,
      lookUp: (name) => this.lookUp(name),
      lookUp6: (name) => this.lookUp6(name),
      gateway: () => (this.kind === 'none' ? null : ip4(accessOf(this.kind).gateway)),
      lineUp: () => !this.faults.has('cable') && !this.faults.has('line'),
    });
    addNameServer(world, ROOT_SERVER);
    addNative(world, { name: ROOT_SERVER.name, address: ROOT_SERVER.native, quiet: false });
    this.state = new ForgetfulStore(ALLOWED.map((name) => this.rule(name)));
  }

  /** Time goes by from now on. `gate`: of the client that runs here. */
  run(gate: Gatekeeping): void {
    this.gate = gate;
    for (const { client } of this.peers) client.start();
    for (const { name, comes, startsAfterMs } of PROGRAMS)
      if (comes || startsAfterMs !== null)
        this.world.simulation.after(startsAfterMs ?? 0, () => this.pc.start(name));
    this.pace.rearm();
  }

  close(): void {
    this.pace.close();
  }

  /** Does `work`, which looks at the network or changes it, at the time that it is by the clock on the wall. */
  at<T>(work: () => T): T {
    this.pace.catchUp();
    try {
      return work();
    } finally {
      this.pace.rearm();
    }
  }

  show(): BuiltInState {
    const rules = this.gate?.rules() ?? [];
    return {
      speed: this.pace.speed,
      nat: this.kind,
      kinds: KINDS.map((name) => ({ name, text: ACCESS[name] })),
      faults: (Object.keys(FAULTS) as FaultName[]).map((name) => ({
        name,
        ...FAULTS[name],
        active: this.faults.has(name),
      })),
      programs: this.pc.state().map((each) => ({
        ...each,
        allowed: rules.some((rule) => rule.matcher.path === each.path && !rule.never),
      })),
      hosts: this.hosts(),
    };
  }

  change(change: BuiltInChange): void {
    switch (change.change) {
      case 'nat':
        this.choose(change.kind);
        break;
      case 'fault':
        if (FAULTS[change.name].passing) this.happen(change.name);
        else this.faults.add(change.name);
        this.apply();
        break;
      case 'heal':
        if (change.name === undefined) this.faults.clear();
        else this.faults.delete(change.name);
        this.apply();
        break;
      case 'program':
        this.changeProgram(change);
        break;
      case 'speed':
        this.pace.speed = change.speed;
        break;
      case 'reset':
        this.reset();
        break;
    }
  }

  private reset(): void {
    this.faults.clear();
    this.pace.speed = this.firstSpeed;
    for (const { name, comes, startsAfterMs } of PROGRAMS) {
      this.pc.stop(name);
      if (ALLOWED.includes(name)) this.gate?.allow(this.rule(name));
      else this.gate?.forget(ruleId(name));
      if (comes || startsAfterMs !== null) this.pc.start(name);
    }
    this.choose(FIRST_KIND);
  }

  private changeProgram({ name, running, allowed }: BuiltInChange & { change: 'program' }): void {
    const known = this.pc.state().find((each) => each.name.toLowerCase() === name.toLowerCase());
    if (!known) return;
    if (allowed === true) this.gate?.allow(this.rule(known.name));
    else if (allowed === false) this.gate?.forget(ruleId(known.name));
    if (running === true) this.pc.start(known.name);
    else if (running === false) this.pc.stop(known.name);
  }

  private rule(name: string): Rule {
    const identity = this.pc.identity(name)!;
    const port = PROGRAMS.find((each) => each.name === name)?.listens ?? null;
    return {
      id: ruleId(name),
      matcher: matcherFor(identity)!,
      connectOut: true,
      beReached: port === null ? 'none' : [port],
      files: identity.file === null ? [] : [identity.file],
      until: { kind: 'forever' },
      from: 'user',
      source: null,
      never: false,
    };
  }

  // ---- the way out

  private router(): Nat | null {
    const known = this.routers.get(this.kind);
    if (known !== undefined) return known;
    const made = addRouter(this.world, accessOf(this.kind));
    this.routers.set(this.kind, made);
    return made;
  }

  /** Plugs the PC in behind another router, in another network: it notices that at once. */
  private choose(kind: AccessKind): void {
    if (kind !== this.kind) {
      this.kind = kind;
      this.plugged.remove();
      this.plugged = plug(this.world, this.you, accessOf(kind), this.router());
    }
    this.apply();
  }

  private apply(): void {
    this.withdraw();
    this.withdraw = this.relays[this.faults.has('relay-moved') ? 1 : 0]!.serve();
    applyFaults(
      {
        kind: this.kind,
        router: this.router(),
        plug: this.plugged,
        server: this.server,
        relay: this.relays[0]!.interface,
      },
      this.faults,
    );
  }

  private happen(name: FaultName): void {
    this.renumbered += 1;
    happen(name, this.router(), ip4(`198.51.100.${100 + (this.renumbered % 100)}`));
  }

  // ---- who is there

  private hosts(): BuiltInState['hosts'] {
    const peers = this.peers.map(({ name, access, client }) => {
      const { address } = client.client.status();
      return {
        name,
        address: address === null ? null : formatIp6(address),
        kind: 'teredo' as const,
        text: ACCESS[access.kind],
      };
    });
    const natives = NATIVES.map(({ name, address, text }) => ({
      ...{ name, address, text },
      kind: 'native' as const,
    }));
    return [...peers, ...natives];
  }

  private addressOf(name: string): Ip6 | null {
    const native = NATIVES.find((each) => each.name === name);
    if (native) return ip6(native.address);
    return this.peers.find((each) => each.name === name)?.client.client.status().address ?? null;
  }

  /** Everybody here has a name under `.example`. */
  private lookUp6(name: string): Ip6 | null {
    const found = this.hosts().find(
      (each) => `${each.name.toLowerCase()}.example` === name.toLowerCase(),
    );
    return found === undefined ? null : this.addressOf(found.name);
  }

  private lookUp(name: string): Ip4 | undefined {
    const server = SERVERS.find((each) => each.host === name);
    if (!server || this.faults.has('cable') || this.faults.has('line')) return undefined;
    return ip4(this.faults.has('portal') ? PORTAL : server.primary);
  }
}

/** The user's own; each kind of router has a network of its own. */
function accessOf(kind: AccessKind): Access {
  const nth = KINDS.indexOf(kind);
  return {
    kind,
    router: YOU.router,
    public: `198.51.100.${7 + nth}`,
    ...homeNetwork(`192.168.${1 + nth}`),
  };
}

function peerAccess(kind: AccessKind, nth: number): Omit<Access, 'router'> {
  return { kind, public: `203.0.113.${9 + nth}`, ...homeNetwork(`10.0.${nth}`) };
}

function ruleId(name: string): string {
  return `built-in-${name.toLowerCase()}`;
}
