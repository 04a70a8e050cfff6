// Module gate/identity says when an identity is the one that a rule is about, and gives each identity a key and a name.
import type { FileId, Identity, Matcher } from './types.ts';

/** Why a matcher does not fit, from the nearest miss to none at all. */
export type Mismatch = 'file-changed' | 'foreign-namespace' | 'other';

function sameFile(a: FileId, b: FileId): boolean {
  return a.device === b.device && a.inode === b.inode;
}

/**
 * Does `identity` fit `matcher`? `files` are those that were seen at the matcher's path. Null: it fits.
 *
 * A file that only root can write keeps its rule when it is updated. One that its user can write is pinned by content. One that was
 * replaced while it runs is known by the file that it was. A path means the host's: never that of another mount namespace. An AppImage
 * is its file: that of the group, and what is pinned.
 */
export function mismatch(
  matcher: Matcher,
  files: readonly FileId[],
  identity: Identity,
): Mismatch | null {
  const { group, path, hash, script, user } = matcher;
  if (user !== null && user !== identity.user) return 'other';
  if (group !== null) {
    if (identity.group?.kind !== group.kind || identity.group.id !== group.id) return 'other';
  } else if (path === null) return 'other';
  if (script !== null && script !== identity.script) return 'other';
  if (path !== null) {
    if (path !== identity.path) return 'other';
    if (identity.foreign) return 'foreign-namespace';
  }
  if (hash !== null) return hash === identity.hash ? null : 'file-changed';
  if (path === null) return group?.kind === 'appimage' && identity.writable ? 'file-changed' : null;
  if (!identity.replaced) return identity.writable ? 'file-changed' : null;
  const known = identity.file !== null && files.some((file) => sameFile(file, identity.file!));
  return known ? null : 'file-changed';
}

/** One text for what a user takes for one application; another one once a file that is pinned by content has changed. */
export function identityKey(identity: Identity): string {
  const { user, group, path, script, writable, hash, foreign } = identity;
  const what = group ? `${group.kind}:${group.id}` : `${foreign ? 'foreign:' : ''}${path ?? '?'}`;
  const pinned = writable && (!group || group.kind === 'appimage');
  return [user, what, script ?? '', pinned ? (hash ?? '?') : ''].join('|');
}

/** The matcher of a rule about exactly this identity; null when too little is known of it to tell it from others. */
export function matcherFor(identity: Identity): Matcher | null {
  const { user, group, path, script, hash, writable, foreign } = identity;
  const pin = writable ? hash : null;
  if (group?.kind === 'appimage')
    return writable && hash === null ? null : { user, path: null, hash: pin, group, script: null };
  if (group && group.kind !== 'systemd')
    return { user, path: null, hash: null, group, script: null };
  if (path === null || foreign || (writable && hash === null)) return null;
  return { user, path, hash: pin, group, script };
}

/** Name for a person: the script or file, or what its group is called. */
export function nameOf(identity: Identity, comm: string): string {
  const { group, path, script } = identity;
  const base = (text: string): string => text.slice(text.lastIndexOf('/') + 1);
  if (group) return base(group.id);
  if (script !== null) return `${base(script)} (${path === null ? comm : base(path)})`;
  return path === null ? comm : base(path);
}
