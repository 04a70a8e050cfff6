// Module applications/allow is the form that allows a program by its path.
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '../../app/calls.ts';
import { sayCaution } from '../../app/failures.ts';
import { portsOf } from '../../app/rules.ts';
import { useStore } from '../../app/store.ts';
import { Button, Switch } from '../../parts/button.tsx';
import { Field } from '../../parts/field.tsx';
import { Card } from '../../parts/page.tsx';

export function AllowForm({ onDone }: { onDone: () => void }): ReactElement {
  const { t } = useTranslation();
  const { tell } = useStore.getState();
  const [path, setPath] = useState('');
  const [connectOut, setOut] = useState(true);
  const [reached, setReached] = useState(false);
  const [portText, setPorts] = useState('');
  const ports = portsOf(portText);
  const wrong = path !== '' && !path.startsWith('/');
  const ready = path.startsWith('/') && (connectOut || reached) && ports !== null;
  const allow = async (): Promise<void> => {
    if (!ready) return;
    const beReached = reached ? ports : 'none';
    const made = await call('setApp', { path, connectOut, beReached, never: false });
    if (!made) return;
    const { app, caution } = made;
    tell({
      kind: 'done',
      text: caution ? sayCaution(caution) : t('applications.allowed', { name: app.name }),
      undo: () => void call('forgetApp', { which: app.id }),
    });
    onDone();
  };
  return (
    <Card title={t('applications.allow')} className="allow">
      <form
        className="allow-form"
        onSubmit={(event) => {
          event.preventDefault();
          void allow();
        }}
      >
        <Field
          label={t('applications.path')}
          value={path}
          onChange={setPath}
          mono
          placeholder="/usr/bin/…"
          hint={t('applications.pathHint')}
          wrong={wrong ? t('applications.pathWrong') : null}
        />
        <div className="allow-switches">
          <label className="rule-switch">
            <Switch on={connectOut} label={t('applications.connectOut')} onChange={setOut} />
            <span aria-hidden="true">{t('applications.connectOut')}</span>
          </label>
          <label className="rule-switch">
            <Switch on={reached} label={t('applications.beReached')} onChange={setReached} />
            <span aria-hidden="true">{t('applications.beReached')}</span>
          </label>
        </div>
        {reached && (
          <Field
            label={t('applications.ports')}
            value={portText}
            onChange={setPorts}
            hint={t('applications.portsHint')}
            wrong={ports === null ? t('applications.portsWrong') : null}
          />
        )}
        <div className="actions">
          <Button kind="primary" submit disabled={!ready}>
            {t('applications.allowIt')}
          </Button>
          <Button kind="quiet" onPress={onDone}>
            {t('common.cancel')}
          </Button>
        </div>
      </form>
    </Card>
  );
}
