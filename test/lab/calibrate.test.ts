// Calibrates the simulated Internet: the same scenario here and in the lab must give the same packets in the same order.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Packet4 } from '../../engine/sim/index.ts';
import { formatIp4 } from '../../engine/wire/index.ts';
import { kindOf } from '../sim/kinds.ts';
import { RandomWorld } from '../sim/random/play.ts';
import type { HomeKind } from '../sim/random/scenario.ts';
import { Lab, NATIVE, noLab, RELAY, SERVER, SERVER2 } from './kit/lab.ts';
import type { Home } from './kit/lab.ts';
import type { NatKind } from './kit/nat.ts';
import { sleep } from './kit/processes.ts';
import { startMiredoServer, startRelay, startShipworm } from './kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** Between the steps: more than one wait for a bubble (2 s), less than two. */
const STEP_MS = 3_000;
const DELAY_MS = 20;
/** Attempts at a peer that are compared. */
const ATTEMPTS = 1;

/** The simulator's words for the routers of the lab. */
const KINDS: readonly (readonly [NatKind, HomeKind])[] = [
  ['cone', 'cone'],
  ['restricted', 'linux'],
  ['symmetric', 'symmetric'],
  ['open', 'open'],
];

/** One datagram outside of the first home's router. */
interface Seen {
  readonly out: boolean;
  readonly remote: string;
  readonly remotePort: number;
  readonly port: number;
  readonly bytes: Uint8Array;
}

/** Lines to compare: direction, kind, remote role and port, our external port by the order in which it first appears. */
function describeRun(seen: readonly Seen[], roles: Readonly<Record<string, string>>): string[] {
  const ports: number[] = [];
  const label = (list: number[], port: number): string => {
    if (!list.includes(port)) list.push(port);
    return String.fromCharCode(65 + list.indexOf(port));
  };
  const remotePorts: number[] = [];
  const peerPorts: number[] = [];
  const lines = seen.map(({ out, remote, remotePort, port, bytes }) => {
    const role = roles[remote] ?? remote;
    // Relays may have any port; only whether it changes is of interest.
    const list = role === 'relay' ? remotePorts : peerPorts;
    const where = remotePort === 3544 && role !== 'relay' ? 3544 : label(list, remotePort);
    return `${out ? 'out' : 'in '} ${kindOf(bytes)} ${role}:${where} port ${label(ports, port)}`;
  });
  return firstAttempts(pairOfAdvertisements(lines));
}

/** Both addresses of the server are asked at once, and nothing says which one answers first. */
function pairOfAdvertisements(lines: readonly string[]): string[] {
  const advertisement = (line: string | undefined): boolean => line?.includes('advert') ?? false;
  const first = lines.findIndex(advertisement);
  const pair = lines.slice(first, first + 2);
  if (!pair.every(advertisement)) return [...lines];
  return [...lines.slice(0, first), ...pair.sort(), ...lines.slice(first + 2)];
}

/**
 * A peer that can't be reached is tried every two seconds, and the server asked again meanwhile: how often depends on how fast
 * the machine is.
 */
function firstAttempts(lines: readonly string[]): string[] {
  let attempts = 0;
  const asked = new Set<string>();
  return lines.filter((line) => {
    if (line.startsWith('out bubble peer')) attempts++;
    if (/solicitation|advertisement/.test(line)) {
      const first = !asked.has(line);
      asked.add(line);
      return first;
    }
    return attempts <= ATTEMPTS || !/bubble peer|out bubble server/.test(line);
  });
}

/** The scenario in the simulator: qualify, a packet to the other home, a packet to a native host. */
function simulate(kind: HomeKind): string[] {
  const line = { delayMs: DELAY_MS };
  const world = new RandomWorld({
    seed: 1,
    homes: [
      { kind, line },
      { kind: 'linux', line },
    ],
    natives: 1,
    relays: 1,
    steps: [],
    quietAt: 0,
  });
  const { simulation } = world;
  const [one, two] = world.homes as [RandomWorld['homes'][0], RandomWorld['homes'][0]];
  const run = (ms: number): void => simulation.runUntil(simulation.now + ms);
  two.simulated.start();
  run(STEP_MS);
  const seen: Seen[] = [];
  const external = one.nat!.addresses[0]!;
  const note = (packet: Packet4): void => {
    if (packet.kind !== 'udp') return;
    const out = packet.source.ip === external;
    const [own, remote] = out
      ? [packet.source, packet.destination]
      : [packet.destination, packet.source];
    if (own.ip !== external) return;
    const { ip, port: remotePort } = remote;
    seen.push({ out, remote: formatIp4(ip), remotePort, port: own.port, bytes: packet.bytes });
  };
  simulation.onTrace((event) => {
    if (event.node === one.nat!.name && event.kind === 'forward' && event.packet.kind === 'udp')
      if (event.packet.source.ip === external) note(event.packet);
  });
  const receive = one.nat!.receive.bind(one.nat);
  one.nat!.receive = (packet, port) => {
    if (packet.destination.ip === external) note(packet);
    receive(packet, port);
  };
  one.simulated.start();
  run(STEP_MS);
  world.send({ home: 0 }, { home: 1 });
  run(STEP_MS);
  world.send({ home: 0 }, { native: 0 });
  run(STEP_MS);
  return describeRun(seen, {
    '192.0.2.1': 'server',
    '192.0.2.2': 'secondary',
    '203.0.113.20': 'relay',
    '198.51.100.11': 'peer',
  });
}

