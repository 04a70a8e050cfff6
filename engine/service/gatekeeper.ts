// Module service/gatekeeper stands between programs and the tunnel: it asks the gate about every packet and holds what waits for an answer.
//
// The way of a packet, in the order of the functions below:
//   1. outward, inward: the screen says which flow it belongs to; it waits there
//   2. resolve:         the system names the owner
//   3. settle:          the gate has decided: sent on, dropped, or refused by ICMPv6
import { ROUTER_ADDRESS } from '../client/core.ts';
import { PacketQueue, TokenBucket } from '../datapath/limits.ts';
import { flowText } from '../datapath/parts.ts';
import type { Datapath, FlowKey } from '../datapath/types.ts';
import { Gate, Screen } from '../gate/index.ts';
import type {
  Direction,
  GateInput,
  GateOutput,
  GatePolicy,
  GateSettings,
  Rule,
} from '../gate/index.ts';
import type { OwnerEvent, Owners } from '../host/types.ts';
import {
  buildIcmp6Error,
  Discards,
  ICMP6,
  mayAnswerWithError,
  parseIp6Header,
  UNREACHABLE,
} from '../wire/index.ts';
import type { Ip6 } from '../wire/index.ts';

/** ICMPv6 errors to refused programs, per second: enough for each to notice, too few to be a load. */
const ERRORS_PER_SECOND = 100;
/** What waits for the owner of one flow, how many flows do, and their bytes together: more is lost. */
const WAITING_PACKETS = 256;
const WAITING_BYTES = 256 * 1280;
const WAITING_FLOWS = 1_024;
const WAITING_ALL_BYTES = 4 << 20;
/** An owner is found within milliseconds; after this long a packet is of no more use, ms. */
const WAITING_MS = 2_000;

export interface GatekeeperHooks {
  /** Milliseconds of the host's clock. */
  readonly now: () => number;
  /** Runs it once so many ms of that clock have gone by. Returns a function that cancels it. */
  readonly after: (ms: number, run: () => void) => () => void;
  /** An allowed packet of a program goes into the tunnel, one from outside to the adapter. */
  readonly send: (packet: Uint8Array) => void;
  readonly deliver: (packet: Uint8Array) => void;
  /** Packets that the datapath passed by itself since the start. */
  readonly passed: () => number;
  /** What is not about packets: wake, sleep, state, question, save, discover. */
  readonly act: (output: GateAction) => void;
}

export type GateAction = Extract<
  GateOutput,
  { readonly kind: 'wake' | 'sleep' | 'state' | 'question' | 'save' | 'discover' }
>;

interface Waiting {
  readonly direction: Direction;
  readonly queue: PacketQueue;
  readonly since: number;
}

const NOTHING_WAITS = { direction: 'out', packets: [] } as const;

/** Packets that may pass once the kernel has the verdict. */
interface Granted {
  readonly text: string;
  readonly direction: Direction;
  readonly packets: readonly Uint8Array[];
}

export class Gatekeeper {
  readonly gate: Gate;
  readonly discards = new Discards();
  private readonly hooks: GatekeeperHooks;
  private settings: GateSettings;
  private paused = false;
  private exposeAll: boolean;
  private readonly screen = new Screen();
  private readonly waiting = new Map<string, Waiting>();
  private waitingBytes = 0;
  private readonly granted = new Set<Granted>();
  private readonly errors = new TokenBucket(ERRORS_PER_SECOND, ERRORS_PER_SECOND);
  private datapath: Datapath | null = null;
  private owners: Owners | null = null;
  private own: readonly Ip6[] = [];
  private applying: Promise<void> | null = null;
  private cancelTimer: () => void = () => undefined;
  private passedBefore = 0;
  private draining = false;

  constructor(
    settings: GateSettings,
    rules: readonly Rule[],
    damaged: boolean,
    hooks: GatekeeperHooks,
  ) {
    this.gate = new Gate(settings, rules, damaged);
    this.settings = settings;
    this.exposeAll = settings.exposeAll;
    this.hooks = hooks;
  }

  /** From now on packets come. `owners` null: nobody can be named, so that nothing passes. */
  attach(datapath: Datapath, owners: Owners | null): void {
    this.datapath = datapath;
    this.owners = owners;
    datapath.setDefaultVerdict(this.exposeAll ? 'pass' : 'ask');
  }

  /** The gate's settings and policy from now on. */
  configure(settings: GateSettings, policy: GatePolicy): void {
    this.exposeAll = settings.exposeAll;
    if (this.datapath) this.attach(this.datapath, this.owners);
    this.input({ kind: 'settings', settings });
    this.input({ kind: 'policy', policy });
  }

