// Module kit/window starts the real desktop app on the built-in network, without a monitor, for tests and for pictures.
import { _electron } from '@playwright/test';
import type { ElectronApplication, Page } from '@playwright/test';
import type { BrowserWindow } from 'electron';
import type { AppCall, AppParams, AppResult, Bridge } from '../../../engine/service/bridge.ts';
import { electronRuntime } from '../../../scripts/electron-runtime.mjs';
import { root } from '../../../scripts/setup.mjs';
import { makeHome, openDisplay } from './display.ts';

/** Room for the largest window that is looked at. */
const SCREEN = { width: 1700, height: 1100 };

/** The app with its window. */
export interface App {
  readonly electron: ElectronApplication;
  readonly page: Page;
  /** As the window itself calls; throws what the app answers with. */
  call<C extends AppCall>(name: C, params: AppParams<C>): Promise<AppResult<C>>;
  /** Size of the page, px. */
  resize(width: number, height: number): Promise<void>;
  close(): Promise<void>;
}

/** @param environment set besides, e.g. FONTCONFIG_FILE */
export async function openApp(environment: Readonly<Record<string, string>> = {}): Promise<App> {
  const home = makeHome();
  const display = await openDisplay(SCREEN.width, SCREEN.height);
  const { executable } = electronRuntime();
  const electron = await _electron.launch({
    executablePath: home.runner(executable),
    args: ['--disable-gpu', '--no-sandbox', '--force-device-scale-factor=1', root, '--demo'],
    env: {
      ...(process.env as Record<string, string>),
      ...home.environment,
      DISPLAY: display.name,
      LANG: 'en_US.UTF-8',
      ...environment,
    },
  });
  const page = await electron.firstWindow();
  page.setDefaultTimeout(10_000);
  await page.waitForSelector('#main');
  const call: App['call'] = async (name, params) => {
    const outcome = await page.evaluate(
      async ([what, given]) => {
        const { shipworm } = globalThis as unknown as { shipworm: Bridge };
        return shipworm.call(what as 'status', given as Record<string, never>);
      },
      [name, params] as const,
    );
    if (!outcome.ok) throw new Error(`${name}: ${outcome.error.text}`);
    return outcome.result as never;
  };
  const window = await electron.browserWindow(page);
  return {
    electron,
    page,
    call,
    resize: async (width, height) => {
      await window.evaluate((each: BrowserWindow, [w, h]) => each.setContentSize(w, h), [
        width,
        height,
      ] as const);
      await page.waitForFunction(
        ([w, h]) => globalThis.innerWidth === w && globalThis.innerHeight === h,
        [width, height] as const,
      );
    },
    close: async () => {
      await electron.close();
      await display.close();
      home.remove();
    },
  };
}
