// Puts two clients behind two NATs, or one and a native host, and sees whether a first packet arrives, when, and through what.
import { clientConfig } from '../../../engine/client/config.ts';
import type { ClientSettings } from '../../../engine/client/config.ts';
import { simulateClient } from '../../../engine/service/simulated.ts';
import type { SimulatedClient } from '../../../engine/service/simulated.ts';
import { answerFrom, Host, Nat } from '../../../engine/sim/index.ts';
import type { NatBehaviour, Segment, TraceEvent } from '../../../engine/sim/index.ts';
import {
  buildIp6Packet,
  decodeTeredo,
  isTeredo,
  parseIp6,
  parseIp6Header,
  PROTOCOL,
  sameEndpoint,
} from '../../../engine/wire/index.ts';
import type { Endpoint, Ip4, Ip6 } from '../../../engine/wire/index.ts';
import { ip, SERVER, World } from '../world.ts';

/** The router in front of a PC. */
export interface Router {
  readonly behaviour: Partial<NatBehaviour>;
  /** External addresses; 1 without. */
  readonly addresses?: number;
  /** It grants a port to whoever asks (UPnP, NAT-PMP, PCP), and the client asks. */
  readonly grants?: boolean;
}

/** A place for a PC: behind routers, the outermost first; none is the open Internet. */
export interface End {
  readonly routers: readonly Router[];
  readonly settings?: Partial<ClientSettings>;
}

/** What a first packet went through. */
export type Through =
  /** To the endpoint in the peer's address, by RFC 4380. */
  | 'address'
  /** To an endpoint that the peer's nonce proved (RFC 6081 §5.2). */
  | 'nonce'
  /** From or to a port beside the service port (RFC 6081 §5.4, §5.5). */
  | 'sidePort'
  /** Inside a network that both are in. */
  | 'local'
  /** Out and back in through the NAT that both are behind. */
  | 'hairpin'
  | 'relay';

export type Result =
  /** `back`: an answer reaches the first client, too. `sent` counts the datagrams of both until the packet arrived. */
  | {
      readonly works: true;
      readonly ms: number;
      readonly back: boolean;
      readonly through: Through;
      readonly sent: number;
    }
  /** `why`: the NATs that dropped bubbles of the other, and how. `sent` counts the datagrams of both. */
  | { readonly works: false; readonly why: readonly string[]; readonly sent: number };

const PORT = 50_000;
const FIRST = '198.51.100';
const SECOND = '203.0.113';
/** Four bubbles 2 s apart, and a second to spare; with two rounds of guessing longer. */
const PATIENCE_MS = 9_500;
const GUESSING_MS = 19_500;
const SETTLE_MS = 3_000;
const TAG = 7;
const PAYLOAD = 32;

interface Placed {
  readonly simulated: SimulatedClient;
  readonly host: Host;
  receivedAt: number;
}

/** Builds routers in a row below `outside`; returns the innermost network. */
function buildRouters(
  world: World,
  name: string,
  outside: Segment,
  routers: readonly Router[],
  base: string,
): { readonly inside: Segment; readonly nats: readonly Nat[] } {
  const nats: Nat[] = [];
  let inside = outside;
  let address = base;
  routers.forEach(({ behaviour, addresses = 1 }, level) => {
    const lan = level === routers.length - 1 ? '192.168.1' : `10.${level}.0`;
    const nat: Nat = new Nat(world.simulation, `${name}-nat${level}`, {
      outside: inside,
      addresses: Array.from({ length: addresses }, (_, i) => ip(`${address}.${7 + i}`)),
      inside: { address: ip(`${lan}.0`), prefix: 24, gateway: ip(`${lan}.1`) },
      behaviour,
    });
    nats.push(nat);
    inside = nat.inside;
    address = lan;
  });
  return { inside, nats };
}

