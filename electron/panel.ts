// Module electron/panel says what the session's panel is: whether it has a place for our icon, and whether it is dark.
import { readFileSync } from 'node:fs';
import type { Message } from 'dbus-next';
import { NoAnswer, SessionBus, unwrapped } from '../engine/service/session-bus.ts';
import type { Place } from '../engine/service/session-bus.ts';
import { isSelectionOwned } from './x-selection.ts';

/** StatusNotifierItem specification, "StatusNotifierWatcher"; a host is what draws the icons. */
const WATCHER: Place = {
  destination: 'org.kde.StatusNotifierWatcher',
  path: '/StatusNotifierWatcher',
  interface: 'org.kde.StatusNotifierWatcher',
};
const HOST = 'IsStatusNotifierHostRegistered';
/** XDG Desktop Portal, "Settings": 1 prefers dark, 2 prefers light, 0 says nothing. */
const SETTINGS: Place = {
  destination: 'org.freedesktop.portal.Desktop',
  path: '/org/freedesktop/portal/desktop',
  interface: 'org.freedesktop.portal.Settings',
};
const SCHEME = ['org.freedesktop.appearance', 'color-scheme'] as const;
const RULES = [
  `type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='${WATCHER.destination}'`,
  `type='signal',interface='${WATCHER.interface}'`,
  `type='signal',sender='${SETTINGS.destination}',interface='${SETTINGS.interface}',arg0='${SCHEME[0]}'`,
];
/** Its panel is dark, whatever its windows are. */
const DARK_PANELS = ['GNOME', 'Unity'];

export interface PanelParts {
  /** Whether the desktop's own windows are dark, where nobody says more. */
  readonly systemDark: () => boolean;
  /** What is said here has changed; the first time when it is known. */
  readonly onChange: () => void;
}

export class Panel {
  private readonly parts: PanelParts;
  private bus: SessionBus | null = null;
  private host = false;
  private embeds = false;
  private scheme = 0;
  private known = false;
  private closed = false;

  constructor(parts: PanelParts) {
    this.parts = parts;
  }

  /** Looks, and goes on looking. */
  async open(): Promise<void> {
    this.bus = await SessionBus.open(() => void this.look());
    for (const rule of RULES)
      await this.bus?.hear(rule, (message) => this.hear(message)).catch(() => undefined);
    await this.look();
  }

  /** There is a tray that shows our icon; null: not known yet. */
  get hasTray(): boolean | null {
    return this.known ? this.host || this.embeds : null;
  }

  /** A tray of the newer kind: an icon has to be offered anew when it comes or goes. */
  get hasHost(): boolean {
    return this.host;
  }

  get isDark(): boolean {
    const desktops = (process.env['XDG_CURRENT_DESKTOP'] ?? '').split(':');
    if (desktops.some((each) => DARK_PANELS.includes(each))) return true;
    return this.scheme === 0 ? this.parts.systemDark() : this.scheme === 1;
  }

  /** Asks everything anew. */
  async look(): Promise<void> {
    const [host, scheme, embeds] = await Promise.all([
      this.askHost(),
      this.askScheme(),
      canEmbed() ? isSelectionOwned('_NET_SYSTEM_TRAY') : false,
    ]);
    if (this.closed) return;
    this.host = host;
    this.scheme = scheme;
    // Who is too busy to answer is taken to be what it was: nobody's app ends for that.
    this.embeds = embeds ?? this.embeds;
    this.known = true;
    this.parts.onChange();
  }

  close(): void {
    this.closed = true;
    this.bus?.close();
  }

  private async askHost(): Promise<boolean> {
    try {
      return (await this.bus?.property(WATCHER, HOST)) === true;
    } catch (error) {
      return error instanceof NoAnswer && this.host;
    }
  }

  private async askScheme(): Promise<number> {
    const call = { ...SETTINGS, member: 'Read', signature: 'ss', body: SCHEME };
    const answer = await this.bus?.call(call).catch(() => null);
    const value = unwrapped(answer?.body[0]);
    return typeof value === 'number' ? value : 0;
  }

  private hear({ interface: name, member, body }: Message): void {
    const [first, key] = body as readonly unknown[];
    const watcher = name === WATCHER.interface && member.startsWith('StatusNotifierHost');
    const owner = member === 'NameOwnerChanged' && first === WATCHER.destination;
    const scheme = name === SETTINGS.interface && first === SCHEME[0] && key === SCHEME[1];
    if (watcher || owner || scheme) void this.look();
  }
}

/** Icons for XEmbed trays are GTK 3's; with GTK 4 Chromium has none. */
function canEmbed(): boolean {
  try {
    return readFileSync('/proc/self/maps', 'utf8').includes('libgtk-3.so');
  } catch {
    return false;
  }
}
