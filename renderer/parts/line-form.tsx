// Module parts/line-form is one line to type into with the button that does something with it.
import { useState } from 'react';
import type { ReactElement } from 'react';
import { Button } from './button.tsx';
import { Field } from './field.tsx';

export function LineForm(props: {
  label: string;
  action: string;
  /** Whether the line can be used. */
  isGood: (text: string) => boolean;
  /** What is said of a line that can't be. */
  wrong: string;
  /** True: it is done with, so the line is emptied. */
  onUse: (text: string) => Promise<boolean>;
  first?: string;
  hint?: string;
  mono?: boolean;
}): ReactElement {
  const { label, action, isGood, wrong, onUse, first = '', hint, mono } = props;
  const [text, setText] = useState(first);
  const [busy, setBusy] = useState(false);
  const line = text.trim();
  const good = isGood(line);
  const use = async (): Promise<void> => {
    if (!good || busy) return;
    setBusy(true);
    const done = await onUse(line);
    setBusy(false);
    if (done) setText('');
  };
  return (
    <form
      className="line-form"
      onSubmit={(event) => {
        event.preventDefault();
        void use();
      }}
    >
      <Field
        label={label}
        value={text}
        onChange={setText}
        wrong={line !== '' && !good ? wrong : null}
        {...(hint !== undefined && { hint })}
        {...(mono !== undefined && { mono })}
      />
      <Button submit disabled={!good || busy}>
        {action}
      </Button>
    </form>
  );
}
