// Module test/app/kit/app runs the desktop app in a session, under Playwright, as the ordinary user that it must be.
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { _electron } from '@playwright/test';
import type { ElectronApplication, Page } from '@playwright/test';
import type { BrowserWindow } from 'electron';
import type {
  AppCall,
  AppParams,
  AppResult,
  Bridge,
  Outcome,
} from '../../../engine/service/bridge.ts';
import { asGuest, openSession, ROOT } from './session.ts';
import type { Session } from './session.ts';
import { TrayHost } from './tray-host.ts';

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
  /** As the window itself calls; throws what the app answers with. */
  call<C extends AppCall>(name: C, params: AppParams<C>): Promise<AppResult<C>>;
  /** Size of the page, px. */
  resize(width: number, height: number): Promise<void>;
  close(): Promise<void>;
}

/** How it is started. */
export interface Launch {
  readonly args?: readonly string[];
  /** Set besides, e.g. FONTCONFIG_FILE. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where it is debugged, see `wrapper`. */
  readonly ports?: readonly [number, number];
}

export async function launchApp(
  session: Session,
  { args = [], env = {}, ports }: Launch = {},
): Promise<App> {
  const electron = await _electron.launch({
    executablePath: wrapper(session, RUNTIME.executable, ports),
    args: ['--disable-gpu', '--force-device-scale-factor=1', ROOT, ...args],
    env: { ...session.env, ...env },
    cwd: session.home,
    // The app says what is dark, not the driver.
    colorScheme: null,
    timeout: 45_000,
  });
  const page = await electron.firstWindow();
  page.setDefaultTimeout(20_000);
  await page.waitForSelector('#main');
  return {
    electron,
    page,
    pid: electron.process().pid!,
    call: async (name, params) => {
      const answer = await outcome(page, name, params);
      if (!answer.ok) throw new Error(`${name}: ${answer.error.code}: ${answer.error.text}`);
      return answer.result;
    },
    resize: async (width, height) => {
      const window = await electron.browserWindow(page);
      await window.evaluate((each: BrowserWindow, [w, h]) => each.setContentSize(w, h), [
        width,
        height,
      ] as const);
      await page.waitForFunction(
        ([w, h]) => globalThis.innerWidth === w && globalThis.innerHeight === h,
        [width, height] as const,
      );
    },
    close: () => electron.close(),
  };
}

/** The app in a session with a tray, both of which go with it, on the built-in network. */
export async function openApp(env: Readonly<Record<string, string>> = {}): Promise<App> {
  const session = await openSession();
  const tray = await TrayHost.open(session.bus, null);
  const app = await launchApp(session, { args: ['--demo'], env });
  return {
    ...app,
    close: async () => {
      await app.close();
      tray.close();
      await session.close();
    },
  };
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
