// Module cli/servers declares `shipworm servers`, and has the running client move to another of its servers.
import type { Command } from 'commander';
import { Option } from 'commander';
import { callService } from '../engine/service/control-client.ts';
import { EXIT, Exit, print, printJson } from './output.ts';
import { ask, paths } from './query.ts';
import { addServer, checkRelay, listServers, removeServer } from './server-list.ts';
import type { QueryOptions } from './query.ts';

/** A server is asked three times, 4 s apart, before it counts as silent; its name is looked up before. */
const ANSWER_MS = 30_000;

const json = (): Option => new Option('--json', 'print JSON for scripts');
const control = (): Option =>
  new Option('--control <path>', 'control socket of what is running, if not the usual one');

export function addServerCommands(root: Command): void {
  const servers = root
    .command('servers')
    .description('list Teredo servers: yours, and public ones known by name')
    .addOption(control())
    .addOption(json())
    .option('--probe [host]', 'ask each, or that one, by a real solicitation first')
    .addHelpText(
      'after',
      `
Nobody promises that a public server lives: each is "not verified" until it has answered, and none is used unless you
put it into the settings, in whose order (#) they are asked. * is in use, + the best of those that answered.`,
    )
    .action(listServers);
  const verb = (name: string, description: string, argument: string): Command =>
    servers
      .command(name)
      .description(description)
      .argument(`<${argument}>`)
      .addOption(control())
      .addOption(json());
  verb('add', 'put a server on your list', 'host').action(addServer);
  verb('remove', 'take a server off your list', 'host').action(removeServer);
  verb(
    'relay',
    'ping a native host through the tunnel and name the relay that carried it',
    'address',
  ).action(checkRelay);
  servers
    .command('next')
    .description('move to the next of the servers that are set')
    .addOption(control())
    .addOption(json())
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
