// Module builtin/programs is the user's PC on the built-in network: programs that come and go, and a kernel that knows who owns each socket.
import type { FlowKey } from '../../datapath/types.ts';
import type { Identity, Owner, Process, SocketVerdict } from '../../gate/index.ts';
import { HostError } from '../../host/types.ts';
import type { Listener, OwnerEvent, Owners, ProgramFile } from '../../host/types.ts';
import { answerFrom } from '../../sim/index.ts';
import type { Simulation } from '../../sim/index.ts';
import { formatIp6, ICMP6, parseIcmp6, PROTOCOL } from '../../wire/index.ts';
import type { Ip6 } from '../../wire/index.ts';
import { ECHO_PORT } from './places.ts';
import type { ProgramPlace } from './places.ts';
import { buildUdp6, echoedUdp6, parseUdp6 } from './udp.ts';
import { utf8 } from '../utf8.ts';

/** One program as `built-in` shows it. */
export interface ProgramState {
  readonly name: string;
  readonly path: string;
  readonly text: string;
  readonly running: boolean;
  readonly sent: number;
  readonly received: number;
  /** Its packets that were refused: by the kernel at once, or by an ICMPv6 error. */
  readonly refused: number;
  /** Where it sends to, or waits. */
  readonly remote: string | null;
  readonly port: number | null;
}

const USER = 1000;
const FIRST_PID = 4_001;
const FIRST_PORT = 40_001;
const PAYLOAD = utf8('Is anybody there?');

class Program {
  readonly place: ProgramPlace;
  readonly identity: Identity;
  process: Process | null = null;
  cookie = 0n;
  port = 0;
  remote: Ip6 | null = null;
  sent = 0;
  received = 0;
  refused = 0;
  verdict: SocketVerdict | null = null;
  cancel: () => void = () => undefined;

  constructor(place: ProgramPlace, inode: number) {
    this.place = place;
    this.identity = {
      user: USER,
      path: place.path,
      file: { device: '1', inode: String(inode) },
      hash: null,
      group: null,
      writable: false,
      replaced: false,
      foreign: false,
      script: null,
    };
  }

  get owner(): Owner {
    return {
      identities: [this.identity],
      process: this.process,
      comm: this.place.path.split('/').at(-1)!,
      confidence: 'exact',
    };
  }
}

export interface PcHooks {
  /** A program sends this packet by the adapter. */
  readonly send: (packet: Uint8Array) => void;
  /** The address of a host by its name; null while it has none. */
  readonly addressOf: (name: string) => Ip6 | null;
}

/** The programs, their sockets, and what the kernel enforces. */
export class Pc implements Owners {
  readonly mode = 'programs';
  readonly why = null;
  readonly startsSeen = true;
  readonly decidesFor = null;
  private readonly simulation: Simulation;
  private readonly hooks: PcHooks;
  private readonly programs: readonly Program[];
  private readonly random;
  private own: Ip6 | null = null;
  private files: readonly string[] = [];
  private tell: (event: OwnerEvent) => void = () => undefined;
  private nextPid = FIRST_PID;
  private nextCookie = 1n;
  private nextPort = FIRST_PORT;

  constructor(simulation: Simulation, places: readonly ProgramPlace[], hooks: PcHooks) {
    this.simulation = simulation;
    this.hooks = hooks;
    this.random = simulation.random.fork('programs');
    this.programs = places.map((place, i) => new Program(place, 100 + i));
  }

  /** Begins to tell what happens to sockets and programs. */
  open(tell: (event: OwnerEvent) => void): this {
    this.tell = tell;
    return this;
  }

  state(): ProgramState[] {
    return this.programs.map((each) => ({
      name: each.place.name,
      path: each.place.path,
      text: each.place.text,
      running: each.process !== null,
      sent: each.sent,
      received: each.received,
      refused: each.refused,
      remote: each.remote === null ? null : formatIp6(each.remote),
      port: each.process === null ? null : each.port,
    }));
  }

  /** Who that program is; undefined when there is none of that name. */
  identity(name: string): Identity | undefined {
    return this.find(name)?.identity;
  }

  start(name: string): void {
    const program = this.find(name);
    if (program && !program.process) this.run(program);
  }

  stop(name: string): void {
    const program = this.find(name);
    if (!program) return;
    program.cancel();
    if (program.process) this.end(program);
  }

  private find(name: string): Program | undefined {
    return this.programs.find((each) => each.place.name.toLowerCase() === name.toLowerCase());
  }

  private run(program: Program): void {
    const { place } = program;
    program.process = { pid: this.nextPid++, startedMs: this.simulation.now };
    program.cookie = this.nextCookie++;
    program.port = place.listens ?? this.nextPort++;
    program.verdict = null;
    this.announce(program);
    const timers: (() => void)[] = [];
    if (place.talks) timers.push(this.talk(program, place.talks));
    if (place.comes) {
      const { runMs, pauseMs } = place.comes;
      const rest = this.simulation.after(runMs, () => {
        this.stop(place.name);
        program.cancel = this.simulation.after(pauseMs, () => this.run(program));
      });
      timers.push(rest);
    }
    program.cancel = () => timers.forEach((cancel) => cancel());
  }

  /** What watches are told of a program that runs. */
  private announce(program: Program): void {
    const { process, identity, place } = program;
    if (!process || !this.files.includes(place.path)) return;
    this.tell({ kind: 'exec', process, identity });
    if (place.listens !== null) this.tellListener(program, true);
  }

