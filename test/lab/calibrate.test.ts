// Calibrates the simulated Internet: the same scenario here and in the lab must give the same packets in the same order.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NAT_KINDS } from '../../engine/sim/index.ts';
import type { NatBehaviour, Packet } from '../../engine/sim/index.ts';
import { formatIp4, isTeredo, parseDatagram, TEREDO_PORT } from '../../engine/wire/index.ts';
import { kindOf } from '../sim/kinds.ts';
import { RandomWorld } from '../sim/random/play.ts';
import { Lab, NATIVE, noLab, RELAY, SERVER, SERVER2 } from './kit/lab.ts';
import type { Home } from './kit/lab.ts';
import type { NatKind } from './kit/nat.ts';
import { sleep } from './kit/processes.ts';
import { QUALIFIED_MS, startMiredoServer, startRelay, startShipworm } from './kit/programs.ts';
import type { Shipworm } from './kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** Between the steps: more than one wait for a bubble (2 s), less than two. */
const STEP_MS = 2_500;
/** From one line to another. Long enough that a slow machine is done with one packet before the next comes. */
const DELAY_MS = 60;
/** The refresh is due within this time: before the last step has ended. */
const REFRESH_MS = 7_000;
/**
 * So much of a conversation with a peer is compared, from its first packet on, ms. What can't be reached is tried every two seconds,
 * and the server asked again meanwhile: how often depends on how fast the machine is.
 */
const ATTEMPT_MS = 1_800;

/** The simulator's words for the routers of the lab. */
const KINDS = {
  cone: NAT_KINDS.cone,
  restricted: NAT_KINDS.linux,
  symmetric: NAT_KINDS.symmetric,
  preserving: NAT_KINDS.symmetricPreserving,
  sequential: NAT_KINDS.symmetricSequential,
  open: NAT_KINDS.open,
  blocked: { ...NAT_KINDS.linux, blockedPorts: [TEREDO_PORT] },
} as const satisfies Record<NatKind, NatBehaviour>;
const NAMES = Object.keys(KINDS) as NatKind[];

/** One datagram on a line of the first home. */
interface Seen {
  readonly at: number;
  readonly out: boolean;
  readonly remote: string;
  readonly remotePort: number;
  readonly port: number;
  readonly bytes: Uint8Array;
}

/** What is compared: what passes outside of the router, and what leaves and reaches the PC behind it. */
interface Run {
  readonly outside: string[];
  readonly inside: string[];
}

type Roles = Readonly<Record<string, string>>;
type Conversation = 'server' | 'peer' | 'native';
/** Of the talk with the server: two questions, two answers, and the refresh with its answer. The rest repeats that. */
const SERVER_LINES = 6;

/** Which conversation a datagram belongs to. `service`: the ways to the server's two addresses, by which the client began to ask. */
function conversationOf(seen: Seen, service: Set<string>): Conversation {
  const datagram = parseDatagram(seen.bytes);
  if (!datagram.ok) throw new Error(`Neither client nor server sends that: ${datagram.reason}`);
  const { source, destination } = datagram.value.header;
  if (isTeredo(seen.out ? destination : source)) return 'peer';
  // A relay names itself by a link-local address, too.
  if (!/solicitation|advertisement/.test(kindOf(seen.bytes))) return 'native';
  const way = `${seen.remote} ${seen.port}`;
  if (seen.out && service.size < 2) service.add(way);
  // A side port asks the server, too, when our NAT is a symmetric one (RFC 6081 §5.5.4.1.1).
  return service.has(way) ? 'server' : 'peer';
}

/** Lines to compare: direction, kind, remote role and port, our port by the order in which it first appears; one talk after the other. */
function describeLine(seen: readonly Seen[], roles: Roles): string[] {
  const parts: Record<Conversation, Seen[]> = { server: [], peer: [], native: [] };
  const service = new Set<string>();
  for (const each of seen) parts[conversationOf(each, service)].push(each);
  const attempt = (list: readonly Seen[]): Seen[] =>
    list.filter(({ at }) => at - list[0]!.at < ATTEMPT_MS);
  const ownPort = labels();
  const remotePort = labels();
  const line = ({ out, remote, remotePort: port, port: own, bytes }: Seen): string => {
    const role = roles[remote] ?? remote;
    // Relays may have any port; only whether it changes is of interest.
    const where = port === TEREDO_PORT && role !== 'relay' ? port : remotePort(`${role} ${port}`);
    return `${out ? 'out' : 'in '} ${kindOf(bytes)} ${role}:${where} port ${ownPort(`${own}`)}`;
  };
  return [
    ...pairsInOrder(parts.server.slice(0, SERVER_LINES).map(line)),
    ...pairsInOrder(attempt(parts.peer).map(line)),
    ...attempt(parts.native).map(line),
  ];
}

