// Module gate/verdicts decides about sockets and flows, remembers what it decided, and decides anew when the rules change.
//
// The way of a flow, in the order of the functions below:
//   1. flow:   its first packet: known, refused for everybody, or `resolve` asks who owns it
//   2. socket: the owner is told; the rules decide for the socket, and with it for the flow
//   3. redecide: a change of rules cuts what is no longer allowed
import { PROTOCOL } from '../wire/index.ts';
import { flowText } from '../datapath/parts.ts';
import type { Choose } from '../datapath/limits.ts';
import type { FlowKey } from '../datapath/types.ts';
import type { Dormancy } from './dormancy.ts';
import type { Questions } from './questions.ts';
import { reaches } from './rules.ts';
import type { Decision, RuleBook } from './rules.ts';
import { Table } from './table.ts';
import type { FlowEntry } from './table.ts';
import type {
  Direction,
  FlowReason,
  FlowVerdict,
  GateInput,
  GateOutput,
  GateSettings,
  Owner,
} from './types.ts';

/** Flows whose owner is being looked for; more are dropped. */
const MAX_PENDING = 4_096;
/** Without an answer by then the owner is asked for again, ms. */
const RESOLVE_MS = 2_000;
/** A refusal serves for so long without asking again, ms; one of ours shorter, for the port may be another program's by then. */
const REFUSED_IN_MS = 1_000;
const REFUSED_OUT_MS = 200;
/** Refusals remembered, to answer a scan and to be shown. */
const MAX_REFUSED = 1_024;

/** One flow as it is shown. */
export interface FlowRow extends FlowEntry {
  readonly owner: Owner | null;
}

export class Verdicts {
  settings: GateSettings;
  readonly table = new Table();
  private readonly rules: RuleBook;
  private readonly questions: Questions;
  private readonly dormancy: Dormancy;
  private readonly output: (output: GateOutput) => void;
  private readonly pending = new Map<string, number>();
  private readonly refused = new Map<string, FlowRow>();

  constructor(
    settings: GateSettings,
    rules: RuleBook,
    questions: Questions,
    dormancy: Dormancy,
    output: (output: GateOutput) => void,
  ) {
    this.settings = settings;
    this.rules = rules;
    this.questions = questions;
    this.dormancy = dormancy;
    this.output = output;
  }

  /** Flows that pass, and the latest that did not. */
  rows(choose: Choose): FlowRow[] {
    const owner = (entry: FlowEntry): Owner | null =>
      (entry.cookie !== null && this.table.sockets.get(entry.cookie)?.owner) || null;
    return choose<FlowEntry | FlowRow>([
      ...this.table.flows.values(),
      ...this.refused.values(),
    ]).map((entry) => ('owner' in entry ? entry : { ...entry, owner: owner(entry) }));
  }

  passes(flow: FlowKey): boolean {
    return this.settings.exposeAll || this.table.flows.has(flowText(flow));
  }

  // ---- 1. flows

  flow(flow: FlowKey, direction: Direction, now: number): void {
    const text = flowText(flow);
    const known = this.table.flows.get(text);
    if (known) {
      known.lastMs = now;
      this.tell(known, now);
      return;
    }
    if (this.settings.exposeAll) {
      this.settle(flow, direction, null, null, 'pass', 'everything-exposed', now);
      return;
    }
    if (direction === 'in' && flow.protocol === PROTOCOL.icmp6) {
      const answered = this.settings.answerEcho;
      const reason = answered ? 'allowed' : 'echo-unanswered';
      this.settle(flow, direction, null, null, answered ? 'pass' : 'drop', reason, now);
      return;
    }
    const refused = this.refused.get(text);
    if (refused && now - refused.lastMs < refusalMs(refused.direction)) {
      this.output(flowOutput(refused));
      return;
    }
    const asked = this.pending.get(text);
    if (asked !== undefined && now - asked < RESOLVE_MS) return;
    if (asked === undefined && this.pending.size >= MAX_PENDING) this.dropPending(now);
    if (this.pending.size >= MAX_PENDING) {
      this.settle(flow, direction, null, null, 'drop', 'owner-unknown', now);
      return;
    }
    this.pending.set(text, now);
    this.output({ kind: 'resolve', flow, direction });
  }