  /** Our addresses, the preferred one first. */
  setAddresses(own: readonly Ip6[]): void {
    this.own = own;
  }

  /** What the system tells of sockets and programs. */
  event(event: OwnerEvent): void {
    this.input(event);
    // Only now no table has a flow of that socket any more.
    if (event.kind === 'closed') this.owners?.releaseSocket(event.cookie);
  }

  close(): void {
    this.cancelTimer();
    this.waiting.clear();
    this.granted.clear();
    this.datapath = null;
    this.owners = null;
  }

  // ---- 1. packets

  /** A packet that a local program sent. */
  outward(packet: Uint8Array): void {
    if (this.exposeAll) {
      this.hooks.send(packet);
      return;
    }
    const header = parseIp6Header(packet);
    // Who sends with another address (a container that is not masqueraded) is no program of ours.
    if (header.ok && !this.own.includes(header.value.source)) {
      this.discards.count('adapterSource');
      return;
    }
    this.look(packet, 'out');
  }

  /** A packet from a proven peer. */
  inward(packet: Uint8Array): void {
    if (this.exposeAll) this.hooks.deliver(packet);
    else this.look(packet, 'in');
  }

  private look(packet: Uint8Array, direction: Direction): void {
    const screened = this.screen.look(packet, direction, this.hooks.now());
    switch (screened.kind) {
      case 'held':
        return;
      case 'drop':
        this.discards.count(screened.reason);
        return;
      case 'error':
        if (this.gate.passes(screened.flow)) this.pass(packet, direction);
        else this.discards.count('screenQuote');
        return;
      case 'flow': {
        const { flow, begins, packets } = screened;
        if (!begins && !this.gate.passes(flow)) {
          this.refused(direction);
          return;
        }
        for (const each of packets) this.wait(flow, each, direction);
        this.input({ kind: 'flow', flow, direction });
      }
    }
  }

  private pass(packet: Uint8Array, direction: Direction): void {
    if (direction === 'out') this.hooks.send(packet);
    else this.hooks.deliver(packet);
  }

  private refused(direction: Direction): void {
    this.discards.count(direction === 'out' ? 'notAllowedOut' : 'notAllowedIn');
  }

  private wait(flow: FlowKey, packet: Uint8Array, direction: Direction): void {
    const text = flowText(flow);
    const now = this.hooks.now();
    let waiting = this.waiting.get(text);
    if (!waiting || waiting.direction !== direction) {
      if (this.waiting.size >= WAITING_FLOWS) this.dropWaiting(now);
      if (this.waiting.size >= WAITING_FLOWS) {
        this.discards.count('ownerQueueFull');
        return;
      }
      this.takeWaiting(text);
      waiting = { direction, queue: new PacketQueue(WAITING_BYTES, WAITING_PACKETS), since: now };
      this.waiting.set(text, waiting);
    }
    const fits = this.waitingBytes + packet.length <= WAITING_ALL_BYTES;
    if (fits && waiting.queue.push(packet)) this.waitingBytes += packet.length;
    else this.discards.count('ownerQueueFull');
  }

  /** What waits for the owner of this flow; nothing does afterwards. */
  private takeWaiting(text: string): { direction: Direction; packets: Uint8Array[] } | null {
    const waiting = this.waiting.get(text);
    if (!waiting) return null;
    this.waiting.delete(text);
    this.waitingBytes -= waiting.queue.bytes;
    return { direction: waiting.direction, packets: waiting.queue.drain() };
  }

  /** Lets go of packets whose owner was never found. */
  private dropWaiting(now: number): void {
    for (const [text, { since }] of this.waiting) {
      if (now - since < WAITING_MS) continue;
      const dropped = this.takeWaiting(text)?.packets.length ?? 0;
      for (let i = dropped; i > 0; i--) this.discards.count('ownerQueueFull');
    }
  }

  // ---- 2. the gate

  /** Off until told otherwise, whatever the settings are; not remembered. */
  pause(paused: boolean): void {
    this.paused = paused;
    this.input({ kind: 'settings', settings: this.settings });
  }

  input(given: GateInput): void {
    let input = given;
    if (given.kind === 'settings') {
      this.settings = given.settings;
      input = { ...given, settings: { ...given.settings, paused: this.paused } };
    }
    this.gate.handleInput(input, this.hooks.now());
    // What an output leads to may come back here; whoever drains already takes it along.
    if (this.draining) return;
    this.draining = true;
    try {
      for (let output = this.gate.pollOutput(); output; output = this.gate.pollOutput())
        this.perform(output);
    } finally {
      this.draining = false;
    }
  }

