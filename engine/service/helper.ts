// Module service/helper says whether the installed helper is there and is the one that belongs to this version.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { INSTALLED_HELPER, isHelperInstalled } from '../host/index.ts';

/** SHA-256 of a file, in hex. */
export function sha256Of(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** `other`: another version's. `own` is the path of the helper that came with this program. */
export function installedHelper(own: string): 'none' | 'other' | 'same' {
  if (!isHelperInstalled()) return 'none';
  return sha256Of(INSTALLED_HELPER) === sha256Of(own) ? 'same' : 'other';
}
