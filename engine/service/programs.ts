// Module service/programs finds the program that a person names, and gives one a group of its own.
import { findProgram } from '../host/program.ts';

export { makeOwnGroup } from '../host/cgroup.ts';

/** The absolute path of `name`, as this process's shell would find it; null when there is none. */
export function locateProgram(name: string): string | null {
  return findProgram(name, process.env['PATH'] ?? '');
}
