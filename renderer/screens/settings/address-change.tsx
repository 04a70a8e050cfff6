// Module settings/address-change says what is told of a new address outside, sets it, and shows how it went the last time.
import { useState } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { HookState } from '../../../engine/service/hook/calls.ts';
import type { SettingRow } from '../../../engine/service/settings-calls.ts';
import { call } from '../../app/calls.ts';
import { formatAgo, formatClock } from '../../app/format.ts';
import { useNow, useSlice } from '../../app/store.ts';
import { Button } from '../../parts/button.tsx';
import { Field } from '../../parts/field.tsx';
import { Form } from '../../parts/form.tsx';
import { Line } from '../../parts/line.tsx';
import { Card } from '../../parts/page.tsx';
import { Word } from '../../parts/state.tsx';
import { isRuled, Single, useRefusal, useWrite } from './single.tsx';

/** The last run of either; the command is not tried again. */
type Run = NonNullable<HookState['command']> & { readonly retryAt?: number | null };
type Part = 'server' | 'zone' | 'name' | 'keyName' | 'port' | 'ttl';
type Target = Readonly<Partial<Record<Part, string | number>>>;

const PARTS = ['server', 'zone', 'name', 'keyName', 'port', 'ttl'] as const;
const NUMBERS: ReadonlySet<Part> = new Set(['port', 'ttl']);

/** How it went the last time. */
function Outcome({ told, busy }: { told: Run | null; busy: boolean }): ReactElement {
  const { t, i18n } = useTranslation();
  const now = useNow();
  if (busy && told === null) return <Word tone="work">{t('addressChange.busy')}</Word>;
  if (told === null) return <Word tone="idle">{t('addressChange.never')}</Word>;
  const { at, failure, retryAt = null } = told;
  const ago = formatAgo(Math.max(0, now - at), i18n.language);
  if (failure === null) return <Word tone="good">{t('addressChange.went', { ago })}</Word>;
  return (
    <div role="status">
      <Word tone="bad">{t('addressChange.failed', { ago })}</Word>
      <p className="soft wrap" lang="en">
        {failure}
      </p>
      {retryAt !== null && (
        <p className="soft">
          {t('addressChange.retry', { time: formatClock(retryAt, i18n.language) })}
        </p>
      )}
    </div>
  );
}

function targetOf(row: SettingRow | undefined): Target {
  return row?.value !== null && typeof row?.value === 'object' ? row.value : {};
}

function TargetForm({ now, onDone }: { now: Target; onDone: () => void }): ReactElement {
  const { t } = useTranslation();
  const write = useWrite();
  const refusal = useRefusal();
  const [parts, setParts] = useState<Record<Part, string>>(
    () => Object.fromEntries(PARTS.map((part) => [part, String(now[part] ?? '')])) as never,
  );
  const [key, setKey] = useState('');
  const [wrong, setWrong] = useState<string | null>(null);
  const save = async (): Promise<void> => {
    const given = PARTS.filter((part) => parts[part].trim() !== '').map((part) => {
      const text = parts[part].trim();
      return [part, NUMBERS.has(part) && !Number.isNaN(Number(text)) ? Number(text) : text];
    });
    const refused = await write({
      dnsUpdate: Object.fromEntries(given) as unknown,
      // A key that is set stays unless another is given.
      ...(key.trim() !== '' && { dnsKey: key.trim() }),
    });
    if (refused === null) onDone();
    else setWrong(refusal(refused));
  };
  return (
    <Form action={t('addressChange.save')} onSave={() => void save()} onCancel={onDone}>
      <div className="two">
        {PARTS.map((part) => (
          <Field
            key={part}
            label={t(`addressChange.part.${part}`)}
            hint={t(`addressChange.partHint.${part}`)}
            value={parts[part]}
            onChange={(text) => setParts({ ...parts, [part]: text })}
            mono
          />
        ))}
      </div>
      <Field
        label={t('single.name.dnsKey')}
        hint={t('addressChange.keyHint')}
        value={key}
        onChange={setKey}
        wrong={wrong}
        secret
      />
    </Form>
  );
}

/** The DNS record, in words or as a form. */
function DnsRecord({ row, told }: { row: SettingRow; told: ReactNode }): ReactElement {
  const { t } = useTranslation();
  const write = useWrite();
  const { file } = useSlice('settings');
  const [open, setOpen] = useState(false);
  const target = targetOf(row);
  const { name, server } = target;
  const set = name !== undefined;
  return (
    <div className="single">
      <Line
        title={t('single.name.dnsUpdate')}
        text={
          set
            ? t('addressChange.record', { name, server: server ?? '' })
            : t('single.means.dnsUpdate')
        }
      >
        {set && row.source === file && (
          <Button kind="quiet" danger onPress={() => void write({ dnsUpdate: null, dnsKey: null })}>
            {t('addressChange.remove')}
          </Button>
        )}
        {!open && (
          <Button disabled={isRuled(row)} onPress={() => setOpen(true)}>
            {set ? t('addressChange.change') : t('addressChange.set')}
          </Button>
        )}
      </Line>
      {open && <TargetForm now={target} onDone={() => setOpen(false)} />}
      {set && told}
    </div>
  );
}

export function AddressChange(): ReactElement {
  const { t } = useTranslation();
  const { rows } = useSlice('settings');
  const { busy, command, update } = useSlice('hook');
  const builtIn = useSlice('builtIn') !== null;
  const rowOf = (wanted: string): SettingRow | undefined =>
    rows.find(({ name }) => name === wanted);
  const commandRow = rowOf('addressCommand');
  const recordRow = rowOf('dnsUpdate');
  const any = [commandRow, recordRow].some((row) => row !== undefined && row.value !== null);
  return (
    <Card
      title={t('addressChange.title')}
      side={
        any &&
        !builtIn && (
          <Button small disabled={busy} onPress={() => void call('runHook', {})}>
            {busy ? t('addressChange.busy') : t('addressChange.tryNow')}
          </Button>
        )
      }
    >
      <p className="soft lead">{t('addressChange.lead')}</p>
      {commandRow && (
        <Single row={{ ...commandRow, name: 'addressCommand' }}>
          {commandRow.value !== null && !builtIn && <Outcome told={command} busy={busy} />}
        </Single>
      )}
      {recordRow && (
        <DnsRecord row={recordRow} told={!builtIn && <Outcome told={update} busy={busy} />} />
      )}
    </Card>
  );
}
