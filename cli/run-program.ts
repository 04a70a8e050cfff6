// Module cli/run-program starts one program that may use the tunnel until it ends: `shipworm run -- PROGRAM`.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { CallResult } from '../engine/service/api.ts';
import { callService } from '../engine/service/control-client.ts';
import { makeOwnGroup } from '../engine/service/programs.ts';
import { reachOf } from './gate.ts';
import { EXIT, Exit } from './output.ts';
import { ask, paths } from './query.ts';
import type { QueryOptions } from './query.ts';

export interface RunOptions extends QueryOptions {
  readonly reachable?: string | true;
}

/** Of a shell: 127 for a program that is not there, 128 and its number for a signal. */
const NOT_FOUND = 127;
const SIGNALLED = 128;

export async function runProgram(
  program: string,
  args: readonly string[],
  options: RunOptions,
): Promise<void> {
  const group = own();
  const service = paths(options);
  const { app } = await allow(service, group.id, options).catch((error: unknown) => {
    group.leave();
    throw error;
  });
  try {
    group.enter();
    process.exitCode = await ended(program, args);
  } finally {
    group.leave();
    // A service that has ended meanwhile has forgotten it, too.
    await callService(service, 'forgetApp', { which: app.id }).catch(() => undefined);
  }
}

/** A rule about the group that ends with this process, whatever happens to it. */
function allow(
  service: readonly string[],
  id: string,
  options: RunOptions,
): Promise<CallResult<'setApp'>> {
  return ask(
    callService(service, 'setApp', {
      group: { kind: 'run', id },
      user: process.getuid?.() ?? 0,
      connectOut: true,
      beReached: reachOf(options.reachable),
      never: false,
      untilQuit: true,
      pid: process.pid,
    }),
  );
}

function own(): ReturnType<typeof makeOwnGroup> {
  try {
    return makeOwnGroup();
  } catch (error) {
    throw new Exit(EXIT.failed, (error as Error).message);
  }
}

/** Runs the program on this terminal; gives the exit code that a shell would. */
function ended(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], { stdio: 'inherit' });
    // The terminal tells the program itself; what is sent to this process alone is handed on.
    process.on('SIGINT', () => undefined);
    for (const signal of ['SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => child.kill(signal));
    child.on('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT';
      reject(
        new Exit(
          missing ? NOT_FOUND : EXIT.failed,
          missing ? `There is no program ${program}.` : `${program}: ${error.message}`,
        ),
      );
    });
    child.on('close', (code, signal) =>
      resolve(signal === null ? (code ?? EXIT.failed) : SIGNALLED + constants.signals[signal]),
    );
  });
}
