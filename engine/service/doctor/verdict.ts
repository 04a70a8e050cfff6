// Module doctor/verdict draws one plain sentence from the judged checks: why the tunnel can't have an address, and what to do. Pure.
import type { Judged } from './checks.ts';
import type { Facts } from './facts.ts';

export interface Verdict {
  /** Nothing stands in the way. */
  readonly ok: boolean;
  readonly code:
    'works' | 'ready' | 'asking' | 'limited' | 'unneeded' | 'prevented' | 'unclear' | 'asleep';
  readonly text: string;
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
  if (qualified && engine.status.reason.code !== 'server-silent')
    return nat.result === 'bad'
      ? limited(nat, 'It works')
      : {
          ok: true,
          code: 'works',
          text: `It works: this PC can be met at ${engine.status.address ?? 'its address'}.`,
          check: null,
        };
  const cause = CAUSES.map(find).find(({ result }) => result === 'bad');
  const way = find('udp-3544');
  // Mere silence of the servers is not to be told from a network that drops what is sent to them.
  const silence =
    cause?.code === 'primary' &&
    way.result === 'unknown' &&
    !facts.servers?.some(({ junk }) => junk);
  if (silence) return unclear(way);
  if (cause)
    return {
      ok: false,
      code: 'prevented',
      text: `Teredo can’t get an address: ${lowered(cause.evidence)} ${cause.action ?? ''}`.trim(),
      check: cause.code,
    };
  if (native.result === 'bad')
    return { ok: true, code: 'unneeded', text: native.evidence, check: native.code };
  const doubt = DOUBTS.map(find).find(({ result }) => result === 'unknown');
  if (doubt) return unclear(doubt);
  if (nat.result === 'bad') return limited(nat, engine ? 'It can work' : 'Teredo can work here');
  if (!engine)
    return {
      ok: true,
      code: 'ready',
      text: 'Everything that Teredo needs is here. Start it with: shipworm client',
      check: null,
    };
  if (engine.status.state === 'dormant')
    return {
      ok: true,
      code: 'asleep',
      text: 'Everything is well; the tunnel sleeps because no allowed application needs it.',
      check: null,
    };
  return {
    ok: true,
    code: 'asking',
    text: `Everything that Teredo needs is here, but it has no address yet: ${lowered(engine.status.reason.text)}`,
    check: null,
  };
}

function unclear({ code, evidence, action }: Judged): Verdict {
  return {
    ok: false,
    code: 'unclear',
    text: `It is not clear why Teredo has no address: ${lowered(evidence)} ${action ?? ''}`.trim(),
    check: code,
  };
}

function limited(nat: Judged, how: string): Verdict {
  return {
    ok: true,
    code: 'limited',
    text: `${how}, but some Teredo peers can’t be reached: your router takes another port for each destination. ${nat.action ?? ''}`.trim(),
    check: nat.code,
  };
}

/** For the middle of a sentence; names and abbreviations stay. */
function lowered(text: string): string {
  return /^(Teredo|[A-Z][^a-z])/.test(text) && !/^A /.test(text)
    ? text
    : text.charAt(0).toLowerCase() + text.slice(1);
}
