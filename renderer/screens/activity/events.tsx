// Module activity/events lists what changed, as the log has it.
import { useCallback, useMemo } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ROW_KEY } from '../../../engine/service/slices.ts';
import type { LogRow } from '../../../engine/service/slices.ts';
import { formatClock } from '../../app/format.ts';
import { useSlice } from '../../app/store.ts';
import { lineOf } from '../../app/told.ts';
import { List } from '../../parts/list.tsx';
import { Card, Facts } from '../../parts/page.tsx';
import { Word } from '../../parts/state.tsx';
import type { Tone } from '../../parts/state.tsx';
import type { Column } from '../../parts/table.tsx';

const TONES: Record<LogRow['level'], Tone> = { info: 'idle', warning: 'warn', error: 'bad' };

export function Events({ view }: { view: ReactNode }): ReactElement {
  const { t, i18n } = useTranslation();
  const { language } = i18n;
  const log = useSlice('log');
  const matches = useCallback(
    (row: LogRow, filter: 'all' | 'grave', sought: string): boolean =>
      (filter === 'all' || row.level !== 'info') &&
      (sought === '' || lineOf(t, language, row).toLowerCase().includes(sought)),
    [t, language],
  );
  const columns = useMemo<readonly Column<LogRow>[]>(
    () => [
      {
        id: 'time',
        title: t('activity.time'),
        width: '76px',
        cell: ({ at }) => formatClock(at, language),
        compare: (a, b) => a.seq - b.seq,
      },
      {
        id: 'level',
        title: t('activity.level'),
        width: 'minmax(96px, 1fr)',
        cell: ({ level }) => <Word tone={TONES[level]}>{t(`activity.levels.${level}`)}</Word>,
      },
      {
        id: 'text',
        title: t('activity.text'),
        width: 'minmax(200px, 1fr)',
        cell: (row) => lineOf(t, language, row),
        full: (row) => lineOf(t, language, row),
        below: true,
      },
    ],
    [t, language],
  );
  return (
    <List
      label={t('activity.log')}
      before={view}
      filterLabel={t('activity.levelFilter')}
      options={[
        { value: 'all', text: t('activity.all') },
        { value: 'grave', text: t('activity.grave') },
      ]}
      rows={log}
      keyOf={ROW_KEY.log}
      columns={columns}
      sort={{ by: 'time', down: true }}
      matches={matches}
      counted={(count) => t('activity.events', { count })}
      none={{ icon: 'activity', title: t('activity.logNone') }}
      detail={(row) => (
        <Card className="detail" title={t('activity.event')}>
          <Facts
            rows={[
              [t('activity.time'), formatClock(row.at, language)],
              [t('activity.level'), t(`activity.levels.${row.level}`)],
              [t('activity.text'), lineOf(t, language, row)],
            ]}
          />
        </Card>
      )}
    />
  );
}
