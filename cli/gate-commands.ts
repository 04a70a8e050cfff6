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
import { paged } from './query.ts';
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
  paged(verb(root, 'flows', 'list who uses the tunnel now, or was refused of late, and why'))
    .addHelpText(
      'after',
      `
→ was begun by the application, ← by somebody outside. VERDICT: pass; refuse (the application was told at once); drop (who
called from outside hears nothing). WHY is explained in docs/codes.md. SURE says how surely the application is known:
exact (the kernel noted who made the socket), shared (several hold it, and all must be allowed), inferred (a script, which
its interpreter's arguments name), unknown (nobody was found: it does not pass).`,
    )
    .action(listFlows);
  const questions = verb(
    root,
    'questions',
    'list programs that were refused because no rule is about them',
  );
  questions
    .addHelpText(
      'after',
      `
Each program is asked about once, when it is refused the first time; nothing waits for the answer, and none means "not now".
WHY NOT: no-rule (nobody decided about it), file-changed (it was allowed, and is another file now), foreign-namespace (it
runs in a container or in mounts of its own).
Example: shipworm questions answer 1 allow`,
    )
    .action(listQuestions);
  verb(questions, 'answer', 'let it connect out (allow, until-quit), or not (not-now, never)')
    .argument('<id>', 'of the list of questions')
    .argument(
      '<answer>',
      'allow: from now on; until-quit: until it ends; not-now: ask no more, leave it refused; never: refuse it for good',
    )
    .action(answerQuestion);
  verb(root, 'policy', 'show every effective value and where it comes from')
    .addHelpText(
      'after',
      `
An administrator's files are in /etc/shipworm/policy.d; they must belong to root and be writable by nobody else. What they
set is locked: no user, file or option can change it.`,
    )
    .action(showPolicy);
  verb(root, 'network', 'show or choose whether Teredo may run on this network')
    .argument(
      '[choice]',
      'on, off, or ask: off until you switch it on here; remembered for this network',
    )
    .action(chooseNetwork);
}

function addApps(root: Command): void {
  const apps = verb(
    root,
    'apps',
    'list the applications that may use the tunnel, and what they may',
  );
  apps
    .addHelpText(
      'after',
      `
Without a rule an application may do nothing: it is told so at once when it tries, and nobody outside can reach it. MAY:
"connect out" takes answers, too; "be reached" lets the whole Internet begin. FROM policy: an administrator's, locked.`,
    )
    .action(listApps);
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
