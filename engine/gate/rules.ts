// Module gate/rules keeps the rules, finds those about an identity without looking at the others, and sets policy over the user.
import { mismatch } from './identity.ts';
import type { FileId, FlowReason, Identity, Owner, Reach, Rule, SocketVerdict } from './types.ts';

/** Files remembered at one path: more versions of one program than that hardly run at once. */
const MAX_FILES = 8;

/** What the rules say of one owner. */
export interface Decision {
  readonly verdict: SocketVerdict;
  /** Why it may begin, or may not. */
  readonly outReason: FlowReason;
  readonly inReason: FlowReason;
  /** Rules that were used. */
  readonly rules: readonly string[];
}

const NOTHING: SocketVerdict = { out: 'deny', in: 'none' };

export function reaches(reach: Reach, port: number): boolean {
  return reach === 'all' || (reach !== 'none' && reach.includes(port));
}

export function mayBeReached({ beReached }: Rule): boolean {
  return beReached !== 'none' && beReached.length > 0;
}

/** True when the rule lets something pass. */
export function allows(rule: Rule): boolean {
  return rule.connectOut || mayBeReached(rule);
}

/** The rule of the policy about the application of `rule`, one that forbids it first; null: there is none. */
export function policyAbout({ from, matcher }: Rule, rules: readonly Rule[]): Rule | null {
  if (from === 'policy') return null;
  const about = rules.filter((rule) => {
    const { user, path, group, hash } = rule.matcher;
    if (rule.from !== 'policy' || (user !== null && user !== matcher.user)) return false;
    if (hash !== null && hash !== matcher.hash) return false;
    if (group) return group.kind === matcher.group?.kind && group.id === matcher.group.id;
    return path === matcher.path;
  });
  return about.find(({ never }) => never) ?? about[0] ?? null;
}

/** Lets something pass, and no policy forbids it. */
export function counts(rule: Rule, rules: readonly Rule[]): boolean {
  return allows(rule) && !rule.never && policyAbout(rule, rules)?.never !== true;
}

function either(a: Reach, b: Reach): Reach {
  if (a === 'all' || b === 'all') return 'all';
  if (a === 'none') return b;
  return b === 'none' ? a : [...new Set([...a, ...b])];
}

function both(a: Reach, b: Reach): Reach {
  if (a === 'all') return b;
  if (b === 'all') return a;
  if (a === 'none' || b === 'none') return 'none';
  return a.filter((port) => b.includes(port));
}

export class RuleBook {
  private readonly rules = new Map<string, Rule>();
  /** Ids of the rules about one path or group. */
  private readonly index = new Map<string, Set<string>>();
  private summed: { readonly allowsSomething: boolean; readonly nextEnd: number } | null = null;

  get all(): readonly Rule[] {
    return [...this.rules.values()];
  }

  private get policy(): readonly Rule[] {
    return this.all.filter(({ from }) => from === 'policy');
  }

  get(id: string): Rule | undefined {
    return this.rules.get(id);
  }

  /** True while any rule lets something pass. */
  get allowsSomething(): boolean {
    return this.summary().allowsSomething;
  }

  /** The earliest end of a rule, or Infinity. */
  get nextEnd(): number {
    return this.summary().nextEnd;
  }

  /** Read at every packet, so it is kept until a rule changes. */
  private summary(): { readonly allowsSomething: boolean; readonly nextEnd: number } {
    if (this.summed) return this.summed;
    const { policy } = this;
    this.summed = {
      allowsSomething: this.all.some((rule) => counts(rule, policy)),
      nextEnd: this.all.reduce(
        (at, { until }) => (until.kind === 'time' ? Math.min(at, until.at) : at),
        Infinity,
      ),
    };
    return this.summed;
  }

  /** Adds `rule`, or puts it in the place of the one with its id. */
  set(rule: Rule): void {
    this.remove(rule.id);
    this.summed = null;
    this.rules.set(rule.id, rule);
    const key = indexKey(rule);
    const ids = this.index.get(key) ?? new Set();
    ids.add(rule.id);
    this.index.set(key, ids);
  }

  remove(id: string): boolean {
    const rule = this.rules.get(id);
    if (!rule) return false;
    this.summed = null;
    this.rules.delete(id);
    const key = indexKey(rule);
    const ids = this.index.get(key)!;
    ids.delete(id);
    if (ids.size === 0) this.index.delete(key);
    return true;
  }

  /** Takes the policy's rules instead of those it had before. */
  setPolicy(rules: readonly Rule[]): void {
    for (const { id } of this.policy) this.remove(id);
    for (const rule of rules) this.set(rule);
  }

