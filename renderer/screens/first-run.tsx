// Module screens/first-run is what a newcomer sees: what it does and will not do, where to begin, and the one permission.
import { useEffect, useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import { ask, call } from '../app/calls.ts';
import { useSlice } from '../app/store.ts';
import { Button } from '../parts/button.tsx';
import { Burrow } from '../parts/icon.tsx';
import { Note } from '../parts/page.tsx';
import { Mark } from '../parts/state.tsx';
import { Verdict } from './doctor.tsx';
import { ServerForm } from './server-form.tsx';

const DOES = ['address', 'direct', 'shows'] as const;
const DOES_NOT = ['open', 'send', 'admin'] as const;
const STEPS = 3;
type Begin = 'builtIn' | 'given' | 'own';
const BEGINS: readonly Begin[] = ['builtIn', 'given', 'own'];

function Steps({ step }: { step: number }): ReactElement {
  const { t } = useTranslation();
  return (
    <p className="steps" role="img" aria-label={t('firstRun.step', { step, steps: STEPS })}>
      {Array.from({ length: STEPS }, (_, i) => (
        <span key={i} className={i < step ? 'step done' : 'step'} />
      ))}
    </p>
  );
}

function Welcome({ onNext }: { onNext: () => void }): ReactElement {
  const { t } = useTranslation();
  return (
    <>
      <div className="first-head">
        <Burrow size={56} />
        <div>
          <h1>{t('firstRun.welcome')}</h1>
          <p className="soft">{t('firstRun.welcomeText')}</p>
        </div>
      </div>
      <div className="first-columns">
        <section>
          <h2>{t('firstRun.does')}</h2>
          <ul>
            {DOES.map((name) => (
              <li key={name}>
                <Mark tone="good" />
                {t(`firstRun.doesList.${name}`)}
              </li>
            ))}
          </ul>
        </section>
        <section>
          <h2>{t('firstRun.doesNot')}</h2>
          <ul>
            {DOES_NOT.map((name) => (
              <li key={name}>
                <Mark tone="idle" />
                {t(`firstRun.doesNotList.${name}`)}
              </li>
            ))}
          </ul>
        </section>
      </div>
      <div className="first-foot">
        <Button kind="primary" onPress={onNext}>
          {t('common.next')}
        </Button>
      </div>
    </>
  );
}

function Where(props: { onBack: () => void; onChosen: () => void }): ReactElement {
  const { onBack, onChosen } = props;
  const { t } = useTranslation();
  const [begin, setBegin] = useState<Begin>('builtIn');
  const choose = async (
    kind: 'built-in' | 'real',
    server: { server?: string } = {},
  ): Promise<void> => {
    if (await call('chooseNetwork', { kind, ...server })) onChosen();
  };
  return (
    <>
      <h1>{t('firstRun.where')}</h1>
      <p className="soft">{t('firstRun.whereText')}</p>
      <div className="first-choices" role="radiogroup" aria-label={t('firstRun.where')}>
        {BEGINS.map((name) => (
          <label key={name} className="first-choice">
            <input
              type="radio"
              name="begin"
              checked={begin === name}
              onChange={() => setBegin(name)}
            />
            <span>
              <strong>{t(`firstRun.${name}`)}</strong>
              <span className="soft">{t(`firstRun.${name}Text`)}</span>
            </span>
          </label>
        ))}
      </div>
      {begin === 'given' && (
        <ServerForm
          action={t('common.next')}
          onServer={async (server) => {
            await choose('real', { server });
            return false;
          }}
        />
      )}
      <div className="first-foot">
        <Button kind="quiet" onPress={onBack}>
          {t('common.back')}
        </Button>
        {begin === 'builtIn' && (
          <Button kind="primary" onPress={() => void choose('built-in')}>
            {t('common.next')}
          </Button>
        )}
        {begin === 'own' && (
          <Button kind="primary" onPress={() => void call('openGuide', { page: 'run-your-own' })}>
            {t('firstRun.openGuide')}
          </Button>
        )}
      </div>
    </>
  );
}

/** Looks once whether all is well, and says so. */
function Look(): ReactElement {
  const { t } = useTranslation();
  const { report } = useSlice('doctor');
  useEffect(() => void ask('doctor', {}), []);
  return report ? (
    <Verdict report={report} brief />
  ) : (
    <Note tone="work" live>
      {t('doctor.looking')}
    </Note>
  );
}

function Admit({ onBack }: { onBack: () => void }): ReactElement {
  const { t } = useTranslation();
  const { networkKind, helper, engine } = useSlice('shell');
  const needed = networkKind === 'real';
  const finish = (): void => void call('finishFirstRun', {});
  const ready = !needed || helper.state === 'installed';
  return (
    <>
      <h1>{needed ? t('firstRun.admit') : t('firstRun.admitNone')}</h1>
      <p className="soft">{needed ? t('firstRun.admitText') : t('firstRun.admitNoneText')}</p>
      {needed && helper.state === 'installed' && (
        <Note tone="good" live>
          {t('firstRun.admitDone')}
        </Note>
      )}
      {needed && helper.state === 'refused' && (
        <Note tone="warn" live>
          {t('firstRun.admitRefused')}
        </Note>
      )}
      {ready && engine.state === 'running' && <Look />}
      <div className="first-foot">
        <Button kind="quiet" onPress={onBack}>
          {t('common.back')}
        </Button>
        {!ready && (
          <>
            <Button onPress={finish}>{t('firstRun.later')}</Button>
            <Button
              kind="primary"
              disabled={helper.state === 'working'}
              onPress={() => void call('installHelper', {})}
            >
              {t('firstRun.install')}
            </Button>
          </>
        )}
        {ready && (
          <Button kind="primary" onPress={finish}>
            {t('firstRun.finish')}
          </Button>
        )}
      </div>
    </>
  );
}

export function FirstRun(): ReactElement {
  const [step, setStep] = useState(1);
  return (
    <main className="first" id="main">
      <div className="first-box">
        <Steps step={step} />
        {step === 1 && <Welcome onNext={() => setStep(2)} />}
        {step === 2 && <Where onBack={() => setStep(1)} onChosen={() => setStep(3)} />}
        {step === 3 && <Admit onBack={() => setStep(2)} />}
      </div>
    </main>
  );
}
