// Module gate/lifetimes knows which processes a rule "until it quits" waits for, and what has to be watched for the rules.
import { mismatch } from './identity.ts';
import { allows, mayBeReached } from './rules.ts';
import type { Group, Identity, Process, Rule } from './types.ts';

export class Lifetimes {
  /** Rule id -> its processes by pid. A rule without an entry was never seen running. */
  private readonly held = new Map<string, Map<number, Process>>();

  /** The rule waits for these processes too. */
  hold(ruleId: string, processes: readonly Process[]): void {
    const held = this.held.get(ruleId) ?? new Map<number, Process>();
    for (const each of processes) held.set(each.pid, each);
    if (held.size > 0) this.held.set(ruleId, held);
  }

  /** A process of a watched file runs; true when a rule waits for its end from now on. */
  started(began: Process, identity: Identity, rules: readonly Rule[]): boolean {
    const fitting = rules.filter(
      ({ until, matcher, files }) =>
        until.kind === 'quit' && mismatch(matcher, files, identity) === null,
    );
    for (const { id } of fitting) this.hold(id, [began]);
    return fitting.length > 0;
  }

  /** A process has ended; gives the rules that end with it. */
  ended(gone: Process): string[] {
    const over: string[] = [];
    for (const [id, processes] of this.held) {
      if (processes.get(gone.pid)?.startedMs !== gone.startedMs) continue;
      processes.delete(gone.pid);
      if (processes.size > 0) continue;
      this.held.delete(id);
      over.push(id);
    }
    return over;
  }

  forget(ruleId: string): void {
    this.held.delete(ruleId);
  }

  /**
   * Files of programs that a rule lets through or waits for the end of: a program that lives only for a moment is named by its start.
   * Groups that may be reached: their listeners keep the tunnel awake. Processes that rules wait for.
   */
  watch(rules: readonly Rule[]): {
    files: string[];
    processes: Process[];
    groups: Group[];
  } {
    const files = new Set<string>();
    const groups = new Map<string, Group>();
    for (const rule of rules) {
      const { path, group } = rule.matcher;
      if (path !== null && (allows(rule) || rule.until.kind === 'quit')) files.add(path);
      if (group && mayBeReached(rule)) groups.set(`${group.kind} ${group.id}`, group);
    }
    const processes = [...this.held.values()].flatMap((each) => [...each.values()]);
    return { files: [...files].sort(), processes, groups: [...groups.values()] };
  }
}
