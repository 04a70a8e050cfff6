// Module activity/flows lists the connections: who, with whom, whether they pass, and why.
import { useMemo } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { TFunction } from 'i18next';
import { ROW_KEY } from '../../../engine/service/slices.ts';
import type { FlowRow } from '../../../engine/service/slices.ts';
import { formatAgo, formatClock } from '../../app/format.ts';
import { isKnown } from '../../app/reasons.ts';
import { useNow, useSlice } from '../../app/store.ts';
import { Ends } from '../../parts/ends.tsx';
import { List } from '../../parts/list.tsx';
import { Card, Facts } from '../../parts/page.tsx';
import { Word } from '../../parts/state.tsx';
import type { Tone } from '../../parts/state.tsx';
import type { Column } from '../../parts/table.tsx';

const FILTERS = ['all', 'passed', 'refused'] as const;
type Filter = (typeof FILTERS)[number];

const TONES: Record<FlowRow['verdict'], Tone> = { pass: 'good', drop: 'bad', refuse: 'bad' };

function whyOf(t: TFunction, reason: string): string {
  return isKnown('why', reason) ? t(`states.why.${reason}`) : reason;
}

function textOrder(value: (row: FlowRow) => string): (a: FlowRow, b: FlowRow) => number {
  return (a, b) => {
    const [left, right] = [value(a), value(b)];
    return left < right ? -1 : left > right ? 1 : 0;
  };
}

function remoteOf({ remote, remotePort }: FlowRow): string {
  return remotePort === 0 ? remote : `[${remote}]:${remotePort}`;
}

function useColumns(): readonly Column<FlowRow>[] {
  const { t, i18n } = useTranslation();
  const { language } = i18n;
  return useMemo<readonly Column<FlowRow>[]>(() => {
    const nameOf = ({ app }: FlowRow): string => app?.name ?? t('activity.nobody');
    return [
      {
        id: 'verdict',
        title: t('activity.verdict'),
        width: '86px',
        cell: ({ verdict }) => <Word tone={TONES[verdict]}>{t(`states.verdict.${verdict}`)}</Word>,
        compare: textOrder(({ verdict }) => verdict),
      },
      {
        id: 'app',
        title: t('activity.app'),
        width: 'minmax(56px, 1fr)',
        cell: nameOf,
        full: ({ app }) => app?.script ?? app?.path ?? t('activity.nobody'),
        compare: textOrder(nameOf),
      },
      {
        id: 'direction',
        title: t('activity.direction'),
        width: '68px',
        cell: ({ direction, protocol }) =>
          `${t(`activity.${direction}`)} ${protocol.toUpperCase()}`,
        below: true,
        compare: textOrder(({ direction, protocol }) => direction + protocol),
      },
      {
        id: 'remote',
        title: t('activity.remote'),
        width: 'minmax(164px, 2.2fr)',
        mono: true,
        cell: (row) => <Ends text={remoteOf(row)} />,
        full: remoteOf,
        compare: textOrder(({ remote }) => remote),
      },
      {
        id: 'reason',
        title: t('activity.reason'),
        width: 'minmax(76px, 2.4fr)',
        cell: ({ reason }) => whyOf(t, reason),
        full: ({ reason }) => whyOf(t, reason),
        below: true,
        compare: textOrder(({ reason }) => reason),
      },
      {
        id: 'last',
        title: t('activity.last'),
        width: '68px',
        number: true,
        cell: ({ lastAt }) => formatClock(lastAt, language),
        compare: (a, b) => a.lastAt - b.lastAt,
      },
    ];
  }, [t, language]);
}

function Detail({ flow }: { flow: FlowRow }): ReactElement {
  const { t, i18n } = useTranslation();
  const now = useNow();
  const { app, pid, confidence, local, localPort, reason, lastAt } = flow;
  const rows: (readonly [string, ReactNode])[] = [
    [t('activity.owner'), app ? (app.script ?? app.path ?? app.name) : t('activity.nobody')],
    [t('activity.certainty'), t(`states.confidence.${confidence}`)],
    [t('activity.process'), pid ?? '–'],
    [t('activity.remote'), <code key="remote">{remoteOf(flow)}</code>],
    [
      t('activity.local'),
      <code key="local">{localPort === 0 ? local : `[${local}]:${localPort}`}</code>,
    ],
    [t('activity.reason'), whyOf(t, reason)],
    [t('activity.last'), formatAgo(Math.max(0, now - lastAt), i18n.language)],
  ];
  return (
    <Card className="detail" title={t('activity.detail')}>
      <Facts rows={rows} />
    </Card>
  );
}

function matches(row: FlowRow, filter: Filter, sought: string): boolean {
  if (filter !== 'all' && (row.verdict === 'pass') !== (filter === 'passed')) return false;
  return (
    sought === '' ||
    row.remote.includes(sought) ||
    String(row.remotePort).includes(sought) ||
    (row.app?.name.toLowerCase().includes(sought) ?? false) ||
    (row.app?.path?.toLowerCase().includes(sought) ?? false)
  );
}

export function Flows({ view }: { view: ReactNode }): ReactElement {
  const { t } = useTranslation();
  const flows = useSlice('flows');
  const columns = useColumns();
  const unknown = useMemo(() => flows.filter(({ app }) => app === null).length, [flows]);
  return (
    <List
      label={t('activity.flows')}
      before={view}
      filterLabel={t('activity.filter')}
      options={FILTERS.map((value) => ({ value, text: t(`activity.${value}`) }))}
      rows={flows}
      keyOf={ROW_KEY.flows}
      columns={columns}
      sort={{ by: 'last', down: true }}
      matches={matches}
      counted={(count) => (
        <>
          {t('activity.shown', { count })}
          {unknown > 0 && ` · ${t('activity.unknownOwners', { count: unknown })}`}
        </>
      )}
      none={{ icon: 'activity', title: t('activity.none'), text: t('activity.noneText') }}
      detail={(flow) => <Detail flow={flow} />}
    />
  );
}
