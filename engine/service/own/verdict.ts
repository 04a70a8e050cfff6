// Module own/verdict draws one plain sentence from the judged checks: whether server and relay work, or what to do on their machine. Pure.
import { formatEndpoint } from '../../wire/index.ts';
import type { Judged } from '../doctor/check.ts';
import { say } from '../doctor/sayings.ts';
import type { Saying } from '../doctor/sayings.ts';
import { oneSentence } from '../doctor/verdict.ts';
import { answered } from './checks-relay.ts';
import type { OwnFacts } from './facts.ts';

/** Chapters of docs/run-your-own.md that help with a check. */
const CHAPTERS: Readonly<Record<string, string>> = {
  'server-name': 'What you need',
  'server-public': 'What you need',
  'server-answers': 'Open the firewall',
  'server-advertisement': 'Configure',
  'second-address': "What one address can't do",
  'cone-answer': 'Configure',
  'native-ping': 'Reach all of native IPv6',
  'relay-whose': 'Reach all of native IPv6',
  'relay-carries': 'Open the firewall',
};
const WHOLE = 'Check from home';

/** Without these nobody gets an address, or meets anybody by it; in the order in which one rests on another. */
const VITAL = [
  'server-name',
  'server-public',
  'server-answers',
  'server-advertisement',
  'server-bubbles',
];
/** What else can be wrong, the worst first. */
const BESIDE = [
  'native-ping',
  'relay-carries',
  'relay-bubbles',
  'relay-whose',
  'server-refuses',
  'cone-answer',
];
const RELAY = ['native-ping', 'relay-whose'];

export interface OwnVerdict {
  /** Server and relay do what they are for. */
  readonly ok: boolean;
  readonly code: 'works' | 'limited' | 'partly' | 'fails' | 'unclear' | 'prevented';
  readonly text: string;
  /** The same by codes; `text` has it in one sentence. */
  readonly seen: readonly Saying[];
  /** The check that it rests on; null when it is about all. */
  readonly check: string | null;
  /** Chapter of docs/run-your-own.md that says more. */
  readonly chapter: string;
}

export function ownVerdict(facts: OwnFacts, checks: readonly Judged[]): OwnVerdict {
  const find = (code: string): Judged => checks.find((each) => each.code === code)!;
  const first = (codes: readonly string[], result: Judged['result']): Judged | undefined =>
    codes.map(find).find((each) => each.result === result);
  const may = find('may-ask');
  if (may.result === 'bad') return because('prevented', 'own-prevented', may);
  if (may.result === 'unknown') return because('unclear', 'own-unclear', may);
  const wrong = first(VITAL, 'bad');
  if (wrong) return because('fails', 'own-fails', wrong);
  const unsure = first(VITAL, 'unknown');
  if (unsure) return because('unclear', 'own-unclear', unsure);
  const beside = first(BESIDE, 'bad');
  if (beside) return because('partly', 'own-server-works', beside);
  const relay = first(RELAY, 'unknown');
  if (relay && find('native-ping').result !== 'good')
    return because('partly', 'own-relay-untold', relay);
  const second = find('second-address');
  if (second.result === 'bad') return because('limited', 'own-limited', second);
  const by = answered(facts)?.relay;
  const works = relay && by ? say('own-works-through-other', { relay: formatEndpoint(by) }) : null;
  return verdict('works', [works ?? say('own-works')], null);
}

function verdict(
  code: OwnVerdict['code'],
  seen: readonly Saying[],
  check: string | null,
): OwnVerdict {
  const chapter = (check !== null && CHAPTERS[check]) || WHOLE;
  return {
    ok: code === 'works' || code === 'limited',
    code,
    text: oneSentence(seen),
    seen,
    check,
    chapter,
  };
}

function because(
  code: OwnVerdict['code'],
  how:
    | 'own-fails'
    | 'own-limited'
    | 'own-server-works'
    | 'own-relay-untold'
    | 'own-prevented'
    | 'own-unclear',
  { seen, todo, code: check }: Judged,
): OwnVerdict {
  return verdict(code, [say(how), ...seen, ...(todo ? [todo] : [])], check);
}
