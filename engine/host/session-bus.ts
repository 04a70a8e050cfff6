// Module host/session-bus asks programs of the desktop's session over its message bus, and hears what they say.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type * as dbus from 'dbus-next';
import type { Message, MessageBus } from 'dbus-next';

type Library = typeof dbus;

/** Whom to ask. */
export interface Place {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
}

/** A call or a signal, as far as it matters here. */
export interface Call extends Place {
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
}

const BUS: Place = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
};
/** Who does not answer is not there. The bus may have to start it first. */
const ANSWER_MS = 5_000;

/** Where this session's bus is; null: there is none. */
function address(): string | null {
  const { DBUS_SESSION_BUS_ADDRESS: named, XDG_RUNTIME_DIR: run } = process.env;
  if (named) return named;
  const usual = run ? join(run, 'bus') : '';
  return existsSync(usual) ? `unix:path=${usual}` : null;
}

/** The other side is there, as far as anybody knows, but too busy. */
export class NoAnswer extends Error {}

export class SessionBus {
  readonly library: Library;
  private readonly bus: MessageBus;
  private broken = false;
  /** Rejects when the connection fails: nothing is answered any more. */
  private readonly lost: Promise<never>;

  private constructor(library: Library, bus: MessageBus) {
    this.library = library;
    this.bus = bus;
    this.lost = new Promise((_, reject) => bus.once('error', reject));
    this.lost.catch(() => undefined);
  }

  /** Null where the session has no bus, or one that can't be reached. `onEnd`: it is gone, and was not closed from here. */
  static async open(onEnd: () => void): Promise<SessionBus | null> {
    const busAddress = address();
    if (busAddress === null) return null;
    let opened: SessionBus | null = null;
    try {
      const { default: library } = await import('dbus-next');
      const bus = new SessionBus(library, library.sessionBus({ busAddress }));
      opened = bus;
      bus.bus.on('error', () => {
        if (bus.broken) return;
        bus.close();
        onEnd();
      });
      await bus.call({ ...BUS, member: 'GetId' });
      return bus;
    } catch {
      opened?.close();
      return null;
    }
  }

  get isOpen(): boolean {
    return !this.broken;
  }

  /** Hears from now on what `rule` (D-Bus specification, "Match Rules") lets through, beside what other rules do. */
  async hear(rule: string, listener: (message: Message) => void): Promise<void> {
    this.bus.on('message', listener);
    await this.call({ ...BUS, member: 'AddMatch', signature: 's', body: [rule] });
  }

  /** One call and its answer. Throws what the other side says, or when it says nothing. */
  async call(fields: Call): Promise<Message> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(reject, ANSWER_MS, new NoAnswer());
    });
    try {
      const answer = await Promise.race([
        this.bus.call(new this.library.Message({ ...fields, body: [...(fields.body ?? [])] })),
        late,
        this.lost,
      ]);
      if (!answer) throw new NoAnswer();
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What that property holds, whatever it is wrapped in. Throws as `call`. */
  async property({ interface: name, ...place }: Place, property: string): Promise<unknown> {
    const properties = 'org.freedesktop.DBus.Properties';
    const asked = { ...place, interface: properties, member: 'Get', signature: 'ss' };
    const { body } = await this.call({ ...asked, body: [name, property] });
    return unwrapped(body[0]);
  }

  close(): void {
    if (this.broken) return;
    this.broken = true;
    this.bus.disconnect();
  }
}

/** The value inside a variant, or variants within each other. */
export function unwrapped(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'signature' in value && 'value' in value
    ? unwrapped(value.value)
    : value;
}
