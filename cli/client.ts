// Module cli/client runs the client in the foreground for `shipworm client`.
import { mkdirSync, chownSync } from 'node:fs';
import { HostError } from '../engine/host/types.ts';
import { createHost, dropPrivileges, guardSocket, targetUser } from '../engine/host/index.ts';
import { ClientService } from '../engine/service/client-service.ts';
import { readSettings } from '../engine/service/config.ts';
import type { FileSettings, Settings } from '../engine/service/config.ts';
import { listenControl } from '../engine/service/control-server.ts';
import { ServiceError } from '../engine/service/errors.ts';
import { configPaths, controlPath, stateDirectory } from '../engine/service/paths.ts';
import { StateFile } from '../engine/service/state-file.ts';
import { TEREDO_MTU } from '../engine/wire/index.ts';
import { EXIT, Exit, logLine } from './output.ts';

export type ClientOptions = FileSettings & { readonly config?: string; readonly once?: boolean };

/** Without an answer by then `--once` gives up; a little more than N time-outs of T (RFC 4380 §5.2.1). */
const ONCE_MS = 15_000;

/** Exit code of a failure to start. */
function exitOf(error: unknown): Exit {
  if (error instanceof ServiceError)
    return new Exit(error.code === 'bad-config' ? EXIT.usage : EXIT.failed, error.message);
  if (error instanceof HostError) {
    const ordinary =
      error.code === 'port-taken' || error.code === 'bind-failed' || error.code === 'platform';
    return new Exit(ordinary ? EXIT.failed : EXIT.noPrivilege, error.message);
  }
  return new Exit(EXIT.failed, error instanceof Error ? error.message : String(error));
}

export async function runClient(options: ClientOptions): Promise<void> {
  const { config, once, ...overrides } = options;
  try {
    process.exitCode = await run(readSettings(configPaths(), config, overrides), once ?? false);
  } catch (error) {
    throw exitOf(error);
  }
}

/** Runs until a signal or a failure; gives the exit code. */
async function run(settings: Settings, once: boolean): Promise<number> {
  const host = createHost();
  let finish: (code: number) => void = () => undefined;
  const finished = new Promise<number>((resolve) => (finish = resolve));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => finish(EXIT.done));

  // The order matters to a root start: what needs the privilege first, then never again (docs/architecture.md).
  const path = settings.control ?? controlPath();
  const user = targetUser();
  const control = await listenControl(path, user ?? undefined);
  let service: ClientService | null = null;
  try {
    guardSocket(path);
    const directory = stateDirectory();
    if (user) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      chownSync(directory, user.uid, user.gid);
    }
    const adapter = await host.openAdapter({ name: settings.adapter, mtu: TEREDO_MTU, queues: 1 });
    if (user) dropPrivileges(user);
    const state = new StateFile(directory, (text) => logLine({ level: 'warning', text }));
    service = new ClientService(host, settings, adapter, state, {
      log: logLine,
      onFailed: (error) => {
        logLine({ level: 'error', text: error.message });
        finish(exitOf(error).exitCode);
      },
      onChange: () => {
        if (once && service?.status().reason.code === 'qualified') finish(EXIT.done);
      },
    });
    try {
      await service.start();
    } catch (error) {
      await service.close();
      throw error;
    }
    control.serve(service.api);
    const giveUp = once ? setTimeout(() => finish(EXIT.failed), ONCE_MS) : undefined;
    const code = await finished;
    clearTimeout(giveUp);
    if (code === EXIT.done) logLine({ level: 'info', text: 'Stopping.' });
    await service.close();
    return code;
  } finally {
    control.close();
  }
}
