// Module lab/kit/field joins two network namespaces by two real adapters, of which the near one asks who owns each packet.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, chmodSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { FlowKey } from '../../../engine/datapath/types.ts';
import type { Direction, Owner, SocketVerdict } from '../../../engine/gate/types.ts';
import { nativeAddon } from '../../../engine/host/addon.ts';
import { openLinuxAdapter } from '../../../engine/host/linux-adapter.ts';
import type { LinuxAdapter } from '../../../engine/host/linux-adapter.ts';
import { openDatapath } from '../../../engine/host/linux-datapath.ts';
import { HostError } from '../../../engine/host/types.ts';
import type { OwnerEvent, Owners, SocketDatapath } from '../../../engine/host/types.ts';
import {
  buildIcmp6Error,
  formatIp6,
  ICMP6,
  parseIp6,
  parseIp6Header,
  UNREACHABLE,
  walkHeaders,
} from '../../../engine/wire/index.ts';
import { compiled } from './compile.ts';
import { cleanEnvironment, eventually, inside, pidsIn } from './processes.ts';

const HELPER = 'build/native/shipworm-helper';
export const NEAR = '2001:0:c000:201:1234:56:7890:1';
export const FAR = '2001:0:c000:201:1234:56:7890:2';
const NEAR_ADDRESS = parseIp6(NEAR)!;
/** For what happens at once on a machine that is not busy, ms. */
const SOON_MS = 10_000;
const LOOPBACK = 0x7f000001;

/** Makes `path` a copy of test/lab/actor.cc's program: a program of its own. */
export function copyActor(path: string): string {
  copyFileSync(compiled('actor'), path);
  chmodSync(path, 0o755);
  return path;
}

/** A running copy of test/lab/actor.cc. */
export class Actor {
  readonly child: ChildProcess;
  private readonly answers: string[] = [];
  private readonly waiting: ((line: string) => void)[] = [];

