// Draws a random network from a seed, as a plain value that can be played, shrunk and printed.
import type { ClientConfig } from '../../../engine/client/types.ts';
import { SeededRandom } from '../../../engine/sim/index.ts';
import type { LineConditions, NatBehaviour, NatKindName } from '../../../engine/sim/index.ts';
import { LIES } from './lies.ts';

/** The kinds behind which RFC 4380 §3.1 promises that clients reach each other; `none` is a PC without a NAT. */
export const SUPPORTED = [
  'none',
  'cone',
  'restricted',
  'portRestricted',
  'linux',
  'carrier',
] as const;
/** Kinds that need not connect, but must keep every other rule. */
const OTHERS = [
  'symmetric',
  'symmetricSequential',
  'symmetricPreserving',
  'symmetricByAddress',
  'open',
] as const;

export type HomeKind = 'none' | NatKindName;

export interface HomeSpec {
  readonly kind: HomeKind;
  readonly line: Partial<LineConditions>;
  /** Settings of its client that are not the usual ones. */
  readonly settings?: Partial<Omit<ClientConfig, 'limits'>>;
  /** UDP ports beside the service port; 16 if it is not said. */
  readonly sidePorts?: number;
  /** What the router does with packets to itself, if another than its kind. */
  readonly hairpin?: NatBehaviour['hairpin'];
  /** The home behind whose router this PC is, too; its own kind counts for nothing then. */
  readonly behind?: number;
}

export type Place = { readonly home: number } | { readonly native: number };

/** What a lone hostile host on the Internet sends; it knows every address and endpoint, but no secret. */
export const LONE_ATTACKS = [
  'junk',
  'bubbleFromPrivate',
  'bubbleFromStranger',
  'forgedPeer',
  'forgedNative',
  'routingHeader',
  'advertisement',
  'echoReply',
  'solicitation',
  'viaServer',
  'viaRelay',
  'fragment',
  'trailers',
] as const;
export type LoneAttack = (typeof LONE_ATTACKS)[number];

/** What a crowd sends beside that, from every side and with any source: see `random/rows.ts`. */
export const CROWD_ATTACKS = [
  'cut',
  'looping',
  'unfit',
  'toServerItself',
  'sourceRouting',
  'guessedBits',
  'programToPrivate',
  'insideSource',
  'everNewSources',
  'everNewLinks',
  'largeToDead',
  'everNewClients',
  'spoofedAdvertisement',
  'replayedAdvertisement',
  'unprovenNative',
  'guessedPing',
  'reflection',
  'forgedSolicitation',
  'circle',
  'scan',
  'discoveryLie',
  'refusedTrailers',
  'nested',
] as const;
export type CrowdAttack = (typeof CROWD_ATTACKS)[number];
export type Attack = LoneAttack | CrowdAttack;

/** Faults last from `at` to `until`. */
export const FAULTS = [
  'serverSilent',
  'secondarySilent',
  'linkDown',
  'lossy',
  'slow',
  'natReboot',
  'natRenumber',
  'blocked3544',
  'relayDead',
  'interfaceDown',
] as const;
/** States of a PC, of its network or of the server that need more than a line or a router. */
export const FURTHER_FAULTS = [
  /** The system refuses to send. */
  'sendFails',
  /** The PC sleeps: it hears nothing, and its timers wait. */
  'asleep',
  /** A login page: nothing passes, and something else answers for the server. */
  'portal',
  /** The server's advertisements say what is not so: see `random/lies.ts`. */
  ...LIES,
] as const;
export type Fault = (typeof FAULTS)[number] | (typeof FURTHER_FAULTS)[number];

export type Step =
  | {
      readonly kind: 'send';
      readonly at: number;
      readonly from: Place;
      readonly to: Place;
      /** A packet as large as the tunnel carries, and not a small one. */
      readonly large?: boolean;
    }
  | {
      readonly kind: 'fault';
      readonly at: number;
      readonly until: number;
      readonly fault: Fault;
      readonly home: number;
    }
  | {
      readonly kind: 'attack';
      readonly at: number;
      readonly attack: Attack;
      readonly home: number;
      /** How many at once. */
      readonly count: number;
    };

export interface Scenario {
  readonly seed: number;
  readonly homes: readonly HomeSpec[];
  readonly natives: number;
  readonly relays: number;
  readonly steps: readonly Step[];
  /** Milliseconds from the start after which nothing goes wrong any more. */
  readonly quietAt: number;
  /** Hostile hosts, each with an address of its own; one if it is not said. */
  readonly attackers?: number;
}

const LONGEST_FAULT_MS = 60_000;

function drawLine(random: SeededRandom): Partial<LineConditions> {
  return {
    delayMs: random.pick([1, 5, 20, 80, 250]),
    jitterMs: random.pick([0, 0, 3, 30]),
    loss: random.pick([0, 0, 0, 0.02, 0.1]),
    duplicate: random.pick([0, 0, 0, 0.05]),
    reorder: random.pick([0, 0, 0, 0.1]),
  };
}

/** What is optional: neighbours behind one router, hairpins, local discovery, the search for a longer interval, few side ports. */
function drawOptions(homes: readonly HomeSpec[], random: SeededRandom): HomeSpec[] {
  const drawn: HomeSpec[] = [];
  for (const home of homes) {
    const settings = {
      ...(random.chance(0.3) && { localDiscovery: true }),
      ...(random.chance(0.3) && { intervalSearch: true }),
    };
    const sidePorts = random.pick([16, 16, 4, 1, 0]);
    const hosts = [...drawn.keys()].filter((i) => {
      const { kind, behind } = drawn[i]!;
      return kind !== 'none' && behind === undefined;
    });
    const behind = hosts.length > 0 && random.chance(0.25) ? random.pick(hosts) : undefined;
    drawn.push({
      ...home,
      settings,
      sidePorts,
      hairpin: random.pick(['none', 'external', 'internal'] as const),
      ...(behind !== undefined && { behind, kind: drawn[behind]!.kind }),
    });
  }
  return drawn;
}

