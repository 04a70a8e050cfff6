// Module settings/single is one setting of the tunnel: what it means, what counts and why, and what changes it.
import { useId, useRef, useState } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Failure } from '../../../engine/service/failure.ts';
import type { SettingRow } from '../../../engine/service/settings-calls.ts';
import { ask } from '../../app/calls.ts';
import { isExact, sayFailure } from '../../app/failures.ts';
import { textOf, valueOf } from '../../app/setting-value.ts';
import { shortPath, useSlice, useStore } from '../../app/store.ts';
import { Button, Switch } from '../../parts/button.tsx';
import { Select } from '../../parts/field.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Note } from '../../parts/page.tsx';
import { en } from '../../words/index.ts';

export type SettingName = keyof typeof en.single.name;
type Values = Readonly<Record<string, unknown>>;
type Choice = keyof typeof en.single.choice;

/** What opens this PC further is asked about first. */
const RISKS: ReadonlySet<string> = new Set(['exposeAll', 'allowPrivate', 'answerEcho']);
const IN_SECONDS: ReadonlySet<string> = new Set(['failoverAfter', 'refreshInterval', 'sleepAfter']);
/** What counts where nothing is set, if that is a value after all (RFC 4380 §2.7). */
const UNSET: Readonly<Record<string, string>> = { refreshInterval: '30' };
/** What takes a line of its own. */
const LONG: ReadonlySet<SettingRow['kind']> = new Set(['list', 'text']);

/** Writes settings, and says since when they count. Gives what is wrong with them; null: they are written. */
export function useWrite(): (values: Values) => Promise<Failure | null> {
  const { t } = useTranslation();
  const { tell } = useStore.getState();
  return async (values) => {
    const answer = await ask('setSettings', { values });
    if (!answer.ok) return answer.error;
    const { applied } = answer.result;
    tell({ kind: 'done', text: applied.length > 0 ? t('single.saved') : t('single.savedRestart') });
    return null;
  };
}

/** Why it was refused; which value does not fit the engine says in English, so that in another language one sentence is for all. */
export function useRefusal(): (failure: Failure, row?: Pick<SettingRow, 'min' | 'max'>) => string {
  const { t, i18n } = useTranslation();
  return (failure, row) => {
    if (!isExact(failure.code) || i18n.language === 'en') return sayFailure(failure);
    const { min = null, max = null } = row ?? {};
    return min !== null && max !== null ? t('single.wrongNumber', { min, max }) : t('single.wrong');
  };
}

/** Who sets it: an administrator and the command line rule over what is set here. */
function Origin({ row }: { row: SettingRow }): ReactElement {
  const { t } = useTranslation();
  const { file } = useSlice('settings');
  const { source, locked, waiting } = row;
  const from = locked
    ? t('single.isLocked', { source: shortPath(source) })
    : source === 'default'
      ? t('single.isDefault')
      : source === 'app'
        ? t('single.isApp')
        : source === file
          ? t('single.isHere')
          : t('single.isFrom', { source: shortPath(source) });
  return (
    <p className="origin">
      {locked && <Icon name="lock" size={14} />}
      <code>{row.name}</code>
      <span>{from}</span>
      {waiting && <span className="tone-warn">{t('single.isWaiting')}</span>}
    </p>
  );
}

/** Neither a file of the user's nor he himself changes it: the policy, the app or the command line rules over them. */
export function isRuled({ locked, source }: SettingRow): boolean {
  return locked || (source !== 'default' && !source.startsWith('/'));
}

interface ControlProps {
  readonly row: SettingRow & { readonly name: SettingName };
  readonly disabled: boolean;
  readonly invalid: boolean;
  readonly describedBy: string;
  /** True when it was taken. */
  readonly onValue: (value: unknown) => Promise<boolean>;
}

