// Module cli/run is what the verbs share that run in the foreground: end and reload by a signal, and exit codes of failures.
import { closeSync, openSync } from 'node:fs';
import { failureKind } from '../engine/service/start.ts';
import type { FailureKind } from '../engine/service/start.ts';
import { EXIT, Exit } from './output.ts';

const EXIT_OF: Record<FailureKind, number> = {
  configuration: EXIT.usage,
  privilege: EXIT.noPrivilege,
  failed: EXIT.failed,
};

/** The exit code for a failure. */
export function exitCodeOf(error: unknown): number {
  return EXIT_OF[failureKind(error)];
}

/** The failure as what ends the command. */
export function exitOf(error: unknown): Exit {
  return new Exit(exitCodeOf(error), error instanceof Error ? error.message : String(error));
}

/** Is there a terminal that this process belongs to? */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/**
 * Gives the exit code on INT or TERM, or when `finish` is called. HUP reloads what `running` gives, unless it says that the
 * terminal was closed. While nothing runs yet a signal ends the process at once.
 */
export function untilSignal(running: () => { reload(): Promise<unknown> } | null): {
  readonly finished: Promise<number>;
  readonly finish: (code: number) => void;
} {
  let finish: (code: number) => void = () => undefined;
  const finished = new Promise<number>((resolve) => (finish = resolve));
  const end = (): void => {
    // There is nothing to close then: what was opened goes with the process.
    if (running()) finish(EXIT.done);
    else process.exit(EXIT.done);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, end);
  const inTerminal = hasTerminal();
  process.on('SIGHUP', () => {
    if (inTerminal && !hasTerminal()) {
      end();
      return;
    }
    // What starts has only just read its settings; a failure is in the log, and the old settings rule.
    running()
      ?.reload()
      .catch(() => undefined);
  });
  return { finished, finish: (code) => finish(code) };
}
