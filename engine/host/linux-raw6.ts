// Module host/linux-raw6 has the privileged helper open a raw IPv6 socket and sends by it.
import type { NativeAddon } from './addon.ts';
import { HelperConnection } from './helper-connection.ts';
import { helperFrames } from './helper-protocol.ts';
import type { HelperLink } from './privilege.ts';
import type { RawSocket6 } from './types.ts';

/** Opens the socket over `link`; the helper is let go of at once, the socket is all. Rejects with HostError. */
export async function openLinuxRaw6(addon: NativeAddon, link: HelperLink): Promise<RawSocket6> {
  const helper = new HelperConnection(addon, link);
  try {
    await helper.hello(helperFrames.helloServer());
    const { fds } = await helper.call(helperFrames.openRaw6());
    return rawSocket(addon, fds[0]!);
  } finally {
    await helper.close();
  }
}

function rawSocket(addon: NativeAddon, fd: number): RawSocket6 {
  let open = true;
  return {
    send: (packet) => {
      if (!open) return false;
      try {
        addon.sendRaw6(fd, packet);
        return true;
      } catch {
        return false;
      }
    },
    close: () => {
      if (open) addon.closeFd(fd);
      open = false;
      return Promise.resolve();
    },
  };
}
