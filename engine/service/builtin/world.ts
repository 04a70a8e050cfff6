// Module builtin/world builds the parts of a simulated Internet: servers, relays, native hosts, and homes behind routers of every kind.
import { clientConfig } from '../../client/config.ts';
import type { ClientEvent } from '../../client/types.ts';
import { relayConfig } from '../../relay/index.ts';
import {
  answerFrom,
  Host,
  Internet6,
  Nat,
  NAT_KINDS,
  Segment,
  Simulation,
} from '../../sim/index.ts';
import type { Interface, Node6 } from '../../sim/index.ts';
import { parseIp4, parseIp6, teredoPrefix } from '../../wire/index.ts';
import type { Ip4, Ip6 } from '../../wire/index.ts';
import { simulateClient, simulateRelay, simulateServer } from '../simulated.ts';
import type { SimulatedClient } from '../simulated.ts';
import { ECHO_PORT, LINE } from './places.ts';
import type { AccessKind } from './places.ts';
import { echoedUdp6, parseUdp6 } from './udp.ts';

const DNS_PORT = 53;
const DNS_HEADER = 12;
/** In the third byte of a DNS message. */
const ANSWER_BIT = 0x80;

export const ip4 = (text: string): Ip4 => parseIp4(text)!;
export const ip6 = (text: string): Ip6 => parseIp6(text)!;

/** The two Internets that everything is attached to. */
export interface World {
  readonly simulation: Simulation;
  readonly internet: Segment;
  readonly native: Internet6;
}

/** Nothing moves until the simulation is run. The same `seed` gives the same packets. */
export function buildWorld(seed: number): World {
  const simulation = new Simulation(seed);
  return {
    simulation,
    internet: new Segment(simulation, 'internet'),
    native: new Internet6(simulation),
  };
}

/** A server with two addresses; gives its interfaces, so that they can fail. */
export function addServer(
  { simulation, internet, native }: World,
  place: { readonly name: string; readonly primary: string; readonly secondary: string },
): Interface[] {
  const [primary, secondary] = [ip4(place.primary), ip4(place.secondary)];
  const host = new Host(simulation, place.name);
  const interfaces = [primary, secondary].map((each) => host.addInterface(internet, each, LINE));
  simulateServer(simulation, host, { primary, secondary }, native.attach(place.name, [], LINE));
  return interfaces;
}

/** A relay. `serve` routes 2001::/32 to it and gives the function that withdraws the route. */
export function addRelay(
  { simulation, internet, native }: World,
  place: { readonly name: string; readonly address: string; readonly native: string },
): { readonly interface: Interface; serve(): () => void } {
  const host = new Host(simulation, place.name);
  const added = host.addInterface(internet, ip4(place.address), LINE);
  const node = native.attach(place.name, [], LINE);
  simulateRelay(simulation, host, relayConfig({ address: ip6(place.native) }), node);
  return { interface: added, serve: () => native.route(teredoPrefix(0), 32, node) };
}

/** A name server that answers each question with itself, marked as an answer (RFC 1035 §4.1.1). */
export function addNameServer(
  { simulation, internet }: World,
  place: { readonly name: string; readonly address: string },
): void {
  const host = new Host(simulation, place.name);
  host.addInterface(internet, ip4(place.address), LINE);
  const socket = host.bind(DNS_PORT);
  socket.handlers = {
    onDatagram: (from, bytes) => {
      if (bytes.length < DNS_HEADER) return;
      const answer = Uint8Array.from(bytes);
      answer[2]! |= ANSWER_BIT;
      socket.send(from, answer);
    },
  };
}

/** What a host at `address` answers: pings, and UDP to the echo service. */
function serviceAnswer(address: Ip6, packet: Uint8Array): Uint8Array | undefined {
  const udp = parseUdp6(packet);
  return udp?.destination === address && udp.destinationPort === ECHO_PORT
    ? echoedUdp6(udp)
    : answerFrom(address, packet);
}

/** A host with native IPv6; a quiet one swallows everything. */
export function addNative(
  { native }: World,
  place: { readonly name: string; readonly address: string; readonly quiet: boolean },
): Node6 {
  const address = ip6(place.address);
  const node = native.attach(place.name, [address], LINE);
  node.onPacket = (packet) => {
    const answer = place.quiet ? undefined : serviceAnswer(address, packet);
    if (answer) node.send(answer);
  };
  return node;
}

/** Where a PC is: behind a router of that kind, or (kind `none`) on the Internet itself. */
export interface Access {
  readonly kind: AccessKind;
  readonly router: string;
  /** Address on the Internet: the router's, or its own. */
  readonly public: string;
  /** The private network behind the router, a /24: its own, the router's and the PC's address. */
  readonly network: string;
  readonly gateway: string;
  readonly pc: string;
}

/** The /24 that begins with `three` numbers, for a home. */
export function homeNetwork(three: string): Pick<Access, 'network' | 'gateway' | 'pc'> {
  return { network: `${three}.0`, gateway: `${three}.1`, pc: `${three}.10` };
}

/** A router that `plug` connects PCs to; null when there is none. */
export function addRouter({ simulation, internet }: World, access: Access): Nat | null {
  if (access.kind === 'none') return null;
  return new Nat(simulation, access.router, {
    outside: internet,
    addresses: [ip4(access.public)],
    inside: { address: ip4(access.network), prefix: 24, gateway: ip4(access.gateway) },
    behaviour: NAT_KINDS[access.kind],
    line: LINE,
  });
}

/** Plugs `host` in. */
export function plug(
  { internet }: World,
  host: Host,
  access: Access,
  router: Nat | null,
): Interface {
  return router
    ? host.addInterface(router.inside, ip4(access.pc), { delayMs: 0.1 })
    : host.addInterface(internet, ip4(access.public), LINE);
}

export interface HomeOptions {
  readonly name: string;
  readonly access: Access;
  readonly port: number;
  readonly server: string;
  readonly onEvent?: (event: ClientEvent) => void;
}

export interface Home {
  readonly name: string;
  readonly access: Access;
  readonly router: Nat | null;
  readonly client: SimulatedClient;
}

/** A PC with a Teredo client that is open to all: it answers pings, and UDP to the echo service. */
export function addHome(world: World, options: HomeOptions): Home {
  const { name, access, port, server, onEvent } = options;
  const router = addRouter(world, access);
  const host = new Host(world.simulation, name);
  plug(world, host, access, router);
  const client = simulateClient(world.simulation, {
    host,
    port,
    config: clientConfig({ server: ip4(server) }),
    ...(onEvent && { onEvent }),
    onDeliver: (packet, own) => {
      const { address } = own.client.status();
      const answer = address === null ? undefined : serviceAnswer(address, packet);
      if (answer) own.station.datapath.fromAdapter(answer);
    },
  });
  return { name, access, router, client };
}
