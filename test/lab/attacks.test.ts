// Sends forged and malformed packets over real wires at our client, server and relay; each test is named by the attack's id.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callStatus } from '../../engine/service/control-client.ts';
import type { ServerStatus } from '../../engine/service/api.ts';
import {
  buildBubble,
  buildDatagram,
  buildIp6Packet,
  buildSolicitation,
  encodeTeredo,
  parseEndpoint,
  parseIp4,
  parseIp6,
} from '../../engine/wire/index.ts';
import type { Ip6 } from '../../engine/wire/index.ts';
import { routed, sendRaw, udp4 } from './kit/blast.ts';
import { Lab, NATIVE, noLab, RELAY, SERVER, SERVER2 } from './kit/lab.ts';
import { eventually, ipBatch } from './kit/processes.ts';
import { Place, SHIPWORM, SLOW, startRelay, startShipworm } from './kit/programs.ts';
import type { RelayProgram, Shipworm } from './kit/programs.ts';
import { answers } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

type At = readonly [string, number];

const ip6 = (text: string): Ip6 => parseIp6(text)!;
const teredo = ([ip, port]: At, server = SERVER): Ip6 =>
  encodeTeredo({ server: parseIp4(server)!, flags: 0x0123, client: { ip: parseIp4(ip)!, port } });

/** The attacker: the core, at an address of its own. */
const ATTACKER: At = ['192.0.2.254', 5000];

