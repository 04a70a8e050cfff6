// Module electron/notification-service speaks with the desktop's own notification service, whose notifications have buttons (Desktop Notifications Specification 1.2).
import { pathToFileURL } from 'node:url';
import type * as dbus from 'dbus-next';
import type { Message, MessageBus } from 'dbus-next';

const SERVICE = {
  destination: 'org.freedesktop.Notifications',
  path: '/org/freedesktop/Notifications',
  interface: 'org.freedesktop.Notifications',
};
const BUS = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
};
const SIGNALS = `type='signal',sender='${SERVICE.destination}',interface='${SERVICE.interface}'`;
/** A service that does not answer is none. The bus may have to start it first. */
const ANSWER_MS = 5_000;
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

type Library = typeof dbus;

export class NotificationService {
  private readonly library: Library;
  private readonly bus: MessageBus;
  private readonly shown = new Map<number, Shown>();
  private broken = false;

  private constructor(library: Library, bus: MessageBus) {
    this.library = library;
    this.bus = bus;
    bus.on('error', () => this.close());
    bus.on('message', (message: Message) => this.hear(message));
  }

  /** Null where the session has no bus, or one that can't be reached. */
  static async open(): Promise<NotificationService | null> {
    try {
      const { default: library } = await import('dbus-next');
      const service = new NotificationService(library, library.sessionBus());
      await service.call({ ...BUS, member: 'AddMatch', signature: 's', body: [SIGNALS] });
      return service;
    } catch {
      return null;
    }
  }

  get isOpen(): boolean {
    return !this.broken;
  }

  /** What the service can do; nothing if there is none. */
  async capabilities(): Promise<readonly string[]> {
    const answer = await this.call({ ...SERVICE, member: 'GetCapabilities' }).catch(() => null);
    return (answer?.body[0] as string[] | undefined) ?? [];
  }

  /** Shows it, without a sound. Gives what takes it away again; throws when the service does not show it. */
  async show(content: Content, capabilities: readonly string[]): Promise<() => void> {
    const { Variant } = this.library;
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
    const { body: answer, sender } = await this.call({
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
    if (this.broken) return;
    for (const id of [...this.shown.keys()]) this.take(id);
    this.broken = true;
    this.bus.disconnect();
  }

  private take(id: number): void {
    const shown = this.shown.get(id);
    if (this.broken || !shown) return;
    // A service that took its place has numbers of its own.
    const place = { ...SERVICE, destination: shown.owner };
    const call = { ...place, member: 'CloseNotification', signature: 'u', body: [id] };
    this.call(call).catch(() => undefined);
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

  /** One call and its answer. Throws what the other side says, or when it says nothing. */
  private async call(fields: object): Promise<Message> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(reject, ANSWER_MS, new Error('no answer'));
    });
    try {
      const answer = await Promise.race([this.bus.call(new this.library.Message(fields)), late]);
      if (!answer) throw new Error('no answer');
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const escaped = (text: string): string => text.replace(/[&<>]/g, (each) => ENTITIES[each]!);
