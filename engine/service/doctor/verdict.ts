// Module doctor/verdict draws one plain sentence from the judged checks: why the tunnel can't have an address, and what to do. Pure.
import type { Judged } from './check.ts';
import type { Facts } from './facts.ts';
import { say, textOf } from './sayings.ts';
import type { Saying } from './sayings.ts';

export interface Verdict {
  /** Nothing stands in the way. */
  readonly ok: boolean;
  readonly code:
    'works' | 'ready' | 'asking' | 'limited' | 'unneeded' | 'prevented' | 'unclear' | 'asleep';
  readonly text: string;
  /** The same by codes; `text` has it in one sentence. */
  readonly seen: readonly Saying[];
  /** Code of the check that it rests on; null when it is about all. */
  readonly check: string | null;
}

/** What can keep it from an address, the likeliest root first. */
const CAUSES = [
  'managed',
  'helper',
  'routes',
  'dns',
  'firewall',
  'udp-out',
  'udp-3544',
  'primary',
  'other-teredo',
];
/** What leaves the answer open when nothing is bad. */
const DOUBTS = ['managed', 'routes', 'dns', 'udp-out', 'udp-3544', 'primary'];

/** What no check can mend: it is so everywhere. */
export const BEYOND: readonly string[] = [
  'Browsers made of Chromium take a Teredo address for no IPv6 at all, so they won’t use the tunnel by themselves.',
  'A host with native IPv6 that drops echo requests can’t be reached: the test that opens the way is an echo request.',
];

export function verdictOf(facts: Facts, checks: readonly Judged[]): Verdict {
  const { engine } = facts;
  const find = (code: string): Judged => checks.find((each) => each.code === code)!;
  const native = find('native-ipv6');
  const nat = find('nat');
  const qualified = engine?.status.state === 'qualified';
  if (qualified && engine.status.reason.code !== 'server-silent') {
    if (nat.result === 'bad') return limited(nat, 'limited-works');
    const { address } = engine.status;
    return verdict('works', [address === null ? say('met-somewhere') : say('met-at', { address })]);
  }
  const cause = CAUSES.map(find).find(({ result }) => result === 'bad');
  const way = find('udp-3544');
  // Mere silence of the servers is not to be told from a network that drops what is sent to them.
  const silence =
    cause?.code === 'primary' &&
    way.result === 'unknown' &&
    !facts.servers?.some(({ junk }) => junk);
  if (silence) return because('unclear', way);
  if (cause) return because('prevented', cause);
  if (native.result === 'bad') return verdict('unneeded', native.seen, native.code);
  const doubt = DOUBTS.map(find).find(({ result }) => result === 'unknown');
  if (doubt) return because('unclear', doubt);
  if (nat.result === 'bad') return limited(nat, engine ? 'limited-can' : 'limited-here');
  if (!engine) return verdict('ready', [say('all-here')]);
  const { state, reason } = engine.status;
  if (state === 'dormant') return verdict('asleep', [say('all-well')]);
  return verdict('asking', [
    say('all-here-no-address'),
    say('reason', { code: reason.code, text: reason.text }),
  ]);
}

/** It is about the check `code`, or about all. */
function verdict(
  code: Verdict['code'],
  seen: readonly Saying[],
  check: string | null = null,
): Verdict {
  const ok = code !== 'prevented' && code !== 'unclear';
  return { ok, code, text: oneSentence(seen), seen, check };
}

function because(code: 'prevented' | 'unclear', { seen, todo, code: check }: Judged): Verdict {
  return verdict(code, [say(code), ...seen, ...(todo ? [todo] : [])], check);
}

function limited(
  { todo, code }: Judged,
  how: 'limited-works' | 'limited-can' | 'limited-here',
): Verdict {
  return verdict('limited', [say(how), ...(todo ? [todo] : [])], code);
}

/** What stands after a colon goes on in the same sentence; names and abbreviations stay as they are. */
export function oneSentence(seen: readonly Saying[]): string {
  return seen.map(textOf).reduce((before, text) => {
    const name = /^(Teredo|[A-Z][^a-z])/.test(text) && !/^A /.test(text);
    const after =
      before.endsWith(':') && !name ? text.charAt(0).toLowerCase() + text.slice(1) : text;
    return `${before} ${after}`;
  });
}