function Typed({ row, disabled, invalid, describedBy, onValue }: ControlProps): ReactElement {
  const { t } = useTranslation();
  const now = textOf(row);
  /** Null: what counts, which may change elsewhere. */
  const [typed, setTyped] = useState<string | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const text = typed ?? now;
  const name = t(`single.name.${row.name}`);
  return (
    <form
      className={LONG.has(row.kind) ? 'typed long' : 'typed'}
      onSubmit={(event) => {
        event.preventDefault();
        if (text === now) return;
        void onValue(valueOf(row, text)).then((taken) => {
          if (!taken) return;
          // The button that had the focus goes.
          field.current?.focus();
          setTyped(null);
        });
      }}
    >
      <input
        ref={field}
        className="input"
        value={text}
        placeholder={
          row.default === null
            ? (UNSET[row.name] ?? t('single.unset'))
            : textOf({ ...row, value: row.default })
        }
        disabled={disabled}
        spellCheck={false}
        autoComplete="off"
        inputMode={row.kind === 'number' ? 'numeric' : undefined}
        aria-label={name}
        aria-invalid={invalid}
        aria-describedby={describedBy}
        onChange={(event) => setTyped(event.target.value)}
      />
      {IN_SECONDS.has(row.name) && <span className="soft">{t('single.seconds')}</span>}
      {text !== now && (
        <Button submit icon="check" label={t('single.saveOf', { name })}>
          {t('common.save')}
        </Button>
      )}
    </form>
  );
}

const isChoice = (value: string): value is Choice => value in en.single.choice;

function Control(props: ControlProps): ReactElement {
  const { t } = useTranslation();
  const { row, disabled, onValue } = props;
  const label = t(`single.name.${row.name}`);
  if (row.kind === 'flag')
    return (
      <Switch
        on={row.value === true}
        label={label}
        disabled={disabled}
        onChange={(on) => void onValue(on)}
      />
    );
  if (row.kind === 'choice')
    return (
      <Select
        label={label}
        value={String(row.value)}
        disabled={disabled}
        options={(row.choices ?? [])
          .filter(isChoice)
          .map((value) => ({ value, text: t(`single.choice.${value}`) }))}
        onChange={(value) => void onValue(value)}
      />
    );
  return <Typed {...props} />;
}

export function Single({
  row,
  children,
}: {
  row: ControlProps['row'];
  children?: ReactNode;
}): ReactElement {
  const { t } = useTranslation();
  const { file } = useSlice('settings');
  const refusal = useRefusal();
  const write = useWrite();
  const id = useId();
  const [wrong, setWrong] = useState<string | null>(null);
  const [risked, setRisked] = useState(false);
  const { name } = row;
  const set = async (value: unknown): Promise<boolean> => {
    setRisked(false);
    const refused = await write({ [name]: value });
    setWrong(refused === null ? null : refusal(refused, row));
    return refused === null;
  };
  const onValue = (value: unknown): Promise<boolean> => {
    if (!RISKS.has(name) || value !== true) return set(value);
    setRisked(true);
    return Promise.resolve(false);
  };
  const long = LONG.has(row.kind);
  const control = (
    <Control
      {...{ row, onValue }}
      disabled={isRuled(row)}
      invalid={wrong !== null}
      describedBy={`${id}-says`}
    />
  );
  return (
    <div className="single">
      <div className="setting">
        <div className="grow">
          <p className="label">{t(`single.name.${name}`)}</p>
          <p className="soft" id={`${id}-says`}>
            {t(`single.means.${name}`)}
          </p>
        </div>
        {!long && control}
      </div>
      {long && control}
      {children}
      {wrong !== null && (
        <p className="wrong" role="alert">
          {wrong}
        </p>
      )}
      {risked && (
        <Note
          tone="bad"
          live
          action={
            <>
              <Button small danger onPress={() => void set(true)}>
                {t('single.risk')}
              </Button>
              <Button small kind="quiet" onPress={() => setRisked(false)}>
                {t('common.cancel')}
              </Button>
            </>
          }
        >
          {t(`single.means.${name}`)}
        </Note>
      )}
      <div className="single-foot">
        <Origin row={row} />
        {row.source === file && !row.locked && (
          <Button
            small
            kind="quiet"
            icon="undo"
            label={t('single.reset', { name: t(`single.name.${name}`) })}
            onPress={() => void set(null)}
          >
            {t('single.resetWord')}
          </Button>
        )}
      </div>
    </div>
  );
}
