// Module screens/doctor looks at everything that can be in the way, and ends in one plain sentence.
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import type { DoctorReport } from '../../engine/service/doctor-calls.ts';
import { call } from '../app/calls.ts';
import { formatClock } from '../app/format.ts';
import { useCheckName, useSayings } from '../app/sayings.ts';
import { useSlice } from '../app/store.ts';
import { Button } from '../parts/button.tsx';
import { Empty, Note, Page, SectionHead } from '../parts/page.tsx';
import { Mark } from '../parts/state.tsx';
import type { Tone } from '../parts/state.tsx';
import { CheckLine } from './check-line.tsx';
import type { Check } from './check-line.tsx';

const VERDICT_TONES: Record<DoctorReport['verdict']['code'], Tone> = {
  works: 'good',
  limited: 'warn',
  ready: 'good',
  asking: 'work',
  asleep: 'good',
  unneeded: 'good',
  prevented: 'bad',
  unclear: 'warn',
};
/** Whatever else is bad is not in the way of an address, nor of anybody. */
const HARMLESS: ReadonlySet<string> = new Set(['works', 'ready', 'asleep']);
const BEYOND = ['browsers', 'echo'] as const;
/** Which check stands where; one that is new stands with the router's. */
const GROUPS: readonly (readonly [
  group: 'machine' | 'way' | 'router',
  codes: readonly string[],
])[] = [
  ['machine', ['managed', 'helper', 'routes', 'other-teredo', 'native-ipv6', 'firewall']],
  ['way', ['dns', 'udp-out', 'udp-3544', 'primary', 'secondary', 'refresh']],
  ['router', []],
];

function groupOf(code: string): string {
  return GROUPS.find(([, codes]) => codes.includes(code))?.[0] ?? 'router';
}

/** What it comes to. `brief`: for a newcomer, without the counts of checks that were not seen yet. */
export function Verdict(props: { report: DoctorReport; brief?: boolean }): ReactElement {
  const { report, brief } = props;
  const { t, i18n } = useTranslation();
  const say = useSayings();
  const { verdict, at, builtIn, checks } = report;
  const count = (result: Check['result']): number =>
    checks.filter((check) => check.result === result).length;
  const counts = { good: count('good'), bad: count('bad'), unknown: count('unknown') };
  // A router that maps no ports is bad news, but not for somebody who has an address without.
  const harmless = HARMLESS.has(verdict.code) && counts.bad > 0;
  const after = verdict.ok ? t('firstRun.goOn') : t('firstRun.goOnBad');
  return (
    <Note tone={VERDICT_TONES[verdict.code]} live>
      <p className="verdict">{t(`doctor.verdict.${verdict.code}`)}</p>
      <p>{say(verdict.seen, verdict.text)}</p>
      <p className="soft">
        {brief
          ? after
          : [
              t('doctor.at', { time: formatClock(at, i18n.language) }),
              t(harmless ? 'doctor.countsHarmless' : 'doctor.counts', counts),
              builtIn && t('doctor.atBuiltIn'),
            ]
              .filter(Boolean)
              .join(' ')}
      </p>
    </Note>
  );
}

export function DoctorScreen(): ReactElement {
  const { t } = useTranslation();
  const name = useCheckName();
  const { report, running } = useSlice('doctor');
  const [thorough, setThorough] = useState(false);
  const busy = running.length > 0;
  const open = new Set(running.map(({ code }) => code));
  return (
    <Page
      title={t('doctor.title')}
      lead={t('doctor.lead')}
      actions={
        <Button
          kind="primary"
          icon="doctor"
          disabled={busy}
          onPress={() => void call('doctor', { thorough })}
        >
          {report ? t('doctor.again') : t('doctor.look')}
        </Button>
      }
    >
      <div className="stack">
        {busy && (
          <Note tone="work" live>
            <p>{t('doctor.looking')}</p>
            <p className="soft">{running.map(name).join(' · ')}</p>
          </Note>
        )}
        {report && !busy && <Verdict report={report} />}
        {!report && !busy && (
          <div className="list">
            <Empty icon="doctor" title={t('doctor.none')}>
              {t('doctor.noneText')}
            </Empty>
          </div>
        )}
        <label className="check-option">
          <input
            type="checkbox"
            checked={thorough}
            onChange={(event) => setThorough(event.target.checked)}
          />
          {t('doctor.thorough')}
        </label>
      </div>
      {report &&
        GROUPS.map(([group]) => (
          <section key={group} aria-label={t(`doctor.${group}`)}>
            <SectionHead title={t(`doctor.${group}`)} />
            <ul className="list">
              {report.checks
                .filter(({ code }) => groupOf(code) === group)
                .map((check) => (
                  <CheckLine key={check.code} check={check} running={open.has(check.code)} />
                ))}
            </ul>
          </section>
        ))}
      {report && (
        <section aria-label={t('doctor.beyond')}>
          <SectionHead title={t('doctor.beyond')} />
          <ul className="list">
            {BEYOND.map((each) => (
              <li key={each}>
                <Mark tone="idle" />
                <span className="grow">{t(`doctor.beyondList.${each}`)}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </Page>
  );
}
