// Module host/garbage gives memory of the JavaScript heap back to the system at once.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void;

let collect: Collect | null = null;

/**
 * Collects all garbage and shrinks the heap; stops JavaScript for some tens of milliseconds. By itself V8 does so only after a long
 * quiet time, or not at all.
 */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as Collect;
  }
  collect({ type: 'major', flavor: 'last-resort' });
}
