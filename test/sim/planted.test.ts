// Each rule of the random networks is shown to fail once, by a fault planted in every client, and the failure is shrunk.
import { describe, expect, test } from 'vitest';
import type { SimulatedClient } from '../../engine/service/simulated.ts';
import { parseIp4, parseIp6Header, PROTOCOL } from '../../engine/wire/index.ts';
import { play } from './random/play.ts';
import type { RandomWorld, Tamper } from './random/play.ts';
import { RULES } from './random/rules.ts';
import type { Rule } from './random/rules.ts';
import { drawScenario } from './random/scenario.ts';
import type { Scenario } from './random/scenario.ts';
import { report, shrink } from './random/shrink.ts';

type Transmit = SimulatedClient['station']['datapath']['transmit'];

/** Puts `change` around what a client transmits. */
const transmits =
  (change: (original: Transmit, ...args: Parameters<Transmit>) => void): Tamper =>
  ({ station: { datapath } }) => {
    const original = datapath.transmit.bind(datapath);
    datapath.transmit = (...args) => change(original, ...args);
  };

const isBubble = (bytes: Uint8Array): boolean => {
  const header = parseIp6Header(bytes);
  return header.ok && header.value.nextHeader === PROTOCOL.none;
};

/** Takes part in what a client's socket receives. */
const receives =
  (change: (bytes: Uint8Array, client: SimulatedClient, world: RandomWorld) => boolean): Tamper =>
  (client, world) => {
    const { socket } = client.station;
    const { onDatagram } = socket.handlers;
    socket.handlers = {
      ...socket.handlers,
      onDatagram: (from, bytes, arrivedOn) => {
        if (change(bytes, client, world)) onDatagram?.(from, bytes, arrivedOn);
      },
    };
  };

/** What a bug would do, for each rule that it breaks. */
const PLANTED: Record<Rule, Tamper> = {
  'global-only': transmits((original, to, bytes) => {
    original(to, bytes);
    if (isBubble(bytes)) original({ ip: parseIp4('10.0.0.1')!, port: to.port }, bytes);
  }),
  'bubble-limits': transmits((original, to, bytes) => {
    for (let i = 0; i < (isBubble(bytes) ? 3 : 1); i++) original(to, bytes);
  }),
  // Hands on whatever carries UDP, proven or not.
  'delivered-was-sent': receives((bytes, client) => {
    if (bytes[0]! >> 4 === 6 && bytes[6] === PROTOCOL.udp) client.station.datapath.deliver(bytes);
    return true;
  }),
  'delivered-once': (client) => {
    const { datapath } = client.station;
    const original = datapath.deliver.bind(datapath);
    datapath.deliver = (bytes) => {
      original(bytes);
      original(bytes);
    };
  },
  'no-amplification': (client, world) => {
    const { socket } = client.station;
    const { onDatagram } = socket.handlers;
    socket.handlers = {
      ...socket.handlers,
      onDatagram: (from, bytes, arrivedOn) => {
        if (from.port === world.attackerPort) socket.send(from, new Uint8Array(1280));
        onDatagram?.(from, bytes, arrivedOn);
      },
    };
  },
  // Believes where the attacker says that it is.
  'address-from-server': (client) => {
    const original = client.client.status.bind(client.client);
    client.client.status = () => {
      const status = original();
      return status.address === null ? status : { ...status, address: status.address ^ 1n };
    };
  },
  'bounded-state': (client) => {
    client.client.peers = () => new Array<never>(1_000);
  },
  heals: transmits((original, to, bytes) => {
    if (to.port !== 3_544) original(to, bytes);
  }),
  'supported-pair-connects': transmits((original, to, bytes) => {
    if (!isBubble(bytes)) original(to, bytes);
  }),
  'no-exception': receives((bytes) => {
    if (bytes.length > 1_000) throw new RangeError('a parser that reads past the end');
    return true;
  }),
};

describe('each rule is broken by a planted fault', () => {
  /** The first seed whose run breaks a rule, with the fault planted in every client. */
  function firstFailure(tamper: Tamper, rule: Rule): { seed: number; scenario: Scenario } | null {
    for (let seed = 1; seed <= 300; seed++) {
      const scenario = drawScenario(seed);
      if (play(scenario, { tamper }).violation?.rule === rule) return { seed, scenario };
    }
    return null;
  }

  test.each(RULES)('%s', (rule) => {
    expect(firstFailure(PLANTED[rule], rule)).not.toBeNull();
  });

  test('and is then shrunk to what is needed, with its seed and its last packets', () => {
    const tamper = PLANTED['delivered-was-sent'];
    const { seed, scenario } = firstFailure(tamper, 'delivered-was-sent')!;
    const shrunk = shrink(scenario, 'delivered-was-sent', tamper);
    expect(shrunk.scenario.steps.length).toBeLessThanOrEqual(2);
    expect(shrunk.scenario.steps.length).toBeLessThan(scenario.steps.length);
    expect(shrunk.scenario.homes.length).toBeLessThanOrEqual(2);
    const text = report(seed, shrunk);
    expect(text).toContain(`seed ${seed} breaks a rule: delivered-was-sent`);
    expect(text.split('\n').length).toBeGreaterThan(5);
  });
});
