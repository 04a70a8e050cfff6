// Module service/gate-api answers the calls about applications, flows and questions from what the gate knows.
import type { z } from 'zod';
import { nameOf, policyAbout, reaches } from '../gate/index.ts';
import type {
  Gate,
  GateInput,
  Identity,
  Matcher,
  Owner,
  Process,
  Reach,
  Rule,
} from '../gate/index.ts';
import { processStart } from '../host/cgroup.ts';
import { programAt } from '../host/program.ts';
import { HostError } from '../host/types.ts';
import type { Listener, Owners } from '../host/types.ts';
import { formatIp6, PROTOCOL } from '../wire/index.ts';
import type { Api, CallResult, Params } from './api.ts';
import { pageOf } from './paging.ts';
import { ServiceError } from './errors.ts';
import type { Caution, gateCalls } from './gate-calls.ts';
import type { PolicyView } from './policy.ts';

type App = z.infer<typeof gateCalls.apps.result>[number];
type Program = Pick<App, 'name' | 'path' | 'script' | 'group' | 'user'>;

const PROTOCOLS: Record<number, string> = {
  [PROTOCOL.tcp]: 'tcp',
  [PROTOCOL.udp]: 'udp',
  [PROTOCOL.icmp6]: 'icmp6',
};
/** Programs that run others' texts: a rule about them alone is one about everything written for them. */
const INTERPRETER =
  /^(python|node|perl|ruby|bash|dash|sh|zsh|fish|php|lua|java|wish|tclsh|wine)[\d.]*(-preloader)?$/;

/** What the answers are made of. */
export interface GateParts {
  readonly gate: () => Gate;
  readonly owners: () => Owners | null;
  readonly now: () => number;
  readonly input: (input: GateInput) => void;
  readonly policy: () => PolicyView;
  readonly network: (asked: Params<'network'>) => CallResult<'network'>;
  /** Whose rules are made when the caller names nobody. */
  readonly user: number;
}

type GateApi = Pick<Api, keyof typeof gateCalls>;

export function gateApi(parts: GateParts): GateApi {
  const { now } = parts;
  const apps = (rules: readonly Rule[]): App[] => rules.map((rule) => appOf(rule, now()));
  return {
    apps: () => Promise.resolve(apps(parts.gate().allRules())),
    setApp: (params) => setApp(parts, params),
    forgetApp: ({ which }) => Promise.resolve({ forgotten: forget(parts, which) }),
    reachable: async () => {
      const owners = parts.owners();
      if (!owners)
        throw new ServiceError(
          'owners-unknown',
          'Nobody can be named here, so that nobody can be allowed; see: shipworm status',
        );
      return (await owners.listeners()).map((each) => listenerOf(parts.gate(), each));
    },
    flows: (page) => {
      const flows = parts.gate();
      return Promise.resolve(
        pageOf(page, (choose) => flows.allFlows(choose).map((row) => flowOf(row, now()))),
      );
    },
    questions: () =>
      Promise.resolve(
        parts
          .gate()
          .allQuestions()
          .map((question) => ({
            id: question.id,
            ...programOf(question.identity, question.comm),
            confidence: question.confidence,
            reason: question.reason,
            protocol: protocolName(question.flow.protocol),
            remote: formatIp6(question.flow.remote),
            remotePort: question.flow.remotePort,
            times: question.times,
            firstAgoMs: Math.round(now() - question.firstMs),
            lastAgoMs: Math.round(now() - question.lastMs),
            answered: question.answered,
          })),
      ),
    answer: (params) => answerQuestion(parts, params),
    policy: () => {
      const { files, values } = parts.policy();
      const rules = parts
        .gate()
        .allRules()
        .filter(({ from }) => from === 'policy');
      return Promise.resolve({ files: [...files], values: [...values], apps: apps(rules) });
    },
    network: (asked) => Promise.resolve(parts.network(asked)),
  };
}

