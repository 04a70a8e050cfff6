// Module test/app/kit/tray-host is a session's tray and notification service as a panel has them, readable by a test.
import dbus from 'dbus-next';
import type { MessageBus } from 'dbus-next';

const { Interface } = dbus.interface;
const WATCHER = 'org.kde.StatusNotifierWatcher';
const ITEM = 'org.kde.StatusNotifierItem';
/** So often a menu may change between reading and clicking. */
const CLICKS = 5;

export interface MenuItem {
  readonly id: number;
  readonly label: string;
  readonly enabled: boolean;
  /** Null: nothing to switch. */
  readonly checked: boolean | null;
  readonly children: readonly MenuItem[];
}

export interface Notified {
  readonly title: string;
  readonly body: string;
  readonly actions: readonly string[];
}

/** StatusNotifierItem specification, "StatusNotifierWatcher". */
class Watcher extends Interface {
  readonly items: string[] = [];
  IsStatusNotifierHostRegistered = true;
  ProtocolVersion = 0;
  RegisteredStatusNotifierItems: string[] = [];
  constructor() {
    super(WATCHER);
  }
  RegisterStatusNotifierItem(service: string): void {
    this.items.push(service);
  }
  RegisterStatusNotifierHost(): void {
    // This is the host.
  }
}
Watcher.configureMembers({
  properties: {
    IsStatusNotifierHostRegistered: { signature: 'b', access: 'read' },
    ProtocolVersion: { signature: 'i', access: 'read' },
    RegisteredStatusNotifierItems: { signature: 'as', access: 'read' },
  },
  methods: {
    RegisterStatusNotifierItem: { inSignature: 's', outSignature: '' },
    RegisterStatusNotifierHost: { inSignature: 's', outSignature: '' },
  },
});

/** Desktop Notifications Specification 1.2. */
class Notifications extends Interface {
  readonly shown: Notified[] = [];
  private readonly capabilities: readonly string[];
  constructor(capabilities: readonly string[]) {
    super('org.freedesktop.Notifications');
    this.capabilities = capabilities;
  }
  Notify(
    _app: string,
    _replaces: number,
    _icon: string,
    title: string,
    body: string,
    actions: string[],
  ): number {
    this.shown.push({ title, body, actions });
    return this.shown.length;
  }
  GetCapabilities(): string[] {
    return [...this.capabilities];
  }
  GetServerInformation(): string[] {
    return ['test', 'shipworm', '1', '1.2'];
  }
  CloseNotification(): void {
    // Nothing is on a screen.
  }
}
Notifications.configureMembers({
  methods: {
    Notify: { inSignature: 'susssasa{sv}i', outSignature: 'u' },
    GetCapabilities: { inSignature: '', outSignature: 'as' },
    GetServerInformation: { inSignature: '', outSignature: 'ssss' },
    CloseNotification: { inSignature: 'u', outSignature: '' },
  },
});

type Layout = [number, Record<string, { value: unknown }>, { value: Layout }[]];

export class TrayHost {
  private readonly bus: MessageBus;
  private readonly watcher: Watcher;
  private readonly notifications: Notifications;

  private constructor(bus: MessageBus, watcher: Watcher, notifications: Notifications) {
    this.bus = bus;
    this.watcher = watcher;
    this.notifications = notifications;
  }

  /** `capabilities`: what its notification service can do; null leaves notifications to another program. */
  static async open(
    address: string,
    capabilities: readonly string[] | null = ['body', 'actions'],
  ): Promise<TrayHost> {
    const bus = dbus.sessionBus({ busAddress: address });
    const [watcher, notifications] = [new Watcher(), new Notifications(capabilities ?? [])];
    bus.export('/StatusNotifierWatcher', watcher);
    await bus.requestName(WATCHER, 0);
    if (capabilities) {
      bus.export('/org/freedesktop/Notifications', notifications);
      await bus.requestName('org.freedesktop.Notifications', 0);
    }
    return new TrayHost(bus, watcher, notifications);
  }

  close(): void {
    this.bus.disconnect();
  }

  /** Icons that came into the tray since the start. */
  get items(): readonly string[] {
    return this.watcher.items;
  }

  get notified(): readonly Notified[] {
    return this.notifications.shown;
  }

  /** What the pointer would be told over the last icon that came. */
  async tip(): Promise<string> {
    const [, , title, text] = (await this.property('ToolTip')) as [
      unknown,
      unknown,
      string,
      string,
    ];
    return title || text;
  }

  /** The picture of the icon: width, height, and bytes (ARGB). */
  async icon(): Promise<{ readonly width: number; readonly bytes: Buffer }> {
    const pixmaps = (await this.property('IconPixmap')) as [number, number, Buffer][];
    const [width, , bytes] = pixmaps.at(-1)!;
    return { width, bytes };
  }

  async menu(): Promise<readonly MenuItem[]> {
    const [, layout] = await this.menuCall('GetLayout', 'iias', [0, -1, []]);
    return itemOf(layout as Layout).children;
  }

  /** Clicks the entry reached by `labels`, one a level. A menu that was made anew while it was read is read again. */
  async click(...labels: (string | RegExp)[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.clickOnce(labels);
        return;
      } catch (error) {
        if (attempt === CLICKS || !(error as Error).message.includes('error occurred in Event'))
          throw error;
      }
    }
  }

  private async clickOnce(labels: readonly (string | RegExp)[]): Promise<void> {
    let items = await this.menu();
    let found: MenuItem | undefined;
    for (const label of labels) {
      found = items.find((each) =>
        typeof label === 'string' ? each.label === label : label.test(each.label),
      );
      if (!found)
        throw new Error(
          `No entry ${String(label)} among: ${items.map((each) => each.label).join(', ')}`,
        );
      items = found.children;
    }
    await this.menuCall('Event', 'isvu', [found!.id, 'clicked', new dbus.Variant('i', 0), 0]);
  }

  private async property(name: string): Promise<unknown> {
    const [service, path] = this.place();
    const properties = 'org.freedesktop.DBus.Properties';
    const [value] = await this.ask(service, path, properties, 'Get', 'ss', [ITEM, name]);
    return (value as { value: unknown }).value;
  }

  private async menuCall(member: string, signature: string, body: unknown[]): Promise<unknown[]> {
    const path = (await this.property('Menu')) as string;
    return this.ask(this.place()[0], path, 'com.canonical.dbusmenu', member, signature, body);
  }

  /** One call, without introspection, which the icon's side does not have. */
  private async ask(
    destination: string,
    path: string,
    name: string,
    member: string,
    signature: string,
    body: unknown[],
  ): Promise<unknown[]> {
    const message = new dbus.Message({
      ...{ destination, path, interface: name, member, signature, body },
    });
    const reply = await this.bus.call(message);
    return (reply?.body ?? []) as unknown[];
  }

  private place(): [string, string] {
    const item = this.items.at(-1);
    if (item === undefined) throw new Error('No icon has come into the tray.');
    const slash = item.indexOf('/');
    return slash > 0 ? [item.slice(0, slash), item.slice(slash)] : [item, '/StatusNotifierItem'];
  }
}

function itemOf([id, properties, children]: Layout): MenuItem {
  const value = (name: string): unknown => properties[name]?.value;
  return {
    id,
    // An underscore marks an access key; two are one.
    label: ((value('label') as string | undefined) ?? '').replace(/_(.)/g, '$1'),
    enabled: value('enabled') !== false,
    checked: value('toggle-type') === undefined ? null : value('toggle-state') === 1,
    children: children.map((child) => itemOf(child.value)),
  };
}
