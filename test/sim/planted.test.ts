// Each rule of the random networks is shown to fail once, by a fault planted in every client, and the failure is shrunk.
import { describe, expect, test } from 'vitest';
import {
  formatEndpoint,
  parseAdvertisement,
  parseDatagram,
  PROTOCOL,
} from '../../engine/wire/index.ts';
import type { Ip6 } from '../../engine/wire/index.ts';
import { SERVER } from './random/home.ts';
import { ELSEWHERE } from './random/lies.ts';
import { RULES } from './random/rule-list.ts';
import { report, shrink } from './random/shrink.ts';
import {
  answers,
  believesEverybody,
  firstFailure,
  isBubble,
  receives,
  says,
  strays,
  transmits,
} from './random/tamper.ts';
import type { Planted, Status } from './random/tamper.ts';

/** What a bug would do, for each part of each rule. */
const PLANTED: readonly Planted[] = [
  { rule: 'global-only', says: /sent to 10\.0\.0\.1:/, tamper: strays('10.0.0.1') },
  // On its own link, but nobody's.
  { rule: 'global-only', says: /sent to 192\.168\.1\.200:/, tamper: strays('192.168.1.200') },
  { rule: 'global-only', says: /sent to 224\.0\.0\.253:/, tamper: strays('224.0.0.253') },
  {
    rule: 'bubble-limits',
    says: /bubbles in 2 s on one way/,
    tamper: transmits((original, to, bytes) => {
      for (let i = 0; i < (isBubble(bytes) ? 7 : 1); i++) original(to, bytes);
    }),
  },
  {
    // One to each of many ports, as a scan would.
    rule: 'bubble-limits',
    says: /sent 11 bubbles in 2 s for/,
    tamper: transmits((original, to, bytes) => {
      original(to, bytes);
      if (isBubble(bytes))
        for (let i = 1; i <= 10; i++) original({ ip: to.ip, port: (to.port + i) & 0xffff }, bytes);
    }),
  },
  {
    // Never gives up.
    rule: 'bubble-limits',
    says: /unanswered bubbles/,
    tamper: ({ station: { datapath } }, { simulation }) => {
      const original = datapath.transmit.bind(datapath);
      datapath.transmit = (to, bytes) => {
        original(to, bytes);
        if (isBubble(bytes))
          for (let n = 1; n < 40; n++) simulation.after(n * 3_000, () => original(to, bytes));
      };
    },
  },
  {
    // Hands on whatever carries UDP, proven or not.
    rule: 'delivered-was-sent',
    says: /got/,
    tamper: receives((bytes, client) => {
      if (bytes[0]! >> 4 === 6 && bytes[6] === PROTOCOL.udp) client.station.datapath.deliver(bytes);
      return true;
    }),
  },
  {
    rule: 'delivered-once',
    says: /2 times/,
    tamper: (client) => {
      const { datapath } = client.station;
      const original = datapath.deliver.bind(datapath);
      datapath.deliver = (bytes) => {
        original(bytes);
        original(bytes);
      };
    },
  },
  { rule: 'no-amplification', says: /by 1 packets of 1280/, tamper: answers(1, 1280) },
  { rule: 'no-amplification', says: /by 2 packets of/, tamper: answers(2, 1) },
  {
    // Believes where the attacker says that it is.
    rule: 'address-from-server',
    says: /is not its mapping/,
    tamper: says((status) =>
      status.address === null ? status : { ...status, address: status.address ^ 1n },
    ),
  },
  {
    rule: 'address-from-server',
    says: /has 2001:/,
    tamper: says((status) =>
      status.address === null ? status : { ...status, address: status.address ^ (1n << 64n) },
    ),
  },
  {
    // Takes it for a native host from wherever its packets come.
    rule: 'trust-is-earned',
    says: /to be an attacker/,
    tamper: believesEverybody,
  },
  {
    // Throws it away without a word.
    rule: 'refused-by-name',
    says: /took a packet of routingHeader/,
    tamper: receives((bytes) => bytes[6] !== PROTOCOL.routing),
  },
  {
    rule: 'bounded-state',
    says: /keeps 1000 peers/,
    tamper: (client) => {
      client.client.peers = () => new Array<never>(1_000);
    },
  },
  {
    rule: 'heals',
    says: /is qualifying/,
    tamper: transmits((original, to, bytes) => {
      if (to.port !== 3_544) original(to, bytes);
    }),
  },
  {
    // Doubts its server for ever, whoever speaks to it.
    rule: 'heals',
    says: /is qualifying \(no-traffic\)/,
    tamper: says((status) => ({
      ...status,
      state: 'qualifying',
      reason: { code: 'no-traffic', text: '' },
    })),
  },
  {
    // A timer of the system that runs on while the rest sleeps.
    rule: 'silent-asleep',
    says: /sends in its sleep/,
    tamper: ({ station: { socket } }, { simulation }) => {
      const tick = (): void => {
        socket.send({ ip: SERVER, port: 9 }, new Uint8Array(1));
        simulation.after(5_000, tick);
      };
      tick();
    },
  },
  {
    // Timers that do not count sleep: what was due waits for as long as it had left.
    rule: 'wakes',
    says: /slept \d+ ms and asked nobody/,
    tamper: (client, { simulation }) => {
      const honest = client.suspend.bind(client);
      client.suspend = (asleep) => {
        if (asleep) honest(true);
        else simulation.after(20_000, () => honest(false));
      };
    },
  },
  {
    // All is well as long as there is an address: with a login page, a server that lies, or a system that does not send.
    rule: 'silence-is-told',
    says: /says qualified after \d+ ms/,
    tamper: says((status) =>
      status.address === null
        ? status
        : { ...status, state: 'qualified', reason: { code: 'qualified', text: '' } },
    ),
  },
  {
    // Takes its prefix from whatever its server says.
    rule: 'address-from-server',
    says: /has 2001:0:cb00:71fb:/,
    tamper: (client, world) => {
      let told: Ip6 | null = null;
      receives((bytes) => {
        const datagram = parseDatagram(bytes);
        const advertisement = datagram.ok ? parseAdvertisement(datagram.value.packet) : null;
        if (advertisement?.ok) told = advertisement.value.prefix;
        return true;
      })(client, world);
      says((status) =>
        status.address === null || told === null
          ? status
          : { ...status, address: told | (status.address & 0xffffffff_ffffffffn) },
      )(client, world);
    },
  },
  {
    // Keeps what a server said that lied, when it tells the truth again.
    rule: 'heals',
    says: /has not noticed its new external address/,
    tamper: (client, world) => {
      let lie: Status | null = null;
      says((status) => {
        if (status.mapped?.ip === ELSEWHERE.ip) lie ??= status;
        return lie ? { ...status, address: lie.address, mapped: lie.mapped } : status;
      })(client, world);
    },
  },
  {
    // Carries nothing that a line with tunnels of its own would not.
    rule: 'supported-pair-connects',
    says: /nothing large arrived/,
    tamper: ({ station: { socket } }) => {
      const original = socket.send.bind(socket);
      socket.send = (to, bytes, from) => bytes.length > 1_200 || original(to, bytes, from);
    },
  },
  {
    // Gives a way up for good on which a large packet was lost.
    rule: 'supported-pair-connects',
    says: /nothing arrived/,
    tamper: ({ station: { datapath } }, { simulation }) => {
      const lost = new Set<string>();
      simulation.onTrace((event) => {
        const { packet } = event;
        if (event.kind === 'drop' && event.reason === 'tooBig' && packet.kind === 'udp')
          lost.add(formatEndpoint(packet.destination));
      });
      const original = datapath.transmit.bind(datapath);
      datapath.transmit = (to, bytes) => {
        if (!lost.has(formatEndpoint(to))) original(to, bytes);
      };
    },
  },
  {
    // Sticks to the first address that it got.
    rule: 'heals',
    says: /has not noticed its new external address/,
    tamper: (client, world) => {
      let first: Status | null = null;
      says((status) => {
        if (status.address !== null) first ??= status;
        return first ? { ...status, address: first.address, mapped: first.mapped } : status;
      })(client, world);
    },
  },
  {
    rule: 'supported-pair-connects',
    says: /nothing arrived/,
    tamper: transmits((original, to, bytes) => {
      if (!isBubble(bytes)) original(to, bytes);
    }),
  },
  {
    rule: 'no-exception',
    says: /past the end/,
    tamper: receives((bytes) => {
      if (bytes.length > 1_000) throw new RangeError('a parser that reads past the end');
      return true;
    }),
  },
];

