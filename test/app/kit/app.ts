// Module test/app/kit/app runs the desktop app in a session, under Playwright, as the ordinary user that it must be.
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { _electron } from '@playwright/test';
import type { ElectronApplication, Page } from '@playwright/test';
import { expect, vi } from 'vitest';
import type {
  AppCall,
  AppParams,
  AppResult,
  Bridge,
  Outcome,
} from '../../../engine/service/bridge.ts';
import { asGuest, ROOT } from './session.ts';
import type { Session } from './session.ts';

// The script is plain JavaScript, so its type is said here.
const script = new URL('../../../scripts/electron-runtime.mjs', import.meta.url).href;
const { electronRuntime } = (await import(script)) as {
  electronRuntime: () => { executable: string; trial: boolean };
};
export const RUNTIME = electronRuntime();

/**
 * A command that runs `executable` as the guest. The sandbox stays on: what a driver adds for root is for root only. `ports`: where
 * it is to be debugged, if the driver can't reach any port there.
 */
export function wrapper(
  { folder, enter = [] }: Session,
  executable: string,
  [inspect, debug]: readonly [number, number] = [0, 0],
): string {
  const path = join(folder, 'electron');
  writeFileSync(
    path,
    `#!/bin/sh
for each do
  shift
  case "$each" in
    --no-sandbox) ;;
    --inspect=0) set -- "$@" --inspect=${inspect} ;;
    --remote-debugging-port=0) set -- "$@" --remote-debugging-port=${debug} ;;
    *) set -- "$@" "$each" ;;
  esac
done
exec ${[...enter, ...asGuest(folder), executable].map((word) => `'${word}'`).join(' ')} "$@"
`,
  );
  chmodSync(path, 0o755);
  return path;
}

export interface App {
  readonly electron: ElectronApplication;
  readonly page: Page;
  readonly pid: number;
}

/** @param ports where it is debugged, see `wrapper` */
export async function launchApp(
  session: Session,
  args: readonly string[] = [],
  ports?: readonly [number, number],
): Promise<App> {
  const electron = await _electron.launch({
    executablePath: wrapper(session, RUNTIME.executable, ports),
    args: ['--disable-gpu', ROOT, ...args],
    env: session.env,
    cwd: session.home,
    // The app says what is dark, not the driver.
    colorScheme: null,
    timeout: 30_000,
  });
  const page = await electron.firstWindow();
  await page.waitForFunction('"shipworm" in globalThis');
  return { electron, page, pid: electron.process().pid! };
}

/** One call, the way the window makes it. */
export function outcome<C extends AppCall>(
  page: Page,
  name: C,
  params: AppParams<C>,
): Promise<Outcome<AppResult<C>>> {
  return page.evaluate(
    ([call, given]) => {
      const { shipworm } = globalThis as unknown as { shipworm: Bridge };
      return shipworm.call(call as 'status', given as Record<string, never>);
    },
    [name, params] as const,
  ) as Promise<unknown> as Promise<Outcome<AppResult<C>>>;
}

/** Its result; throws what failed. */
export async function call<C extends AppCall>(
  page: Page,
  name: C,
  params: AppParams<C>,
): Promise<AppResult<C>> {
  const answer = await outcome(page, name, params);
  if (!answer.ok) throw new Error(`${answer.error.code}: ${answer.error.text}`);
  return answer.result;
}

/** Waits, within reason, until `check` no longer throws. */
export async function soon(check: () => unknown, ms = 15_000): Promise<void> {
  await vi.waitFor(check, { timeout: ms, interval: 100 });
}

export { expect };
