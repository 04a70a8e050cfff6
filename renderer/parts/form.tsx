// Module parts/form is what several values are given in together: its fields, and whether they are kept or left as they were.
import type { ReactElement, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from './button.tsx';

export function Form(props: {
  /** What keeps it. */
  action: string;
  /** Whether they can be kept as they are. */
  ready?: boolean;
  /** `plain` where the screen has another thing to do first. */
  kind?: 'primary' | 'plain';
  /** Fields stand side by side where there is room. */
  pairs?: boolean;
  onSave: () => void;
  /** Away where there is nothing to go back to. */
  onCancel?: () => void;
  children: ReactNode;
}): ReactElement {
  const { action, ready = true, kind = 'primary', pairs, onSave, onCancel, children } = props;
  const { t } = useTranslation();
  return (
    <form
      className={pairs ? 'form pairs' : 'form'}
      onSubmit={(event) => {
        event.preventDefault();
        onSave();
      }}
    >
      {children}
      <div className="actions">
        <Button kind={kind} submit disabled={!ready}>
          {action}
        </Button>
        {onCancel && (
          <Button kind="quiet" onPress={onCancel}>
            {t('common.cancel')}
          </Button>
        )}
      </div>
    </form>
  );
}
