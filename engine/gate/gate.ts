// Module gate/gate is least exposure as a state machine: what programs do goes in, who may pass and whether the tunnel is awake come out.
// What becomes of a packet is in gate/verdicts; here are the rules' own life, sleep and waking.
import type { FlowKey } from '../datapath/types.ts';
import { everything } from '../datapath/limits.ts';
import type { Choose } from '../datapath/limits.ts';
import { Dormancy } from './dormancy.ts';
import { Lifetimes } from './lifetimes.ts';
import { matcherFor } from './identity.ts';
import { Questions } from './questions.ts';
import { RuleBook } from './rules.ts';
import type { Decision } from './rules.ts';
import { Verdicts } from './verdicts.ts';
import type { FlowRow } from './verdicts.ts';
import type {
  Answer,
  GateInput,
  GateOutput,
  GatePolicy,
  GateSettings,
  GateState,
  Matcher,
  Owner,
  Question,
  Rule,
} from './types.ts';

export class Gate {
  private readonly rules = new RuleBook();
  private readonly questions = new Questions();
  private readonly dormancy: Dormancy;
  private readonly verdicts: Verdicts;
  private readonly lifetimes = new Lifetimes();
  private outputs: GateOutput[] = [];
  /** The next output to hand over. */
  private next = 0;
  private now = 0;
  private state: GateState = {
    name: 'dormant',
    code: 'looking',
    text: 'Finding out which network this is.',
  };
  private watched = JSON.stringify({ files: [], processes: [], groups: [] });
  private watchChanged = true;
  private announced = NaN;
  private nextRule = 1;

  /**
   * @param rules kept from an earlier run
   * @param damaged the kept rules could not be read: begins closed, and says so until the user decides anew
   */
  constructor(settings: GateSettings, rules: readonly Rule[], damaged: boolean) {
    this.dormancy = new Dormancy(settings, damaged);
    this.verdicts = new Verdicts(settings, this.rules, this.questions, this.dormancy, (output) =>
      this.outputs.push(output),
    );
    for (const rule of rules) {
      this.rules.set(rule);
      this.nextRule = Math.max(this.nextRule, (Number(rule.id) || 0) + 1);
    }
  }

  currentState(): GateState {
    return this.state;
  }

  /** All rules, those of the policy too. */
  allRules(): readonly Rule[] {
    return this.rules.all;
  }

  allQuestions(): readonly Question[] {
    return this.questions.all;
  }

  /** Flows that pass, and the latest that did not. */
  allFlows(choose: Choose = everything): FlowRow[] {
    return this.verdicts.rows(choose);
  }

  /** An id for a new rule. */
  newRuleId(): string {
    return String(this.nextRule++);
  }

  /** What the rules say of `owner`: for the list of what would be reachable. */
  decide(owner: Owner | null): Decision {
    return this.rules.decide(owner);
  }

  /** May an ICMPv6 error about this flow pass? Only when the flow does. */
  passes(flow: FlowKey): boolean {
    return this.verdicts.passes(flow);
  }

  /** Takes one input at time `now` (ms, never decreasing). Never throws on what came from outside. */
  handleInput(input: GateInput, now: number): void {
    this.now = now;
    switch (input.kind) {
      case 'flow':
        this.verdicts.flow(input.flow, input.direction, now);
        break;
      case 'socket':
        this.verdicts.socket(input, now);
        break;
      case 'attempt':
        this.verdicts.attempted(input.flow, input.cookie, input.times, now);
        break;
      case 'closed':
        this.verdicts.closed(input.cookie, now);
        break;
      case 'listener':
        this.verdicts.listener(input, now);
        break;
      case 'exec':
        if (this.lifetimes.started(input.process, input.identity, this.rules.all))
          this.watchChanged = true;
        if (this.rules.see(input.identity)) this.outputs.push({ kind: 'save' });
        break;
      case 'exit':
        this.exited(input, now);
        break;
      case 'rule':
        this.lifetimes.hold(input.rule.id, input.processes ?? []);
        this.setRule(input.rule, now);
        break;
      case 'forget':
        this.forget(input.id, now);
        break;
      case 'answer':
        this.answer(input.id, input.answer, now);
        break;
      case 'policy':
        this.setPolicy(input.policy, now);
        break;
      case 'settings':
        this.verdicts.settings = input.settings;
        this.dormancy.setSettings(input.settings);
        this.redecide(now);
        break;
      case 'network':
        this.dormancy.setNetwork(input.network);
        break;
      case 'domain':
        this.dormancy.setDomain(input.domain, now);
        break;
      case 'qualified':
        this.dormancy.qualified(now);
        break;
      case 'activity':
        this.dormancy.used(now);
        break;
      case 'timeout':
        this.announced = NaN;
        break;
    }
    this.work(now);
  }

