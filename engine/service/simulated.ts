// Module service/simulated puts a client, a server and a relay on hosts of the simulated Internet.
import { TeredoClient } from '../client/client.ts';
import { PEER_VALID_MS } from '../client/config.ts';
import type {
  ClientConfig,
  ClientEvent,
  ClientInput,
  ClientOutput,
  PingResult,
} from '../client/types.ts';
import { TeredoRelay } from '../relay/index.ts';
import type { RelayConfig, RelayInput } from '../relay/index.ts';
import { TeredoServer } from '../server/index.ts';
import type { ServerSettings, ServerSide } from '../server/index.ts';
import { openStation } from '../sim/index.ts';
import type { Host, Node6, Simulation, Station, UdpSocket } from '../sim/index.ts';
import { DISCOVERY_ADDRESS, TEREDO_PORT } from '../wire/index.ts';
import type { Endpoint, Ip4, Ip6 } from '../wire/index.ts';

/** A client on a simulated host, its tunnel open to all programs there. */
export interface SimulatedClient {
  readonly client: TeredoClient;
  readonly station: Station;
  /** Starts to qualify. */
  start(): void;
  input(input: ClientInput): void;
  /** The computer sleeps: nothing comes in; a timer that is due, and the last change of its networks, wait until it wakes. */
  suspend(asleep: boolean): void;
  ping(address: Ip6, timeoutMs: number, done: (result: PingResult) => void): void;
}

/** Puts a client on `host`; `onDeliver` takes what comes for local programs, who send by `station.datapath.fromAdapter`. */
export function simulateClient(
  simulation: Simulation,
  options: {
    readonly host: Host;
    readonly port: number;
    readonly config: ClientConfig;
    readonly onDeliver: (packet: Uint8Array, own: SimulatedClient) => void;
    readonly onEvent?: (event: ClientEvent) => void;
    /** Names another server when ours is silent for too long. */
    readonly otherServer?: () => { readonly server: Ip4; readonly server2: Ip4 };
  },
): SimulatedClient {
  const { host, port, config, onDeliver, onEvent, otherServer } = options;
  let cancelTimer = (): void => undefined;
  let asleep = false;
  let overdue = false;
  let moved: ClientInput | null = null;
  const pings = new Map<number, (result: PingResult) => void>();
  let nextPing = 1;
  const station: Station = openStation(simulation, {
    host,
    port,
    validMs: PEER_VALID_MS,
    onUpcalls: (batch) => batch.forEach(input),
    onDeliver: (packet) => onDeliver(packet, made),
  });
  const { datapath } = station;
  const random = simulation.random.fork(host.name);
  const client = new TeredoClient(
    { ...config, localPort: station.socket.port },
    random,
    (address) => datapath.readPeer(address),
  );
  const sides = new Map<number, UdpSocket>();
  datapath.setServers(client.serverEndpoints);
  datapath.setProbeId(client.probeId);
  datapath.setDefaultVerdict('pass');

  const listen = (via: number, on: boolean): void => {
    sides.get(via)?.close();
    sides.delete(via);
    if (!on) return;
    try {
      const onDatagram = (from: Endpoint, bytes: Uint8Array): void =>
        input({ kind: 'datagram', from, bytes, via });
      sides.set(via, host.bind(via, { onDatagram }));
    } catch {
      input({ kind: 'portFailed', port: via });
    }
  };
  let group: UdpSocket | null = null;
  const join = (on: boolean): void => {
    group?.close();
    group = null;
    if (!on) return;
    group = host.bind(TEREDO_PORT, {
      onDatagram: (from, bytes, arrivedOn) => {
        if (arrivedOn === DISCOVERY_ADDRESS) input({ kind: 'discovery', from, bytes });
      },
    });
    group.join(DISCOVERY_ADDRESS);
  };
  const perform = (output: ClientOutput): void => {
    switch (output.kind) {
      case 'transmit':
        if (output.via === undefined) datapath.transmit(output.to, output.bytes);
        else sides.get(output.via)?.send(output.to, output.bytes);
        break;
      case 'listen':
        listen(output.port, output.on);
        break;
      case 'join':
        join(output.on);
        break;
      case 'deliver':
        datapath.deliver(output.bytes);
        break;
      case 'peer':
        if (output.endpoint) datapath.setPeer(output.address, output.endpoint, output.receivedMs);
        else datapath.removePeer(output.address);
        break;
      case 'address':
        datapath.setAddresses([output.address, ...output.deprecated]);
        break;
      case 'pong':
        pings.get(output.id)?.(output.result);
        pings.delete(output.id);
        break;
      case 'timeout':
        cancelTimer();
        if (output.at !== Infinity)
          cancelTimer = simulation.schedule(output.at, () => input({ kind: 'timeout' }));
        break;
      case 'servers':
        datapath.setServers(output.endpoints);
        break;
      case 'wantServer':
        if (otherServer) input({ kind: 'server', ...otherServer(), always: false });
        break;
      case 'event':
        onEvent?.(output.event);
        break;
    }
  };
  const input = (given: ClientInput): void => {
    if (asleep) {
      overdue ||= given.kind === 'timeout';
      if (given.kind === 'network') moved = given;
      return;
    }
    client.handleInput(given, simulation.now);
    for (let output = client.pollOutput(); output; output = client.pollOutput()) perform(output);
  };
  const made: SimulatedClient = {
    client,
    station,
    input,
    start: () => {
      const look = (): void => input({ kind: 'network', networks: host.networks() });
      host.onNetworkChange = look;
      look();
    },
    suspend: (sleeps) => {
      asleep = sleeps;
      if (asleep) return;
      const missed = [
        ...(moved ? [moved] : []),
        ...(overdue ? [{ kind: 'timeout' } as const] : []),
      ];
      moved = null;
      overdue = false;
      for (const each of missed) input(each);
    },
    ping: (address, timeoutMs, done) => {
      const id = nextPing++;
      pings.set(id, done);
      input({ kind: 'ping', id, address, timeoutMs });
    },
  };
  return made;
}