  /** Forgets questions to the host that were never answered. */
  private dropPending(now: number): void {
    for (const [text, asked] of this.pending)
      if (now - asked >= RESOLVE_MS) this.pending.delete(text);
  }

  /** Writes down what becomes of a flow and tells it. */
  private settle(
    flow: FlowKey,
    direction: Direction,
    cookie: bigint | null,
    owner: Owner | null,
    verdict: FlowVerdict,
    reason: FlowReason,
    now: number,
  ): void {
    const entry: FlowEntry = { flow, direction, cookie, verdict, reason, lastMs: now };
    if (verdict === 'pass') {
      this.refused.delete(flowText(flow));
      const evicted = this.table.setFlow(entry);
      if (evicted) this.output({ kind: 'forget-flow', flow: evicted.flow });
    } else this.note({ ...entry, owner });
    this.tell(entry, now);
  }

  /** Keeps a refusal for a while, instead of the one that is oldest. */
  private note(row: FlowRow): void {
    const text = flowText(row.flow);
    this.refused.delete(text);
    this.refused.set(text, row);
    if (this.refused.size > MAX_REFUSED) this.refused.delete(this.refused.keys().next().value!);
  }

  /** A flow that passes uses the tunnel; while that is off it is refused instead. */
  private tell(entry: FlowEntry, now: number): void {
    if (entry.verdict === 'pass' && this.dormancy.forbidden !== null) {
      this.output({
        ...flowOutput(entry),
        verdict: entry.direction === 'out' ? 'refuse' : 'drop',
        reason: 'tunnel-off',
      });
      return;
    }
    if (entry.verdict === 'pass') this.dormancy.used(now);
    this.output(flowOutput(entry));
  }

  // ---- 2. sockets

  socket(input: GateInput & { kind: 'socket' }, now: number): void {
    const { flow, direction, cookie, owner } = input;
    if (flow) this.pending.delete(flowText(flow));
    if (cookie === null) {
      if (flow)
        this.refuse(
          flow,
          direction,
          null,
          null,
          direction === 'in' ? 'no-listener' : 'owner-unknown',
          now,
        );
      return;
    }
    if (owner) this.seen(owner);
    const decision = this.rules.decide(owner);
    this.remember(cookie, owner, decision);
    if (flow) this.decideFlow(flow, direction, cookie, owner, decision, now);
  }

  private seen(owner: Owner): void {
    const news = owner.identities.map((identity) => this.rules.see(identity));
    if (news.includes(true)) this.output({ kind: 'save' });
  }

  /** Writes the socket down, and its verdict into the kernel's table. */
  private remember(cookie: bigint, owner: Owner | null, decision: Decision): void {
    for (const { flow } of this.table.setSocket(cookie, owner, decision))
      this.output({ kind: 'forget-flow', flow });
    this.output({ kind: 'verdict', cookie, verdict: decision.verdict });
  }

  private decideFlow(
    flow: FlowKey,
    direction: Direction,
    cookie: bigint,
    owner: Owner | null,
    decision: Decision,
    now: number,
  ): void {
    const { pass, reason } = judge(decision, direction, flow.localPort);
    if (pass) {
      this.settle(flow, direction, cookie, owner, 'pass', reason, now);
      return;
    }
    this.refuse(flow, direction, cookie, owner, reason, now);
    if (direction === 'out' && owner) this.ask(owner, decision, flow, 1, now);
  }

  private refuse(
    flow: FlowKey,
    direction: Direction,
    cookie: bigint | null,
    owner: Owner | null,
    reason: FlowReason,
    now: number,
  ): void {
    const verdict = direction === 'out' ? 'refuse' : 'drop';
    this.settle(flow, direction, cookie, owner, verdict, reason, now);
  }

  private ask(owner: Owner, decision: Decision, flow: FlowKey, times: number, now: number): void {
    const question = this.questions.refused(owner, decision, flow, times, now);
    if (question) this.output({ kind: 'question', question });
  }

