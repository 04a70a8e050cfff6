// Module parts/field has what is typed into: a line with its name, its hint and what is wrong with it.
import { useId } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';

export function Field(props: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  hint?: string;
  /** What is wrong; null: nothing. */
  wrong?: string | null;
  placeholder?: string;
  mono?: boolean;
  /** What is typed is not shown. */
  secret?: boolean;
}): ReactElement {
  const { label, value, onChange, hint, wrong = null, placeholder, mono, secret } = props;
  const id = useId();
  const says = hint !== undefined || wrong !== null;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type={secret ? 'password' : 'text'}
        className={mono ? 'input mono' : 'input'}
        value={value}
        placeholder={placeholder}
        spellCheck={false}
        autoComplete="off"
        aria-invalid={wrong !== null}
        aria-describedby={says ? `${id}-says` : undefined}
        onChange={(event) => onChange(event.target.value)}
      />
      {says && (
        <span id={`${id}-says`} className={wrong === null ? 'hint' : 'wrong'}>
          {wrong ?? hint}
        </span>
      )}
    </div>
  );
}

export function Search({
  value,
  onChange,
}: {
  value: string;
  onChange: (value: string) => void;
}): ReactElement {
  const { t } = useTranslation();
  return (
    <input
      className="input search"
      type="search"
      value={value}
      placeholder={t('common.search')}
      aria-label={t('common.search')}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

/** One of several, in the system's own list. */
export function Select<T extends string>(props: {
  label: string;
  value: T;
  options: readonly { value: T; text: string }[];
  onChange: (value: T) => void;
  disabled?: boolean;
}): ReactElement {
  return (
    <select
      className="select"
      aria-label={props.label}
      value={props.value}
      disabled={props.disabled}
      onChange={(event) => props.onChange(event.target.value as T)}
    >
      {props.options.map(({ value, text }) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  );
}
