// Module screens/servers lists the servers that are set, kept and known, asks them, says who would take over, and looks at one's own.
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import type { Failover, ServerRow } from '../../engine/service/server-list-calls.ts';
import { call } from '../app/calls.ts';
import { formatAgo, formatMs } from '../app/format.ts';
import { useNow, useSlice, useStore } from '../app/store.ts';
import { Button } from '../parts/button.tsx';
import { Note, Page, SectionHead } from '../parts/page.tsx';
import { Mark, Pill } from '../parts/state.tsx';
import type { Tone } from '../parts/state.tsx';
import { Own } from './own.tsx';
import { ServerForm } from './server-form.tsx';

const FROM = ['settings', 'own', 'known'] as const;
const TONES: Record<ServerRow['state'], Tone> = {
  'not-verified': 'idle',
  answers: 'good',
  silent: 'bad',
  'not-found': 'bad',
  refuses: 'warn',
};
const FAILOVER_TONES: Record<Failover['code'], Tone> = {
  off: 'idle',
  single: 'idle',
  ready: 'good',
  'server-silent': 'warn',
  asleep: 'idle',
};

/** Who takes over, and the way to make that happen now. */
function Takeover({ failover }: { failover: Failover }): ReactElement {
  const { t } = useTranslation();
  const { serverRttMs } = useSlice('status');
  const { tell } = useStore.getState();
  const [asking, setAsking] = useState(false);
  const { code, afterSeconds, locked, change } = failover;
  const next = async (): Promise<void> => {
    setAsking(true);
    const moved = await call('nextServer', {});
    setAsking(false);
    if (!moved) return;
    tell(
      moved.ok
        ? { kind: 'done', text: t('servers.nextDone', { name: moved.name }) }
        : { kind: 'failed', text: t(`servers.nextFailed.${moved.code}`) },
    );
  };
  return (
    <Note
      tone={asking ? 'work' : FAILOVER_TONES[code]}
      live
      action={
        <Button small disabled={asking || serverRttMs === null} onPress={() => void next()}>
          {t('servers.next')}
        </Button>
      }
    >
      <p>
        {asking
          ? t('servers.nextAsking')
          : t(`servers.failover.${code}`, { minutes: Math.ceil(afterSeconds / 60) })}
      </p>
      {change && <p className="soft">{t(`servers.changed.${change.code}`)}</p>}
      {locked !== null && <p className="soft">{t('servers.locked', { file: locked })}</p>}
    </Note>
  );
}

function Remove({ name }: { name: string }): ReactElement {
  const { t } = useTranslation();
  const { tell } = useStore.getState();
  const remove = async (): Promise<void> => {
    if (!(await call('removeServer', { name }))) return;
    const undo = (): void => void call('addServer', { name });
    tell({ kind: 'done', text: t('servers.removed', { name }), undo });
  };
  return (
    <Button
      small
      kind="quiet"
      icon="close"
      label={t('servers.removeOf', { name })}
      onPress={() => void remove()}
    />
  );
}

function useTrips(): (row: ServerRow) => string {
  const { i18n } = useTranslation();
  return ({ primary, secondary }) =>
    [primary.rttMs, secondary.rttMs]
      .filter((ms) => ms !== null)
      .map((ms) => formatMs(ms, i18n.language))
      .join(' / ');
}

function Line({ row, usable }: { row: ServerRow; usable: boolean }): ReactElement {
  const { t, i18n } = useTranslation();
  const now = useNow();
  const trips = useTrips();
  const { name, from, state, code, address, inUse, suggested, probing, answeredAt } = row;
  // The tunnel hears from the one in use without a question of ours.
  const heard = code === 'not-asked' && answeredAt !== null;
  const tone = heard ? 'good' : TONES[state];
  const facts = [
    probing ? t('servers.probing') : !heard && t(`servers.code.${code}`),
    answeredAt !== null &&
      code !== 'answers' &&
      t('servers.answered', { ago: formatAgo(Math.max(0, now - answeredAt), i18n.language) }),
  ];
  return (
    <li>
      <Mark tone={probing ? 'work' : tone} />
      <div className="grow">
        <p className="title">
          <span className="cut">{name}</span>
          {inUse && <Pill tone="good">{t('servers.inUse')}</Pill>}
          {suggested && !inUse && <Pill tone="idle">{t('servers.best')}</Pill>}
        </p>
        <p className="sub">
          {facts.filter(Boolean).join(' ')}
          {address !== null && address !== name && <span className="mono"> {address}</span>}
        </p>
      </div>
      <span className="trips">{trips(row)}</span>
      <Button
        small
        disabled={probing}
        label={t('servers.askOf', { name })}
        onPress={() => void call('servers', { probe: true, name })}
      >
        {t('servers.ask')}
      </Button>
      {usable && !inUse && (
        <Button
          small
          label={t('servers.useOf', { name })}
          onPress={() => void call('chooseNetwork', { kind: 'real', server: name })}
        >
          {t('servers.use')}
        </Button>
      )}
      {from === 'own' && <Remove name={name} />}
    </li>
  );
}

function Group(props: {
  from: (typeof FROM)[number];
  rows: readonly ServerRow[];
  usable: boolean;
}): ReactElement | null {
  const { from, rows, usable } = props;
  const { t } = useTranslation();
  const { tell } = useStore.getState();
  if (rows.length === 0 && from !== 'own') return null;
  const add = async (name: string): Promise<boolean> => {
    const added = await call('addServer', { name });
    if (added) tell({ kind: 'done', text: t('servers.added', { name }) });
    return added !== null;
  };
  return (
    <section aria-label={t(`servers.from.${from}`)}>
      <SectionHead title={t(`servers.from.${from}`)}>{t(`servers.fromText.${from}`)}</SectionHead>
      {rows.length === 0 ? (
        <p className="list list-note">{t('servers.ownNone')}</p>
      ) : (
        <ul className="list">
          {rows.map((row) => (
            <Line key={row.name} row={row} usable={usable} />
          ))}
        </ul>
      )}
      {from === 'own' && <ServerForm action={t('servers.add')} onServer={add} />}
    </section>
  );
}

export function ServersScreen(): ReactElement {
  const { t } = useTranslation();
  const { rows, failover } = useSlice('servers');
  const real = useSlice('shell').networkKind === 'real';
  const busy = rows.some(({ probing }) => probing);
  return (
    <Page
      title={t('servers.title')}
      lead={t('servers.lead')}
      actions={
        <Button
          kind="primary"
          icon="search"
          disabled={busy || rows.length === 0}
          onPress={() => void call('servers', { probe: true })}
        >
          {t('servers.askAll')}
        </Button>
      }
    >
      <Takeover failover={failover} />
      {FROM.map((from) => (
        <Group
          key={from}
          from={from}
          rows={rows.filter((row) => row.from === from)}
          usable={real && failover.locked === null}
        />
      ))}
      <Own />
    </Page>
  );
}
