// Module service/renewal begins the tunnel anew, on the same adapter, when settings change that it took at its start.
import { isDeepStrictEqual } from 'node:util';
import type { Host } from '../host/types.ts';
import { TUNNEL_SETTINGS } from './config.ts';
import type { Settings } from './config.ts';
import type { LogEntry } from './log.ts';
import { choosePort } from './port.ts';
import type { StateStore } from './state-file.ts';
import type { Tunnel } from './tunnel.ts';

export interface RenewalParts {
  readonly host: Host;
  readonly state: StateStore;
  readonly log: (entry: LogEntry) => void;
  readonly tunnel: Tunnel;
  /** Those in force; null: the client was closed. */
  readonly settings: () => Settings | null;
  readonly sleep: () => void;
  readonly wake: () => void;
}

export class Renewal {
  private readonly parts: RenewalParts;
  private port: number | undefined;

  constructor(parts: RenewalParts) {
    this.parts = parts;
  }

  /**
   * `settings` are in force instead of `before`: an awake tunnel sleeps and wakes at once with them, another takes them as it wakes. The
   * address stays until a server says another.
   */
  async take(before: Settings, settings: Settings): Promise<void> {
    const { host, state, tunnel, sleep, wake } = this.parts;
    if (TUNNEL_SETTINGS.every((name) => isDeepStrictEqual(before[name], settings[name]))) return;
    if (before.servers.join() !== settings.servers.join())
      tunnel.notice.begin(settings, state, host.now());
    const port = settings.port === before.port ? undefined : await this.otherPort(settings);
    // Closed, or changed again, meanwhile: then that one sees to it.
    if (this.parts.settings() !== settings) return;
    this.port = port ?? this.port;
    const { isAwake } = tunnel;
    if (isAwake) sleep();
    tunnel.renew(settings);
    if (isAwake) wake();
  }

  /** The port to wake at, once; undefined: the same as before. */
  takePort(): number | undefined {
    const { port } = this;
    this.port = undefined;
    return port;
  }

  /** Undefined: the one in use stays, because another program has the new one. */
  private async otherPort({ port, portMapping }: Settings): Promise<number | undefined> {
    const { host, state, log } = this.parts;
    if (port === 0 || (await host.isPortFree(port)))
      return choosePort(host, port, state, portMapping);
    const text = `UDP port ${port} is in use by another program; the old one stays. Choose another with port or clientPort.`;
    log({ level: 'error', text });
    return undefined;
  }
}
