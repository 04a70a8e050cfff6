// Module service/exposure says in a sentence who may use the tunnel and be reached through it, and how that is enforced.
import { counts, mayBeReached } from '../gate/index.ts';
import type { Rule } from '../gate/index.ts';
import type { Owners } from '../host/types.ts';
import type { Status } from './api.ts';
import type { LogEntry } from './log.ts';
import { told } from './told.ts';

const NOBODY =
  'No application may use the tunnel or be reached through it. Allow one with: shipworm apps allow PROGRAM';
const EVERYBODY =
  'EVERY application may use the tunnel, and every one that listens can be reached from the whole Internet (--expose-all).';

/** `closed`: nobody; `allowed`: those that rules name; `all`: everybody, as `--expose-all` says. */
export function exposureOf(exposeAll: boolean, rules: readonly Rule[]): Status['exposure'] {
  if (exposeAll) return { mode: 'all', text: EVERYBODY };
  const passing = rules.filter((rule) => counts(rule, rules));
  if (passing.length === 0) return { mode: 'closed', text: NOBODY };
  const reached = passing.filter(mayBeReached).length;
  return {
    mode: 'allowed',
    text: `${count(passing.length)} may use the tunnel, ${reached === 0 ? 'none' : reached} may be reached through it. See: shipworm apps`,
  };
}

export function exposureEntry({ mode, text }: Status['exposure']): LogEntry {
  return { level: mode === 'all' ? 'warning' : 'info', text, ...told('exposure', { mode }) };
}

/** How programs are told apart: `programs`, or `sock-diag: ` and why; after `;` what else is less than it could be. Null: they are not. */
export function attributionOf(
  owners: Pick<Owners, 'mode' | 'why' | 'startsSeen'> | null,
): string | null {
  if (!owners) return null;
  const { mode, why, startsSeen } = owners;
  const starts = startsSeen ? '' : '; programs that start are looked for every 2 s';
  return `${mode}${why === null ? '' : `: ${why}`}${starts}`;
}

function count(applications: number): string {
  return applications === 1 ? '1 application' : `${applications} applications`;
}
