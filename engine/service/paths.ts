// Module service/paths says where configuration, state and control socket are.
import { homedir } from 'node:os';
import { join } from 'node:path';

const SYSTEM_CONTROL = '/run/shipworm/control.sock';
/** Where the state is unless a user has a folder of his own. */
export const SYSTEM_STATE = '/var/lib/shipworm';

function xdg(variable: string): string | undefined {
  const value = process.env[variable];
  return value?.startsWith('/') ? value : undefined;
}

const isRoot = (): boolean => process.getuid?.() === 0;

/** Where a service listens unless told otherwise. */
export function controlPath(): string {
  const runtime = xdg('XDG_RUNTIME_DIR');
  return runtime ? join(runtime, 'shipworm', 'control.sock') : SYSTEM_CONTROL;
}

/** Where a service may be listening: this user's own first, then the system's, then those that systemd started. */
export function controlCandidates(): string[] {
  const units = ['client', 'server', 'relay'].map((role) => `/run/shipworm/${role}/control.sock`);
  return [...new Set([controlPath(), SYSTEM_CONTROL, ...units])];
}

/** Configuration files in the order in which a later one rules. */
export function configPaths(): string[] {
  const user = xdg('XDG_CONFIG_HOME') ?? (isRoot() ? undefined : join(homedir(), '.config'));
  return ['/etc/shipworm/config.json', ...(user ? [join(user, 'shipworm', 'config.json')] : [])];
}

/** The folder of remembered ports and addresses. */
export function stateDirectory(): string {
  const user = xdg('XDG_STATE_HOME') ?? (isRoot() ? undefined : join(homedir(), '.local', 'state'));
  return user ? join(user, 'shipworm') : SYSTEM_STATE;
}
