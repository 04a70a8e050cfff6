// Module host/index gives the Host of the platform we run on.
import { LinuxHost } from './linux.ts';
import type { ProbeHost } from './probe-types.ts';
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
