// Module gate/table remembers sockets by cookie and flows by their five parts, within bounds.
import { PROTOCOL } from '../wire/index.ts';
import { flowText } from '../datapath/parts.ts';
import type { FlowKey } from '../datapath/types.ts';
import { reaches } from './rules.ts';
import type { Decision } from './rules.ts';
import type { Direction, FlowReason, FlowVerdict, Owner } from './types.ts';

/** Sockets and flows remembered; the least recently used go first, and are simply asked about again. */
const MAX_SOCKETS = 65_536;
const MAX_FLOWS = 65_536;

export interface SocketEntry {
  readonly cookie: bigint;
  owner: Owner | null;
  /** Changed by the table alone, which counts by it. */
  decision: Decision;
  readonly flows: Set<string>;
  /** It listens there for everybody; null when it does not. */
  listening: { readonly protocol: number; readonly port: number } | null;
}

export interface FlowEntry {
  readonly flow: FlowKey;
  readonly direction: Direction;
  readonly cookie: bigint | null;
  verdict: FlowVerdict;
  reason: FlowReason;
  lastMs: number;
}

export class Table {
  readonly sockets = new Map<bigint, SocketEntry>();
  readonly flows = new Map<string, FlowEntry>();
  private readonly reached = new Set<SocketEntry>();

  /** Sockets that listen where a rule lets them be reached. */
  get reachable(): number {
    return this.reached.size;
  }

  private recount(entry: SocketEntry): void {
    const { listening, decision } = entry;
    if (listening && reaches(decision.verdict.in, listening.port)) this.reached.add(entry);
    else this.reached.delete(entry);
  }

  decide(entry: SocketEntry, decision: Decision): void {
    entry.decision = decision;
    this.recount(entry);
  }

  /** The socket of this cookie listens there, or (null) no longer does. */
  setListening(cookie: bigint, listening: SocketEntry['listening']): void {
    const entry = this.sockets.get(cookie);
    if (!entry) return;
    entry.listening = listening;
    this.recount(entry);
  }

  /** Adds or replaces; gives the flows that lost their place. */
  setFlow(entry: FlowEntry): FlowEntry | null {
    const text = flowText(entry.flow);
    this.removeFlow(text);
    this.flows.set(text, entry);
    if (entry.cookie !== null) this.sockets.get(entry.cookie)?.flows.add(text);
    if (this.flows.size <= MAX_FLOWS) return null;
    const [oldest, evicted] = this.flows.entries().next().value!;
    this.removeFlow(oldest);
    return evicted;
  }

  removeFlow(text: string): void {
    const entry = this.flows.get(text);
    if (!entry) return;
    this.flows.delete(text);
    if (entry.cookie !== null) this.sockets.get(entry.cookie)?.flows.delete(text);
  }

  /** Adds or replaces the owner of a socket; gives the flows of one that lost its place. */
  setSocket(cookie: bigint, owner: Owner | null, decision: Decision): FlowEntry[] {
    const known = this.sockets.get(cookie);
    if (known) {
      known.owner = owner;
      this.decide(known, decision);
      return [];
    }
    this.sockets.set(cookie, { cookie, owner, decision, flows: new Set(), listening: null });
    if (this.sockets.size <= MAX_SOCKETS) return [];
    for (const [oldest, entry] of this.sockets)
      if (entry.listening === null) return this.removeSocket(oldest);
    return [];
  }

  /** Removes a socket with its flows, which it gives. */
  removeSocket(cookie: bigint): FlowEntry[] {
    const entry = this.sockets.get(cookie);
    if (!entry) return [];
    const gone = [...entry.flows].map((text) => this.flows.get(text)!);
    this.sockets.delete(cookie);
    this.reached.delete(entry);
    for (const text of entry.flows) this.flows.delete(text);
    return gone;
  }

  /** Forgets every flow, but no socket: the tunnel sleeps. Gives what was forgotten. */
  clearFlows(): FlowKey[] {
    const gone = [...this.flows.values()].map(({ flow }) => flow);
    this.flows.clear();
    for (const socket of this.sockets.values()) socket.flows.clear();
    return gone;
  }

  /** Some allowed TCP connection is open: its socket lives and a flow of it passes. */
  get hasConnection(): boolean {
    for (const { flow, verdict } of this.flows.values())
      if (flow.protocol === PROTOCOL.tcp && verdict === 'pass') return true;
    return false;
  }
}
