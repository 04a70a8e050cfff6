// Module gate/questions remembers which programs were refused, asks about each once, and takes the answers.
import { identityKey } from './identity.ts';
import type { Decision } from './rules.ts';
import type { FlowKey } from '../datapath/types.ts';
import type { Owner, Process, Question } from './types.ts';

/** Programs remembered; the one that was refused longest ago goes first. */
const MAX_QUESTIONS = 200;
const MAX_PROCESSES = 32;

export class Questions {
  private readonly byKey = new Map<string, Question>();
  private next = 1;

  /** Newest last. */
  get all(): readonly Question[] {
    return [...this.byKey.values()];
  }

  get(id: string): Question | undefined {
    return this.all.find((question) => question.id === id);
  }

  /**
   * Counts refusals of a program; gives the question when it is to be asked now, which is the first time only. A program whose
   * user said "never", and one that nobody could name, are not asked about.
   */
  refused(
    owner: Owner,
    decision: Decision,
    flow: FlowKey,
    times: number,
    now: number,
  ): Question | null {
    const reason = decision.outReason;
    if (reason !== 'no-rule' && reason !== 'file-changed' && reason !== 'foreign-namespace')
      return null;
    const identity = owner.identities[0]!;
    const key = identityKey(identity);
    const known = this.byKey.get(key);
    const question: Question = {
      id: known?.id ?? String(this.next++),
      identity,
      comm: owner.comm,
      confidence: owner.confidence,
      flow,
      processes: withProcess(known?.processes ?? [], owner.process),
      reason,
      answered: known?.answered ?? false,
      firstMs: known?.firstMs ?? now,
      lastMs: now,
      times: (known?.times ?? 0) + times,
    };
    this.byKey.delete(key);
    this.byKey.set(key, question);
    if (known) return null;
    if (this.byKey.size > MAX_QUESTIONS) this.byKey.delete(this.byKey.keys().next().value!);
    return question;
  }

  /** It stays in the list, but is not asked again. */
  notNow(id: string): void {
    const question = this.get(id);
    if (question) this.byKey.set(identityKey(question.identity), { ...question, answered: true });
  }

  /** Forgets what `decided` says is settled by a rule now. */
  settle(decided: (question: Question) => boolean): void {
    for (const [key, question] of this.byKey) if (decided(question)) this.byKey.delete(key);
  }
}

function withProcess(known: readonly Process[], maker: Process | null): readonly Process[] {
  if (maker === null) return known;
  if (known.some(({ pid, startedMs }) => pid === maker.pid && startedMs === maker.startedMs))
    return known;
  return [...known, maker].slice(-MAX_PROCESSES);
}