function place(
  world: World,
  name: string,
  segment: Segment,
  address: Ip4,
  router: { readonly nat: Nat; readonly grants: boolean } | null,
  settings: Partial<ClientSettings>,
): Placed {
  const host = new Host(world.simulation, name);
  host.addInterface(segment, address);
  const placed: Placed = {
    host,
    receivedAt: NaN,
    simulated: simulateClient(world.simulation, {
      host,
      port: PORT,
      config: clientConfig({ server: SERVER, ...settings }),
      onDeliver: (packet) => {
        if (packet[6] === PROTOCOL.udp && packet[packet.length - 1] === TAG)
          placed.receivedAt = world.simulation.now;
      },
    }),
  };
  if (router?.grants)
    placed.simulated.input({
      kind: 'portMapping',
      external: router.nat.grant({ ip: address, port: PORT }),
    });
  return placed;
}

function placeBehind(world: World, name: string, end: End, base: string): Placed {
  const { inside, nats } = buildRouters(world, name, world.internet, end.routers, base);
  const last = end.routers.at(-1);
  const nat = nats.at(-1);
  return place(
    world,
    name,
    inside,
    ip(last ? '192.168.1.10' : `${base}.7`),
    nat ? { nat, grants: last?.grants ?? false } : null,
    end.settings ?? {},
  );
}

function program(source: Ip6, destination: Ip6): Uint8Array {
  // As long as a connectivity test, so that a stranger's is not refused (RFC 4380 §5.2.9).
  const payload = new Uint8Array(PAYLOAD);
  payload.set([0x30, 0x39, 0, 9, 0, PAYLOAD]);
  payload[PAYLOAD - 1] = TAG;
  return buildIp6Packet({ nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination }, payload);
}

/** Watches what the two do from now on. */
class Eye {
  readonly drops = new Set<string>();
  sent = 0;
  /** The datagram that carried the packet, as it left its sender and as it arrived. */
  data: { from: Endpoint; to: Endpoint } | null = null;

  constructor(world: World, hosts: readonly string[]) {
    world.simulation.onTrace((event) => this.see(event, hosts));
  }

  private see({ kind, node, packet, ...rest }: TraceEvent, hosts: readonly string[]): void {
    if (packet.kind !== 'udp') return;
    const isData = packet.bytes.length === 40 + PAYLOAD && packet.bytes[39 + PAYLOAD] === TAG;
    if (kind === 'send' && hosts.includes(node)) {
      this.sent += 1;
      if (isData) this.data = { from: packet.source, to: packet.destination };
    }
    // The server's address is the same for all; what matters is what the peers sent each other.
    if (kind === 'drop' && node.includes('-nat') && packet.source.port !== 3544)
      this.drops.add(`${node} ${'reason' in rest ? rest.reason : ''}`);
  }
}

function judge(
  world: World,
  first: Placed,
  second: Placed,
  start: () => void,
  peer: Ip6 | null,
  patienceMs: number,
): Result {
  const eye = new Eye(world, [first.host.name, second.host.name]);
  const begin = world.simulation.now;
  start();
  const end = begin + patienceMs;
  while (world.simulation.now < end && Number.isNaN(second.receivedAt))
    world.simulation.runUntil(Math.min(end, world.simulation.nextEventAt));
  if (Number.isNaN(second.receivedAt))
    return { works: false, why: [...eye.drops].sort(), sent: eye.sent };
  const ms = Math.round(second.receivedAt - begin);
  const { sent } = eye;
  const through = throughWhat(eye, first, second, peer);
  const own = first.simulated.client.status().address;
  if (own !== null && peer !== null)
    second.simulated.station.datapath.fromAdapter(program(peer, own));
  world.run(patienceMs);
  return { works: true, ms, back: !Number.isNaN(first.receivedAt), through, sent };
}

function throughWhat(eye: Eye, first: Placed, second: Placed, peer: Ip6 | null): Through {
  const { data } = eye;
  if (peer === null || !data) return 'relay';
  const own = first.simulated.client.status().mapped!;
  const embedded = decodeTeredo(peer)!.client;
  const row = second.simulated.client.peers(0).find(({ address }) => isTeredo(address));
  if (data.to.ip >>> 16 === 0xc0a8 || data.to.ip >>> 24 === 10) return 'local';
  if (embedded.ip === own.ip) return 'hairpin';
  if (data.from.port !== PORT || (row?.endpoint && row.endpoint.port !== own.port))
    return data.from.port !== PORT ? 'sidePort' : 'nonce';
  return sameEndpoint(data.to, embedded) ? 'address' : 'nonce';
}

