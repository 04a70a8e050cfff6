// Module cli/run is what the verbs share that run in the foreground: the end by a signal, and exit codes of failures.
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

/** Gives the exit code on a signal, or when `finish` is called. While nothing stands yet a signal ends the process at once. */
export function untilSignal(stands: () => boolean): {
  readonly finished: Promise<number>;
  readonly finish: (code: number) => void;
} {
  let finish: (code: number) => void = () => undefined;
  const finished = new Promise<number>((resolve) => (finish = resolve));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      // There is nothing to close then: what was opened goes with the process.
      if (stands()) finish(EXIT.done);
      else process.exit(EXIT.done);
    });
  return { finished, finish: (code) => finish(code) };
}
