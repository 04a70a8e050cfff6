// Module datapath/tap keeps copies of datagrams for whoever captures, for datapaths that are all TypeScript.
import type { Endpoint } from '../wire/types.ts';

/** A datagram that came or went. */
export interface Tapped {
  readonly outward: boolean;
  /** Who sent it, or to whom it went. */
  readonly peer: Endpoint;
  /** Ms since 1970, with a fraction. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

export interface TapRead {
  readonly datagrams: readonly Tapped[];
  /** Found no room since the datapath was opened. */
  readonly lost: number;
}

/** Copies of datagrams in both directions; off at first, and then it costs nothing. */
export interface TapPort {
  setTap(on: boolean): void;
  readTap(): TapRead;
}

const MAX_DATAGRAMS = 10_000;

export class MemoryTap implements TapPort {
  private readonly now: () => number;
  private on = false;
  private kept: Tapped[] = [];
  private lost = 0;

  /** @param now ms since 1970 */
  constructor(now: () => number) {
    this.now = now;
  }

  add(outward: boolean, peer: Endpoint, bytes: Uint8Array): void {
    if (!this.on) return;
    if (this.kept.length >= MAX_DATAGRAMS) this.lost += 1;
    else this.kept.push({ outward, peer, at: this.now(), bytes: bytes.slice() });
  }

  setTap(on: boolean): void {
    this.on = on;
    this.kept = [];
  }

  readTap(): TapRead {
    const datagrams = this.kept;
    this.kept = [];
    return { datagrams, lost: this.lost };
  }
}
