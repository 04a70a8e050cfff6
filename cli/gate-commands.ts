// Module cli/gate-commands declares the verbs about applications: apps, flows, questions, policy, network and run.
import type { Command } from 'commander';
import { Option } from 'commander';
import {
  allowApp,
  answerQuestion,
  chooseNetwork,
  forbidApp,
  forgetApp,
  listApps,
  listFlows,
  listQuestions,
  listReachable,
  showPolicy,
} from './gate.ts';
import { runProgram } from './run-program.ts';

const json = (): Option => new Option('--json', 'print JSON for scripts');
const control = (): Option =>
  new Option('--control <path>', 'control socket of what is running, if not the usual one');

/** Adds a verb that asks what is running. */
function verb(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description).addOption(control()).addOption(json());
}

export function addGateCommands(root: Command): void {
  addApps(root);
  root
    .command('run')
    .description('start one program that may use the tunnel until it ends')
    .argument('<program>')
    .argument('[args...]')
    .addOption(control())
    .option(
      '--reachable [ports]',
      'RISK: the whole Internet may reach it, on these ports or on all',
    )
    .passThroughOptions()
    .addHelpText(
      'after',
      `
It gets a control group of its own, so that no other process is taken for it, and the same program started otherwise is
not allowed by this. Ends with the program's exit code.
Example: shipworm run -- python3 fetch.py`,
    )
    .action(runProgram);
  verb(root, 'flows', 'list who uses the tunnel, or tried to, and why it passes or not').action(
    listFlows,
  );
  const questions = verb(
    root,
    'questions',
    'list programs that were refused because no rule is about them',
  );
  questions.action(listQuestions);
  verb(questions, 'answer', 'allow, until-quit, not-now, never')
    .argument('<id>')
    .argument('<answer>')
    .action(answerQuestion);
  verb(root, 'policy', 'show every effective value and where it comes from').action(showPolicy);
  verb(root, 'network', 'show or choose whether Teredo may run on this network')
    .argument('[choice]', 'ask, on or off')
    .action(chooseNetwork);
}

function addApps(root: Command): void {
  const apps = verb(
    root,
    'apps',
    'list the applications that may use the tunnel, and what they may',
  );
  apps.action(listApps);
  const which = (command: Command): Command =>
    command
      .argument('<program>', 'name or path of a program or script; with --flatpak or --snap its id')
      .option('--flatpak', 'PROGRAM is the id of a Flatpak')
      .option('--snap', 'PROGRAM is the name of a Snap')
      .option('--user <number>', 'for this user’s processes (default: yours)');
  which(verb(apps, 'allow', 'let an application connect out, and be reached if you say so'))
    .option(
      '--reachable [ports]',
      'RISK: the whole Internet may reach it, on these ports or on all',
    )
    .option('--no-out', 'do not let it connect out')
    .option('--for <time>', 'for so long, e.g. 30m, 2h, 7d')
    .addHelpText(
      'after',
      `
A rule is about this file, for your user. A file that only root can write keeps its rule when it is updated; one that you
can write is known by its content, and asked about again when that changes. A script is a program of its own.
Examples:
  shipworm apps allow curl
  shipworm apps allow --reachable 8080 --no-out ./my-server`,
    )
    .action(allowApp);
  which(verb(apps, 'forbid', 'refuse an application without asking')).action(forbidApp);
  verb(apps, 'forget', 'forget what was decided about an application; its connections end at once')
    .argument('<which>', 'its id, name or path')
    .action(forgetApp);
  verb(
    apps,
    'reachable',
    'list every program that listens where the tunnel could be reached, and which may be',
  ).action(listReachable);
}
