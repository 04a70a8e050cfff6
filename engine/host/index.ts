// Module host/index gives the Host of the platform we run on.
import type { Keychain } from './keychain.ts';
import { LinuxHost } from './linux.ts';
import type { ProbeHost } from './probe-types.ts';
import { SecretService } from './secret-service.ts';
import { HostError } from './types.ts';
import type { Host, OwnersHost, RelayHost, ServerHost } from './types.ts';

export {
  dropPrivileges,
  guardSocket,
  INSTALLED_HELPER,
  isHelperInstalled,
  targetUser,
} from './privilege.ts';
export type { User } from './privilege.ts';

/** Throws HostError 'platform' where there is none yet. */
export function createHost(): Host & ServerHost & RelayHost & OwnersHost & ProbeHost {
  if (process.platform === 'linux') return new LinuxHost();
  throw new HostError(
    'platform',
    `Shipworm runs on Linux only so far, not on ${process.platform}.`,
  );
}

/** Null where this session has none; nor has root one, nor a service, who keep their secrets in files. Throws HostError 'keychain-failed'. */
export async function openKeychain(): Promise<Keychain | null> {
  if (process.platform !== 'linux' || process.getuid?.() === 0) return null;
  return SecretService.open();
}