describe('each rule is broken by a planted fault', () => {
  test('none is left out', () => {
    expect(new Set(PLANTED.map(({ rule }) => rule))).toEqual(new Set(RULES));
  });

  test.each(PLANTED)('$rule: $says', (planted) => {
    expect(firstFailure(planted)).not.toBeNull();
  });

  test('and is then shrunk to what is needed, with its seed and its last packets', () => {
    const planted = PLANTED.find(({ rule }) => rule === 'delivered-was-sent')!;
    const { tamper } = planted;
    const { seed, scenario } = firstFailure(planted)!;
    const shrunk = shrink(scenario, 'delivered-was-sent', tamper);
    expect(shrunk.scenario.steps.length).toBeLessThanOrEqual(2);
    expect(shrunk.scenario.steps.length).toBeLessThan(scenario.steps.length);
    expect(shrunk.scenario.homes.length).toBeLessThanOrEqual(2);
    const text = report(seed, shrunk);
    expect(text).toContain(`seed ${seed} breaks a rule: delivered-was-sent`);
    expect(text.split('\n').length).toBeGreaterThan(5);
  });

  test.each(['wakes', 'silent-asleep', 'silence-is-told'])('%s, too', (rule) => {
    const planted = PLANTED.find((each) => each.rule === rule)!;
    const { scenario } = firstFailure(planted)!;
    const { steps, homes } = shrink(scenario, planted.rule, planted.tamper).scenario;
    expect(homes).toHaveLength(1);
    expect(homes[0]!.line).toEqual({});
    // Two that follow each other, if one alone is too short.
    expect(steps.length).toBeLessThanOrEqual(2);
    const named = rule === 'silence-is-told' ? {} : { fault: 'asleep' };
    for (const step of steps) expect(step).toMatchObject({ kind: 'fault', ...named });
  });
});