const SEND = `
import { createSocket } from 'node:dgram';
const socket = createSocket('udp6');
socket.send('x', 7777, process.argv[1], () => socket.close());`;
const TAKE = `
import { createSocket } from 'node:dgram';
createSocket('udp6').bind(7777, () => console.log('ready'));`;

describe.skipIf(reason !== null)('the simulator and the lab', () => {
  const labs: Lab[] = [];
  const runs = new Map<NatKind, Promise<string[]>>();

  async function program(
    lab: Lab,
    space: string,
    script: string,
    ...args: string[]
  ): Promise<void> {
    const node = ['--input-type=module', '-e', script, ...args];
    const started = lab.start(space, process.execPath, node);
    if (script === TAKE) await started.says(/ready/, 10_000);
    else await started.end(10_000);
  }

  async function play(lab: Lab, kind: NatKind): Promise<string[]> {
    const { home1, home2 } = lab;
    await lab.setDelay(DELAY_MS);
    lab.setNat(home1, kind);
    lab.setNat(home2, 'restricted');
    await startMiredoServer(lab);
    await startRelay(lab, lab.relay);
    const two = startShipworm(lab, home2, ['--expose-all']);
    const other = await two.address();
    await program(lab, home2.space, TAKE);
    await program(lab, lab.native, TAKE);
    const file = join(lab.folder, 'calibrate.pcap');
    const dump = lab.start(lab.core, 'tcpdump', [
      ...['-Z', 'root', '-U', '--immediate-mode', '-s0', '-i', home1.line, '-w', file, 'udp'],
    ]);
    await dump.says(/listening/, 10_000);
    const one = startShipworm(lab, home1, ['--expose-all']);
    await one.address();
    await sleep(STEP_MS);
    await program(lab, home1.space, SEND, other);
    await sleep(STEP_MS);
    await program(lab, home1.space, SEND, NATIVE);
    await sleep(STEP_MS);
    await dump.stop();
    return describeRun(await read(lab, file, home1), {
      [SERVER]: 'server',
      [SERVER2]: 'secondary',
      [RELAY]: 'relay',
      [home2.outside]: 'peer',
    });
  }

  async function read(lab: Lab, file: string, home: Home): Promise<Seen[]> {
    const fields = ['ip.src', 'udp.srcport', 'ip.dst', 'udp.dstport', 'udp.payload'];
    const { code, out, err } = await lab.run(
      lab.core,
      'tshark',
      ['-n', '-r', file, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
      { timeoutMs: 60_000 },
    );
    if (code !== 0) throw new Error(err);
    return out
      .trim()
      .split('\n')
      .map((line) => {
        // Of a tunnelled datagram tshark names the inner ports too, after the outer ones.
        const [source, sourcePort, destination, destinationPort, payload] = line
          .split('\t')
          .map((field) => field.split(',')[0]!) as [string, string, string, string, string];
        const out = source === home.outside;
        return {
          out,
          remote: out ? destination : source,
          remotePort: Number(out ? destinationPort : sourcePort),
          port: Number(out ? sourcePort : destinationPort),
          bytes: new Uint8Array(Buffer.from(payload, 'hex')),
        };
      });
  }

  beforeAll(() => {
    // All side by side: most of the time is waiting.
    for (const [kind] of KINDS) {
      const lab = new Lab();
      labs.push(lab);
      const run = play(lab, kind);
      run.catch(() => undefined);
      runs.set(kind, run);
    }
  });
  afterAll(() => Promise.all(labs.map((lab) => lab.close())));

  test.each(KINDS)('a %s router behaves like the simulated %s', async (lab, simulated) => {
    expect(await runs.get(lab)).toEqual(simulate(simulated));
  });
});
