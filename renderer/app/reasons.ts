// Module app/reasons says the engine's codes in the chosen language; a code that has no words yet keeps the engine's own.
import { useTranslation } from 'react-i18next';
import { sayFailure } from './failures.ts';
import { en } from '../words/index.ts';

type Group = 'reason' | 'why' | 'pingCode';
type Code<G extends Group> = keyof (typeof en)['states'][G];

export function isKnown<G extends Group>(group: G, code: string): code is Code<G> & string {
  return code in en.states[group];
}

/** Why a ping failed. */
export function usePingWords(): (failed: { code: string; text: string }) => string {
  const { t } = useTranslation();
  return ({ code, text }) =>
    isKnown('pingCode', code) ? t(`states.pingCode.${code}`) : sayFailure({ code, text });
}

/** The sentence for why the state is what it is. */
export function useReason({ code, text }: { code: string; text: string }): string {
  const { t } = useTranslation();
  return isKnown('reason', code) ? t(`states.reason.${code}`) : sayFailure({ code, text });
}
