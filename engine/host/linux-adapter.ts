// Module host/linux-adapter holds a TUN adapter through a connection to the privileged helper.
import type { Ip6 } from '../wire/index.ts';
import type { NativeAddon, SystemError } from './addon.ts';
import { helperFrames, readReply } from './helper-protocol.ts';
import type { HelperLink } from './privilege.ts';
import { HostError } from './types.ts';
import type { Adapter, AdapterOptions } from './types.ts';

/** The helper does a few system calls; longer than this it hangs. */
const CALL_TIMEOUT_MS = 5_000;

const lost = (): HostError =>
  new HostError(
    'helper-lost',
    'The helper has ended, so the adapter is gone; start Shipworm again.',
  );

/** Calls to one helper, one after the other. */
class HelperConnection {
  private readonly addon: NativeAddon;
  private readonly fd: number;
  private last: Promise<unknown> = Promise.resolve();
  private broken: HostError | null = null;

  constructor(addon: NativeAddon, fd: number) {
    this.addon = addon;
    this.fd = fd;
  }

  call(
    frame: Uint8Array,
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<{ index: number; fds: readonly number[] }> {
    const next = this.last.then(async () => {
      // After a time-out a late answer would be taken for that of the next call.
      if (this.broken) throw this.broken;
      try {
        const { reply, fds } = await this.addon.helperCall(this.fd, frame, timeoutMs);
        try {
          return { ...readReply(frame, reply), fds };
        } catch (error) {
          for (const fd of fds) this.addon.closeFd(fd);
          throw error;
        }
      } catch (error) {
        if (error instanceof HostError) throw error;
        const silent = (error as SystemError).code === 'ETIMEDOUT';
        this.broken = silent
          ? new HostError('helper-lost', 'The helper does not answer; start Shipworm again.')
          : lost();
        throw this.broken;
      }
    });
    this.last = next.catch(() => undefined);
    return next;
  }

  onHangUp(callback: () => void): () => void {
    return this.addon.watchFd(this.fd, callback);
  }

  async close(): Promise<void> {
    await this.last;
    this.addon.closeFd(this.fd);
  }
}

/** Opens the adapter over `link`, whose descriptor it owns from then on. Throws HostError. */
export async function openLinuxAdapter(
  addon: NativeAddon,
  link: HelperLink,
  options: AdapterOptions,
): Promise<LinuxAdapter> {
  const helper = new HelperConnection(addon, link.fd);
  try {
    await helper.call(helperFrames.hello(), link.helloMs).catch((error: unknown) => {
      // A link that ends before its first answer was never granted.
      throw error instanceof HostError && error.code === 'helper-lost' ? link.refusal : error;
    });
    const { index, fds } = await helper.call(
      helperFrames.openAdapter(options.name, options.mtu, options.queues),
    );
    return new LinuxAdapter(addon, helper, options.name, index, fds);
  } catch (error) {
    await helper.close();
    throw error;
  }
}

/** The adapter of one helper connection. */
export class LinuxAdapter implements Adapter {
  readonly name: string;
  readonly index: number;
  readonly queues: readonly number[];
  readonly vnetHeader = false;
  private readonly addon: NativeAddon;
  private readonly helper: HelperConnection;
  private readonly stopWatching: () => void;
  private lostCallback: (error: HostError) => void = () => undefined;
  private open = true;
  private ownsQueues = true;

  constructor(
    addon: NativeAddon,
    helper: HelperConnection,
    name: string,
    index: number,
    queues: readonly number[],
  ) {
    this.addon = addon;
    this.helper = helper;
    this.name = name;
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

  async setDefaultRoute(on: boolean): Promise<void> {
    await this.helper.call(helperFrames.defaultRoute(on));
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
