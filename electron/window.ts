// Module electron/window makes the one window, keeps it out of the way when it is closed, and mends it when its page dies.
import { join } from 'node:path';
import { BrowserWindow } from 'electron';
import { PAGE, protectContents, webPreferences } from './hardening.ts';

/** A page that dies this often, so soon after another, is not loaded again. */
const DEATHS = 3;
const DEATHS_MS = 60_000;

export interface WindowHooks {
  readonly title: () => string;
  readonly icon: string;
  readonly preload: string;
  readonly warn: (text: string) => void;
  /** It came to the front. */
  readonly onFocus: () => void;
  /** A person closed it; it is still there. */
  readonly onClose: () => void;
}

export class AppWindow {
  private readonly hooks: WindowHooks;
  private window: BrowserWindow | null = null;
  private deaths: number[] = [];
  private quitting = false;

  constructor(hooks: WindowHooks) {
    this.hooks = hooks;
  }

  get current(): BrowserWindow | null {
    return this.window && !this.window.isDestroyed() ? this.window : null;
  }

  /** Where no window manager runs, a hidden window keeps the focus. */
  get inFront(): boolean {
    const { current } = this;
    return current !== null && current.isVisible() && current.isFocused();
  }

  /** Shows it, in front of others. */
  show(): void {
    const window = this.current ?? this.make();
    if (window.isMinimized()) window.restore();
    window.show();
    window.focus();
  }

  hide(): void {
    this.current?.hide();
  }

  /** Unless it is there already, it stands among the windows of the desktop, in nobody's way. */
  standBy(): void {
    const window = this.current ?? this.make();
    if (window.isVisible() || window.isMinimized()) return;
    // What was hidden is nowhere, minimised or not.
    window.showInactive();
    window.minimize();
  }

  retitle(): void {
    this.current?.setTitle(this.hooks.title());
  }

  /** From now on closing means closing. */
  release(): void {
    this.quitting = true;
    this.current?.destroy();
  }

  private make(): BrowserWindow {
    const window = new BrowserWindow({
      title: this.hooks.title(),
      icon: this.hooks.icon,
      width: 1100,
      height: 760,
      minWidth: 640,
      minHeight: 480,
      show: false,
      autoHideMenuBar: true,
      webPreferences: webPreferences(this.hooks.preload),
    });
    this.window = window;
    protectContents(window.webContents);
    window.setMenu(null);
    // The page has no say in the title.
    window.on('page-title-updated', (event) => event.preventDefault());
    window.on('focus', () => this.hooks.onFocus());
    window.on('close', (event) => {
      if (this.quitting) return;
      event.preventDefault();
      this.hooks.onClose();
    });
    window.webContents.on('render-process-gone', (_event, { reason }) => {
      if (reason !== 'clean-exit') this.revive(window, reason);
    });
    window.webContents.on('unresponsive', () =>
      this.hooks.warn('The window does not react; the tunnel goes on.'),
    );
    void window.loadURL(PAGE);
    return window;
  }

  private revive(window: BrowserWindow, reason: string): void {
    const now = Date.now();
    this.deaths = [...this.deaths.filter((at) => now - at < DEATHS_MS), now];
    this.hooks.warn(`The window's page ended (${reason}); the tunnel goes on.`);
    if (this.deaths.length >= DEATHS) {
      window.destroy();
      return;
    }
    void window.loadURL(PAGE);
  }
}

/** Where the preload script is. */
export const preloadIn = (folder: string): string => join(folder, 'preload.cjs');
