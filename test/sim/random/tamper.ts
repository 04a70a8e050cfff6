// Module random/tamper changes a client as a bug would, for the tests of the rules.
import type { PeerRow } from '../../../engine/client/types.ts';
import type { SimulatedClient } from '../../../engine/service/simulated.ts';
import { isTeredo, parseIp4, parseIp6Header, PROTOCOL } from '../../../engine/wire/index.ts';
import type { Endpoint, Ip6 } from '../../../engine/wire/index.ts';
import { play } from './play.ts';
import type { RandomWorld, Tamper } from './play.ts';
import type { Rule } from './rule-list.ts';
import { drawScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';

type Transmit = SimulatedClient['station']['datapath']['transmit'];

/** Puts `change` around what a client transmits. */
export const transmits =
  (change: (original: Transmit, ...args: Parameters<Transmit>) => void): Tamper =>
  ({ station: { datapath } }) => {
    const original = datapath.transmit.bind(datapath);
    datapath.transmit = (...args) => change(original, ...args);
  };

export const isBubble = (bytes: Uint8Array): boolean => {
  const header = parseIp6Header(bytes);
  return header.ok && header.value.nextHeader === PROTOCOL.none;
};

/** Takes part in what a client's socket receives: `change` says whether the client gets it. */
export const receives =
  (
    change: (
      bytes: Uint8Array,
      client: SimulatedClient,
      world: RandomWorld,
      from: Endpoint,
    ) => boolean,
  ): Tamper =>
  (client, world) => {
    const { socket } = client.station;
    const { onDatagram } = socket.handlers;
    socket.handlers = {
      ...socket.handlers,
      onDatagram: (from, bytes, arrivedOn) => {
        if (change(bytes, client, world, from)) onDatagram?.(from, bytes, arrivedOn);
      },
    };
  };

/** Answers each datagram of the attacker by `count` of `length` bytes. */
export const answers = (count: number, length: number): Tamper =>
  receives((_, { station: { socket } }, { attackerPort }, from) => {
    for (let n = 0; n < count; n++)
      if (from.port === attackerPort) socket.send(from, new Uint8Array(length));
    return true;
  });

export type Status = ReturnType<SimulatedClient['client']['status']>;

/** Says something else of itself than what is so. */
export const says =
  (change: (status: Status) => Status): Tamper =>
  ({ client }) => {
    const original = client.status.bind(client);
    client.status = () => change(original());
  };

/** Sends each bubble along to `ip` as well. */
export const strays = (ip: string): Tamper =>
  transmits((original, to, bytes) => {
    original(to, bytes);
    if (isBubble(bytes)) original({ ip: parseIp4(ip)!, port: 3_544 }, bytes);
  });

/** Trusts whoever sends a packet in the name of a native host, as if there were no connectivity test. */
export const believesEverybody: Tamper = (client, world) => {
  const believed = new Map<Ip6, PeerRow>();
  receives((bytes, { station }, { simulation }, from) => {
    const header = parseIp6Header(bytes);
    if (!header.ok || isTeredo(header.value.source)) return true;
    const { source } = header.value;
    station.datapath.setPeer(source, from, simulation.now);
    believed.set(source, {
      address: source,
      kind: 'native',
      endpoint: from,
      path: 'relay',
      trusted: true,
      rttMs: null,
      bytesIn: 0,
      bytesOut: 0,
      lastReceivedMs: simulation.now,
    });
    return true;
  })(client, world);
  const honest = client.client.peers.bind(client.client);
  client.client.peers = (now) => [...believed.values(), ...honest(now)];
};

export interface Planted {
  readonly rule: Rule;
  /** What the rule says then. */
  readonly says: RegExp;
  readonly tamper: Tamper;
}

/** The first seed up to `most` whose run breaks the rule, with the fault planted in every client; null: it stays unfound. */
export function firstFailure(
  { rule, says: text, tamper }: Planted,
  draw = drawScenario,
  most = 300,
): { readonly seed: number; readonly scenario: Scenario } | null {
  for (let seed = 1; seed <= most; seed++) {
    const scenario = draw(seed);
    const { violation } = play(scenario, { tamper });
    if (violation?.rule === rule && text.test(violation.text)) return { seed, scenario };
  }
  return null;
}
