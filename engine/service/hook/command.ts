// Module hook/command runs the user's command after a change of address: no shell, little environment, an end to its time.
import { spawn } from 'node:child_process';

const TIMEOUT_MS = 30_000;
/** Of what it prints, for the log. */
const MAX_OUTPUT = 500;
/** What a program needs to run at all; nothing else of ours is its business. */
const PASSED_ON = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'LANG',
  'XDG_RUNTIME_DIR',
  'DBUS_SESSION_BUS_ADDRESS',
];

export interface AddressChange {
  readonly address: string;
  readonly oldAddress: string | null;
  readonly server: string | null;
  readonly mapped: string | null;
}

/** Resolves with null when it ended well, else with how it ended: the end of a sentence. Never rejects. */
export function runCommand(
  command: readonly string[],
  change: AddressChange,
  timeoutMs = TIMEOUT_MS,
): Promise<string | null> {
  const env: Record<string, string> = {
    SHIPWORM_ADDRESS: change.address,
    SHIPWORM_OLD_ADDRESS: change.oldAddress ?? '',
    SHIPWORM_SERVER: change.server ?? '',
    SHIPWORM_MAPPED: change.mapped ?? '',
  };
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return new Promise((resolve) => {
    const [program, ...args] = command;
    // A group of its own: what it started ends with it.
    const child = spawn(program!, args, {
      ...{ cwd: '/', env, detached: true, shell: false },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let late = false;
    const hear = (bytes: Buffer): void => {
      output = (output + bytes.toString('utf8')).slice(0, MAX_OUTPUT);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    const timer = setTimeout(() => {
      late = true;
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // It ended just now.
      }
      // Who left the group may keep the pipes.
      child.stdout.destroy();
      child.stderr.destroy();
    }, timeoutMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve(`could not be started: ${error.message}`);
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      const said = output.trim().replaceAll(/\s+/g, ' ');
      const words = said === '' ? '' : `: ${said}`;
      if (late) resolve(`was ended after ${timeoutMs / 1000} s${words}`);
      else if (code === 0) resolve(null);
      else resolve(`ended with ${signal ?? `exit code ${code}`}${words}`);
    });
  });
}
