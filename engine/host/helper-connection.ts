// Module host/helper-connection makes the calls of one connection to the privileged helper, one after the other.
import type { NativeAddon, SystemError } from './addon.ts';
import { readReply } from './helper-protocol.ts';
import type { HelperLink } from './privilege.ts';
import { HostError } from './types.ts';

/** The helper does a few system calls; longer than this it hangs. */
const CALL_TIMEOUT_MS = 5_000;

/** What the end of the helper means for an adapter. */
export const lost = (): HostError =>
  new HostError(
    'helper-lost',
    'The helper has ended, so the adapter is gone; start Shipworm again.',
  );

/** Calls to one helper. It owns the descriptor of its link. */
export class HelperConnection {
  private readonly addon: NativeAddon;
  private readonly link: HelperLink;
  private last: Promise<unknown> = Promise.resolve();
  private broken: HostError | null = null;

  constructor(addon: NativeAddon, link: HelperLink) {
    this.addon = addon;
    this.link = link;
  }

  /** Sends `frame`, a HELLO. A link that ends before its first answer was never granted. */
  async hello(frame: Uint8Array): Promise<void> {
    await this.call(frame, this.link.helloMs).catch((error: unknown) => {
      throw error instanceof HostError && error.code === 'helper-lost' ? this.link.refusal : error;
    });
  }

  /** Sends copies of the descriptors along that `passed` names when its turn has come. */
  call(
    frame: Uint8Array,
    timeoutMs = CALL_TIMEOUT_MS,
    passed: () => readonly number[] = () => [],
  ): Promise<{ index: number; fds: readonly number[] }> {
    const next = this.last.then(async () => {
      // After a time-out a late answer would be taken for that of the next call.
      if (this.broken) throw this.broken;
      try {
        const { reply, fds } = await this.addon.helperCall(
          this.link.fd,
          frame,
          timeoutMs,
          passed(),
        );
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
    return this.addon.watchFd(this.link.fd, callback);
  }

  async close(): Promise<void> {
    await this.last;
    this.addon.closeFd(this.link.fd);
  }
}
