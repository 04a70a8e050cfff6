// Module cli/doctor-commands declares the verbs that look after the tunnel: doctor.
import type { Command } from 'commander';
import { Option } from 'commander';
import { runDoctor } from './doctor.ts';

const json = (): Option => new Option('--json', 'print JSON for scripts');
const control = (): Option =>
  new Option('--control <path>', 'control socket of what is running, if not the usual one');

export function addDoctorCommands(root: Command): void {
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
