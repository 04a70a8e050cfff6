// Module cli/server runs a server in the foreground for `shipworm server`.
import { readServerSettings } from '../engine/service/server-config.ts';
import type { ServerFileSettings, ServerSettings } from '../engine/service/server-config.ts';
import { startServer } from '../engine/service/start.ts';
import type { RunningServer } from '../engine/service/start.ts';
import { logLine } from './output.ts';
import { exitOf, untilSignal } from './run.ts';

export type ServerOptions = ServerFileSettings & { readonly config?: string };

export async function runServer(options: ServerOptions): Promise<void> {
  const { config, ...overrides } = options;
  try {
    let running: RunningServer | null = null;
    const signal = untilSignal(() => running);
    const reread = (): ServerSettings => readServerSettings(config, overrides);
    running = await startServer(reread(), { log: logLine, reread });
    const code = await signal.finished;
    logLine({ level: 'info', text: 'Stopping.' });
    await running.close();
    process.exit(code);
  } catch (error) {
    throw exitOf(error);
  }
}
