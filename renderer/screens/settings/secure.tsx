// Module settings/secure sets the identity by which a server knows this PC (RFC 4380 §5.2.2); what is set is never shown.
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
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
  const { rows, file } = useSlice('settings');
  const [open, setOpen] = useState(false);
  const row = rows.find(({ name }) => name === 'clientId');
  const set = row?.value === true;
  const here = set && row.source === file;
  const ruled = row !== undefined && isRuled(row);
  return (
    <Card title={t('single.groups.secure')}>
      <Line
        title={set ? t('single.secret.set') : t('single.secret.unset')}
        text={t('single.secret.kept', { file: shortPath(set && !here ? row.source : file) })}
      >
        {here && (
          <Button kind="quiet" danger onPress={() => void write({ clientId: null, key: null })}>
            {t('single.secret.forget')}
          </Button>
        )}
        {!open && (
          <Button disabled={ruled} onPress={() => setOpen(true)}>
            {t('single.secret.change')}
          </Button>
        )}
      </Line>
      {open && <SecureForm onDone={() => setOpen(false)} />}
    </Card>
  );
}
