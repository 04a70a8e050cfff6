// Module gate/fragments finds the flow of fragments, which only the first one names, and holds those that come before it.
import type { Ip6 } from '../wire/index.ts';
import type { FlowKey } from '../datapath/types.ts';

/** Longer than a packet takes that is still on its way, shorter than memory lasts; RFC 8200 §4.5 allows up to 60 s. */
const KEEP_MS = 5_000;
/** Packets in pieces that are known at once, and what is held of those whose first piece is not there yet. */
const MAX_PACKETS = 256;
const MAX_HELD_BYTES = 256 * 1024;
const MAX_HELD_EACH = 64;

/** One fragment: `start` and `end` are of its data within the whole packet, bytes. */
export interface Fragment {
  readonly source: Ip6;
  readonly destination: Ip6;
  readonly id: number;
  readonly start: number;
  readonly end: number;
  readonly last: boolean;
  readonly packet: Uint8Array;
}

interface Whole {
  flow: FlowKey | null;
  readonly since: number;
  readonly parts: { readonly start: number; readonly end: number }[];
  /** Where the whole packet ends, once its last piece was seen. */
  total: number;
  /** It had overlapping pieces: nothing of it passes any more (RFC 5722 §3). */
  bad: boolean;
  held: Uint8Array[];
}

export type FragmentResult =
  | { readonly kind: 'flow'; readonly flow: FlowKey; readonly packets: readonly Uint8Array[] }
  | { readonly kind: 'held' }
  | { readonly kind: 'drop'; readonly reason: 'fragmentOverlap' | 'fragmentLimit' };

export class Fragments {
  private readonly wholes = new Map<string, Whole>();
  private heldBytes = 0;

  /** Takes one fragment; `flow` is what it names when it is the first, else null. */
  take(fragment: Fragment, flow: FlowKey | null, now: number): FragmentResult {
    this.expire(now);
    const key = `${fragment.source.toString(36)} ${fragment.destination.toString(36)} ${fragment.id}`;
    const whole = this.wholes.get(key) ?? this.begin(key, now);
    if (!this.place(whole, fragment)) return { kind: 'drop', reason: 'fragmentOverlap' };
    if (flow) whole.flow = flow;
    if (whole.flow) {
      const packets = [...(flow ? [fragment.packet] : []), ...whole.held];
      this.release(whole);
      if (!flow) packets.push(fragment.packet);
      this.endIfComplete(key, whole);
      return { kind: 'flow', flow: whole.flow, packets };
    }
    const { length } = fragment.packet;
    if (whole.held.length >= MAX_HELD_EACH || this.heldBytes + length > MAX_HELD_BYTES)
      return { kind: 'drop', reason: 'fragmentLimit' };
    whole.held.push(fragment.packet.slice());
    this.heldBytes += length;
    return { kind: 'held' };
  }

  private begin(key: string, now: number): Whole {
    if (this.wholes.size >= MAX_PACKETS) this.forget(this.wholes.keys().next().value!);
    const whole: Whole = {
      flow: null,
      since: now,
      parts: [],
      total: Infinity,
      bad: false,
      held: [],
    };
    this.wholes.set(key, whole);
    return whole;
  }

  /** False when the piece overlaps another, or goes past the end: then the whole packet is spoilt. */
  private place(whole: Whole, { start, end, last }: Fragment): boolean {
    const overlaps = whole.parts.some((part) => start < part.end && part.start < end);
    if (last && whole.total === Infinity) whole.total = end;
    const past = whole.parts.some((part) => part.end > whole.total) || end > whole.total;
    if (overlaps || past) {
      whole.bad = true;
      this.release(whole);
    }
    if (!whole.bad) whole.parts.push({ start, end });
    return !whole.bad;
  }

  private endIfComplete(key: string, whole: Whole): void {
    const length = whole.parts.reduce((sum, { start, end }) => sum + end - start, 0);
    if (length === whole.total) this.forget(key);
  }

  private release(whole: Whole): void {
    for (const { length } of whole.held) this.heldBytes -= length;
    whole.held = [];
  }

  private forget(key: string): void {
    this.release(this.wholes.get(key)!);
    this.wholes.delete(key);
  }

  /** In the order they came: the first that is young enough ends the walk. */
  private expire(now: number): void {
    for (const [key, whole] of this.wholes) {
      if (now - whole.since < KEEP_MS) return;
      this.forget(key);
    }
  }
}
