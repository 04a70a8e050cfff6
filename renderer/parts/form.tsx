// Module parts/form is what several values are given in together: its fields, and whether they are kept or left as they were.
import type { ReactElement, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from './button.tsx';

export function Form(props: {
  /** What keeps it. */
  action: string;
  /** Whether they can be kept as they are. */
  ready?: boolean;
  onSave: () => void;
  onCancel: () => void;
  children: ReactNode;
}): ReactElement {
  const { action, ready = true, onSave, onCancel, children } = props;
  const { t } = useTranslation();
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        onSave();
      }}
    >
      {children}
      <div className="actions">
        <Button kind="primary" submit disabled={!ready}>
          {action}
        </Button>
        <Button kind="quiet" onPress={onCancel}>
          {t('common.cancel')}
        </Button>
      </div>
    </form>
  );
}
