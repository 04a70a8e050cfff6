// Module screens/server-form takes the name of a server, for whoever needs one.
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import { LineForm } from '../parts/line-form.tsx';

/** A name or an IPv4 address, roughly; the engine judges it. */
const SERVER = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i;

export function ServerForm(props: {
  first?: string;
  action: string;
  /** True: it is done with, so the line is emptied. */
  onServer: (server: string) => Promise<boolean>;
}): ReactElement {
  const { first, action, onServer } = props;
  const { t } = useTranslation();
  return (
    <LineForm
      label={t('settings.server')}
      hint={t('settings.serverHint')}
      wrong={t('settings.serverWrong')}
      action={action}
      isGood={(text) => SERVER.test(text)}
      onUse={onServer}
      {...(first !== undefined && { first })}
    />
  );
}
