// Module electron/tray keeps the icon in the session's tray: it looks anew when something changed, and never by a timer of its own.
import { join } from 'node:path';
import { Menu, nativeImage, Tray } from 'electron';
import type { NativeImage } from 'electron';
import { stateText, trayIcon, trayMenu } from './tray-view.ts';
import type { TrayActions, TrayIcon, TrayView } from './tray-view.ts';

/** Changes come in crowds. */
const SETTLE_MS = 200;

export interface TrayParts {
  readonly icons: string;
  /** What is behind the icon is dark. */
  readonly onDark: () => boolean;
  readonly actions: TrayActions;
  readonly view: () => Promise<TrayView>;
}

export class AppTray {
  private readonly parts: TrayParts;
  private readonly tray: Tray;
  private shown = '';
  private timer: NodeJS.Timeout | null = null;
  private closed = false;

  constructor(parts: TrayParts) {
    this.parts = parts;
    this.tray = new Tray(this.image('working'));
    this.tray.on('click', () => parts.actions.open());
    this.changed();
  }

  /** Something that it shows may have changed. */
  changed(): void {
    if (this.closed) return;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      void this.show();
    }, SETTLE_MS);
  }

  close(): void {
    this.closed = true;
    if (this.timer) clearTimeout(this.timer);
    this.tray.destroy();
  }

  private async show(): Promise<void> {
    const view = await this.parts.view();
    const text = JSON.stringify([view, this.parts.onDark()]);
    // A menu that is open would close.
    if (this.closed || text === this.shown) return;
    this.shown = text;
    this.tray.setImage(this.image(trayIcon(view)));
    this.tray.setToolTip(`Shipworm: ${stateText(view)}`);
    this.tray.setContextMenu(Menu.buildFromTemplate(trayMenu(view, this.parts.actions)));
  }

  private image(icon: TrayIcon): NativeImage {
    const form =
      process.platform === 'darwin' ? 'Template' : this.parts.onDark() ? '-light' : '-dark';
    return nativeImage.createFromPath(join(this.parts.icons, `tray-${icon}${form}.png`));
  }
}

/** The tray's icon; null where there is no tray to put it into. */
export function openTray(parts: TrayParts): AppTray | null {
  try {
    return new AppTray(parts);
  } catch {
    return null;
  }
}
