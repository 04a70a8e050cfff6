// Module sim/trace tells what happened to every packet of a simulation, as a list and as one hash.
import { describePacket } from './packet.ts';
import type { Packet } from './packet.ts';

/** Why a packet went no further. */
export type DropReason =
  | 'lineDown'
  | 'lost'
  | 'tooBig'
  | 'noRoute'
  | 'noSocket'
  | 'notForUs'
  | 'ttlExpired'
  | 'malformed'
  | 'multicastNotForwarded'
  | 'natDown'
  | 'natBlocked'
  | 'natFull'
  | 'natFiltered'
  | 'natNoMapping'
  | 'natNoHairpin'
  | 'natRecorded'
  | 'natIcmp';

/**
 * `send`: a host gave it to the network. `forward`: a NAT or router passed it on; `packet` is what it became.
 * `duplicate`: a line made a second one. `receive`: the last node took it. `drop`: it ended at `node`.
 */
export type TraceEvent =
  | {
      readonly at: number;
      readonly kind: 'send' | 'forward' | 'duplicate' | 'receive';
      readonly node: string;
      readonly packet: Packet;
    }
  | {
      readonly at: number;
      readonly kind: 'drop';
      readonly node: string;
      readonly packet: Packet;
      readonly reason: DropReason;
    };

/** One line for people: time in seconds, what, where, the packet. */
export function describeEvent(event: TraceEvent): string {
  const what = event.kind === 'drop' ? `drop (${event.reason})` : event.kind;
  return `${(event.at / 1000).toFixed(4)} ${event.node} ${what}: #${event.packet.id} ${describePacket(event.packet)}`;
}

function mix(hash: number, value: number): number {
  return Math.imul(hash ^ value, 0x01000193) >>> 0;
}

/** The record of a run. Two runs with the same seed and the same programs have equal hashes. */
export class Trace {
  readonly events: TraceEvent[] = [];
  #low = 0x811c9dc5;
  #high = 0x1b873593;
  readonly #stop: () => void;

  /** Records what `source`, a simulation, tells from now on; at most `limit` events are kept in the list (the oldest go), all are in the hash. */
  constructor(
    source: { onTrace(listener: (event: TraceEvent) => void): () => void },
    limit = Infinity,
  ) {
    this.#stop = source.onTrace((event) => {
      this.#hashEvent(event);
      this.events.push(event);
      if (this.events.length > limit) this.events.shift();
    });
  }

  /** 16 hexadecimal digits over every event so far, payload bytes included. */
  hash(): string {
    return this.#high.toString(16).padStart(8, '0') + this.#low.toString(16).padStart(8, '0');
  }

  /** Every event as a line of text. */
  lines(): string[] {
    return this.events.map(describeEvent);
  }

  stop(): void {
    this.#stop();
  }

  #hashEvent(event: TraceEvent): void {
    const text = describeEvent(event);
    for (let i = 0; i < text.length; i++) this.#add(text.charCodeAt(i));
    if (event.packet.kind !== 'icmp4') for (const byte of event.packet.bytes) this.#add(byte);
  }

  #add(value: number): void {
    this.#low = mix(this.#low, value);
    this.#high = mix(this.#high ^ (this.#low >>> 15), value + 0x9e37);
  }
}