  /** Removes what has ended at `now`; true when something had. */
  expire(now: number): boolean {
    if (now < this.nextEnd) return false;
    const ended = this.all.filter(({ until }) => until.kind === 'time' && until.at <= now);
    for (const { id } of ended) this.remove(id);
    return ended.length > 0;
  }

  /** Rules about the path or group of `identity`. */
  private about(identity: Identity): Rule[] {
    const ids = new Set<string>();
    if (identity.path !== null)
      for (const id of this.index.get(`path ${identity.path}`) ?? []) ids.add(id);
    if (identity.group)
      for (const id of this.index.get(`${identity.group.kind} ${identity.group.id}`) ?? [])
        ids.add(id);
    return [...ids].map((id) => this.rules.get(id)!);
  }

  /** Rules that fit `identity`. */
  matching(identity: Identity): Rule[] {
    return this.about(identity).filter(
      (rule) => mismatch(rule.matcher, rule.files, identity) === null,
    );
  }

  /** What the owner may do: what each of its identities may. Policy goes first, and forbids before it allows. */
  decide(owner: Owner | null): Decision {
    if (!owner || owner.identities.length === 0)
      return {
        verdict: NOTHING,
        outReason: 'owner-unknown',
        inReason: 'owner-unknown',
        rules: [],
      };
    const each = owner.identities.map((identity) => this.decideOne(identity));
    return each.reduce((sum, next) => {
      const out = sum.verdict.out === 'allow' ? next : sum;
      return {
        verdict: { out: out.verdict.out, in: both(sum.verdict.in, next.verdict.in) },
        outReason: out.outReason,
        inReason: sum.verdict.in === 'none' ? sum.inReason : next.inReason,
        rules: [...sum.rules, ...next.rules],
      };
    });
  }

  private decideOne(identity: Identity): Decision {
    const about = this.about(identity);
    const fitting = about.filter((rule) => fits(rule, identity));
    const policy = fitting.filter((rule) => rule.from === 'policy');
    const chosen = policy.length > 0 ? policy : fitting;
    const ids = chosen.map((rule) => rule.id);
    const forbidding = chosen.find((rule) => rule.never);
    if (forbidding) {
      const reason = forbidding.from === 'policy' ? 'forbidden-by-policy' : 'never';
      return { verdict: NOTHING, outReason: reason, inReason: reason, rules: ids };
    }
    if (chosen.length === 0) {
      const missed = about.map((rule) => mismatch(rule.matcher, rule.files, identity));
      const reason = missed.includes('file-changed')
        ? 'file-changed'
        : missed.includes('foreign-namespace')
          ? 'foreign-namespace'
          : 'no-rule';
      return { verdict: NOTHING, outReason: reason, inReason: reason, rules: [] };
    }
    const verdict: SocketVerdict = {
      out: chosen.some((rule) => rule.connectOut) ? 'allow' : 'deny',
      in: chosen.map((rule) => rule.beReached).reduce(either),
    };
    const allowed = policy.length > 0 ? 'allowed-by-policy' : 'allowed';
    return {
      verdict,
      outReason: verdict.out === 'allow' ? allowed : 'no-rule',
      inReason: verdict.in === 'none' ? 'not-reachable' : allowed,
      rules: ids,
    };
  }

  /** Remembers the file of `identity` with the rules it fits; true when one is new to them. */
  see(identity: Identity): boolean {
    const { file } = identity;
    if (file === null || identity.foreign) return false;
    let news = false;
    for (const rule of this.matching(identity)) {
      if (rule.matcher.path === null || rule.matcher.hash !== null || hasFile(rule, file)) continue;
      this.rules.set(rule.id, { ...rule, files: [...rule.files, file].slice(-MAX_FILES) });
      news = true;
    }
    return news;
  }
}

/** What is forbidden by its path is forbidden in whatever state the file is: a doubt never opens anything. */
function fits(rule: Rule, identity: Identity): boolean {
  const why = mismatch(rule.matcher, rule.files, identity);
  return why === null || (rule.never && why === 'file-changed' && rule.matcher.hash === null);
}

function hasFile(rule: Rule, file: FileId): boolean {
  return rule.files.some((each) => each.device === file.device && each.inode === file.inode);
}

/** By its group if it names one, else by its path: every rule names one of them. */
function indexKey({ matcher }: Rule): string {
  return matcher.group ? `${matcher.group.kind} ${matcher.group.id}` : `path ${matcher.path ?? ''}`;
}