/** A first packet from a client at `a` to one at `b`. */
export function tryPair(a: End, b: End, seed = 1): Result {
  const world = new World(seed);
  const first = placeBehind(world, 'first', a, FIRST);
  const second = placeBehind(world, 'second', b, SECOND);
  const guesses = a.settings?.birthdayProbing ?? false;
  return tryBetween(world, first, second, guesses ? GUESSING_MS : PATIENCE_MS);
}

/** The same, both behind `shared` (the outermost first), each behind routers of its own inside it. */
export function tryBehind(shared: readonly Router[], a: End, b: End, seed = 1): Result {
  const world = new World(seed);
  const { inside } = buildRouters(world, 'shared', world.internet, shared, FIRST);
  const below = (name: string, end: End, index: number): Placed => {
    const lan = '192.168.1';
    if (end.routers.length === 0)
      return place(world, name, inside, ip(`${lan}.${10 + index}`), null, end.settings ?? {});
    const last = end.routers[0]!;
    const nat = new Nat(world.simulation, `${name}-nat`, {
      outside: inside,
      addresses: [ip(`${lan}.${20 + index}`)],
      inside: {
        address: ip(`10.${7 + index}.0.0`),
        prefix: 24,
        gateway: ip(`10.${7 + index}.0.1`),
      },
      behaviour: last.behaviour,
    });
    const address = ip(`10.${7 + index}.0.10`);
    const router = { nat, grants: last.grants ?? false };
    return place(world, name, nat.inside, address, router, end.settings ?? {});
  };
  return tryBetween(world, below('first', a, 0), below('second', b, 1));
}

function tryBetween(world: World, first: Placed, second: Placed, patienceMs = PATIENCE_MS): Result {
  first.simulated.start();
  second.simulated.start();
  world.run(SETTLE_MS);
  const [source, destination] = [first, second].map((p) => p.simulated.client.status().address);
  if (source == null || destination == null) return { works: false, why: ['no address'], sent: 0 };
  const start = (): void =>
    first.simulated.station.datapath.fromAdapter(program(source, destination));
  return judge(world, first, second, start, destination, patienceMs);
}

const NATIVE = parseIp6('2001:db8:66::1')!;

/** A first packet from a client at `a` to a native host (`out`), or from there to it. */
export function tryNative(a: End, out: boolean, seed = 1): Result {
  const world = new World(seed);
  world.addRelay('203.0.113.66');
  const first = placeBehind(world, 'first', a, FIRST);
  const node = world.native.attach('native', [NATIVE]);
  let arrivedAt = NaN;
  first.simulated.start();
  world.run(SETTLE_MS);
  const own = first.simulated.client.status().address;
  if (own === null) return { works: false, why: ['no address'], sent: 0 };
  node.onPacket = (packet) => {
    const header = parseIp6Header(packet);
    if (!header.ok) return;
    if (header.value.nextHeader === PROTOCOL.udp) arrivedAt = world.simulation.now;
    else {
      const answer = answerFrom(NATIVE, packet);
      if (answer) node.send(answer);
    }
  };
  const eye = new Eye(world, ['first']);
  const begin = world.simulation.now;
  if (out) first.simulated.station.datapath.fromAdapter(program(own, NATIVE));
  else node.send(program(NATIVE, own));
  const arrived = (): number => (out ? arrivedAt : first.receivedAt);
  const end = begin + PATIENCE_MS;
  while (world.simulation.now < end && Number.isNaN(arrived()))
    world.simulation.runUntil(Math.min(end, world.simulation.nextEventAt));
  if (Number.isNaN(arrived())) return { works: false, why: [...eye.drops].sort(), sent: eye.sent };
  return {
    works: true,
    ms: Math.round(arrived() - begin),
    back: true,
    through: 'relay',
    sent: eye.sent,
  };
}
