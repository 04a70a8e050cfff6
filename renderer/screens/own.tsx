// Module screens/own looks at one's own server and relay from outside, and ends in one plain sentence of what to do on their machine.
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import type { OwnParams, OwnReport } from '../../engine/service/own/calls.ts';
import { call } from '../app/calls.ts';
import { formatClock } from '../app/format.ts';
import { useSayings } from '../app/sayings.ts';
import { useSlice } from '../app/store.ts';
import { Button } from '../parts/button.tsx';
import { Field } from '../parts/field.tsx';
import { Form } from '../parts/form.tsx';
import { Card, Note, SectionHead } from '../parts/page.tsx';
import type { Tone } from '../parts/state.tsx';
import { CheckLine } from './check-line.tsx';

const TONES: Record<OwnReport['verdict']['code'], Tone> = {
  works: 'good',
  limited: 'warn',
  partly: 'warn',
  fails: 'bad',
  unclear: 'warn',
  prevented: 'bad',
};
/** What is about the relay; all else is about the server. */
const RELAY = ['native-ping', 'relay-whose', 'relay-bubbles', 'relay-carries'];
const NUMBERS = /^\d{1,3}(\.\d{1,3}){3}$/;
/** A name or an address, roughly; the engine judges it. */
const HOST = /^[a-z0-9:]([a-z0-9.:-]*[a-z0-9:])?$/i;

const FIELDS = [
  { name: 'server', form: HOST },
  { name: 'secondary', form: NUMBERS },
  { name: 'relay', form: NUMBERS },
  { name: 'native', form: HOST },
] as const;
type Texts = Readonly<Record<(typeof FIELDS)[number]['name'], string>>;

/** What is to be looked at. */
function Asking({ first, busy }: { first: OwnParams | null; busy: boolean }): ReactElement {
  const { t } = useTranslation();
  const { serverName } = useSlice('status');
  // Until something is typed it is what was looked at last, wherever that was asked for.
  const [typed, setTyped] = useState<Texts | null>(null);
  const texts = typed ?? {
    server: first?.server ?? serverName ?? '',
    secondary: first?.secondary ?? '',
    relay: first?.relay ?? '',
    native: first?.native ?? '',
  };
  const lines = FIELDS.map(({ name, form }) => {
    const line = texts[name].trim();
    return { name, line, wrong: line !== '' && !form.test(line) };
  });
  const ready = !busy && texts.server.trim() !== '' && !lines.some(({ wrong }) => wrong);
  const look = (): void => {
    if (!ready) return;
    const given = lines.filter(({ line }) => line !== '').map(({ name, line }) => [name, line]);
    void call('checkOwn', Object.fromEntries(given) as OwnParams);
  };
  return (
    <Form action={t('servers.own.look')} kind="plain" pairs ready={ready} onSave={look}>
      {lines.map(({ name, wrong }) => (
        <Field
          key={name}
          label={t(`servers.own.${name}`)}
          hint={t(`servers.own.${name}Hint`)}
          value={texts[name]}
          wrong={wrong ? t(`servers.own.${name}Wrong`) : null}
          mono
          onChange={(text) => setTyped({ ...texts, [name]: text })}
        />
      ))}
    </Form>
  );
}

function Verdict({ report }: { report: OwnReport }): ReactElement {
  const { t, i18n } = useTranslation();
  const say = useSayings();
  const { verdict, at, asked, builtIn, checks } = report;
  const rests = checks.find(({ code }) => code === verdict.check);
  // What the head line says already is not said again.
  const text = rests
    ? say(verdict.seen.slice(1), [rests.evidence, rests.action].filter(Boolean).join(' '))
    : say(verdict.seen, verdict.text);
  return (
    <Note tone={TONES[verdict.code]} live>
      <p className="verdict">{t(`servers.own.verdict.${verdict.code}`)}</p>
      <p>{text}</p>
      <p className="soft">
        {t('servers.own.at', {
          server: asked.server,
          time: formatClock(at, i18n.language),
        })}
        {verdict.code === 'works' ? '' : ` ${t('servers.own.more', { chapter: verdict.chapter })}`}
        {builtIn ? ` · ${t('doctor.atBuiltIn')}` : ''}
      </p>
    </Note>
  );
}

function Checks({
  report,
  about,
}: {
  report: OwnReport;
  about: 'ofServer' | 'ofRelay';
}): ReactElement {
  const { t } = useTranslation();
  const ofRelay = about === 'ofRelay';
  return (
    <section aria-label={t(`servers.own.${about}`)}>
      <SectionHead title={t(`servers.own.${about}`)} />
      <ul className="list">
        {report.checks
          .filter(({ code }) => RELAY.includes(code) === ofRelay)
          .map((check) => (
            <CheckLine key={check.code} check={check} running={false} />
          ))}
      </ul>
    </section>
  );
}

export function Own(): ReactElement {
  const { t } = useTranslation();
  const { report, running } = useSlice('own');
  return (
    <>
      <Card
        className="below"
        title={t('servers.own.title')}
        side={
          <Button
            small
            kind="quiet"
            onPress={() => void call('openGuide', { page: 'run-your-own' })}
          >
            {t('servers.guide')}
          </Button>
        }
      >
        <p className="soft">{t('servers.own.text')}</p>
        <Asking first={running ?? report?.asked ?? null} busy={running !== null} />
        {running && (
          <div className="form-says">
            <Note tone="work" live>
              {t('servers.own.looking', { server: running.server })}
            </Note>
          </div>
        )}
        {report && !running && (
          <div className="form-says">
            <Verdict report={report} />
          </div>
        )}
      </Card>
      {report && !running && (
        <>
          <Checks report={report} about="ofServer" />
          <Checks report={report} about="ofRelay" />
        </>
      )}
    </>
  );
}