/** Hostile hosts of a crowd, and how often they set out together. */
const CROWD = 100;
const CROWD_STEPS = 150;
/** States of the network that are rows of the list of attacks. */
const CROWD_FAULTS: readonly Fault[] = ['sendFails', ...LIES, 'relayDead', 'blocked3544'];

/** The scenario of `seed` among a hundred hostile hosts, who send everything to everybody at any time, also while nothing is wrong. */
export function drawCrowd(seed: number): Scenario {
  const scenario = drawPlain(seed);
  const random = new SeededRandom(seed).fork('crowd');
  const attacks = Array.from({ length: CROWD_STEPS }, (): Step => ({
    kind: 'attack',
    // Not just when a timer is due: what that makes a machine send is no answer.
    at: random.float() * scenario.quietAt,
    attack: random.pick([...LONE_ATTACKS, ...CROWD_ATTACKS]),
    home: random.between(0, scenario.homes.length - 1),
    count: random.pick([1, 10, 100]),
  }));
  const faults = Array.from({ length: random.between(0, 3) }, (): Step => {
    const at = random.between(0, scenario.quietAt);
    const until = Math.min(scenario.quietAt, at + random.between(50, LONGEST_FAULT_MS));
    const home = random.between(0, scenario.homes.length - 1);
    return { kind: 'fault', at, until, fault: random.pick(CROWD_FAULTS), home };
  });
  return { ...scenario, attackers: CROWD, steps: [...scenario.steps, ...attacks, ...faults] };
}

/** Networks whose fragments are lost: of what they carry, a datagram with 1,280 bytes inside is larger (1,308). */
const SMALL_MTUS = [1_300, 1_200, 576];
/** How long a PC sleeps where it is more than a fault of a minute. */
const SLEEPS_MS = [600_000, 8 * 3_600_000, 24 * 3_600_000];

/** The scenario of `seed`: with sleep, login pages, lying servers, small path MTUs, and packets of full size. */
export function drawScenario(seed: number): Scenario {
  const scenario = drawPlain(seed);
  const random = new SeededRandom(seed).fork('further');
  const homes = scenario.homes.map((home) => {
    const mtu = random.chance(0.12) ? { mtu: random.pick(SMALL_MTUS) } : {};
    return { ...home, line: { ...home.line, ...mtu } };
  });
  const steps = scenario.steps.map((step): Step => {
    const large = random.chance(0.2);
    return step.kind === 'send' && large ? { ...step, large } : step;
  });
  let { quietAt } = scenario;
  for (let i = random.pick([0, 0, 1, 1, 2, 3]); i > 0; i--) {
    const fault = random.pick(FURTHER_FAULTS);
    const home = random.between(0, homes.length - 1);
    const at = random.between(0, scenario.quietAt);
    const long = fault === 'asleep' && random.chance(0.2);
    const until = long
      ? at + random.pick(SLEEPS_MS)
      : Math.min(scenario.quietAt, at + random.between(50, LONGEST_FAULT_MS));
    quietAt = Math.max(quietAt, until);
    steps.push({ kind: 'fault', at, until, fault, home });
  }
  return { ...scenario, homes, steps, quietAt };
}

/** The scenario of `seed` without those. */
export function drawPlain(seed: number): Scenario {
  const random = new SeededRandom(seed).fork('scenario');
  const count = random.between(2, 4);
  const plain = Array.from({ length: count }, (): HomeSpec => ({
    kind: random.chance(0.75) ? random.pick(SUPPORTED) : random.pick(OTHERS),
    line: drawLine(random),
  }));
  const homes = drawOptions(plain, new SeededRandom(seed).fork('options'));
  const natives = random.between(0, 2);
  const relays = natives > 0 ? random.between(1, 2) : 0;
  const quietAt = random.pick([20_000, 60_000, 120_000]);
  const place = (): Place =>
    natives > 0 && random.chance(0.3)
      ? { native: random.between(0, natives - 1) }
      : { home: random.between(0, count - 1) };
  const steps: Step[] = [];
  for (let i = random.between(3, 25); i > 0; i--) {
    const from = place();
    // Natives talk to natives without us.
    const to = 'native' in from ? { home: random.between(0, count - 1) } : place();
    const at = random.between(0, quietAt);
    // A conversation, most of the time, and not a single packet.
    for (let k = random.pick([1, 1, 4, 12]); k > 0; k--)
      steps.push({ kind: 'send', at: at + k * random.pick([1, 50, 900]), from, to });
  }
  for (let i = random.between(0, 4); i > 0; i--) {
    const at = random.between(0, quietAt);
    const until = Math.min(quietAt, at + random.between(50, LONGEST_FAULT_MS));
    steps.push({
      kind: 'fault',
      at,
      until,
      fault: random.pick(FAULTS),
      home: random.between(0, count - 1),
    });
  }
  for (let i = random.between(0, 12); i > 0; i--)
    steps.push({
      kind: 'attack',
      at: random.between(0, quietAt),
      attack: random.pick(LONE_ATTACKS),
      home: random.between(0, count - 1),
      count: random.pick([1, 1, 3, 40]),
    });
  return { seed, homes, natives, relays, steps, quietAt };
}
