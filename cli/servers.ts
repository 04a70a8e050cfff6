// Module cli/servers is `shipworm servers next`: it has the running client move to another of its servers.
import type { Command } from 'commander';
import { Option } from 'commander';
import { callService } from '../engine/service/control-client.ts';
import { EXIT, Exit, print, printJson } from './output.ts';
import { ask, paths } from './query.ts';
import type { QueryOptions } from './query.ts';

/** A server is asked three times, 4 s apart, before it counts as silent; its name is looked up before. */
const ANSWER_MS = 30_000;

export function addServerCommands(root: Command): void {
  const servers = root.command('servers').description('what concerns the Teredo servers');
  servers
    .command('next')
    .description('move to the next of the servers that are set')
    .addOption(
      new Option('--control <path>', 'control socket of what is running, if not the usual one'),
    )
    .addOption(new Option('--json', 'print JSON for scripts'))
    .addHelpText(
      'after',
      `
The Teredo address is made of its server, so it is another one then; the old one stays for the connections that use it.
If the next server does not answer within 12 s, all stays as it is (exit code 1).`,
    )
    .action(nextServer);
}

async function nextServer(options: QueryOptions): Promise<void> {
  const result = await ask(callService(paths(options), 'nextServer', {}, ANSWER_MS));
  if (options.json) printJson(result);
  else if (result.ok)
    print(
      `${result.name} (${result.server}) serves this PC now; its address is ${result.address}.`,
    );
  if (!result.ok) throw new Exit(EXIT.failed, options.json ? '' : result.text);
}