describe.skipIf(reason !== null)('attacks over the wire', () => {
  let lab: Lab;
  let server: Place;
  let relay: RelayProgram;
  let client: Shipworm;
  let own: Ip6;
  let mapped: At;
  beforeAll(async () => {
    lab = new Lab();
    lab.setNat(lab.home1, 'cone');
    server = new Place(lab, 'server');
    const args = ['server', '--primary', SERVER, '--secondary', SERVER2];
    const program = lab.start(lab.pub, SHIPWORM, args, server.env);
    await program.says(/Serving at /, 5_000 * SLOW);
    relay = await startRelay(lab, lab.relay);
    client = startShipworm(lab, lab.home1, ['--expose-all']);
    own = ip6(await client.address());
    const { ip, port } = parseEndpoint((await client.status()).mapped!)!;
    mapped = [lab.home1.outside, port];
    expect(ip).toBe(parseIp4(lab.home1.outside));
    // The relay knows the client from here on.
    await answers(lab, lab.home1, NATIVE);
  });
  afterAll(() => lab.close());

  const discards = async (of: 'client' | 'server' | 'relay'): Promise<Record<string, number>> => {
    if (of === 'client') return (await client.status()).counters.discards;
    if (of === 'relay') return (await relay.status()).counters.discards;
    return ((await callStatus([server.control])) as ServerStatus).counters.discards;
  };

  /** What `device` carries meanwhile, one line a packet, with the last one that `control` makes. */
  async function carried(
    space: string,
    device: string,
    filter: string,
    act: () => Promise<void>,
    control: { send: () => Promise<void>; seen: RegExp },
  ): Promise<string[]> {
    const options = ['-Z', 'root', '-l', '-n', '-t', '--immediate-mode', '-i', device];
    const dump = lab.start(space, 'tcpdump', [...options, ...filter.split(' ')]);
    await dump.says(/listening/, 10_000);
    await act();
    await control.send();
    await dump.says(control.seen, 3_000 * SLOW);
    await dump.stop();
    return dump.out.split('\n').filter((line) => line !== '');
  }

  const plain = (source: Ip6, destination: Ip6): Uint8Array =>
    buildIp6Packet(
      { nextHeader: 17, hopLimit: 64, source, destination },
      Uint8Array.of(0x30, 0x39, 0x30, 0x3a, 0, 8, 0, 0),
    );
  const CONTROL = /\.12345 > .*\.12346: /;
  const fromAttacker = (...payloads: Uint8Array[]): Promise<void> =>
    sendRaw(
      lab,
      lab.core,
      payloads.map((payload) => udp4(ATTACKER, mapped, payload)),
    );

  /** What is malformed about a packet that is otherwise right, by name of its discard. */
  function malformed(source: Ip6, destination: Ip6): [string, Uint8Array][] {
    const whole = plain(source, destination);
    const change = (at: number, value: number): Uint8Array => {
      const bytes = Uint8Array.from(whole);
      bytes[at] = value;
      return bytes;
    };
    return [
      ['ipv6Truncated', whole.subarray(0, 47)],
      ['ipv6Truncated', whole.subarray(0, 20)],
      ['ipv6Truncated', change(5, 200)],
      ['ipv6Version', change(0, 0x45)],
      ['indicatorUnknown', change(0, 1)],
      ['extensionTruncated', change(6, 0)],
      ['trailerRefused', Uint8Array.of(...whole, 0x41, 0)],
      ...[0, 2, 4].map((type): [string, Uint8Array] => [
        'routingHeader',
        routed({ source, destination }, type, 1),
      ]),
      ['routingHeader', routed({ source, destination }, 0, 0)],
    ];
  }

  async function grown(
    of: 'client' | 'relay' | 'server',
    names: readonly string[],
    act: () => Promise<void>,
  ): Promise<void> {
    const before = await discards(of);
    await act();
    const wanted = new Map<string, number>();
    for (const name of names) wanted.set(name, (wanted.get(name) ?? 0) + 1);
    for (const [name, count] of wanted)
      await eventually(`${of} counts ${count} ${name}`, 3_000 * SLOW, async () => {
        const now = (await discards(of))[name] ?? 0;
        return now - (before[name] ?? 0) >= count;
      });
  }

  test('M-0601, M-0701 and H-source-routing: a client’s adapter gets the sound packet and no other', async () => {
    const source = teredo(ATTACKER);
    const bad = malformed(source, own);
    const names = bad.map(([name]) => name);
    let lines: string[] = [];
    await grown('client', names, async () => {
      lines = await carried(
        lab.home1.space,
        'teredo',
        'ip6 and not icmp6',
        () => fromAttacker(...bad.map(([, bytes]) => bytes)),
        { send: () => fromAttacker(plain(source, own)), seen: CONTROL },
      );
    });
    expect(lines).toHaveLength(1);
  });

  test('M-0701 and H-source-routing: a local program’s routing header leaves by no way', async () => {
    const peer = teredo(ATTACKER);
    const bad = [0, 2, 4].map((type) => routed({ source: own, destination: peer }, type, 1));
    let lines: string[] = [];
    await grown('client', ['routingHeader', 'routingHeader', 'routingHeader'], async () => {
      lines = await carried(
        lab.core,
        lab.home1.line,
        `udp and dst host ${ATTACKER[0]}`,
        () => sendRaw(lab, lab.home1.space, bad),
        {
          send: () => sendRaw(lab, lab.home1.space, [plain(own, peer)]),
          seen: / > 192\.0\.2\.254\.5000: UDP, length 48/,
        },
      );
    });
    expect(lines).toHaveLength(1);
  });

  test('M-0604, M-0701 and H-source-routing: a relay passes the sound packet and no other, from clients', async () => {
    const bad = malformed(own, ip6(NATIVE));
    const names = bad.map(([name]) => name);
    const send = (...payloads: Uint8Array[]): Promise<void> =>
      sendRaw(
        lab,
        lab.core,
        payloads.map((payload) => udp4(mapped, [RELAY, 3545], payload)),
      );
    let lines: string[] = [];
    await grown('relay', names, async () => {
      lines = await carried(
        lab.relay,
        'six',
        'ip6 and not icmp6',
        () => send(...bad.map(([, bytes]) => bytes)),
        { send: () => send(plain(own, ip6(NATIVE))), seen: CONTROL },
      );
    });
    expect(lines).toHaveLength(1);
  });

  test('M-0701 and H-source-routing: a relay passes no routing header to a client', async () => {
    const fields = { source: ip6(NATIVE), destination: own };
    const bad = [0, 2, 4].map((type) => routed(fields, type, 1));
    let lines: string[] = [];
    await grown('relay', ['routingHeader', 'routingHeader', 'routingHeader'], async () => {
      lines = await carried(
        lab.relay,
        'e0',
        `udp and dst host ${mapped[0]} and src port 3545`,
        () => sendRaw(lab, lab.native, bad),
        {
          send: () => sendRaw(lab, lab.native, [plain(ip6(NATIVE), own)]),
          seen: /UDP, length 48/,
        },
      );
    });
    expect(lines).toHaveLength(1);
  });

  test('M-0603: a server asked to forward to itself, its secondary or a broadcast sends nothing there', async () => {
    const source = teredo(ATTACKER);
    const bubbleTo = (...at: At[]): Uint8Array[] =>
      at.map((client) => udp4(ATTACKER, [SERVER, 3544], buildBubble(source, teredo(client))));
    const forbidden: At[] = [
      [SERVER, 3544],
      [SERVER2, 3544],
      [SERVER, 40_000],
      ['255.255.255.255', 3544],
      ['192.0.2.255', 3544],
      ['224.0.0.253', 3544],
      ['127.0.0.1', 3544],
    ];
    const names = forbidden.map((_, i) => (i < 3 ? 'destinationIsServer' : 'clientNotGlobal'));
    let lines: string[] = [];
    await grown('server', names, async () => {
      lines = await carried(
        lab.pub,
        'any',
        'udp and src port 3544',
        () => sendRaw(lab, lab.core, bubbleTo(...forbidden)),
        {
          send: () => sendRaw(lab, lab.core, bubbleTo(['192.0.2.254', 7777])),
          seen: / > 192\.0\.2\.254\.7777: /,
        },
      );
    });
    expect(lines).toHaveLength(1);
  });

  test('M-0603: the directed broadcast of a network that the server joins later is refused from then on', async () => {
    const ask = (): Promise<void> =>
      sendRaw(lab, lab.core, [
        udp4(
          ATTACKER,
          [SERVER, 3544],
          buildBubble(teredo(ATTACKER), teredo(['192.0.2.191', 3544])),
        ),
      ]);
    const before = (await discards('server'))['clientNotGlobal'] ?? 0;
    await ask();
    ipBatch(['addr add 192.0.2.130/26 dev e0'], lab.pub);
    try {
      await eventually('it is refused', 2_000 * SLOW, async () => {
        await ask();
        return ((await discards('server'))['clientNotGlobal'] ?? 0) > before;
      });
    } finally {
      ipBatch(['addr del 192.0.2.130/26 dev e0'], lab.pub);
    }
    // Before that it was a client like any other; and it is one again.
    const { forwarded } = ((await callStatus([server.control])) as ServerStatus).counters;
    expect(forwarded).toBeGreaterThan(0);
    await eventually('it is forwarded again', 2_000 * SLOW, async () => {
      await ask();
      const { counters } = (await callStatus([server.control])) as ServerStatus;
      return counters.forwarded > forwarded;
    });
  });

  test('R-reflection: 300 solicitations with a forged source bring the victim 20 advertisements a second', async () => {
    const victim: At = ['203.0.113.9', 4444];
    const solicitation = buildDatagram({
      packet: buildSolicitation(ip6('fe80::ffff:ffff:ffff')),
    });
    const forged = udp4(victim, [SERVER, 3544], solicitation);
    const begin = performance.now();
    let lines: string[] = [];
    await grown('server', Array<string>(100).fill('solicitationLimit'), async () => {
      lines = await carried(
        lab.pub,
        'e0',
        'udp and src port 3544',
        () => sendRaw(lab, lab.core, Array<Uint8Array>(300).fill(forged)),
        {
          send: () => sendRaw(lab, lab.core, [udp4(ATTACKER, [SERVER, 3544], solicitation)]),
          seen: / > 192\.0\.2\.254\.5000: /,
        },
      );
    });
    const seconds = (performance.now() - begin) / 1000;
    const hit = lines.filter((line) => line.includes('> 203.0.113.9.4444'));
    expect(hit.length).toBeGreaterThanOrEqual(20);
    expect(hit.length).toBeLessThanOrEqual(20 + 20 * seconds);
  });

  test('H-ingress-bypass: a forged neighbour of a client with a public network is neither answered nor let in', async () => {
    const { space } = lab.home1;
    ipBatch(
      [
        'link add inside type veth peer name inside1',
        'link set inside1 up',
        'addr add 203.0.115.10/24 dev inside',
        'link set inside up',
      ],
      space,
    );
    try {
      await client.becomes('asked anew', 5_000 * SLOW, ({ state }) => state === 'qualified');
      const neighbour: At = ['203.0.115.20', 4000];
      const forged = udp4(neighbour, mapped, plain(teredo(neighbour), own));
      let lines: string[] = [];
      await grown('client', ['teredoClientInside'], async () => {
        lines = await carried(
          space,
          'any',
          'udp or ip6',
          () => eventuallySent(() => sendRaw(lab, lab.core, [forged])),
          {
            send: () => fromAttacker(plain(teredo(ATTACKER), own)),
            seen: CONTROL,
          },
        );
      });
      expect(lines.filter((line) => / Out .* > 203\.0\.115\./.test(line))).toEqual([]);
      expect(lines.filter((line) => CONTROL.test(line))).toHaveLength(1);
    } finally {
      ipBatch(['link del inside'], space);
    }
  });

  /** Until the client has seen its new network, a neighbour is a stranger like any other. */
  async function eventuallySent(send: () => Promise<void>): Promise<void> {
    const before = (await discards('client'))['teredoClientInside'] ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 600));
    await eventually('the client has seen its network', 3_000 * SLOW, async () => {
      await send();
      return ((await discards('client'))['teredoClientInside'] ?? 0) > before;
    });
  }

  test('and after all of it everything works', async () => {
    await answers(lab, lab.home1, NATIVE);
    await answers(lab, { space: lab.native }, (await client.status()).address!);
  });
});
