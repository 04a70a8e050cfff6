// Module test/app/kit/soon waits for what an app does in its own time.
import { vi } from 'vitest';

/** Waits, within reason, until `check` no longer throws. */
export async function soon(check: () => unknown, ms = 30_000): Promise<void> {
  await vi.waitFor(check, { timeout: ms, interval: 100 });
}
