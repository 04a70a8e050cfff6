// What the crowd sends for each row of the list of attacks is shown to find the fault that it looks for, planted in every machine.
import { describe, expect, test } from 'vitest';
import {
  buildDatagram,
  decodeTeredo,
  encodeTeredo,
  isGlobalUnicast4,
  parseAdvertisement,
  parseDatagram,
  parseIp6Header,
  parseSolicitation,
  PROTOCOL,
  sameEndpoint,
} from '../../engine/wire/index.ts';
import { SERVER } from './random/home.ts';
import type { Tamper } from './random/play.ts';
import { ROWS } from './random/rows.ts';
import { drawCrowd } from './random/scenario.ts';
import { believesEverybody, firstFailure, receives, says, transmits } from './random/tamper.ts';
import type { Planted, Status } from './random/tamper.ts';

interface OfRows extends Planted {
  readonly rows: readonly string[];
}

/** Throws away without a word what no reader takes. */
const swallows: Tamper = receives((bytes) => parseDatagram(bytes).ok);

/** Sends to the IPv4 address inside whatever source it is told. */
const answersInside: Tamper = receives((bytes, { station: { socket } }) => {
  const header = parseIp6Header(bytes);
  const inside = header.ok ? decodeTeredo(header.value.source) : undefined;
  if (inside && inside.client.port > 0 && !isGlobalUnicast4(inside.client.ip))
    socket.send(inside.client, new Uint8Array(1));
  return true;
});

/** Takes an advertisement for true that answers no question of its own. */
const believesAdvertisements: Tamper = (client, world) => {
  let told: Status | null = null;
  receives((bytes) => {
    const datagram = parseDatagram(bytes);
    if (!datagram.ok || !parseAdvertisement(datagram.value.packet).ok) return true;
    const { origin } = datagram.value;
    const status = client.client.status();
    if (!origin || status.address === null) return true;
    const address = encodeTeredo({ ...decodeTeredo(status.address)!, client: origin });
    told = { ...status, address, mapped: origin };
    return true;
  })(client, world);
  says((status) => told ?? status)(client, world);
};

/** Asks no server again once it has an address. */
const stopsAsking: Tamper = (client, world) =>
  transmits((original, to, bytes) => {
    const datagram = parseDatagram(bytes);
    const asks = datagram.ok && parseSolicitation(datagram.value.packet).ok;
    if (!asks || client.client.status().address === null) original(to, bytes);
  })(client, world);

/** Its connectivity tests end with the first. */
const testsOnce: Tamper = (client, world) => {
  let tests = 0;
  transmits((original, to, bytes) => {
    const header = parseIp6Header(bytes);
    if (header.ok && header.value.nextHeader === PROTOCOL.icmp6 && ++tests > 1) return;
    original(to, bytes);
  })(client, world);
};

