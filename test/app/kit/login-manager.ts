// Module test/app/kit/login-manager is a session's system bus with the part of logind on it that tells of sleep (org.freedesktop.login1).
import { spawn } from 'node:child_process';
import dbus from 'dbus-next';
import type { MessageBus } from 'dbus-next';
import { asGuest, busCommand, ended, firstLine } from './session.ts';
import type { Session } from './session.ts';

const { Interface } = dbus.interface;

class Manager extends Interface {
  constructor() {
    super('org.freedesktop.login1.Manager');
  }
  PrepareForSleep(start: boolean): boolean {
    return start;
  }
  PrepareForShutdown(start: boolean): boolean {
    return start;
  }
}
Manager.configureMembers({
  signals: { PrepareForSleep: { signature: 'b' }, PrepareForShutdown: { signature: 'b' } },
});

export class LoginManager {
  private readonly manager: Manager;
  private readonly bus: MessageBus;
  private readonly stop: () => Promise<void>;

  private constructor(manager: Manager, bus: MessageBus, stop: () => Promise<void>) {
    this.manager = manager;
    this.bus = bus;
    this.stop = stop;
  }

  /** To be opened before the app is started. */
  static async open({ folder, systemBus }: Session): Promise<LoginManager> {
    // The guest's name is known where the guest is.
    const [command, ...words] = [
      ...asGuest(folder),
      ...busCommand(folder, 'system-bus', systemBus),
    ];
    const daemon = spawn(command!, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    await firstLine(daemon);
    const bus = dbus.sessionBus({ busAddress: systemBus });
    const manager = new Manager();
    bus.export('/org/freedesktop/login1', manager);
    await bus.requestName('org.freedesktop.login1', 0);
    return new LoginManager(manager, bus, () => ended(daemon));
  }

  /** The computer is about to sleep (true), or has woken (false). */
  tell(sleeps: boolean): void {
    this.manager.PrepareForSleep(sleeps);
  }

  async close(): Promise<void> {
    this.bus.disconnect();
    await this.stop();
  }
}