/** Letters by the order in which the names first appear. */
function labels(): (name: string) => string {
  const names: string[] = [];
  return (name) => {
    if (!names.includes(name)) names.push(name);
    return String.fromCharCode(65 + names.indexOf(name));
  };
}

/** Both addresses of the server are asked at once, and nothing says which one answers first: neighbours are put in order. */
function pairsInOrder(lines: readonly string[]): string[] {
  const advertisement = (line: string | undefined): boolean => line?.includes('advert') ?? false;
  const ordered = [...lines];
  for (let i = 0; i + 1 < ordered.length; i++) {
    const pair = ordered.slice(i, i + 2);
    if (pair.every(advertisement)) ordered.splice(i++, 2, ...pair.sort());
  }
  return ordered;
}

/** The scenario in the simulator: qualify, a packet to the other home, one to a native host, a refresh. */
function simulate(kind: NatKind): Run {
  const line = { delayMs: DELAY_MS / 2 };
  const settings = { refreshIntervalMs: REFRESH_MS };
  const world = new RandomWorld({
    seed: 1,
    homes: [
      { kind: 'linux', line, settings },
      { kind: 'linux', line },
    ],
    natives: 1,
    relays: 1,
    steps: [],
    quietAt: 0,
  });
  world.setDelay(line.delayMs);
  const { simulation } = world;
  const [one, two] = world.homes as [RandomWorld['homes'][0], RandomWorld['homes'][0]];
  const nat = one.nat!;
  nat.setBehaviour(KINDS[kind]);
  const run = (ms: number): void => simulation.runUntil(simulation.now + ms);
  two.simulated.start();
  run(STEP_MS);
  const outside: Seen[] = [];
  const inside: Seen[] = [];
  const note = (list: Seen[], out: boolean, packet: Packet): void => {
    if (packet.kind !== 'udp') return;
    const { source, destination, bytes } = packet;
    const [own, remote] = out ? [source, destination] : [destination, source];
    const { ip, port: remotePort } = remote;
    const at = simulation.now;
    list.push({ at, out, remote: formatIp4(ip), remotePort, port: own.port, bytes });
  };
  const external = nat.addresses[0]!;
  simulation.onTrace(({ node, kind: what, packet }) => {
    if (node === one.name && (what === 'send' || what === 'receive'))
      note(inside, what === 'send', packet);
    if (
      node === nat.name &&
      what === 'forward' &&
      packet.kind === 'udp' &&
      packet.source.ip === external
    )
      note(outside, true, packet);
  });
  const receive = nat.receive.bind(nat);
  nat.receive = (packet, port) => {
    if (packet.destination.ip === external) note(outside, false, packet);
    receive(packet, port);
  };
  one.simulated.start();
  run(STEP_MS);
  world.send({ home: 0 }, { home: 1 });
  run(STEP_MS);
  world.send({ home: 0 }, { native: 0 });
  run(STEP_MS + REFRESH_MS);
  const roles = {
    '192.0.2.1': 'server',
    '192.0.2.2': 'secondary',
    '203.0.113.20': 'relay',
    '198.51.100.11': 'peer',
  };
  return { outside: describeLine(outside, roles), inside: describeLine(inside, roles) };
}

const SEND = `
import { createSocket } from 'node:dgram';
const socket = createSocket('udp6');
socket.send('x', 7777, process.argv[1], () => socket.close());`;
const TAKE = `
import { createSocket } from 'node:dgram';
createSocket('udp6').bind(7777, () => console.log('ready'));`;