const PLANTED: readonly OfRows[] = [
  {
    rows: ['M-0401', 'M-0601', 'X-nested', 'X-trailers'],
    rule: 'refused-by-name',
    says: /home\d took a packet of (cut|unfit|nested|refusedTrailers)/,
    tamper: swallows,
  },
  {
    rows: ['M-0604'],
    rule: 'refused-by-name',
    says: /relay\d took a packet of (unfit|cut|nested)/,
    tamper: (_, { relays }) => {
      for (const relay of relays) {
        const honest = relay.handleInput.bind(relay);
        relay.handleInput = (input, now) => {
          if (input.kind !== 'datagram' || parseDatagram(input.bytes).ok) honest(input, now);
        };
      }
    },
  },
  {
    // Hands back what comes from its own address.
    rows: ['M-0501'],
    rule: 'refused-by-name',
    says: /answered a packet of looping/,
    tamper: receives((bytes, { client, station: { socket } }, _, from) => {
      const header = parseIp6Header(bytes);
      if (header.ok && header.value.source === client.status().address) socket.send(from, bytes);
      return true;
    }),
  },
  {
    // A server that forwards whatever is for its own prefix.
    rows: ['M-0603'],
    rule: 'refused-by-name',
    says: /server answered a packet of toServerItself/,
    tamper: (_, { server }) => {
      const honest = server.handleDatagram.bind(server);
      server.handleDatagram = (input, now) => {
        const outputs = honest(input, now);
        const datagram = parseDatagram(input.bytes);
        if (outputs.length > 0 || !datagram.ok) return outputs;
        const { header, packet } = datagram.value;
        const to = decodeTeredo(header.destination)?.client;
        if (to?.port !== 3_544) return outputs;
        const bytes = buildDatagram({ packet });
        return [{ kind: 'transmit', via: 'primary', to, bytes, why: 'forward' }];
      };
    },
  },
  {
    rows: ['M-0701', 'H-source-routing'],
    rule: 'refused-by-name',
    says: /home\d answered a packet of sourceRouting/,
    // What a program sends leaves as it is.
    tamper: ({ station: { datapath, socket } }) => {
      const honest = datapath.fromAdapter.bind(datapath);
      datapath.fromAdapter = (packet) => {
        if (packet[6] !== PROTOCOL.routing) honest(packet);
        else socket.send({ ip: SERVER, port: 4_000 }, packet);
      };
    },
  },
  {
    rows: ['M-0703', 'H-ingress-bypass'],
    rule: 'global-only',
    says: /sent to (10|192\.168|172\.16|100\.64|169\.254|127|0)\./,
    tamper: answersInside,
  },
  {
    rows: ['L-1…3'],
    rule: 'refused-by-name',
    says: /took a packet of circle/,
    tamper: receives((bytes) => bytes[8] !== 0x20 || bytes[9] !== 0x02),
  },
  {
    rows: ['M-0702', 'R-spoofed-server'],
    rule: 'address-from-server',
    says: /home\d has 2001:/,
    tamper: believesAdvertisements,
  },
  {
    rows: ['H-peer-spoof', 'H-ping-guess'],
    rule: 'trust-is-earned',
    says: /to be an attacker/,
    tamper: believesEverybody,
  },
  {
    // Whatever its flags are, the address is taken for its own.
    rows: ['H-scan'],
    rule: 'delivered-was-sent',
    says: /home\d got a packet for 2001:/,
    tamper: ({ client }) => {
      client['core'].isOurs = (address) => {
        const { mapped } = client.status();
        const named = decodeTeredo(address);
        return named !== undefined && mapped !== null && sameEndpoint(named.client, mapped);
      };
    },
  },
  {
    rows: ['H-discovery'],
    rule: 'global-only',
    says: /sent to 192\.168\.1\.250:/,
    tamper: ({ client }) => {
      client['core'].policy.isNeighbour = () => true;
    },
  },
  {
    // Lists without an end.
    rows: ['H-inducement', 'H-cache'],
    rule: 'bounded-state',
    says: /home\d keeps \d+ peers/,
    tamper: ({ client }) => {
      Object.assign(client['core'].config.limits, { maxPeers: 10_000 });
    },
  },
  {
    rows: ['B-relay-flood', 'H-queue'],
    rule: 'bounded-state',
    says: /a relay waits for \d+ with \d+ bytes/,
    tamper: (_, { relays }) => {
      for (const relay of relays) relay.setLimits({});
    },
  },
  {
    rows: ['R-reflection'],
    rule: 'no-amplification',
    says: /a forged source brought 41 answers in 1 s/,
    tamper: (_, { server }) =>
      server.configure({
        clients: new Map(),
        requireAuthentication: false,
        limits: { solicitationsPerSecondPerSource: 10_000 },
      }),
  },
  {
    // A send that fails is more than it can bear.
    rows: ['M-0602'],
    rule: 'no-exception',
    says: /ENOBUFS/,
    tamper: (client, world) => {
      const home = world.homes.find(({ simulated }) => simulated === client)!;
      transmits((original, to, bytes) => {
        if (home.host.sendFails) throw new Error('ENOBUFS');
        original(to, bytes);
      })(client, world);
    },
  },
  { rows: ['R-mitm', 'H-3544'], rule: 'heals', says: /home\d/, tamper: stopsAsking },
  {
    rows: ['H-relay-dead'],
    rule: 'supported-pair-connects',
    says: /native.*nothing arrived/,
    tamper: testsOnce,
  },
];

describe('a fault of each row is found by the crowd', () => {
  test('no row is left out that sends something', () => {
    const sent = Object.entries(ROWS).filter(([, { unsent }]) => unsent === undefined);
    expect(PLANTED.flatMap(({ rows }) => rows).sort()).toEqual(sent.map(([id]) => id).sort());
  });

  test.each(PLANTED)('$rows: $rule', (planted) => {
    expect(firstFailure(planted, drawCrowd, 60)).not.toBeNull();
  });
});