/** Throws ServiceError when there is no such question, or no rule came of it. */
async function answerQuestion(
  { gate, owners, input, now }: GateParts,
  { id, answer }: Params<'answer'>,
): Promise<CallResult<'answer'>> {
  const question = gate()
    .allQuestions()
    .find((each) => each.id === id);
  if (!question)
    throw new ServiceError('question-gone', `There is no question ${id}; see: shipworm questions`);
  const before = new Set(
    gate()
      .allRules()
      .map((rule) => rule.id),
  );
  const made = (): Rule | undefined =>
    gate()
      .allRules()
      .find((rule) => !before.has(rule.id));
  input({ kind: 'answer', id, answer });
  if (answer === 'not-now') return { app: null };
  if (!made())
    throw new ServiceError(
      'program-unknown',
      'Too little is known of this program to tell it from others, so it can’t be allowed; it may run in a container, or be gone already.',
    );
  // Whoever follows processes has told of those that are gone before it answers this.
  if (answer === 'until-quit') await owners()?.listeners();
  const rule = made();
  if (!rule)
    throw new ServiceError(
      'program-ended',
      `${nameOf(question.identity, question.comm)} has ended already, and its rule with it. Allow it for longer by: shipworm apps allow ${question.identity.path ?? 'PROGRAM'}`,
      { name: nameOf(question.identity, question.comm) },
    );
  return { app: appOf(rule, now()) };
}

type SetApp = z.infer<typeof gateCalls.setApp.params>;

async function setApp(
  { gate: gateOf, owners, input, now, user }: GateParts,
  params: SetApp,
): Promise<CallResult<'setApp'>> {
  const gate = gateOf();
  const { matcher, files } = await matcherOf(params, user, owners());
  const same = gate
    .allRules()
    .filter((rule) => rule.from === 'user' && sameMatcher(rule.matcher, matcher));
  const rule: Rule = {
    id: same[0]?.id ?? gate.newRuleId(),
    matcher,
    connectOut: params.connectOut && !params.never,
    beReached: params.never ? 'none' : params.beReached,
    files,
    until: params.untilQuit
      ? { kind: 'quit' }
      : params.forSeconds === undefined
        ? { kind: 'forever' }
        : { kind: 'time', at: now() + params.forSeconds * 1000 },
    from: 'user',
    source: null,
    never: params.never,
  };
  for (const { id } of same.slice(1)) input({ kind: 'forget', id });
  input({ kind: 'rule', rule, processes: heldBy(params.pid) });
  const caution = cautionAbout(gate, rule) ?? outOfReach(matcher, user, owners());
  return { app: appOf(rule, now()), warning: caution?.text ?? null, caution };
}

/** The process whose end ends the rule. Throws ServiceError when it is gone already. */
function heldBy(pid: number | undefined): Process[] {
  if (pid === undefined) return [];
  const startedMs = processStart(pid);
  if (startedMs === null)
    throw new ServiceError('process-gone', `There is no process ${pid} any more.`, { pid });
  return [{ pid, startedMs }];
}

async function matcherOf(
  { path, group, user, searchPath = '/usr/local/bin:/usr/bin:/bin' }: SetApp,
  ownUser: number,
  owners: Owners | null,
): Promise<{ matcher: Matcher; files: Rule['files'] }> {
  const whose = user ?? ownUser;
  if (group) {
    const matcher = { user: whose, path: null, hash: null, group, script: null };
    return { matcher, files: [] };
  }
  if (path === undefined)
    throw new ServiceError('bad-request', 'Name a program by its path, or a group.');
  try {
    const found = owners?.programAt
      ? await owners.programAt(path)
      : { ...(await programAt(path, searchPath)), user: whose };
    const { hash, script } = found;
    return {
      matcher: { user: found.user, path: found.path, hash, group: null, script },
      files: [found.file],
    };
  } catch (error) {
    if (error instanceof HostError) throw error;
    throw new ServiceError('failed', (error as Error).message);
  }
}

/** The same application, whatever its file holds. */
function sameMatcher(a: Matcher, b: Matcher): boolean {
  return (
    a.user === b.user &&
    a.path === b.path &&
    a.script === b.script &&
    a.group?.kind === b.group?.kind &&
    a.group?.id === b.group?.id
  );
}

/** What to say of a rule about a user whose programs this client can't decide about. */
function outOfReach({ user }: Matcher, ownUser: number, owners: Owners | null): Caution | null {
  const others = owners?.decidesFor ?? null;
  if (others === null || user === null || user === ownUser || others.includes(user)) return null;
  const whom =
    others.length === 0
      ? 'its own user alone'
      : `its own user and ${others.map((other) => `user ${other}`).join(', ')} alone`;
  return {
    code: 'other-user',
    text: `This client decides about programs of ${whom}, so nothing of user ${user} passes. Root says more by --decides-for of the helper; see docs/run-your-own.md.`,
    params: { user },
  };
}

