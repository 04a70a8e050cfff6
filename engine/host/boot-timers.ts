// Module host/boot-timers runs timers by a clock that counts sleep, on top of timers that do not.

/** What such timers stand on. */
export interface BootTimersSystem {
  /** Milliseconds of CLOCK_BOOTTIME. */
  readonly now: () => number;
  /** Calls back when the computer has slept, or its clock was set. Returns a stop function; throws when it can't be had. */
  readonly watchClock: (callback: () => void) => () => void;
}

interface Timer {
  /** When it is due, ms of `now`. */
  readonly at: number;
  readonly run: () => void;
  handle: NodeJS.Timeout;
}

/**
 * Timers of Node go by CLOCK_MONOTONIC, which stands still while the computer sleeps: after a night one would run as late as it
 * would have had to wait in the evening. These are set anew as soon as the computer wakes, so that what is due runs at once.
 */
export class BootTimers {
  private readonly system: BootTimersSystem;
  private readonly pending = new Set<Timer>();
  private watching = false;

  constructor(system: BootTimersSystem) {
    this.system = system;
  }

  /** Runs `run` once `ms` have gone by, asleep or awake. Returns a function that cancels it. */
  after(ms: number, run: () => void): () => void {
    this.watch();
    const timer: Timer = { at: this.system.now() + ms, run, handle: undefined! };
    this.pending.add(timer);
    this.arm(timer, ms);
    return () => {
      this.pending.delete(timer);
      clearTimeout(timer.handle);
    };
  }

  private arm(timer: Timer, ms: number): void {
    timer.handle = setTimeout(() => {
      this.pending.delete(timer);
      timer.run();
    }, ms);
  }

  /** From the first timer on; one thread that waits serves all of them. */
  private watch(): void {
    if (this.watching) return;
    this.watching = true;
    try {
      this.system.watchClock(() => this.clockChanged());
    } catch {
      // No descriptor or thread is left: timers then run late after sleep, as Node's own do.
      this.watching = false;
    }
  }

  private clockChanged(): void {
    const now = this.system.now();
    for (const timer of this.pending) {
      clearTimeout(timer.handle);
      this.arm(timer, Math.max(0, timer.at - now));
    }
  }
}
