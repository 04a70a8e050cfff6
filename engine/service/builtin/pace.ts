// Module builtin/pace lets a simulation run by the clock on the wall, as fast as wanted.
import type { Simulation } from '../../sim/index.ts';

/** Node's timers take no longer waits; then it looks again. */
const LONGEST_MS = 60_000;

/** Runs what is due. Whoever touches the simulation from outside calls `catchUp` before and `rearm` after it. */
export class Pace {
  private readonly simulation: Simulation;
  private wallMs = performance.now();
  private virtualMs: number;
  private factor: number;
  private timer: NodeJS.Timeout | null = null;
  private wakesAt = Infinity;
  private closed = false;
  private busy = false;

  /** @param speed virtual milliseconds for each real one */
  constructor(simulation: Simulation, speed: number) {
    this.simulation = simulation;
    this.virtualMs = simulation.now;
    this.factor = speed;
  }

  get speed(): number {
    return this.factor;
  }

  set speed(factor: number) {
    this.catchUp();
    this.virtualMs = this.simulation.now;
    this.wallMs = performance.now();
    this.factor = factor;
    this.wakesAt = Infinity;
    this.rearm();
  }

  /** Runs all that is due by now. */
  catchUp(): void {
    if (this.busy || this.closed) return;
    this.busy = true;
    try {
      this.simulation.runUntil(this.virtualMs + (performance.now() - this.wallMs) * this.factor);
    } finally {
      this.busy = false;
    }
  }

  /** Something new may be due earlier than what is waited for. */
  rearm(): void {
    const at = this.simulation.nextEventAt;
    if (this.busy || this.closed || at === Infinity || at >= this.wakesAt) return;
    if (this.timer) clearTimeout(this.timer);
    this.wakesAt = at;
    const wall = this.wallMs + (at - this.virtualMs) / this.factor;
    const wait = Math.min(LONGEST_MS, Math.max(0, wall - performance.now()));
    this.timer = setTimeout(() => {
      this.wakesAt = Infinity;
      this.catchUp();
      this.rearm();
    }, wait);
  }

  close(): void {
    this.closed = true;
    if (this.timer) clearTimeout(this.timer);
  }
}
