// Module cli/gate asks about and rules applications: `shipworm apps`, `flows`, `questions`, `policy` and `network`.
import { callService } from '../engine/service/control-client.ts';
import type { CallResult } from '../engine/service/api.ts';
import { policyFileText } from '../engine/service/policy-view.ts';
import { locateProgram } from '../engine/service/programs.ts';
import { counted, EXIT, Exit, print, printError, printJson, table } from './output.ts';
import { ask, moreText, pageFrom, paths } from './query.ts';
import type { PageOptions, QueryOptions } from './query.ts';

type App = CallResult<'apps'>[number];
type Reach = App['beReached'];

export interface AllowOptions extends QueryOptions {
  /** True: on every port; text: on these. */
  readonly reachable?: string | true;
  readonly out: boolean;
  readonly for?: string;
  readonly flatpak?: boolean;
  readonly snap?: boolean;
  readonly user?: string;
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

export async function listApps(options: QueryOptions): Promise<void> {
  const apps = await ask(callService(paths(options), 'apps', {}));
  if (options.json) {
    printJson(apps);
    return;
  }
  if (apps.length === 0) {
    print('No application may use the tunnel. Allow one with: shipworm apps allow PROGRAM');
    return;
  }
  print(
    table([
      ['ID', 'APPLICATION', 'USER', 'MAY', 'UNTIL', 'FROM', 'WHAT'],
      ...apps.map((app) => [
        app.id,
        app.name,
        app.user === null ? 'everybody' : String(app.user),
        mayText(app),
        untilTime(app.until),
        app.from === 'policy' ? `policy (${app.source ?? ''}, locked)` : 'you',
        whatText(app),
      ]),
    ]),
  );
}

function mayText({ connectOut, beReached, never }: App): string {
  if (never) return 'nothing';
  const parts = [
    ...(connectOut ? ['connect out'] : []),
    ...(beReached === 'none' ? [] : [`be reached ${reachText(beReached)}`]),
  ];
  return parts.join(', ') || 'nothing';
}

function reachText(reach: Reach): string {
  if (typeof reach === 'string') return reach === 'all' ? 'on every port' : '';
  return `on port ${reach.join(', ')}`;
}

function whatText({
  path,
  script,
  group,
  pinned,
}: Pick<App, 'path' | 'script' | 'group'> & { pinned?: boolean }): string {
  const what = group ? `${group.kind} ${group.id}` : [path ?? 'unknown', script ?? ''].join(' ');
  return `${what.trim()}${pinned === true ? ' (this content)' : ''}`;
}

export async function allowApp(program: string, options: AllowOptions): Promise<void> {
  await setApp(program, options, {
    connectOut: options.out,
    beReached: reachOf(options.reachable),
    never: false,
    ...(options.for !== undefined && { forSeconds: durationOf(options.for) }),
  });
}

export async function forbidApp(program: string, options: AllowOptions): Promise<void> {
  await setApp(program, options, { connectOut: false, beReached: 'none', never: true });
}

interface Permission {
  readonly connectOut: boolean;
  readonly beReached: Reach;
  readonly never: boolean;
  readonly forSeconds?: number;
}

async function setApp(
  program: string,
  options: AllowOptions,
  permission: Permission,
): Promise<void> {
  const { app, warning } = await ask(
    callService(paths(options), 'setApp', {
      ...permission,
      ...whichOf(program, options),
      user: userOf(options),
      searchPath: process.env['PATH'] ?? '',
    }),
  );
  if (options.json) printJson({ app, warning });
  else {
    print(`${permissionText(app)}: ${whatText(app)}`);
    if (warning !== null) printError(warning);
  }
}

/** `curl may connect out until it quits`. */
function permissionText(app: App): string {
  if (app.never) return `${app.name} is refused without asking`;
  return `${app.name} may ${mayText(app)}${untilText(app.until)}`;
}

function untilText(until: string): string {
  if (until === 'forever') return '';
  return until === 'quit' ? ' until it quits' : ` until ${untilTime(until)}`;
}

/** Local time instead of UTC; what is no time stays. */
function untilTime(until: string): string {
  return until === 'forever' || until === 'quit' ? until : new Date(until).toLocaleString();
}

function whichOf(
  program: string,
  { flatpak, snap }: AllowOptions,
): { group: { kind: 'flatpak' | 'snap'; id: string } } | { path: string } {
  if (flatpak === true) return { group: { kind: 'flatpak', id: program } };
  if (snap === true) return { group: { kind: 'snap', id: program } };
  const path = locateProgram(program);
  if (path === null)
    throw new Exit(EXIT.failed, `There is no program ${program}; name it by its path.`);
  return { path };
}

function userOf({ user }: AllowOptions): number {
  const number = user === undefined ? (process.getuid?.() ?? 0) : Number(user);
  if (!Number.isInteger(number) || number < 0)
    throw new Exit(EXIT.usage, '--user takes the number of a user; see: id -u NAME');
  return number;
}

export function reachOf(reachable: AllowOptions['reachable']): Reach {
  if (reachable === undefined) return 'none';
  if (reachable === true) return 'all';
  const ports = reachable.split(',').map(Number);
  if (ports.some((port) => !Number.isInteger(port) || port < 1 || port > 65_535))
    throw new Exit(EXIT.usage, '--reachable takes ports from 1 to 65535, e.g. 80,443.');
  return ports;
}

function durationOf(text: string): number {
  const match = /^(\d+)([smhd])$/.exec(text);
  if (!match || Number(match[1]) === 0)
    throw new Exit(EXIT.usage, '--for takes a time like 30m, 2h or 7d.');
  return Number(match[1]) * SECONDS[match[2]!]!;
}

export async function forgetApp(which: string, options: QueryOptions): Promise<void> {
  // A name that stands for a file here stands for the same one in the rules.
  const located = which.includes('/') ? (locateProgram(which) ?? which) : which;
  const result = await ask(callService(paths(options), 'forgetApp', { which: located }));
  if (options.json) printJson(result);
  else print(`Forgotten. ${which} may no longer use the tunnel.`);
}

export async function listReachable(options: QueryOptions): Promise<void> {
  const listeners = await ask(callService(paths(options), 'reachable', {}));
  if (options.json) {
    printJson(listeners);
    return;
  }
  const allowed = listeners.filter((each) => each.allowed).length;
  print(
    `${counted(listeners.length, 'program listens', 'programs listen')} where the tunnel could be reached; ${allowed} of them may be.`,
  );
  if (listeners.length > 0)
    print(
      table([
        ['PORT', 'ADDRESS', 'APPLICATION', 'USER', 'MAY BE REACHED', 'WHAT'],
        ...listeners.map(({ protocol, port, address, v6only, app, allowed: may }) => [
          `${protocol} ${port}`,
          `${address === '::' ? 'every address' : address}${v6only ? ', IPv6 only' : ''}`,
          app?.name ?? 'unknown',
          String(app?.user ?? ''),
          may ? 'yes' : 'no',
          app ? whatText(app) : '',
        ]),
      ]),
    );
}

export async function listFlows(options: PageOptions): Promise<void> {
  const page = pageFrom(options);
  const flows = await ask(callService(paths(options), 'flows', page));
  if (options.json) {
    printJson(flows);
    return;
  }
  if (flows.length === 0) {
    print('No flows: nothing uses the tunnel now, and nothing was refused of late.');
    return;
  }
  print(
    table([
      ['APPLICATION', 'FLOW', 'VERDICT', 'WHY', 'SURE', 'IDLE'],
      ...flows.map((flow) => [
        flow.app === null ? 'unknown' : `${flow.app.name} (${flow.pid ?? '?'})`,
        `${flow.protocol} [${flow.local}]:${flow.localPort} ${flow.direction === 'out' ? '→' : '←'} [${flow.remote}]:${flow.remotePort}`,
        flow.verdict,
        flow.reason,
        flow.confidence,
        `${(flow.idleMs / 1000).toFixed(0)} s`,
      ]),
    ]) + moreText(flows.length, page),
  );
}

export async function listQuestions(options: QueryOptions): Promise<void> {
  const questions = await ask(callService(paths(options), 'questions', {}));
  if (options.json) {
    printJson(questions);
    return;
  }
  if (questions.length === 0) {
    print('No questions: no program without a rule tried to use the tunnel.');
    return;
  }
  print(
    table([
      ['ID', 'APPLICATION', 'USER', 'WANTED', 'TIMES', 'LAST', 'WHY NOT', 'WHAT'],
      ...questions.map((question) => [
        question.id,
        question.name,
        String(question.user),
        `${question.protocol} [${question.remote}]:${question.remotePort}`,
        String(question.times),
        `${(question.lastAgoMs / 1000).toFixed(0)} s ago`,
        `${question.reason}${question.answered ? ' (not now)' : ''}`,
        whatText(question),
      ]),
    ]),
  );
  print('\nAnswer with: shipworm questions answer ID allow|until-quit|not-now|never');
}

const ANSWERS = ['allow', 'until-quit', 'not-now', 'never'] as const;

export async function answerQuestion(
  id: string,
  text: string,
  options: QueryOptions,
): Promise<void> {
  const answer = ANSWERS.find((each) => each === text);
  if (!answer) throw new Exit(EXIT.usage, `The answers are ${ANSWERS.join(', ')}.`);
  const result = await ask(callService(paths(options), 'answer', { id, answer }));
  if (options.json) printJson(result);
  else if (result.app === null) print('Not now: it stays refused.');
  else print(`${permissionText(result.app)}.`);
}

export async function showPolicy(options: QueryOptions): Promise<void> {
  const policy = await ask(callService(paths(options), 'policy', {}));
  if (options.json) {
    printJson(policy);
    return;
  }
  for (const file of policy.files) print(policyFileText(file));
  if (policy.files.length === 0) print('There is no machine policy (/etc/shipworm/policy.d).');
  print('');
  print(
    table([
      ['VALUE', 'IS', 'FROM'],
      ...policy.values.map(({ name, value, source, locked }) => [
        name,
        typeof value === 'string' ? value : JSON.stringify(value),
        `${source}${locked ? ' (locked)' : ''}`,
      ]),
    ]),
  );
  for (const app of policy.apps)
    print(
      `${whatText(app)}: ${app.never ? 'forbidden' : `may ${mayText(app)}`} (${app.source ?? ''}, locked)`,
    );
}

const CHOICES = ['ask', 'on', 'off'] as const;

export async function chooseNetwork(
  text: string | undefined,
  options: QueryOptions,
): Promise<void> {
  const choice = CHOICES.find((each) => each === text);
  if (text !== undefined && !choice)
    throw new Exit(EXIT.usage, `The choices are ${CHOICES.join(', ')}.`);
  const result = await ask(callService(paths(options), 'network', choice ? { choice } : {}));
  if (options.json) printJson(result);
  else if (result.id === null) print('There is no network.');
  else print(`${result.id}: ${result.choice}`);
}
