// Module app/sayings says the doctor's sentences in the chosen language: the engine's own text in English where that names no command, else by their codes.
import { useTranslation } from 'react-i18next';
import type { Param, Saying } from '../../engine/service/doctor/sayings.ts';
import { WINDOW } from '../words/findings.ts';
import { en } from '../words/index.ts';
import { isKnown } from './reasons.ts';

/** The window's own name of a check, by its code. */
export function useCheckName(): (check: { code: string; title: string }) => string {
  const { t } = useTranslation();
  const isDoctors = (code: string): code is keyof typeof en.doctor.check => code in en.doctor.check;
  const isOwn = (code: string): code is keyof typeof en.servers.own.check =>
    code in en.servers.own.check;
  return ({ code, title }) => {
    if (isDoctors(code)) return t(`doctor.check.${code}`);
    return isOwn(code) ? t(`servers.own.check.${code}`) : title;
  };
}

/** `text` is what the engine says in English. */
export function useSayings(): (sayings: readonly Saying[], text: string) => string {
  const { t, i18n } = useTranslation();
  const name = useCheckName();
  const value = (param: Param): string | number => {
    if (typeof param === 'string' || typeof param === 'number') return param;
    if ('code' in param) return one(param);
    return param.map((part) => (typeof part === 'string' ? part : one(part))).join('、');
  };
  const one = ({ code, params }: Saying): string => {
    const { code: reason, check } = params;
    if (code === 'reason' && typeof reason === 'string' && isKnown('reason', reason))
      return t(`states.reason.${reason}`);
    const given = Object.entries(params).map(([name, param]) => [name, value(param)] as const);
    const values = Object.fromEntries(given);
    // Another check is named as the window names it.
    if (typeof check === 'string' && typeof params['title'] === 'string')
      values['title'] = name({ code: check, title: params['title'] });
    // Each has values of its own, which the engine's types don't tell apart.
    return t(`findings.${code}`, values as never) as unknown as string;
  };
  /** It, or what it names, has words of the window's own. */
  const isOurs = ({ code, params }: Saying): boolean =>
    code in WINDOW ||
    Object.values(params)
      .flat()
      .some((param) => typeof param === 'object' && isOurs(param));
  return (sayings, text) => {
    if (i18n.language !== 'en') return sayings.map(one).join('');
    return sayings.some(isOurs) ? sayings.map(one).join(' ') : text;
  };
}