/** Puts a server on `host`, which has both of its addresses, and returns it; pings to native hosts leave by `native`, if there is one. */
export function simulateServer(
  simulation: Simulation,
  host: Host,
  settings: ServerSettings & { readonly secondary: number },
  native?: Node6,
): TeredoServer {
  const server = new TeredoServer(settings);
  const sockets = {
    primary: host.bind(TEREDO_PORT, {}, settings.primary),
    secondary: host.bind(TEREDO_PORT, {}, settings.secondary),
  };
  const listen = (side: ServerSide): void => {
    sockets[side].handlers = {
      onDatagram: (from, bytes) => {
        const input = { from, arrivedOn: side, bytes };
        for (const output of server.handleDatagram(input, simulation.now)) {
          if (output.kind === 'native') native?.send(output.bytes);
          else sockets[output.via].send(output.to, output.bytes);
        }
      },
    };
  };
  listen('primary');
  listen('secondary');
  return server;
}

/** Puts a relay on `host`, between it and the native Internet at `native`, and returns it. */
export function simulateRelay(
  simulation: Simulation,
  host: Host,
  config: RelayConfig,
  native: Node6,
): TeredoRelay {
  let cancelTimer = (): void => undefined;
  const { datapath } = openStation(simulation, {
    host,
    port: TEREDO_PORT,
    validMs: PEER_VALID_MS,
    onUpcalls: (batch) => {
      for (const upcall of batch) if (upcall.kind !== 'icmp4') input(upcall);
    },
    onDeliver: (packet) => native.send(packet),
  });
  const random = simulation.random.fork(host.name);
  const relay = new TeredoRelay(config, random, (address) => datapath.readPeer(address));
  const input = (given: RelayInput): void => {
    relay.handleInput(given, simulation.now);
    for (let output = relay.pollOutput(); output; output = relay.pollOutput()) {
      if (output.kind === 'transmit') datapath.transmit(output.to, output.bytes);
      else if (output.kind === 'deliver') datapath.deliver(output.bytes);
      else if (output.kind === 'served') datapath.setRanges(output.accept, output.except);
      else if (output.kind === 'timeout') {
        cancelTimer();
        if (output.at !== Infinity)
          cancelTimer = simulation.schedule(output.at, () => input({ kind: 'timeout' }));
      } else if (output.endpoint)
        datapath.setPeer(output.address, output.endpoint, output.receivedMs);
      else datapath.removePeer(output.address);
    }
  };
  datapath.setDefaultVerdict('pass');
  input({ kind: 'network', networks: host.networks(), served: [] });
  native.onPacket = (bytes) => datapath.fromAdapter(bytes);
  return relay;
}
