// Module app/told says what the log tells in the chosen language: the engine's own text in English, and where it has no code.
import type { TFunction } from 'i18next';
import type { LogRow } from '../../engine/service/slices.ts';
import type { Told } from '../../engine/service/told.ts';
import { en } from '../words/index.ts';
import { isKnown } from './reasons.ts';

type Group = 'nat' | 'kind' | 'why' | 'exposure';

const has = <G extends Group>(group: G, name: string): name is keyof (typeof en.log)[G] & string =>
  name in en.log[group];

/** The line in `language`. */
export function lineOf(t: TFunction, language: string, { told, text }: LogRow): string {
  return (language === 'en' || !told ? null : byCode(t, told)) ?? text;
}

/** Null: what it tells of is not known here. */
function byCode(t: TFunction, { code, params }: Told): string | null {
  const of = (name: string): string => String(params[name] ?? '');
  switch (code) {
    case 'state':
      return isKnown('reason', of('reason')) ? t(`states.reason.${of('reason')}` as never) : null;
    case 'nat': {
      const nat = of('nat');
      return has('nat', nat) ? t(`log.nat.${nat}`) : null;
    }
    case 'exposure': {
      const mode = of('mode');
      return has('exposure', mode) ? t(`log.exposure.${mode}`) : null;
    }
    case 'peer-up': {
      const [kind, path] = [of('kind'), of('path')];
      if (!has('kind', kind) || !(path in en.peers.paths)) return null;
      return t('log.peer-up', {
        address: of('address'),
        kind: t(`log.kind.${kind}`),
        endpoint: of('endpoint'),
        path: t(`peers.paths.${path as keyof typeof en.peers.paths}`),
      });
    }
    case 'peer-gone': {
      const why = of('why');
      if (!has('why', why)) return null;
      return t('log.peer-gone', { address: of('address'), why: t(`log.why.${why}`) });
    }
    case 'reloaded': {
      const [applied, needRestart] = [of('applied'), of('needRestart')];
      const parts = [
        t('log.reloaded'),
        applied !== '' && t('log.reloadedNow', { applied }),
        needRestart !== '' && t('log.reloadedLater', { needRestart }),
      ];
      return parts.filter(Boolean).join('');
    }
    default:
      // Each has values of its own, which the types don't tell apart.
      return t(`log.${code}`, params as never) as unknown as string;
  }
}
