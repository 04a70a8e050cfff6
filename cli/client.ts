// Module cli/client runs the client in the foreground for `shipworm client`.
import type { FileSettings } from '../engine/service/config.ts';
import { configPaths } from '../engine/service/paths.ts';
import { startBuiltIn } from '../engine/service/builtin/start.ts';
import type { ServiceHooks } from '../engine/service/client-service.ts';
import { startClient } from '../engine/service/start.ts';
import type { RunningClient } from '../engine/service/start.ts';
import { EXIT, logLine } from './output.ts';
import { exitCodeOf, exitOf, untilSignal } from './run.ts';

export type ClientOptions = FileSettings & {
  readonly config?: string;
  readonly once?: boolean;
  readonly builtIn?: boolean;
};

/** Whatever network it runs on. */
type Running = Pick<RunningClient, 'status' | 'reload' | 'close'>;

/** Without an answer by then `--once` gives up; a little more than N time-outs of T (RFC 4380 §5.2.1). */
const ONCE_MS = 15_000;

export async function runClient(options: ClientOptions): Promise<void> {
  const { config, once, builtIn, ...overrides } = options;
  const places = { defaults: configPaths(), explicit: config, overrides };
  try {
    await run(
      builtIn
        ? (hooks) =>
            startBuiltIn(
              overrides.control === undefined ? {} : { control: overrides.control },
              hooks,
            )
        : (hooks) => startClient(places, hooks),
      once ?? false,
    );
  } catch (error) {
    throw exitOf(error);
  }
}

/** Runs until a signal or a failure and ends the process. */
async function run(
  start: (hooks: ServiceHooks) => Promise<Running>,
  once: boolean,
): Promise<never> {
  let running: Running | null = null;
  const { finished, finish } = untilSignal(() => running);

  const endIfQualified = (): void => {
    // After whoever is told of the same in this turn, as the log.
    if (once && running?.status().reason.code === 'qualified')
      setImmediate(() => finish(EXIT.done));
  };
  running = await start({
    log: logLine,
    onChange: endIfQualified,
    onFailed: (error) => {
      logLine({ level: 'error', text: error.message });
      finish(exitCodeOf(error));
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
