// Module parts/button has what is pressed: buttons, switches, a group of choices, and the copying of a text.
import { Switch as RadixSwitch, ToggleGroup } from 'radix-ui';
import { useEffect, useState } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '../app/calls.ts';
import { Icon } from './icon.tsx';
import type { IconName } from './icon.tsx';

export interface ButtonProps {
  children?: ReactNode;
  /** Left away on a button that submits its form. */
  onPress?: () => void;
  submit?: boolean;
  kind?: 'primary' | 'plain' | 'quiet';
  danger?: boolean;
  small?: boolean;
  icon?: IconName;
  /** The name for those who can't see it, and its title; needed when there are no words on it. */
  label?: string;
  disabled?: boolean;
}

export function Button(props: ButtonProps): ReactElement {
  const { children, onPress, submit, kind = 'plain', danger, small, icon, label, disabled } = props;
  const classes = ['button', kind, danger && 'danger', small && 'small', !children && 'icon-only'];
  return (
    <button
      type={submit ? 'submit' : 'button'}
      className={classes.filter(Boolean).join(' ')}
      onClick={onPress}
      disabled={disabled}
      aria-label={label}
      title={children ? undefined : label}
    >
      {icon && <Icon name={icon} size={16} />}
      {children}
    </button>
  );
}

export function Switch(props: {
  on: boolean;
  label: string;
  onChange: (on: boolean) => void;
  disabled?: boolean;
}): ReactElement {
  return (
    <RadixSwitch.Root
      className="switch"
      checked={props.on}
      onCheckedChange={props.onChange}
      disabled={props.disabled}
      aria-label={props.label}
    >
      <RadixSwitch.Thumb className="switch-knob" />
    </RadixSwitch.Root>
  );
}

/** A few choices of which one holds, side by side. */
export function Choices<T extends string>(props: {
  value: T;
  label: string;
  options: readonly { value: T; text: string }[];
  onChange: (value: T) => void;
}): ReactElement {
  return (
    <ToggleGroup.Root
      className="tabs"
      type="single"
      value={props.value}
      aria-label={props.label}
      // Pressing the one that holds would take it away.
      onValueChange={(value) => value !== '' && props.onChange(value as T)}
    >
      {props.options.map(({ value, text }) => (
        <ToggleGroup.Item key={value} className="tab" value={value}>
          {text}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}

const SAID_MS = 2_000;

/** Puts `text` into the clipboard and says so for a moment. */
export function CopyButton({
  text,
  label,
  words,
}: {
  text: string;
  label: string;
  words?: string;
}): ReactElement {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), SAID_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = (): void => {
    void call('copyText', { text }).then((done) => setCopied(done !== null));
  };
  return (
    <>
      <Button icon={copied ? 'check' : 'copy'} kind="quiet" label={label} onPress={copy}>
        {words && (copied ? t('common.copied') : words)}
      </Button>
      <span className="hidden-text" role="status">
        {copied ? t('common.copied') : ''}
      </span>
    </>
  );
}
