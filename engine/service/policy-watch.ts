// Module service/policy-watch tells when a policy file was written, came or went, also when its folder is made only later.
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import { policyDirectory } from './policy.ts';

/** A file is written in several steps, and an administrator may change several; this long after the last they are read, ms. */
const SETTLE_MS = 200;

/**
 * Calls `changed` soon after something in `directory`, or that folder itself, changed. Gives a function that ends it. A system that
 * can't watch files says nothing: then a reload reads the policy.
 */
export function watchPolicy(
  changed: () => void,
  directory: string = policyDirectory(),
): () => void {
  // The folder, and those above it in which it may be made or taken away.
  const folders = [directory, dirname(directory), dirname(dirname(directory))];
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const settle = (): void => {
    if (ended) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      begin();
      changed();
    }, SETTLE_MS);
  };
  const drop = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  /** Of what lies above only the next folder of the way is of interest. */
  const begin = (): void => {
    // From above: what is made after its parent was asked about is told, and what was made before is found.
    [...folders.entries()].reverse().forEach(([i, folder]) => {
      drop(folder);
      const next = i === 0 ? null : folders[i - 1]!.slice(folder.length).replace(/^\//, '');
      try {
        const watcher = watch(folder, { persistent: false }, (_, name) => {
          if (next === null || name === null || name === next) settle();
        });
        watcher.on('error', () => drop(folder));
        watchers.set(folder, watcher);
      } catch {
        // There is none (yet).
      }
    });
  };
  begin();
  return () => {
    ended = true;
    clearTimeout(timer);
    for (const folder of folders) drop(folder);
  };
}
