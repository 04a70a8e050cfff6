// Makes a failing random network as small as it can be while it breaks the same rule.
import { play } from './play.ts';
import type { Tamper } from './play.ts';
import type { Rule } from './rule-list.ts';
import type { HomeSpec, Place, Scenario, Step } from './scenario.ts';

export interface Shrunk {
  readonly scenario: Scenario;
  readonly text: string;
  /** The last events of the smallest run. */
  readonly trace: readonly string[];
}

/** Plays at most this many smaller scenarios. */
const MOST_TRIES = 400;
const TRACE_LINES = 60;
/** Faults and networks are not made shorter than this. */
const SHORT_MS = 20_000;

/** The steps without home `gone`, the later ones renumbered; null if `step` needs it. */
function withoutHome(step: Step, gone: number): Step | null {
  const renumber = (i: number): number => (i > gone ? i - 1 : i);
  const move = (place: Place): Place => ('home' in place ? { home: renumber(place.home) } : place);
  const needs = (place: Place): boolean => 'home' in place && place.home === gone;
  if (step.kind === 'send')
    return needs(step.from) || needs(step.to)
      ? null
      : { ...step, from: move(step.from), to: move(step.to) };
  return step.home === gone ? null : { ...step, home: renumber(step.home) };
}

const usesNatives = (step: Step): boolean =>
  step.kind === 'send' && ('native' in step.from || 'native' in step.to);

/** Scenarios that are a little smaller than `scenario`, the boldest first. */
function* smaller(scenario: Scenario): Generator<Scenario> {
  const { steps, homes } = scenario;
  for (let chunk = Math.max(1, steps.length >> 1); steps.length > 0; chunk >>= 1) {
    for (let at = 0; at < steps.length; at += chunk)
      yield { ...scenario, steps: [...steps.slice(0, at), ...steps.slice(at + chunk)] };
    if (chunk === 1) break;
  }
  for (let gone = homes.length - 1; gone >= 0 && homes.length > 1; gone--) {
    // Whose router others share stays until they have gone.
    if (homes.some(({ behind }) => behind === gone)) continue;
    yield {
      ...scenario,
      homes: homes
        .filter((_, i) => i !== gone)
        .map((home) =>
          home.behind !== undefined && home.behind > gone
            ? { ...home, behind: home.behind - 1 }
            : home,
        ),
      steps: steps.flatMap((step) => withoutHome(step, gone) ?? []),
    };
  }
  if (scenario.natives > 0)
    yield { ...scenario, natives: 0, relays: 0, steps: steps.filter((s) => !usesNatives(s)) };
  if (scenario.relays > 1) yield { ...scenario, relays: 1 };
  const replaced = (i: number, spec: HomeSpec): Scenario => ({
    ...scenario,
    homes: homes.map((each, k) => (k === i ? spec : each)),
  });
  for (const [i, spec] of homes.entries()) {
    const { kind, line } = spec;
    if (Object.keys(line).length > 0) yield replaced(i, { ...spec, line: {} });
    if (Object.keys(spec).length > 2) yield replaced(i, { kind, line });
    const shares = homes.some(({ behind }) => behind === i);
    if (kind !== 'none' && !shares) yield replaced(i, { kind: 'none', line });
    if (kind !== 'none' && kind !== 'portRestricted')
      yield replaced(i, { ...spec, kind: 'portRestricted' });
  }
  const changed = (i: number, step: Step): Scenario => ({
    ...scenario,
    steps: steps.map((each, k) => (k === i ? step : each)),
  });
  for (const [i, step] of steps.entries()) {
    if (step.kind === 'attack' && step.count > 1) yield changed(i, { ...step, count: 1 });
    if (step.kind === 'send' && step.large) yield changed(i, { ...step, large: false });
    // A night is worth no more than an hour, if that.
    if (step.kind === 'fault' && step.until - step.at > SHORT_MS)
      yield changed(i, { ...step, until: step.at + (step.until - step.at) / 2 });
  }
  const last = Math.max(SHORT_MS, ...steps.map((s) => (s.kind === 'fault' ? s.until : s.at)));
  if (last < scenario.quietAt) yield { ...scenario, quietAt: last };
}

/** The smallest scenario found that still breaks `rule`. */
export function shrink(failing: Scenario, rule: Rule, tamper?: Tamper): Shrunk {
  let best = failing;
  let tries = 0;
  for (let found = true; found && tries < MOST_TRIES;) {
    found = false;
    for (const candidate of smaller(best)) {
      if (++tries > MOST_TRIES) break;
      if (play(candidate, tamper ? { tamper } : {}).violation?.rule !== rule) continue;
      best = candidate;
      found = true;
      break;
    }
  }
  const trace: string[] = [];
  const { violation } = play(best, { trace, keep: TRACE_LINES, ...(tamper ? { tamper } : {}) });
  return { scenario: best, text: violation!.text, trace };
}

/** What a person needs to repeat and understand a failure. */
export function report(seed: number, shrunk: Shrunk): string {
  const { scenario, text, trace } = shrunk;
  return [
    `seed ${seed} breaks a rule: ${text}`,
    `smallest network that does: ${JSON.stringify(scenario)}`,
    'its last packets:',
    ...trace,
  ].join('\n');
}