function cautionAbout(gate: Gate, rule: Rule): Caution | null {
  const { matcher, never } = rule;
  const locked = policyAbout(rule, gate.allRules());
  if (locked) {
    const source = locked.source ?? '';
    return {
      code: 'policy-decides',
      text: `But the machine policy decides about it, whatever is said here (${source}); see: shipworm policy`,
      params: { source },
    };
  }
  if (never) return null;
  const name = matcher.path?.slice(matcher.path.lastIndexOf('/') + 1) ?? '';
  if (matcher.script !== null)
    return {
      code: 'script',
      text: `Which script ${name} runs is read from its arguments, which it can change, and the script may be changed, too. Exact is: shipworm run -- ${matcher.script}`,
      params: { name },
    };
  if (!INTERPRETER.test(name)) return null;
  return {
    code: 'interpreter',
    text: `${name} runs what others wrote: this allows every script and program that runs in it. Allow the script instead, or use: shipworm run -- ${name} …`,
    params: { name },
  };
}

/** Gives how many rules were forgotten. Throws ServiceError when there is none, or only the policy's. */
function forget({ gate, input }: GateParts, which: string): number {
  const meant = gate()
    .allRules()
    .filter(({ id, matcher }) => {
      const { path, script, group } = matcher;
      const names = [id, path, script, group?.id];
      return names.includes(which) || nameOfMatcher(matcher) === which;
    });
  const own = meant.filter(({ from }) => from === 'user');
  for (const { id } of own) input({ kind: 'forget', id });
  if (own.length > 0) return own.length;
  if (meant.length === 0)
    throw new ServiceError('rule-unknown', `There is no rule about ${which}; see: shipworm apps`, {
      which,
    });
  const source = meant[0]!.source ?? '';
  throw new ServiceError(
    'rule-of-policy',
    `${which} is ruled by the machine policy (${source}), which only root can change.`,
    { which, source },
  );
}

// ---- words for persons

function nameOfMatcher({ path, script, group }: Matcher): string {
  const text = group?.id ?? script ?? path ?? '';
  return text.slice(text.lastIndexOf('/') + 1);
}

function appOf(rule: Rule, now: number): App {
  const { matcher, until } = rule;
  return {
    id: rule.id,
    name: nameOfMatcher(matcher),
    path: matcher.path,
    script: matcher.script,
    group: matcher.group,
    user: matcher.user,
    pinned: matcher.hash !== null,
    connectOut: rule.connectOut,
    beReached: mutable(rule.beReached),
    never: rule.never,
    until: until.kind === 'time' ? new Date(Date.now() + until.at - now).toISOString() : until.kind,
    from: rule.from,
    source: rule.source,
  };
}

function mutable(reach: Reach): App['beReached'] {
  return typeof reach === 'string' ? reach : [...reach];
}

function programOf(identity: Identity, comm: string): Program {
  const { path, script, group, user } = identity;
  return { name: nameOf(identity, comm), path, script, group, user };
}

function ownerProgram(owner: Owner | null): Program | null {
  const [identity] = owner?.identities ?? [];
  return identity ? programOf(identity, owner!.comm) : null;
}

function protocolName(protocol: number): string {
  return PROTOCOLS[protocol] ?? String(protocol);
}

function flowOf(
  { flow, direction, verdict, reason, owner, lastMs }: ReturnType<Gate['allFlows']>[number],
  now: number,
): Awaited<ReturnType<GateApi['flows']>>[number] {
  return {
    protocol: protocolName(flow.protocol),
    local: formatIp6(flow.local),
    localPort: flow.localPort,
    remote: formatIp6(flow.remote),
    remotePort: flow.remotePort,
    direction,
    verdict,
    reason,
    app: ownerProgram(owner),
    pid: owner?.process?.pid ?? null,
    confidence: owner?.confidence ?? 'unknown',
    idleMs: Math.max(0, Math.round(now - lastMs)),
  };
}

function listenerOf(
  gate: Gate,
  { protocol, port, address, v6only, owner }: Listener,
): Awaited<ReturnType<GateApi['reachable']>>[number] {
  return {
    protocol: protocolName(protocol),
    port,
    address: formatIp6(address),
    v6only,
    app: ownerProgram(owner),
    confidence: owner?.confidence ?? 'unknown',
    allowed: reaches(gate.decide(owner).verdict.in, port),
  };
}
