// Module service/demo-network builds the small Internet of the demo: two homes behind NATs, a server, a relay, a native host.
import { TeredoClient } from '../client/client.ts';
import { clientConfig, PEER_VALID_MS } from '../client/config.ts';
import type { ClientInput, ClientOutput, PingResult } from '../client/types.ts';
import type { Upcall } from '../datapath/types.ts';
import { relayConfig, TeredoRelay } from '../relay/index.ts';
import type { RelayInput } from '../relay/index.ts';
import { TeredoServer } from '../server/index.ts';
import type { ServerSide } from '../server/index.ts';
import {
  answerFrom,
  attachEchoHost,
  Host,
  Internet6,
  Nat,
  NAT_KINDS,
  openStation,
  Segment,
  Simulation,
} from '../sim/index.ts';
import type { Station } from '../sim/index.ts';
import { parseIp4, parseIp6, TEREDO_PORT, teredoPrefix } from '../wire/index.ts';
import type { Ip4, Ip6 } from '../wire/index.ts';

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

/** One PC of the demo. */
export interface DemoClient {
  readonly client: TeredoClient;
  /** Starts to qualify. */
  start(): void;
  ping(address: Ip6, done: (result: PingResult) => void): void;
}

export interface DemoNetwork {
  readonly simulation: Simulation;
  readonly you: DemoClient;
  readonly friend: DemoClient;
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
  const node = native.attach(CAST.server, [], LINE);
  // The addresses of the demo are documentation's, which the real Internet refuses.
  const server = new TeredoServer({ primary, secondary, allowPrivate: true });
  const sockets = {
    primary: host.bind(TEREDO_PORT, {}, primary),
    secondary: host.bind(TEREDO_PORT, {}, secondary),
  };
  const listen = (side: ServerSide): void => {
    sockets[side].handlers = {
      onDatagram: (from, bytes) => {
        for (const output of server.handleDatagram(
          { from, arrivedOn: side, bytes },
          simulation.now,
        )) {
          if (output.kind === 'native') node.send(output.bytes);
          else sockets[output.via].send(output.to, output.bytes);
        }
      },
    };
  };
  listen('primary');
  listen('secondary');
}

function addRelay(simulation: Simulation, internet: Segment, native: Internet6): void {
  const host = new Host(simulation, CAST.relay);
  host.addInterface(internet, ip4(PLACES.relay), LINE);
  const node = native.attach(CAST.relay, [], LINE);
  native.route(teredoPrefix(0), 32, node);
  let cancel = (): void => undefined;
  const station = openStation(simulation, {
    host,
    port: TEREDO_PORT,
    validMs: PEER_VALID_MS,
    onUpcalls: (batch) => {
      for (const upcall of batch) if (upcall.kind !== 'icmp4') input(upcall);
    },
    onDeliver: (packet) => node.send(packet),
  });
  const { datapath } = station;
  const config = relayConfig({ address: ip6('2001:db8::66'), allowPrivate: true });
  const relay = new TeredoRelay(config, simulation.random.fork(CAST.relay), (address) =>
    datapath.readPeer(address),
  );
  const input = (given: RelayInput): void => {
    relay.handleInput(given, simulation.now);
    for (let output = relay.pollOutput(); output; output = relay.pollOutput()) {
      if (output.kind === 'transmit') datapath.transmit(output.to, output.bytes);
      else if (output.kind === 'deliver') datapath.deliver(output.bytes);
      else if (output.kind === 'timeout') {
        cancel();
        cancel = simulation.schedule(output.at, () => input({ kind: 'timeout' }));
      }
    }
  };
  input({ kind: 'network', networks: host.networks(), served: [] });
  node.onPacket = (bytes) => input({ kind: 'packet', bytes });
}

function addClient(simulation: Simulation, internet: Segment, who: 'you' | 'friend'): DemoClient {
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
  let cancel = (): void => undefined;
  const pings = new Map<number, (result: PingResult) => void>();
  const station: Station = openStation(simulation, {
    host,
    port: PORTS[who],
    validMs: PEER_VALID_MS,
    onUpcalls: (batch: readonly Upcall[]) => {
      for (const upcall of batch) input(upcall);
    },
    // The only program on this PC answers pings.
    onDeliver: (packet) => {
      const { address } = client.status();
      const answer = address === null ? undefined : answerFrom(address, packet);
      if (answer) station.datapath.fromAdapter(answer);
    },
  });
  const { datapath } = station;
  datapath.setDefaultVerdict('pass');
  const config = clientConfig({ server: ip4(PLACES.server), allowPrivate: true });
  const client = new TeredoClient(config, simulation.random.fork(who), (address) =>
    datapath.readPeer(address),
  );
  datapath.setServers(client.servers);
  datapath.setProbeId(client.probeId);

  const input = (given: ClientInput): void => {
    client.handleInput(given, simulation.now);
    for (let output = client.pollOutput(); output; output = client.pollOutput()) perform(output);
  };
  const perform = (output: ClientOutput): void => {
    switch (output.kind) {
      case 'transmit':
        datapath.transmit(output.to, output.bytes);
        break;
      case 'deliver':
        datapath.deliver(output.bytes);
        break;
      case 'peer':
        if (output.endpoint) datapath.setPeer(output.address, output.endpoint, output.receivedMs);
        else datapath.removePeer(output.address);
        break;
      case 'address':
        datapath.setAddresses(output.address === null ? [] : [output.address]);
        break;
      case 'pong':
        pings.get(output.id)?.(output.result);
        pings.delete(output.id);
        break;
      case 'timeout':
        cancel();
        cancel = simulation.schedule(output.at, () => input({ kind: 'timeout' }));
        break;
      case 'event':
        break;
    }
  };
  return {
    client,
    start: () => input({ kind: 'network', networks: host.networks() }),
    ping: (address, done) => {
      const id = pings.size + 1;
      pings.set(id, done);
      input({ kind: 'ping', id, address, timeoutMs: 5_000 });
    },
  };
}
