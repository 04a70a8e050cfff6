// Module app/failures says what failed in the chosen language, by its code: what the engine says itself is for a terminal.
import i18next from 'i18next';
import type { Failure } from '../../engine/service/failure.ts';
import type { Caution } from '../../engine/service/gate-calls.ts';
import { en } from '../words/index.ts';
import { shortPath } from './store.ts';

const { code: codes, why: reasons } = en.failures;

const isCode = (code: string): code is keyof typeof codes => code in codes;
const isReason = (code: string): code is keyof typeof reasons => code in reasons;

/** Which value is wrong, and how, the engine alone can say, and does so in English. */
export const isExact = (code: string): boolean => code === 'bad-config' || code === 'bad-request';

/** One sentence for a person. */
export function sayFailure({ code, text, params = {} }: Failure): string {
  if (isExact(code) && i18next.language === 'en') return text;
  const why = String(params['why'] ?? '');
  const reason = isReason(why) ? why : 'other';
  const path = shortPath(String(params['path'] ?? ''));
  const values = { ...params, path, text, why: i18next.t(`failures.why.${reason}`, { code: why }) };
  // Each has values of its own; to the types all are as this one.
  return i18next.t(
    `failures.code.${isCode(code) ? code : 'failed'}`,
    values as never,
  ) as unknown as string;
}

export const sayCaution = ({ code, params }: Caution): string =>
  i18next.t(`failures.caution.${code}`, params as never) as unknown as string;
