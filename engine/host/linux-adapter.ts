// Module host/linux-adapter holds a TUN adapter through a connection to the privileged helper.
import type { Ip6 } from '../wire/index.ts';
import type { NativeAddon } from './addon.ts';
import { HelperConnection, lost } from './helper-connection.ts';
import { helperFrames } from './helper-protocol.ts';
import type { Forwarding } from './helper-protocol.ts';
import { openLinuxOwners } from './linux-owners.ts';
import type { HelperLink } from './privilege.ts';
import { HostError } from './types.ts';
import type { Adapter, AdapterOptions, Owners, OwnersOptions, RelayAdapter } from './types.ts';

/** Opens the adapter of a client or relay over `link`, whose descriptor it owns from then on. Throws HostError. */
export async function openLinuxAdapter(
  addon: NativeAddon,
  link: HelperLink,
  options: AdapterOptions,
  role: 'client' | 'relay' = 'client',
): Promise<LinuxAdapter> {
  const helper = new HelperConnection(addon, link);
  try {
    await helper.hello(role === 'relay' ? helperFrames.helloRelay() : helperFrames.hello());
    const { index, fds } = await helper.call(
      helperFrames.openAdapter(options.name, options.mtu, options.queues, options.offloads),
    );
    return new LinuxAdapter(addon, helper, options, index, fds);
  } catch (error) {
    await helper.close();
    throw error;
  }
}

/** The adapter of one helper connection. */
export class LinuxAdapter implements Adapter, RelayAdapter {
  readonly name: string;
  readonly index: number;
  readonly queues: readonly number[];
  readonly vnetHeader: boolean;
  private readonly addon: NativeAddon;
  private readonly helper: HelperConnection;
  private readonly stopWatching: () => void;
  private lostCallback: (error: HostError) => void = () => undefined;
  private open = true;
  private ownsQueues = true;

  constructor(
    addon: NativeAddon,
    helper: HelperConnection,
    options: AdapterOptions,
    index: number,
    queues: readonly number[],
  ) {
    this.addon = addon;
    this.helper = helper;
    this.name = options.name;
    this.vnetHeader = options.offloads;
    this.index = index;
    this.queues = queues;
    this.stopWatching = helper.onHangUp(() => {
      if (this.open) this.lostCallback(lost());
    });
  }

  /** The queues belong to a datapath from now on, which closes them. */
  handOver(): void {
    this.ownsQueues = false;
  }

  async setAddress(address: Ip6, preferred: boolean): Promise<void> {
    await this.helper.call(helperFrames.setAddress(address, preferred));
  }

  async removeAddress(address: Ip6): Promise<void> {
    await this.helper.call(helperFrames.removeAddress(address));
  }

  /** Opens the owners of sockets; once. */
  async openOwners(options: OwnersOptions): Promise<Owners> {
    const frame = helperFrames.openOwners(options.withoutPrograms ?? false);
    const { fds } = await this.helper.call(frame);
    return openLinuxOwners(fds[0]!, options);
  }

  async setDefaultRoute(on: boolean): Promise<void> {
    await this.helper.call(helperFrames.defaultRoute(on));
  }

  async growBuffers(sockets: () => readonly number[]): Promise<void> {
    await this.helper.call(helperFrames.growBuffers(), undefined, sockets);
  }

  async startRelay(native: string | null): Promise<Forwarding> {
    const start = async (how: Forwarding): Promise<Forwarding> => {
      await this.helper.call(helperFrames.startRelay(native ?? this.name, how));
      return how;
    };
    if (native === null) return start('none');
    return start('two').catch((error: unknown) => {
      if (error instanceof HostError && error.code === 'forwarding-unsupported')
        return start('every');
      throw error;
    });
  }

  onLost(callback: (error: HostError) => void): void {
    this.lostCallback = callback;
  }

  async close(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    this.stopWatching();
    if (this.ownsQueues) for (const queue of this.queues) this.addon.closeFd(queue);
    await this.helper.close();
  }
}
