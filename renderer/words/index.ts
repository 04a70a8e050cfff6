// Module words/index gathers the words of the app in its languages and hands them to i18next.
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import * as activity from './activity.ts';
import * as addressChange from './address-change.ts';
import * as applications from './applications.ts';
import * as builtIn from './built-in.ts';
import * as common from './common.ts';
import * as doctor from './doctor.ts';
import * as failures from './failures.ts';
import * as findings from './findings.ts';
import * as firstRun from './first-run.ts';
import * as knownPcs from './known-pcs.ts';
import * as log from './log.ts';
import * as peers from './peers.ts';
import * as servers from './servers.ts';
import * as settings from './settings.ts';
import * as single from './single.ts';
import * as states from './states.ts';
import * as status from './status.ts';

const areas = {
  activity,
  addressChange,
  applications,
  builtIn,
  common,
  doctor,
  failures,
  findings,
  firstRun,
  knownPcs,
  log,
  peers,
  servers,
  settings,
  single,
  states,
  status,
};

type Areas = typeof areas;
type Language = 'en' | 'ja';
type Words<L extends Language> = { readonly [A in keyof Areas]: Areas[A][L] };

function words<L extends Language>(language: L): Words<L> {
  const made = Object.entries(areas).map(([name, area]) => [name, area[language]]);
  return Object.fromEntries(made) as Words<L>;
}

export const en = words('en');
export const ja = words('ja');

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'words';
    resources: { words: typeof en };
  }
}

/** Starts with English; `chooseLanguage` follows. */
export async function startWords(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: 'en',
    fallbackLng: 'en',
    ns: ['words'],
    defaultNS: 'words',
    resources: { en: { words: en }, ja: { words: ja } },
    // React escapes what it shows.
    interpolation: { escapeValue: false },
  });
}

/** `system`: that of the browser, English when it is neither. */
export function languageOf(choice: string, system: string): Language {
  const wanted = choice === 'system' ? system : choice;
  return wanted.toLowerCase().startsWith('ja') ? 'ja' : 'en';
}

export async function chooseLanguage(choice: string): Promise<void> {
  const language = languageOf(choice, navigator.language);
  document.documentElement.lang = language;
  if (i18next.language !== language) await i18next.changeLanguage(language);
}
