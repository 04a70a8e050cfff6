// Module settings/care carries settings over, and gathers what helps when something is wrong: a report without addresses, a capture.
import i18next from 'i18next';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import type { Failure, FailureParams } from '../../../engine/service/failure.ts';
import { ask, call } from '../../app/calls.ts';
import { sayFailure } from '../../app/failures.ts';
import { formatBytes } from '../../app/format.ts';
import { shortPath, useSlice, useStore } from '../../app/store.ts';
import { Button } from '../../parts/button.tsx';
import { Line } from '../../parts/line.tsx';
import { Menu } from '../../parts/menu.tsx';
import { Card, Note } from '../../parts/page.tsx';
import { en } from '../../words/index.ts';
import type { SettingName } from './single.tsx';

/** Tells where something was written, unless the person thought better of it. */
function useSave(): (what: 'settings' | 'report') => Promise<void> {
  const { t } = useTranslation();
  const { tell } = useStore.getState();
  return async (what) => {
    const saved = await call('save', { what });
    if (saved?.path != null)
      tell({ kind: 'done', text: t('settings.savedTo', { path: shortPath(saved.path) }) });
  };
}

/** The settings that would weaken, as they are called here. */
function named({ params = {} }: Failure): FailureParams {
  const names = String(params['names']).split(', ');
  const title = (name: string): string =>
    name in en.single.name ? i18next.t(`single.name.${name as SettingName}`) : name;
  return { ...params, names: names.map(title).join(', ') };
}

export function CarryOver(): ReactElement {
  const { t } = useTranslation();
  const { tell } = useStore.getState();
  const save = useSave();
  /** What the document would open; null: nothing is in the way. */
  const [weakens, setWeakens] = useState<string | null>(null);
  const open = async (weaken: boolean): Promise<void> => {
    setWeakens(null);
    const answer = await ask('openSettings', { weaken });
    if (!answer.ok) {
      const { error } = answer;
      if (error.code === 'weakens') setWeakens(sayFailure({ ...error, params: named(error) }));
      else tell({ kind: 'failed', text: sayFailure(error) });
      return;
    }
    const { path, needRestart } = answer.result;
    if (path === null) return;
    tell({
      kind: 'done',
      text: needRestart.length === 0 ? t('settings.taken') : t('settings.takenRestart'),
    });
  };
  return (
    <Card title={t('settings.carry')}>
      <Line title={t('settings.export')} text={t('settings.exportText')}>
        <Button onPress={() => void save('settings')}>{t('settings.saveAs')}</Button>
      </Line>
      <Line title={t('settings.import')} text={t('settings.importText')}>
        <Button onPress={() => void open(false)}>{t('settings.openFile')}</Button>
      </Line>
      {weakens !== null && (
        <Note
          tone="warn"
          live
          action={
            <Button small danger onPress={() => void open(true)}>
              {t('settings.importAnyway')}
            </Button>
          }
        >
          {weakens}
        </Note>
      )}
    </Card>
  );
}

function Capture(): ReactElement {
  const { t, i18n } = useTranslation();
  const { running, packets, bytes, end } = useSlice('capture');
  const size = formatBytes(bytes, i18n.language);
  const text = running
    ? t('settings.captureRuns', { count: packets, size })
    : end !== null
      ? t(`settings.captureEnd.${end}`)
      : t('settings.captureText');
  return (
    <Line title={t('settings.capture')} text={text}>
      {running ? (
        <Button onPress={() => void call('stopCapture', {})}>{t('settings.captureStop')}</Button>
      ) : (
        <Menu
          items={[
            {
              text: t('settings.captureOuter'),
              onPress: () => void call('startCapture', {}),
            },
            {
              text: t('settings.captureInner'),
              onPress: () => void call('startCapture', { inner: true }),
            },
          ]}
        >
          {t('settings.captureStart')}
        </Menu>
      )}
    </Line>
  );
}

export function Trouble(): ReactElement {
  const { t } = useTranslation();
  const save = useSave();
  const [report, setReport] = useState<string | null>(null);
  const show = async (): Promise<void> =>
    setReport(report === null ? ((await call('report', {}))?.text ?? null) : null);
  return (
    <Card title={t('settings.trouble')}>
      <Line title={t('settings.report')} text={t('settings.reportText')}>
        <Button onPress={() => void show()}>
          {report === null ? t('settings.reportShow') : t('common.close')}
        </Button>
      </Line>
      {report !== null && (
        <>
          <pre className="letter report" lang="en" tabIndex={0} aria-label={t('settings.report')}>
            {report}
          </pre>
          <div className="actions form-says">
            <Button icon="save" onPress={() => void save('report')}>
              {t('settings.saveAs')}
            </Button>
          </div>
        </>
      )}
      <Capture />
    </Card>
  );
}