  private tellListener(program: Program, listening: boolean): void {
    const { cookie, port, owner } = program;
    this.tell({ kind: 'listener', cookie, listening, protocol: PROTOCOL.udp, port, owner });
  }

  private end(program: Program): void {
    const { process, cookie, place } = program;
    if (place.listens !== null && this.files.includes(place.path))
      this.tellListener(program, false);
    program.process = null;
    program.remote = null;
    this.tell({ kind: 'closed', cookie });
    this.tell({ kind: 'exit', process: process! });
  }

  /** Sends again and again. Returns a function that ends it. */
  private talk(program: Program, { to, everyMs }: NonNullable<ProgramPlace['talks']>): () => void {
    let cancel = (): void => undefined;
    const once = (): void => {
      cancel = this.simulation.after(everyMs, once);
      const destination = this.hooks.addressOf(to);
      if (destination !== null) this.send(program, destination);
    };
    cancel = this.simulation.after(this.random.between(200, 1_000), once);
    return () => cancel();
  }

  private send(program: Program, destination: Ip6): void {
    if (this.own === null) return;
    const { port: sourcePort, cookie } = program;
    program.remote = destination;
    const ends = { source: this.own, sourcePort, destination, destinationPort: ECHO_PORT };
    program.sent += 1;
    // The kernel's own refusal: the packet never reaches the adapter.
    if (program.verdict?.out === 'deny') {
      program.refused += 1;
      this.tell({ kind: 'attempt', flow: flowOf(ends), cookie, times: 1 });
    } else this.hooks.send(buildUdp6(ends, PAYLOAD));
  }

  /** What comes out of the adapter. */
  deliver(packet: Uint8Array): void {
    if (this.own === null) return;
    const icmp = parseIcmp6(packet);
    if (icmp.ok && icmp.value.type === ICMP6.unreachable) {
      this.errorAbout(icmp.value.body.subarray(4));
      return;
    }
    const udp = parseUdp6(packet);
    const program = udp && this.ownerOf(udp.destinationPort);
    if (!udp || udp.destination !== this.own || !program) {
      const answer = answerFrom(this.own, packet);
      if (answer) this.hooks.send(answer);
      return;
    }
    program.received += 1;
    if (program.place.listens === null) return;
    program.sent += 1;
    this.hooks.send(echoedUdp6(udp));
  }

  /** `quoted`: the beginning of a packet of ours, whose source port stands behind its header of 40 bytes. */
  private errorAbout(quoted: Uint8Array): void {
    const program =
      quoted.length >= 42 ? this.ownerOf((quoted[40]! << 8) | quoted[41]!) : undefined;
    if (program) program.refused += 1;
  }

  private ownerOf(port: number): Program | undefined {
    return this.programs.find((each) => each.process !== null && each.port === port);
  }

  /** The address that the programs send from. */
  setAddress(own: Ip6): void {
    this.own = own;
  }

  // ---- Owners

  setVerdict(cookie: bigint, verdict: SocketVerdict): Promise<void> {
    for (const each of this.programs) if (each.cookie === cookie) each.verdict = verdict;
    return Promise.resolve();
  }

  resolve(flow: FlowKey): ReturnType<Owners['resolve']> {
    const program = flow.protocol === PROTOCOL.udp ? this.ownerOf(flow.localPort) : undefined;
    return Promise.resolve(
      program ? { cookie: program.cookie, owner: program.owner } : { cookie: null, owner: null },
    );
  }

  /** Nothing is kept of a flow or a closed socket: the programs are the table. */
  releaseFlow(): void {
    return;
  }

  releaseSocket(): void {
    return;
  }

  watch(files: readonly string[]): void {
    const before = this.files;
    this.files = files;
    for (const each of this.programs) if (!before.includes(each.place.path)) this.announce(each);
  }

  listeners(): Promise<readonly Listener[]> {
    return Promise.resolve(
      this.programs
        .filter(({ process, place }) => process && place.listens !== null)
        .map((each) => ({
          cookie: each.cookie,
          protocol: PROTOCOL.udp,
          port: each.port,
          address: 0n,
          v6only: false,
          owner: each.owner,
        })),
    );
  }

  /** Only the built-in programs are here, whatever is on the disk. */
  programAt(path: string): Promise<ProgramFile & { readonly user: number }> {
    const file = this.programs.find(({ place }) => place.path === path)?.identity.file;
    if (file)
      return Promise.resolve({ path, file, user: USER, writable: false, hash: null, script: null });
    const known = this.programs.map(({ place }) => place.path).join(', ');
    return Promise.reject(
      new HostError(
        'program-missing',
        `There is no ${path} on the built-in network; its programs are ${known}.`,
        { path },
      ),
    );
  }

  close(): Promise<void> {
    this.tell = () => undefined;
    for (const each of this.programs) each.cancel();
    return Promise.resolve();
  }
}

function flowOf(ends: {
  source: Ip6;
  sourcePort: number;
  destination: Ip6;
  destinationPort: number;
}): FlowKey {
  return {
    protocol: PROTOCOL.udp,
    local: ends.source,
    localPort: ends.sourcePort,
    remote: ends.destination,
    remotePort: ends.destinationPort,
  };
}
