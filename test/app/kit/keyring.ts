// Module test/app/kit/keyring is a session's keychain: the real gnome-keyring-daemon, asked by another program, locked and unlocked.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import dbus from 'dbus-next';
import type { MessageBus } from 'dbus-next';
import { asGuest, ended } from './session.ts';
import type { Place } from './session.ts';

const PASSWORD = 'of the keychain';
const SECRETS = '/org/freedesktop/secrets';
const LOGIN = `${SECRETS}/collection/login`;
const SOON_MS = 15_000;

export class Keyring {
  private readonly place: Place;
  private readonly daemon: ChildProcess;
  private readonly bus: MessageBus;

  private constructor(place: Place, daemon: ChildProcess, bus: MessageBus) {
    this.place = place;
    this.daemon = daemon;
    this.bus = bus;
  }

  /** Unlocked, as at the end of a login with a password. */
  static async open(place: Place): Promise<Keyring> {
    const words = ['gnome-keyring-daemon', '--foreground', '--components=secrets', '--unlock'];
    const [command, ...rest] = [...asGuest(place.folder), ...words];
    const { env } = place;
    const daemon = spawn(command!, rest, { env, stdio: ['pipe', 'ignore', 'ignore'] });
    daemon.stdin.end(PASSWORD);
    const bus = dbus.sessionBus({ busAddress: place.bus });
    const keyring = new Keyring(place, daemon, bus);
    await keyring.comes('org.freedesktop.secrets');
    return keyring;
  }

  /** What another program finds there of Shipworm's; null: nothing. */
  async kept(): Promise<string | null> {
    const found = await this.run('secret-tool', 'lookup', 'application', 'shipworm');
    return found === '' ? null : found;
  }

  async lock(): Promise<void> {
    await this.call('org.freedesktop.Secret.Service', 'Lock', 'ao', [[LOGIN]]);
  }

  /** As a login does, without a prompt. */
  async unlock(): Promise<void> {
    const plain = ['plain', new dbus.Variant('s', '')];
    const opened = await this.call('org.freedesktop.Secret.Service', 'OpenSession', 'sv', plain);
    const secret = [opened[1], Buffer.alloc(0), Buffer.from(PASSWORD), 'text/plain'];
    const name = 'org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface';
    await this.call(name, 'UnlockWithMasterPassword', 'o(oayays)', [LOGIN, secret]);
  }

  /** A command of the guest's in this session; gives what it prints. */
  run(...words: string[]): Promise<string> {
    const [command, ...rest] = [...asGuest(this.place.folder), ...words];
    const { env } = this.place;
    const child = spawn(command!, rest, { env, stdio: ['ignore', 'pipe', 'ignore'] });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    return new Promise((resolve) => child.on('close', () => resolve(out.trim())));
  }

  async close(): Promise<void> {
    this.bus.disconnect();
    await ended(this.daemon);
  }

  private async comes(name: string): Promise<void> {
    const bus = 'org.freedesktop.DBus';
    const end = performance.now() + SOON_MS;
    for (;;) {
      const asked = new dbus.Message({
        ...{ destination: bus, path: '/org/freedesktop/DBus', interface: bus },
        ...{ member: 'NameHasOwner', signature: 's', body: [name] },
      });
      if ((await this.bus.call(asked))?.body[0] === true) return;
      if (performance.now() > end) throw new Error(`${name} does not come.`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  private async call(
    name: string,
    member: string,
    signature: string,
    body: unknown[],
  ): Promise<readonly unknown[]> {
    const place = { destination: 'org.freedesktop.secrets', path: SECRETS, interface: name };
    const answer = await this.bus.call(new dbus.Message({ ...place, member, signature, body }));
    return answer!.body as unknown[];
  }
}