  constructor(space: string, command: string, args: readonly string[]) {
    this.child = spawn('ip', inside(space, command, args), {
      env: cleanEnvironment(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface(this.child.stdout!).on('line', (line) => {
      const next = this.waiting.shift();
      if (next) next(line);
      else this.answers.push(line);
    });
    this.child.on('close', () => this.waiting.splice(0).forEach((next) => next('gone')));
  }

  /** The next line it says. */
  heard(): Promise<string> {
    const line = this.answers.shift();
    if (line !== undefined) return Promise.resolve(line);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Gives one command and waits for its answer. */
  do(command: string): Promise<string> {
    this.child.stdin!.write(`${command}\n`);
    return this.heard();
  }

  /** How a connection to `where` ended, and within how many ms: of three, as a busy machine may keep one waiting. */
  async connects(where: string): Promise<{ error: string; ms: number }> {
    const all: { error: string; ms: number }[] = [];
    for (let n = 0; n < 3; n++) {
      await this.do('tcp t');
      const [error, ms] = (await this.do(`connect t ${where} 5`)).split(' ');
      all.push({ error: error!, ms: Number(ms) });
    }
    return all.reduce((best, each) => (each.ms < best.ms ? each : best));
  }

  /** Whoever reads its input ends, too: a child that it left behind. */
  kill(): void {
    this.child.stdin!.destroy();
    this.child.kill('SIGKILL');
  }
}

/** What runs `command` where `etc` is in the place of /etc. */
export function withEtc(etc: string, command: readonly string[]): string[] {
  return ['sh', '-c', 'mount --bind "$0" /etc && exec "$@"', etc, ...command];
}

interface Side {
  readonly space: string;
  readonly helper: ChildProcess;
  readonly adapter: LinuxAdapter;
}

interface SideOptions {
  /** Whose client it is. */
  readonly user?: number;
  /** A folder that the helper sees instead of /etc. */
  readonly etc?: string;
  /** Capabilities that the helper is not given, as setpriv(1) names them. */
  readonly lacks?: readonly string[];
}

async function openSide(
  space: string,
  address: string,
  { user = 0, etc, lacks = [] }: SideOptions = {},
): Promise<Side> {
  const addon = nativeAddon();
  // The helper reads from the pair who its client was when he made it.
  process.seteuid!(user);
  const [fd, theirs] = addon.socketpair();
  process.seteuid!(0);
  const serve = [HELPER, '--fd', '3', '--uid', String(user)];
  const bounding = lacks.map((name) => `-${name}`).join(',');
  const confined =
    bounding === '' ? serve : ['setpriv', `--bounding-set=${bounding}`, '--', ...serve];
  const command = etc === undefined ? confined : withEtc(etc, confined);
  const helper = spawn('ip', inside(space, command[0]!, command.slice(1)), {
    stdio: ['ignore', 'ignore', 'inherit', theirs],
  });
  addon.closeFd(theirs);
  const refusal = new HostError('no-privilege', 'refused');
  const adapter = await openLinuxAdapter(
    addon,
    { fd, helloMs: 5_000, refusal },
    { name: 'teredo', mtu: 1280, queues: 1, offloads: false },
  );
  // Under a policy the owners come first.
  if (etc === undefined) await adapter.setAddress(parseIp6(address)!, true);
  return { space, helper, adapter };
}

/** What the near side makes of an owner; null: nothing is said about the socket. */
export type Decide = (owner: Owner | null, direction: Direction) => SocketVerdict | null;

/** One question and what came of it. */
export interface Asked {
  readonly flow: FlowKey;
  readonly direction: Direction;
  readonly cookie: bigint | null;
  readonly owner: Owner | null;
  readonly passed: boolean;
}

/** The flow of a packet, from the side whose address is `local`; null for fragments after the first and what has no ports. */
function flowOf(packet: Uint8Array, outward: boolean): FlowKey | null {
  const header = parseIp6Header(packet);
  const upper = walkHeaders(packet);
  if (!header.ok || !upper.ok || (upper.value.fragment && upper.value.fragment.offset > 0))
    return null;
  const { protocol, offset } = upper.value;
  const { source, destination } = header.value;
  const view = new DataView(packet.buffer, packet.byteOffset);
  let ports: [number, number] = [0, 0];
  if (protocol === 6 || protocol === 17)
    ports = [view.getUint16(offset), view.getUint16(offset + 2)];
  else if (protocol === 58 && (packet[offset] === 128 || packet[offset] === 129)) {
    const id = view.getUint16(offset + 4);
    ports = outward ? [id, 0] : [0, id];
  }
  return outward
    ? { protocol, local: source, localPort: ports[0], remote: destination, remotePort: ports[1] }
    : { protocol, local: destination, localPort: ports[1], remote: source, remotePort: ports[0] };
}

/** Two adapters and what passes between them. The far side passes everything. */
export class Field {
  readonly folder = mkdtempSync(join(tmpdir(), 'shipworm-field-'));
  readonly nearSpace: string;
  readonly farSpace: string;
  readonly events: OwnerEvent[] = [];
  readonly asked: Asked[] = [];
  lost: HostError | null = null;
  decide: Decide = () => null;
  owners!: Owners;
  near!: Side;
  private far!: Side;
  private nearPath!: SocketDatapath;
  private farPath!: SocketDatapath;
  private opened = false;
  private readonly actors: Actor[] = [];

  constructor() {
    const name = `shipworm-field-${process.pid}-${randomBytes(2).toString('hex')}`;
    this.nearSpace = `${name}n`;
    this.farSpace = `${name}f`;
  }

  /** What is said of a side is the near one's. */
  async open(
    options: SideOptions & {
      withoutPrograms?: boolean;
      /** Called with the near space before anything is in it. */
      prepare?: (nearSpace: string) => unknown;
    } = {},
  ): Promise<void> {
    chmodSync(this.folder, 0o755);
    for (const space of [this.nearSpace, this.farSpace]) {
      spawnSync('ip', ['netns', 'del', space], { stdio: 'ignore' });
      execFileSync('ip', ['netns', 'add', space]);
      execFileSync('ip', ['-n', space, 'link', 'set', 'lo', 'up']);
    }
    options.prepare?.(this.nearSpace);
    this.near = await openSide(this.nearSpace, NEAR, options);
    this.far = await openSide(this.farSpace, FAR);
    this.owners = await this.near.adapter.openOwners({
      adapter: this.near.adapter,
      withoutPrograms: options.withoutPrograms ?? false,
      onEvent: (event) => {
        this.events.push(event);
        if (event.kind === 'closed') this.owners.releaseSocket(event.cookie);
      },
      onLost: (error) => (this.lost = error),
    });
    if (options.etc !== undefined) await this.near.adapter.setAddress(NEAR_ADDRESS, true);
    const path = (side: Side, take: (packet: Uint8Array) => void): SocketDatapath => {
      const datapath = openDatapath({
        adapter: side.adapter,
        bind: { ip: LOOPBACK, port: 0 },
        validMs: 30_000,
        offloads: false,
        onUpcalls: (batch) => {
          for (const upcall of batch) if (upcall.kind === 'packet') take(upcall.bytes);
        },
        onFailed: () => undefined,
      });
      side.adapter.handOver();
      return datapath;
    };
    this.nearPath = path(this.near, (packet) => void this.outward(packet));
    this.farPath = path(this.far, (packet) => void this.inward(packet));
    this.opened = true;
  }

  /** A copy of the actor's program, so that it is a file of its own. */
  program(name: string, folder = this.folder): string {
    return copyActor(join(folder, name));
  }

  /** Starts `command` on the near side, or on the far one; it is ready when this resolves. */
  async act(command: string, far = false, args: readonly string[] = []): Promise<Actor> {
    const actor = new Actor(far ? this.farSpace : this.nearSpace, command, args);
    this.actors.push(actor);
    const first = await actor.heard();
    if (first !== 'ready') throw new Error(`${command} said ${first}`);
    return actor;
  }

  /** Does `act` while the near helper’s process for owners can look at nothing. */
  async unseen(act: () => Promise<void>): Promise<void> {
    const { pid } = this.near.helper;
    const owners = Number(readFileSync(`/proc/${pid!}/task/${pid!}/children`, 'utf8'));
    process.kill(owners, 'SIGSTOP');
    try {
      await act();
    } finally {
      process.kill(owners, 'SIGCONT');
    }
  }

  /** Calls from outside, from another port than `far` has, sockets of `actor` that such calls are not for: nobody is to be named. */
  async callNobody(far: Actor, actor: Actor): Promise<void> {
    this.decide = () => ({ out: 'allow', in: 'all' });
    const lines = [
      ['udp c', 'bind c :: 5100', `connect c ${FAR} 4000 1`],
      ['udp l', 'bind l ::1 5101'],
      ['udp4 f', 'bind4 f 5102'],
    ];
    for (const line of lines.flat()) await actor.do(line);
    await far.do('udp v');
    const ports = [5100, 5101, 5102];
    for (const port of ports) await far.do(`send v ${NEAR} ${port} hello`);
    const owners = await eventually('all were asked about', SOON_MS, () => {
      const found = ports.map((port) => this.asked.find(({ flow }) => flow.localPort === port));
      return found.every(Boolean) ? found : null;
    });
    for (const each of owners) if (each!.cookie !== null) throw new Error('somebody was named');
    for (const name of ['c', 'l', 'f'])
      if ((await actor.do(`recv ${name} 50`)) !== 'nothing') throw new Error(`${name} heard it`);
  }

  /** Ends the actors and forgets what was seen. */
  async clear(): Promise<void> {
    for (const actor of this.actors.splice(0)) actor.kill();
    await eventually('the actors ended', SOON_MS, () => pidsIn(this.nearSpace).length <= 2);
    this.events.length = 0;
    this.asked.length = 0;
    this.decide = () => null;
    this.owners.watch([], [], []);
  }

  async close(): Promise<void> {
    for (const actor of this.actors.splice(0)) actor.kill();
    if (this.opened) {
      this.nearPath.close();
      this.farPath.close();
      await this.owners.close();
      await this.near.adapter.close();
      await this.far.adapter.close();
    }
    for (const space of [this.nearSpace, this.farSpace]) {
      for (const pid of pidsIn(space)) process.kill(pid, 'SIGKILL');
      spawnSync('ip', ['netns', 'del', space]);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Verdict, then the packet: as an engine does. */
  private async judge(flow: FlowKey, direction: Direction): Promise<boolean> {
    const { cookie, owner } = await this.owners.resolve(flow, direction);
    const verdict = this.decide(owner, direction);
    if (cookie !== null && verdict) await this.owners.setVerdict(cookie, verdict);
    const reach = verdict?.in ?? 'none';
    const open = reach === 'all' || (reach !== 'none' && reach.includes(flow.localPort));
    const passed =
      cookie !== null &&
      (direction === 'out' ? verdict?.out === 'allow' || open : open || verdict?.out === 'allow');
    this.asked.push({ flow, direction, cookie, owner, passed });
    return passed;
  }

  private async outward(packet: Uint8Array): Promise<void> {
    const flow = flowOf(packet, true);
    if (!flow || flow.local !== NEAR_ADDRESS) return;
    if (await this.judge(flow, 'out')) this.farPath.deliver(packet);
    else
      this.nearPath.deliver(
        buildIcmp6Error({
          type: ICMP6.unreachable,
          code: UNREACHABLE.prohibited,
          parameter: 0,
          source: parseIp6('fe80::1')!,
          destination: flow.local,
          quoted: packet,
        }),
      );
  }

  private async inward(packet: Uint8Array): Promise<void> {
    const flow = flowOf(packet, false);
    if (flow && (await this.judge(flow, 'in'))) this.nearPath.deliver(packet);
  }
}

export const allows =
  (path: string): Decide =>
  (owner) =>
    owner?.identities.length && owner.identities.every((one) => one.path === path && !one.foreign)
      ? { out: 'allow', in: 'all' }
      : { out: 'deny', in: 'none' };

export const textOf = (address: bigint): string => formatIp6(address);
