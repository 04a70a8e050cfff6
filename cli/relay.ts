// Module cli/relay runs a relay in the foreground for `shipworm relay`.
import { readRelaySettings } from '../engine/service/relay-config.ts';
import type { RelayFileSettings, RelaySettings } from '../engine/service/relay-config.ts';
import { startRelay } from '../engine/service/start.ts';
import type { RunningRelay } from '../engine/service/start.ts';
import { EXIT, logLine } from './output.ts';
import { exitCodeOf, exitOf, untilSignal } from './run.ts';

export type RelayOptions = RelayFileSettings & { readonly config?: string };

export async function runRelay(options: RelayOptions): Promise<void> {
  const { config, ...overrides } = options;
  try {
    let running: RunningRelay | null = null;
    const { finished, finish } = untilSignal(() => running);
    const reread = (): RelaySettings => readRelaySettings(config, overrides);
    running = await startRelay(reread(), {
      log: logLine,
      reread,
      onFailed: (error) => {
        logLine({ level: 'error', text: error.message });
        finish(exitCodeOf(error));
      },
    });
    const code = await finished;
    if (code === EXIT.done) logLine({ level: 'info', text: 'Stopping.' });
    await running.close();
    process.exit(code);
  } catch (error) {
    throw exitOf(error);
  }
}