describe.skipIf(reason !== null)('the simulator and the lab', () => {
  let lab: Lab;
  /** The home that the others send to. */
  let peer: Home;
  let peerAddress: string;
  const runs = new Map<NatKind, Promise<Run>>();

  async function program(space: string, script: string, ...args: string[]): Promise<void> {
    const node = ['--input-type=module', '-e', script, ...args];
    const started = lab.start(space, process.execPath, node);
    if (script === TAKE) await started.says(/ready/, 10_000);
    else await started.end(10_000);
  }

  /** A client whose refresh is due soon, as the machine policy can say. */
  function startQuick(home: Home): Shipworm {
    const policy = join(lab.folder, 'policy.d');
    mkdirSync(policy, { mode: 0o755, recursive: true });
    writeFileSync(join(policy, 'quick.json'), `{ "refreshRate": ${REFRESH_MS / 1_000} }`);
    return startShipworm(lab, home, ['--expose-all'], SERVER, { SHIPWORM_POLICY: policy });
  }

  async function capture(
    space: string,
    device: string,
    home: Home,
  ): Promise<() => Promise<string>> {
    const file = join(lab.folder, `${home.line}-${device}.pcap`);
    const dump = lab.start(space, 'tcpdump', [
      ...['-Z', 'root', '-U', '--immediate-mode', '-s0', '-i', device, '-w', file, 'udp'],
    ]);
    await dump.says(/listening/, 30_000);
    return async () => {
      await dump.stop();
      return file;
    };
  }

  async function play(home: Home, kind: NatKind): Promise<Run> {
    const outside = await capture(lab.core, home.line, home);
    const inside = await capture(home.space, 'e0', home);
    const client = startQuick(home);
    if (kind === 'blocked') await client.becomes('waiting', QUALIFIED_MS, () => true);
    else await client.address();
    await sleep(STEP_MS);
    if (kind !== 'blocked') await program(home.space, SEND, peerAddress);
    await sleep(STEP_MS);
    if (kind !== 'blocked') await program(home.space, SEND, NATIVE);
    // The refresh may have begun at the last moment.
    await sleep(STEP_MS + STEP_MS);
    const roles = {
      [SERVER]: 'server',
      [SERVER2]: 'secondary',
      [RELAY]: 'relay',
      [peer.outside]: 'peer',
    };
    return {
      outside: describeLine(await read(await outside(), home.outside), roles),
      inside: describeLine(await read(await inside(), home.inside), roles),
    };
  }

  /** What a capture holds; `own` is our address there. */
  async function read(file: string, own: string): Promise<Seen[]> {
    const fields = [
      'frame.time_epoch',
      'ip.src',
      'udp.srcport',
      'ip.dst',
      'udp.dstport',
      'udp.payload',
    ];
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
      .filter((line) => line !== '')
      .map((line) => {
        // Of a tunnelled datagram tshark names the inner ports too, after the outer ones.
        const [time, source, sourcePort, destination, destinationPort, payload] = line
          .split('\t')
          .map((field) => field.split(',')[0]!) as [string, string, string, string, string, string];
        const out = source === own;
        return {
          at: Number(time) * 1_000,
          out,
          remote: out ? destination : source,
          remotePort: Number(out ? destinationPort : sourcePort),
          port: Number(out ? sourcePort : destinationPort),
          bytes: new Uint8Array(Buffer.from(payload, 'hex')),
        };
      });
  }

  beforeAll(async () => {
    lab = new Lab(NAMES.length + 1);
    peer = lab.homes.at(-1)!;
    for (const [i, kind] of NAMES.entries()) lab.setNat(lab.homes[i]!, kind);
    await lab.setDelay(DELAY_MS);
    await startMiredoServer(lab);
    await startRelay(lab, lab.relay);
    peerAddress = await startShipworm(lab, peer, ['--expose-all']).address();
    await program(peer.space, TAKE);
    await program(lab.native, TAKE);
    // All side by side: most of the time is waiting.
    for (const [i, kind] of NAMES.entries()) {
      const run = play(lab.homes[i]!, kind);
      run.catch(() => undefined);
      runs.set(kind, run);
    }
  });
  afterAll(() => lab.close());

  test.each(NAMES)('a router that is %s behaves like the simulated one', async (kind) => {
    const run = await runs.get(kind)!;
    expect(run).toEqual(simulate(kind));
    // Two questions at least; through a router that lets them, the refresh too.
    expect(run.inside.length).toBeGreaterThanOrEqual(SERVER_LINES);
    expect(run.outside.length).toBeGreaterThanOrEqual(kind === 'blocked' ? 0 : SERVER_LINES);
  });
});