  attempted(flow: FlowKey, cookie: bigint, times: number, now: number): void {
    const socket = this.table.sockets.get(cookie);
    if (!socket?.owner) return;
    const { owner, decision } = socket;
    if (decision.verdict.out === 'allow') return;
    const reason = decision.outReason;
    this.note({ flow, direction: 'out', cookie, owner, verdict: 'refuse', reason, lastMs: now });
    this.ask(owner, decision, flow, times, now);
  }

  closed(cookie: bigint, now: number): void {
    const before = this.table.reachable;
    const gone = this.table.removeSocket(cookie);
    if (gone.length > 0 || this.table.reachable !== before) this.dormancy.used(now);
    for (const { flow } of gone) this.output({ kind: 'forget-flow', flow });
  }

  listener(input: GateInput & { kind: 'listener' }, now: number): void {
    const { cookie, listening, protocol, port, owner } = input;
    // The time that it stays awake counts from the end of the last one.
    const before = this.table.reachable;
    if (listening) {
      if (owner) this.seen(owner);
      this.remember(cookie, owner, this.rules.decide(owner));
      this.table.setListening(cookie, { protocol, port });
    } else this.table.setListening(cookie, null);
    if (this.table.reachable !== before) this.dormancy.used(now);
  }

  // ---- 3. a change of rules

  /** Every socket and flow anew: what is no longer allowed is cut at once, in the kernel first. */
  redecide(now: number): void {
    this.refused.clear();
    for (const [cookie, socket] of this.table.sockets) {
      const decision = this.rules.decide(socket.owner);
      const changed = !sameVerdict(socket.decision, decision);
      this.table.decide(socket, decision);
      if (!changed) continue;
      this.output({ kind: 'verdict', cookie, verdict: decision.verdict });
      for (const text of [...socket.flows]) this.redecideFlow(text, decision, socket.owner, now);
    }
    for (const [text, entry] of this.table.flows)
      if (entry.cookie === null && !this.settings.exposeAll) this.cut(text, null, 'no-rule', now);
    this.questions.settle(({ identity, comm, confidence }) => {
      const owner = { identities: [identity], process: null, comm, confidence };
      const { outReason } = this.rules.decide(owner);
      return outReason === 'allowed' || outReason === 'allowed-by-policy' || outReason === 'never';
    });
  }

  private redecideFlow(text: string, decision: Decision, owner: Owner | null, now: number): void {
    const entry = this.table.flows.get(text)!;
    const { pass, reason } = judge(decision, entry.direction, entry.flow.localPort);
    if (pass) entry.reason = reason;
    else this.cut(text, owner, reason, now);
  }

  private cut(text: string, owner: Owner | null, reason: FlowReason, now: number): void {
    const { flow, direction, cookie } = this.table.flows.get(text)!;
    this.table.removeFlow(text);
    this.refuse(flow, direction, cookie, owner, reason, now);
  }
}

/** May a flow that was begun in this direction pass? */
function judge(
  decision: Decision,
  direction: Direction,
  localPort: number,
): { readonly pass: boolean; readonly reason: FlowReason } {
  if (direction === 'out')
    return { pass: decision.verdict.out === 'allow', reason: decision.outReason };
  if (reaches(decision.verdict.in, localPort)) return { pass: true, reason: decision.inReason };
  const { inReason } = decision;
  return {
    pass: false,
    reason: inReason === 'allowed' || inReason === 'allowed-by-policy' ? 'not-reachable' : inReason,
  };
}

function sameVerdict(a: Decision, b: Decision): boolean {
  return (
    a.verdict.out === b.verdict.out &&
    a.outReason === b.outReason &&
    a.inReason === b.inReason &&
    String(a.verdict.in) === String(b.verdict.in)
  );
}

function refusalMs(direction: Direction): number {
  return direction === 'in' ? REFUSED_IN_MS : REFUSED_OUT_MS;
}

function flowOutput({
  flow,
  direction,
  verdict,
  reason,
}: FlowEntry): GateOutput & { kind: 'flow' } {
  return { kind: 'flow', flow, direction, verdict, reason };
}
