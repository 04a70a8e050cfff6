// Module cli/client runs the client in the foreground for `shipworm client`.
import { readSettings } from '../engine/service/config.ts';
import type { FileSettings, Settings } from '../engine/service/config.ts';
import { configPaths } from '../engine/service/paths.ts';
import { failureKind, startClient } from '../engine/service/start.ts';
import type { FailureKind, RunningClient } from '../engine/service/start.ts';
import { EXIT, Exit, logLine } from './output.ts';

export type ClientOptions = FileSettings & { readonly config?: string; readonly once?: boolean };

/** Without an answer by then `--once` gives up; a little more than N time-outs of T (RFC 4380 §5.2.1). */
const ONCE_MS = 15_000;

const EXIT_OF: Record<FailureKind, number> = {
  configuration: EXIT.usage,
  privilege: EXIT.noPrivilege,
  failed: EXIT.failed,
};

export async function runClient(options: ClientOptions): Promise<void> {
  const { config, once, ...overrides } = options;
  try {
    await run(readSettings(configPaths(), config, overrides), once ?? false);
  } catch (error) {
    throw new Exit(
      EXIT_OF[failureKind(error)],
      error instanceof Error ? error.message : String(error),
    );
  }
}

/** Runs until a signal or a failure and ends the process. */
async function run(settings: Settings, once: boolean): Promise<never> {
  let finish: (code: number) => void = () => undefined;
  const finished = new Promise<number>((resolve) => (finish = resolve));
  let running: RunningClient | null = null;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      // Before the client stands there is nothing to close: what it opened goes with the process.
      if (running) finish(EXIT.done);
      else process.exit(EXIT.done);
    });

  const endIfQualified = (): void => {
    if (once && running?.status().reason.code === 'qualified') finish(EXIT.done);
  };
  running = await startClient(settings, {
    log: logLine,
    onChange: endIfQualified,
    onFailed: (error) => {
      logLine({ level: 'error', text: error.message });
      finish(EXIT_OF[failureKind(error)]);
    },
  });
  const giveUp = once ? setTimeout(() => finish(EXIT.failed), ONCE_MS) : undefined;
  const code = await finished;
  clearTimeout(giveUp);
  if (code === EXIT.done) logLine({ level: 'info', text: 'Stopping.' });
  await running.close();
  // A name look-up under way would keep the process for seconds.
  process.exit(code);
}