  private perform(output: GateOutput): void {
    switch (output.kind) {
      case 'verdict':
        this.apply(this.owners?.setVerdict(output.cookie, output.verdict));
        break;
      case 'resolve':
        this.resolve(output.flow, output.direction);
        break;
      case 'flow':
        this.settle(output);
        break;
      case 'forget-flow':
        this.release(output.flow);
        break;
      case 'watch':
        this.owners?.watch(output.files, output.processes, output.groups);
        break;
      case 'timeout':
        this.wakeAt(output.at);
        break;
      case 'sleep':
        this.withdraw();
        this.hooks.act(output);
        break;
      case 'wake':
      case 'state':
      case 'question':
      case 'save':
      case 'discover':
        this.hooks.act(output);
    }
  }

  /** What comes in passes only once the kernel has the verdict; `applying` settles when it has all that were given. */
  private apply(done: Promise<void> | undefined): void {
    const all = Promise.all([this.applying, done]).then(() => {
      if (this.applying === all) this.applying = null;
    });
    this.applying = all;
  }

  private resolve(flow: FlowKey, direction: Direction): void {
    // More of what comes in would only wait here, each at a price.
    if (direction === 'in') this.datapath?.setFlow(flow, 'wait');
    const nobody = { cookie: null, owner: null };
    const answer = (found: Awaited<ReturnType<Owners['resolve']>>): void =>
      this.input({ kind: 'socket', flow, direction, ...found });
    if (!this.owners) answer(nobody);
    else
      void this.owners.resolve(flow, direction).then(
        (found) => this.datapath && answer(found),
        () => this.datapath && answer(nobody),
      );
  }

  private wakeAt(at: number): void {
    this.cancelTimer();
    if (at === Infinity) return;
    const wait = Math.max(0, Math.ceil(at - this.hooks.now()));
    this.cancelTimer = this.hooks.after(wait, () => {
      this.noteActivity();
      this.dropWaiting(this.hooks.now());
      this.input({ kind: 'timeout' });
    });
  }

  /** The datapath passes what is allowed without a word, so it is asked before the tunnel goes to sleep. */
  private noteActivity(): void {
    const passed = this.hooks.passed();
    if (passed !== this.passedBefore) this.input({ kind: 'activity' });
    this.passedBefore = passed;
  }

  // ---- 3. verdicts

  private settle({ flow, verdict }: GateOutput & { kind: 'flow' }): void {
    const text = flowText(flow);
    const { direction, packets } = this.takeWaiting(text) ?? NOTHING_WAITS;
    if (verdict === 'pass') {
      const granted: Granted = { text, direction, packets };
      this.granted.add(granted);
      this.whenApplied(() => this.passAll(flow, granted));
      return;
    }
    this.withdraw(text);
    this.release(flow);
    for (const packet of packets) {
      this.refused(direction);
      if (verdict === 'refuse') this.refuse(packet, UNREACHABLE.prohibited);
    }
  }

  /** Without its verdict the kernel drops what comes for a socket, the answer to what is sent too early as well. */
  private whenApplied(act: () => void): void {
    if (this.applying) void this.applying.then(act);
    else act();
  }

  private passAll(flow: FlowKey, granted: Granted): void {
    if (!this.datapath || !this.granted.delete(granted)) return;
    const { direction, packets } = granted;
    const known = this.gate.passes(flow);
    // A program that closed its socket has sent all the same; what comes for it is nobody's any more.
    if (known || direction === 'out') for (const packet of packets) this.pass(packet, direction);
    if (known) this.datapath.setFlow(flow, 'pass');
  }

  /** A rule ended before the kernel had the verdict about this flow, or (undefined) the tunnel sleeps. */
  private withdraw(text?: string): void {
    for (const granted of this.granted) {
      if (text !== undefined && granted.text !== text) continue;
      this.granted.delete(granted);
      granted.packets.forEach(() => this.refused(granted.direction));
    }
  }

  private release(flow: FlowKey): void {
    this.datapath?.removeFlow(flow);
    this.owners?.releaseFlow(flow);
  }

  /** Tells the program that sent `packet` by ICMPv6 "unreachable" (RFC 4443 §3.1) that it will not arrive. */
  refuse(packet: Uint8Array, code: number): void {
    const header = parseIp6Header(packet);
    if (!header.ok || !mayAnswerWithError(packet) || !this.errors.take(this.hooks.now())) return;
    this.datapath?.deliver(
      buildIcmp6Error({
        type: ICMP6.unreachable,
        code,
        parameter: 0,
        source: ROUTER_ADDRESS,
        destination: header.value.source,
        quoted: packet,
      }),
    );
  }
}
