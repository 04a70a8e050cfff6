// Tests timers that count sleep: time goes on while those of Node stand still, and what is due runs on waking.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BootTimers } from '../../../engine/host/boot-timers.ts';

/** CLOCK_BOOTTIME over fake timers that go by CLOCK_MONOTONIC. */
class Computer {
  asleepMs = 0;
  watches = 0;
  wake: () => void = () => undefined;
  readonly timers = new BootTimers({
    now: () => performance.now() + this.asleepMs,
    watchClock: (callback) => {
      this.watches++;
      this.wake = callback;
      return () => undefined;
    },
  });

  /** Sleeps for `ms`, and wakes; the system tells of it unless `told` is false. */
  sleep(ms: number, told = true): void {
    this.asleepMs += ms;
    if (told) this.wake();
  }
}

describe('timers that count sleep', () => {
  let computer: Computer;
  const ran: string[] = [];
  beforeEach(() => {
    vi.useFakeTimers();
    ran.length = 0;
    computer = new Computer();
  });
  afterEach(() => void vi.useRealTimers());
  const after = (ms: number, name: string): (() => void) =>
    computer.timers.after(ms, () => ran.push(name));

  test('run in their time when nobody sleeps', () => {
    after(1_000, 'one');
    vi.advanceTimersByTime(999);
    expect(ran).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(ran).toEqual(['one']);
  });

  test('what became due while asleep runs at once on waking, the rest when its time has come, and each once', () => {
    after(30_000, 'refresh');
    after(60_000, 'later');
    vi.advanceTimersByTime(10_000);
    computer.sleep(40_000);
    vi.advanceTimersByTime(0);
    expect(ran).toEqual(['refresh']);
    vi.advanceTimersByTime(9_999);
    expect(ran).toEqual(['refresh']);
    vi.advanceTimersByTime(1);
    expect(ran).toEqual(['refresh', 'later']);
    vi.advanceTimersByTime(100_000);
    expect(ran).toHaveLength(2);
  });

  test('a clock that was set without sleep moves none of them', () => {
    after(1_000, 'one');
    vi.advanceTimersByTime(400);
    computer.sleep(0);
    vi.advanceTimersByTime(599);
    expect(ran).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(ran).toEqual(['one']);
  });

  test('a cancelled one never runs, not even after sleep', () => {
    const cancel = after(1_000, 'one');
    cancel();
    computer.sleep(5_000);
    vi.advanceTimersByTime(5_000);
    expect(ran).toEqual([]);
  });

  test('one watch serves all; where there is none they run as Node’s do, and it is asked for again', () => {
    after(1, 'one');
    after(1, 'two');
    expect(computer.watches).toBe(1);
    let asked = 0;
    const without = new BootTimers({
      now: () => performance.now(),
      watchClock: () => {
        asked++;
        throw new Error('EMFILE');
      },
    });
    without.after(1, () => ran.push('late'));
    without.after(1, () => ran.push('late'));
    vi.advanceTimersByTime(1);
    expect(ran).toEqual(['one', 'two', 'late', 'late']);
    expect(asked).toBe(2);
  });
});
