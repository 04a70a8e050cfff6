// Module settings/secure sets the identity by which a server knows this PC (RFC 4380 §5.2.2); what is set is never shown.
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '../../app/calls.ts';
import { shortPath, useSlice } from '../../app/store.ts';
import { Button } from '../../parts/button.tsx';
import { Field } from '../../parts/field.tsx';
import { Form } from '../../parts/form.tsx';
import { Line } from '../../parts/line.tsx';
import { Card } from '../../parts/page.tsx';
import { isRuled, useRefusal, useWrite } from './single.tsx';

function SecureForm({ onDone }: { onDone: () => void }): ReactElement {
  const { t } = useTranslation();
  const write = useWrite();
  const refusal = useRefusal();
  const [clientId, setClientId] = useState('');
  const [key, setKey] = useState('');
  const [wrong, setWrong] = useState<string | null>(null);
  const save = async (): Promise<void> => {
    if (clientId === '' || key === '') {
      setWrong(t('single.secret.both'));
      return;
    }
    const refused = await write({ clientId, key });
    if (refused === null) onDone();
    else setWrong(refusal(refused));
  };
  return (
    <Form action={t('single.secret.save')} onSave={() => void save()} onCancel={onDone}>
      <Field
        label={t('single.name.clientId')}
        hint={t('single.means.clientId')}
        value={clientId}
        onChange={setClientId}
      />
      <Field
        label={t('single.name.key')}
        hint={t('single.means.key')}
        value={key}
        onChange={setKey}
        wrong={wrong}
        secret
      />
    </Form>
  );
}

export function Secure(): ReactElement {
  const { t } = useTranslation();
  const write = useWrite();
  const refusal = useRefusal();
  const { rows, file, identity } = useSlice('settings');
  const [open, setOpen] = useState(false);
  const [asking, setAsking] = useState(false);
  const [wrong, setWrong] = useState<string | null>(null);
  const row = rows.find(({ name }) => name === 'key');
  const set = row?.value === true;
  const locked = identity === 'locked';
  const where = { file: shortPath(identity === 'elsewhere' ? (row?.source ?? '') : file) };
  const future = !set && (identity === 'keychain' || identity === 'file');
  const unlock = async (): Promise<void> => {
    setAsking(true);
    await call('unlockKeychain', {});
    setAsking(false);
  };
  const forget = async (): Promise<void> => {
    const refused = await write({ clientId: null, key: null });
    setWrong(refused && refusal(refused));
  };
  return (
    <Card title={t('single.groups.secure')}>
      <Line
        title={t(`single.secret.${locked ? 'locked' : set ? 'set' : 'unset'}`)}
        text={
          future
            ? t(`single.secret.would.${identity}`, where)
            : t(`single.secret.place.${identity}`, where)
        }
      >
        {(locked || (set && identity !== 'elsewhere')) && (
          <Button kind="quiet" danger onPress={() => void forget()}>
            {t('single.secret.forget')}
          </Button>
        )}
        {!open && (
          <Button
            disabled={identity === 'elsewhere' && row !== undefined && isRuled(row)}
            onPress={() => setOpen(true)}
          >
            {t('single.secret.change')}
          </Button>
        )}
        {(locked || identity === 'file-locked') && (
          <Button disabled={asking} onPress={() => void unlock()}>
            {t('single.secret.unlock')}
          </Button>
        )}
      </Line>
      {wrong !== null && (
        <p className="wrong" role="alert">
          {wrong}
        </p>
      )}
      {open && <SecureForm onDone={() => setOpen(false)} />}
    </Card>
  );
}
