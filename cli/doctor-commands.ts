// Module cli/doctor-commands declares the verbs that look after the tunnel: doctor and pcs.
import type { Command } from 'commander';
import { Option } from 'commander';
import { runDoctor } from './doctor.ts';
import { addPc, forgetPc, invite, listPcs, renamePc, testPc, updatePc } from './pcs.ts';

const json = (): Option => new Option('--json', 'print JSON for scripts');
const control = (): Option =>
  new Option('--control <path>', 'control socket of what is running, if not the usual one');

/** Adds a verb that asks what is running. */
function verb(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description).addOption(control()).addOption(json());
}

function addPcs(root: Command): void {
  const pcs = verb(root, 'pcs', 'list the PCs that you know by name');
  pcs.action(listPcs);
  verb(pcs, 'add', 'know a PC by a name')
    .argument('<name>')
    .argument('<target>', 'its IPv6 address, or a DNS name')
    .action(addPc);
  verb(pcs, 'test', 'try the way to it now, and say why it works or not')
    .argument('<name>')
    .action(testPc);
  verb(pcs, 'update', 'take the new address that is offered').argument('<name>').action(updatePc);
  verb(pcs, 'rename', 'know it by another name')
    .argument('<name>')
    .argument('<new name>')
    .action(renamePc);
  verb(pcs, 'forget', 'forget it').argument('<name>').action(forgetPc);
  verb(pcs, 'invite', 'print a text to send to the other home').action(invite);
}

export function addDoctorCommands(root: Command): void {
  addPcs(root);
  root
    .command('doctor')
    .description('look for what keeps the tunnel from working, and say what to do')
    .addOption(control())
    .addOption(json())
    .option(
      '--server <host,...>',
      'look with these servers, not through a client that runs',
      (text: string) => text.split(','),
    )
    .option('--config <file>', 'read this configuration file instead of the usual ones')
    .option('--allow-private', 'closed labs only: take private IPv4 addresses for servers')
    .option('--thorough', 'find out as well how long the router keeps an unused way: a minute')
    .option('--built-in', 'look at the built-in network instead of the real one')
    .addHelpText(
      'after',
      `
Each check is good, bad, or unknown, which is never a guess. The last sentence says what is in the way and what to do.
It asks your servers from sockets of its own, three root name servers for whether UDP gets out, and your router for
port mapping; where a client runs, that is woken and asked, too. Nothing is changed. Run with sudo it reads the
firewall's rules as well.
Exit codes: 0 nothing is in the way, 1 something is.`,
    )
    .action(runDoctor);
}
