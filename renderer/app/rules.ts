// Module app/rules turns what a person presses on a rule into the call that makes it so, and into the one that takes it back.
import type { AppParams } from '../../engine/service/bridge.ts';
import type { AppRow } from '../../engine/service/slices.ts';
import { call } from './calls.ts';

type SetApp = AppParams<'setApp'>;
type Decision = Pick<AppRow, 'connectOut' | 'beReached' | 'never'>;

/** Which application a rule is about, as the engine names it; null when it has neither file nor group. */
function subject(row: Pick<AppRow, 'path' | 'script' | 'group' | 'user'>): Partial<SetApp> | null {
  const user = row.user === null ? {} : { user: row.user };
  if (row.group) return { group: row.group, ...user };
  const path = row.script ?? row.path;
  return path === null ? null : { path, ...user };
}

/** The time that `until` has left, as the call wants it. */
function lasting(until: string, now: number): Partial<SetApp> {
  if (until === 'forever') return {};
  if (until === 'quit') return { untilQuit: true };
  return { forSeconds: Math.max(1, (Date.parse(until) - now) / 1000) };
}

/** The whole call for `row` with `decision` in place of its own; null when it can't be named. */
export function setAppOf(
  row: Pick<AppRow, 'path' | 'script' | 'group' | 'user'> & Partial<AppRow>,
  decision: Decision,
  now = Date.now(),
): SetApp | null {
  const who = subject(row);
  if (!who) return null;
  const { connectOut, beReached, never } = decision;
  return { ...who, ...lasting(row.until ?? 'forever', now), connectOut, beReached, never };
}

/** Changes a rule. True when it was done. */
export async function change(row: AppRow, decision: Partial<Decision>): Promise<boolean> {
  const params = setAppOf(row, { ...row, ...decision });
  return params !== null && (await call('setApp', params)) !== null;
}

/** Numbers with commas between; null when one is no port. Nothing at all means every port. */
export function portsOf(text: string): 'all' | number[] | null {
  const parts = text.split(/[\s,、]+/).filter((part) => part !== '');
  if (parts.length === 0) return 'all';
  const ports = parts.map(Number);
  return ports.every((port) => Number.isInteger(port) && port >= 1 && port <= 65_535)
    ? [...new Set(ports)]
    : null;
}
