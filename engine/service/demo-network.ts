// Module service/demo-network builds the small Internet of the demo: two homes behind NATs, a server, a relay, a native host.
import { clientConfig } from '../client/config.ts';
import { relayConfig } from '../relay/index.ts';
import {
  answerFrom,
  attachEchoHost,
  Host,
  Internet6,
  Nat,
  NAT_KINDS,
  Segment,
  Simulation,
} from '../sim/index.ts';
import { parseIp4, parseIp6, teredoPrefix } from '../wire/index.ts';
import type { Ip4, Ip6 } from '../wire/index.ts';
import { simulateClient, simulateRelay, simulateServer } from './simulated.ts';
import type { SimulatedClient } from './simulated.ts';

/** Who is who. The names stand in the trace, too. */
export const CAST = {
  you: { name: 'Your PC', router: 'Your router' },
  friend: { name: 'Friend', router: 'Friend’s router' },
  server: 'Server',
  relay: 'Relay',
  website: 'Website',
} as const;

/** Addresses for documentation only (RFC 5737, RFC 3849): they belong to nobody. */
export const PLACES = {
  server: '192.0.2.1',
  server2: '192.0.2.2',
  relay: '192.0.2.66',
  website: '2001:db8::80',
  you: {
    public: '198.51.100.7',
    network: '192.168.1.0',
    router: '192.168.1.1',
    pc: '192.168.1.10',
  },
  friend: { public: '203.0.113.9', network: '10.0.0.0', router: '10.0.0.1', pc: '10.0.0.5' },
} as const;
const PORTS = { you: 50_114, friend: 61_007 } as const;
/** The longest way of a packet in the demo takes two lines of this delay, ms, each. */
const LINE = { delayMs: 10 };

const ip4 = (text: string): Ip4 => parseIp4(text)!;
const ip6 = (text: string): Ip6 => parseIp6(text)!;

export interface DemoNetwork {
  readonly simulation: Simulation;
  readonly you: SimulatedClient;
  readonly friend: SimulatedClient;
}

/** Builds it; nothing moves until the simulation is run. The same `seed` gives the same packets. */
export function buildDemoNetwork(seed: number): DemoNetwork {
  const simulation = new Simulation(seed);
  const internet = new Segment(simulation, 'internet');
  const native = new Internet6(simulation);
  attachEchoHost(native, CAST.website, ip6(PLACES.website), LINE);
  addServer(simulation, internet, native);
  addRelay(simulation, internet, native);
  return {
    simulation,
    you: addClient(simulation, internet, 'you'),
    friend: addClient(simulation, internet, 'friend'),
  };
}

function addServer(simulation: Simulation, internet: Segment, native: Internet6): void {
  const [primary, secondary] = [ip4(PLACES.server), ip4(PLACES.server2)];
  const host = new Host(simulation, CAST.server);
  host.addInterface(internet, primary, LINE);
  host.addInterface(internet, secondary, LINE);
  simulateServer(simulation, host, { primary, secondary }, native.attach(CAST.server, [], LINE));
}

function addRelay(simulation: Simulation, internet: Segment, native: Internet6): void {
  const host = new Host(simulation, CAST.relay);
  host.addInterface(internet, ip4(PLACES.relay), LINE);
  const node = native.attach(CAST.relay, [], LINE);
  native.route(teredoPrefix(0), 32, node);
  simulateRelay(simulation, host, relayConfig({ address: ip6('2001:db8::66') }), node);
}

function addClient(
  simulation: Simulation,
  internet: Segment,
  who: 'you' | 'friend',
): SimulatedClient {
  const place = PLACES[who];
  const nat = new Nat(simulation, CAST[who].router, {
    outside: internet,
    addresses: [ip4(place.public)],
    inside: { address: ip4(place.network), prefix: 24, gateway: ip4(place.router) },
    behaviour: NAT_KINDS.portRestricted,
    line: LINE,
  });
  const host = new Host(simulation, CAST[who].name);
  host.addInterface(nat.inside, ip4(place.pc), { delayMs: 0.1 });
  return simulateClient(simulation, {
    host,
    port: PORTS[who],
    config: clientConfig({ server: ip4(PLACES.server) }),
    // The only program on this PC answers pings.
    onDeliver: (packet, { client, station }) => {
      const { address } = client.status();
      const answer = address === null ? undefined : answerFrom(address, packet);
      if (answer) station.datapath.fromAdapter(answer);
    },
  });
}
