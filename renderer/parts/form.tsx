// Module settings/form is what several settings are given in together: its fields, and whether they are kept or left as they were.
import type { ReactElement, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from '../../parts/button.tsx';

export function SettingsForm(props: {
  /** What keeps it. */
  action: string;
  onSave: () => void;
  onCancel: () => void;
  children: ReactNode;
}): ReactElement {
  const { action, onSave, onCancel, children } = props;
  const { t } = useTranslation();
  return (
    <form
      className="pc-form"
      onSubmit={(event) => {
        event.preventDefault();
        onSave();
      }}
    >
      {children}
      <div className="actions">
        <Button kind="primary" submit>
          {action}
        </Button>
        <Button kind="quiet" onPress={onCancel}>
          {t('common.cancel')}
        </Button>
      </div>
    </form>
  );
}
