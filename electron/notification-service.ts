// Module electron/notification-service speaks with the desktop's own notification service, whose notifications have buttons (Desktop Notifications Specification 1.2).
import { pathToFileURL } from 'node:url';
import type { Message } from 'dbus-next';
import { SessionBus } from '../engine/service/session-bus.ts';

const SERVICE = {
  destination: 'org.freedesktop.Notifications',
  path: '/org/freedesktop/Notifications',
  interface: 'org.freedesktop.Notifications',
};
const SIGNALS = `type='signal',sender='${SERVICE.destination}',interface='${SERVICE.interface}'`;
/** The action of a click on the notification itself. */
const DEFAULT = 'default';

export interface Button {
  readonly label: string;
  readonly press: () => void;
}

/** What is to be shown. */
export interface Content {
  readonly title: string;
  readonly body: string;
  /** Path of a picture. */
  readonly icon: string;
  readonly buttons: readonly Button[];
  /** What a click beside the buttons does: its name, for those who hear it, and its effect. */
  readonly click: Button;
  readonly closed: () => void;
}

interface Shown extends Content {
  /** The connection that showed it; what others say about it is not heard. */
  readonly owner: string;
}

export class NotificationService {
  private readonly bus: SessionBus;
  private readonly shown = new Map<number, Shown>();

  private constructor(bus: SessionBus) {
    this.bus = bus;
  }

  /** Null where the session has no bus, or one that can't be reached. */
  static async open(): Promise<NotificationService | null> {
    const bus = await SessionBus.open(() => undefined);
    if (!bus) return null;
    const service = new NotificationService(bus);
    try {
      await bus.hear(SIGNALS, (message) => service.hear(message));
      return service;
    } catch {
      bus.close();
      return null;
    }
  }

  get isOpen(): boolean {
    return this.bus.isOpen;
  }

  /** What the service can do; nothing if there is none. */
  async capabilities(): Promise<readonly string[]> {
    const answer = await this.bus.call({ ...SERVICE, member: 'GetCapabilities' }).catch(() => null);
    return (answer?.body[0] as string[] | undefined) ?? [];
  }

  /** Shows it, without a sound. Gives what takes it away again; throws when the service does not show it. */
  async show(content: Content, capabilities: readonly string[]): Promise<() => void> {
    const { Variant } = this.bus.library;
    const { title, icon, buttons, click } = content;
    // Where the service reads markup, the text must not be taken for some.
    const body = capabilities.includes('body-markup') ? escaped(content.body) : content.body;
    const actions = [
      DEFAULT,
      click.label,
      ...buttons.flatMap(({ label }, i) => [String(i), label]),
    ];
    const hints = {
      'desktop-entry': new Variant('s', 'shipworm'),
      'suppress-sound': new Variant('b', true),
    };
    const picture = pathToFileURL(icon).href;
    const { body: answer, sender } = await this.bus.call({
      ...SERVICE,
      member: 'Notify',
      signature: 'susssasa{sv}i',
      body: ['Shipworm', 0, picture, title, body, actions, hints, -1],
    });
    const id = answer[0] as number;
    this.shown.set(id, { ...content, owner: sender });
    return () => this.take(id);
  }

  /** Takes everything away, and shows nothing any more. */
  close(): void {
    for (const id of [...this.shown.keys()]) this.take(id);
    this.bus.close();
  }

  private take(id: number): void {
    const shown = this.shown.get(id);
    if (!this.isOpen || !shown) return;
    // A service that took its place has numbers of its own.
    const place = { ...SERVICE, destination: shown.owner };
    const call = { ...place, member: 'CloseNotification', signature: 'u', body: [id] };
    this.bus.call(call).catch(() => undefined);
    this.forget(id);
  }

  private forget(id: number): void {
    const shown = this.shown.get(id);
    this.shown.delete(id);
    shown?.closed();
  }

  private hear({ interface: name, member, sender, body }: Message): void {
    if (name !== SERVICE.interface) return;
    const [id, key] = body as [number, unknown];
    const shown = this.shown.get(id);
    // Any program of the session could send us such a signal, and press Allow by it.
    if (shown?.owner !== sender) return;
    if (member === 'NotificationClosed') this.forget(id);
    if (member !== 'ActionInvoked') return;
    const button = key === DEFAULT ? shown.click : shown.buttons[Number(key)];
    button?.press();
    this.take(id);
  }
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const escaped = (text: string): string => text.replace(/[&<>]/g, (each) => ENTITIES[each]!);