  /** The next output, undefined when there is none. A `timeout` comes last, and only when it changed. */
  pollOutput(): GateOutput | undefined {
    if (this.next < this.outputs.length) return this.outputs[this.next++];
    this.outputs = [];
    this.next = 0;
    const at = Math.min(this.dormancy.nextAt(this.now), this.rules.nextEnd);
    if (at === this.announced) return undefined;
    this.announced = at;
    return { kind: 'timeout', at };
  }

  private exited(input: GateInput & { kind: 'exit' }, now: number): void {
    const ended = this.lifetimes.ended(input.process);
    for (const id of ended) this.rules.remove(id);
    this.watchChanged = true;
    if (ended.length > 0) this.rulesChanged(now);
  }

  // ---- rules

  private setRule(rule: Rule, now: number): void {
    if (rule.from !== 'user' || this.rules.get(rule.id)?.from === 'policy') return;
    this.rules.set(rule);
    this.rulesChanged(now);
  }

  private forget(id: string, now: number): void {
    if (this.rules.get(id)?.from !== 'user') return;
    this.rules.remove(id);
    this.lifetimes.forget(id);
    this.rulesChanged(now);
  }

  private answer(id: string, answer: Answer, now: number): void {
    const question = this.questions.get(id);
    if (!question) return;
    const matcher = matcherFor(question.identity);
    if (answer === 'not-now' || matcher === null) {
      this.questions.notNow(id);
      return;
    }
    const { file } = question.identity;
    // A rule for what the file was before is of no more use.
    for (const rule of this.rules.all)
      if (rule.from === 'user' && rule.matcher.hash !== null && sameButHash(rule.matcher, matcher))
        this.rules.remove(rule.id);
    const ruleId = this.newRuleId();
    const quit = answer === 'until-quit';
    if (quit) this.lifetimes.hold(ruleId, question.processes);
    this.setRule(
      {
        id: ruleId,
        matcher,
        connectOut: answer !== 'never',
        beReached: 'none',
        files: file ? [file] : [],
        until: { kind: quit ? 'quit' : 'forever' },
        from: 'user',
        source: null,
        never: answer === 'never',
      },
      now,
    );
  }

  private setPolicy(policy: GatePolicy, now: number): void {
    this.dormancy.setPolicy(policy);
    this.rules.setPolicy(policy.rules);
    this.redecide(now);
  }

  private rulesChanged(now: number): void {
    this.dormancy.mended();
    this.outputs.push({ kind: 'save' });
    this.redecide(now);
  }

  /** Every socket and flow anew, and what has to be watched for the rules. */
  private redecide(now: number): void {
    this.watchChanged = true;
    this.verdicts.redecide(now);
  }

  // ---- time

  private work(now: number): void {
    if (this.rules.expire(now)) this.rulesChanged(now);
    const need = {
      allowsSomething: this.rules.allowsSomething,
      listeners: this.verdicts.table.reachable,
      hasConnection: () => this.verdicts.table.hasConnection,
    };
    for (const output of this.dormancy.step(need, now)) {
      if (output.kind === 'sleep')
        for (const flow of this.verdicts.table.clearFlows())
          this.outputs.push({ kind: 'forget-flow', flow });
      if (output.kind === 'state') this.state = output.state;
      this.outputs.push(output);
    }
    this.watch();
    if (this.announced <= now) this.announced = NaN;
  }

  /** Files of programs that may be reached, and what rules wait for the end of. */
  private watch(): void {
    if (!this.watchChanged) return;
    this.watchChanged = false;
    const wanted = this.lifetimes.watch(this.rules.all);
    const text = JSON.stringify(wanted);
    if (text === this.watched) return;
    this.watched = text;
    this.outputs.push({ kind: 'watch', ...wanted });
  }
}

function sameButHash(a: Matcher, b: Matcher): boolean {
  return (
    a.user === b.user &&
    a.path === b.path &&
    a.script === b.script &&
    a.group?.kind === b.group?.kind &&
    a.group?.id === b.group?.id
  );
}
