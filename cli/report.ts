// Module cli/report writes the problem report for `shipworm report`; it is redacted, and goes nowhere but to the user.
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { Option } from 'commander';
import { callService } from '../engine/service/control-client.ts';
import { ServiceError } from '../engine/service/errors.ts';
import { reportWithoutClient } from '../engine/service/report/report.ts';
import { SettingsStore } from '../engine/service/settings-store.ts';
import { EXIT, Exit, print } from './output.ts';
import { ask, paths } from './query.ts';
import type { QueryOptions } from './query.ts';

async function report(file: string | undefined, options: QueryOptions): Promise<void> {
  const text = await ask(
    callService(paths(options), 'report', {}).then(
      (made) => made.text,
      (error: unknown) => withoutClient(error, options),
    ),
  );
  if (file === undefined) {
    process.stdout.write(text);
    return;
  }
  try {
    writeFileSync(file, text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw new Exit(
      EXIT.failed,
      exists
        ? `${file} is there already; name another file.`
        : `${file} could not be written: ${(error as Error).message}.`,
    );
  }
  print(`Written to ${file}. Read it before you send it to anybody.`);
}

async function withoutClient(error: unknown, options: QueryOptions): Promise<string> {
  const none = error instanceof ServiceError && error.code === 'not-running';
  if (!none || options.control !== undefined) throw error;
  const store = await SettingsStore.idle();
  return reportWithoutClient(store.state(), error.message);
}

export function addReportCommand(root: Command): void {
  root
    .command('report')
    .description(
      'print a problem report: state, settings, log, doctor; addresses and names taken out',
    )
    .argument('[file]', 'a new file, instead of the standard output')
    .addOption(
      new Option('--control <path>', 'control socket of what is running, if not the usual one'),
    )
    .addHelpText(
      'after',
      `
IP addresses (those inside Teredo addresses, too), MAC addresses, host and user names, home folders, names of PCs, keys and
codes are replaced by names like <ipv4-1>, one for each. The names of programs and what you wrote in free words stay: read
it before you send it. Nothing is ever sent by itself. "shipworm doctor" before it makes it more useful.`,
    )
    .action(report);
}
