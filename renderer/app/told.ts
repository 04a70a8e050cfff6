// Module app/told says what the log tells in the chosen language: the engine's own text in English, and where it has no code.
import type { TFunction } from 'i18next';
import type { LogRow } from '../../engine/service/slices.ts';
import type { Told } from '../../engine/service/told.ts';
import { en } from '../words/index.ts';
import { isKnown } from './reasons.ts';

type Group = 'nat' | 'kind' | 'why' | 'exposure';

const has = <G extends Group>(group: G, name: string): name is keyof (typeof en.log)[G] & string =>
  name in en.log[group];

const isPath = (path: string): path is keyof typeof en.peers.paths => path in en.peers.paths;

/** The line in `language`. */
export function lineOf(t: TFunction, language: string, { told, text }: LogRow): string {
  return (language === 'en' || !told ? null : byCode(t, told)) ?? text;
}

type Values = (name: string) => string;

/** What is said of codes within; null: what it tells of is not known here. */
const WITHIN: Partial<Record<Told['code'], (t: TFunction, of: Values) => string | null>> = {
  state: (t, of) => {
    const reason = of('reason');
    return isKnown('reason', reason) ? t(`states.reason.${reason}`) : null;
  },
  nat: (t, of) => {
    const nat = of('nat');
    return has('nat', nat) ? t(`log.nat.${nat}`) : null;
  },
  exposure: (t, of) => {
    const mode = of('mode');
    return has('exposure', mode) ? t(`log.exposure.${mode}`) : null;
  },
  'peer-up': (t, of) => {
    const [kind, path] = [of('kind'), of('path')];
    if (!has('kind', kind) || !isPath(path)) return null;
    const [address, endpoint] = [of('address'), of('endpoint')];
    const words = { kind: t(`log.kind.${kind}`), path: t(`peers.paths.${path}`) };
    return t('log.peer-up', { address, endpoint, ...words });
  },
  'peer-gone': (t, of) => {
    const why = of('why');
    if (!has('why', why)) return null;
    return t('log.peer-gone', { address: of('address'), why: t(`log.why.${why}`) });
  },
  reloaded: (t, of) => {
    const [applied, needRestart] = [of('applied'), of('needRestart')];
    const parts = [
      t('log.reloaded'),
      applied !== '' && t('log.reloadedNow', { applied }),
      needRestart !== '' && t('log.reloadedLater', { needRestart }),
    ];
    return parts.filter(Boolean).join('');
  },
};

function byCode(t: TFunction, { code, params }: Told): string | null {
  const within = WITHIN[code];
  if (within) return within(t, (name) => String(params[name] ?? ''));
  // Each has values of its own; to the types all are as this one.
  return t(`log.${code as 'asking'}`, params as Record<'name' | 'endpoint' | 'port', string>);
}
