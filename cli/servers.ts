// Module cli/servers declares `shipworm servers`, and has the running client move to another of its servers.
import type { Command } from 'commander';
import { Option } from 'commander';
import { callService } from '../engine/service/control-client.ts';
import { checkOwn } from './own.ts';
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
  verb('check', 'look at your own server and relay from outside, and say what to do', 'host')
    .option('--server2 <ip>', 'its second address, if that is not the next one')
    .option('--relay <ip>', 'IPv4 address of your own relay')
    .option(
      '--native <host>',
      'native host to ping through it, best the relay’s own machine: IPv6 address or name',
    )
    .option('--config <file>', 'read this configuration file instead of the usual ones')
    .option('--allow-private', 'closed labs only: private IPv4 addresses are fine')
    .option('--built-in', 'look at one of the built-in network instead')
    .addHelpText(
      'after',
      `
From home, or wherever your server and relay are to be used. Each check is good, bad, or unknown, which is never a guess;
the last sentence says what to do on the server's machine. It sends some thirty small packets, from sockets of its own,
which are closed again: no program here gets an address or can be reached by it. No client has to run; where policy or
a managed network forbid Teredo, nothing is sent. It takes up to 30 s.
Exit codes: 0 they work (at most without a second address), 1 something is wrong or could not be told.`,
    )
    .action(checkOwn);
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
