// Module service/server-list looks up the servers' names, each time anew, and goes round all their addresses.
import { isGlobalUnicast4, parseIp4 } from '../wire/index.ts';
import type { Ip4 } from '../wire/index.ts';
import type { Settings } from './config.ts';

/** A name may lead to other addresses each time; more than these are not remembered. */
const MOST_FOUND = 256;

/** One address of a server, and under which name it was found. */
export interface ServerPlace {
  readonly name: string;
  readonly server: Ip4;
  readonly server2: Ip4;
}

/** The servers of the settings, in their order. */
export class ServerList {
  private readonly resolve: (name: string) => Promise<readonly Ip4[]>;
  /** Places by address. */
  private readonly found = new Map<Ip4, ServerPlace>();
  private readonly settings: () => Pick<Settings, 'servers' | 'server2' | 'allowPrivate'>;

  constructor(
    resolve: (name: string) => Promise<readonly Ip4[]>,
    settings: () => Pick<Settings, 'servers' | 'server2' | 'allowPrivate'>,
  ) {
    this.resolve = resolve;
    this.settings = settings;
  }

  /** As what `server` was found last. */
  placeOf(server: Ip4): ServerPlace | null {
    return this.found.get(server) ?? null;
  }

  /** All addresses that `name` has just now and that can be a server's. Rejects with one sentence when there are none. */
  async lookUp(name: string): Promise<readonly ServerPlace[]> {
    const { servers, server2, allowPrivate } = this.settings();
    const usable = (await this.resolve(name)).filter((ip) => allowPrivate || isGlobalUnicast4(ip));
    if (usable.length === 0)
      throw new Error(
        `${name} has no public IPv4 address, so it can’t be a Teredo server; check --server.`,
      );
    const places = usable.map((server, index) => ({
      name,
      server,
      // The setting is the secondary of the first server; by custom others have theirs beside the primary.
      server2:
        server2 !== null && name === servers[0] && index === 0
          ? parseIp4(server2)!
          : (server + 1) >>> 0,
    }));
    if (this.found.size > MOST_FOUND) this.found.clear();
    for (const place of places) this.found.set(place.server, place);
    return places;
  }

  /** The address that comes after `last`, but never `current`; undefined when there is no other. Names that fail are passed over. */
  async after(last: Ip4, current: Ip4): Promise<ServerPlace | undefined> {
    const found = await Promise.allSettled(
      this.settings().servers.map((name) => this.lookUp(name)),
    );
    const all = found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
    const start = all.findIndex(({ server }) => server === last) + 1;
    return [...all.slice(start), ...all.slice(0, start)].find(({ server }) => server !== current);
  }
}
