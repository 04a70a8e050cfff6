// Module activity/events lists what changed, as the log has it.
import { useCallback, useMemo, useState } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ROW_KEY } from '../../../engine/service/slices.ts';
import type { LogRow } from '../../../engine/service/slices.ts';
import { formatClock } from '../../app/format.ts';
import { useSlice } from '../../app/store.ts';
import { FilterBar } from '../../parts/filter-bar.tsx';
import { Empty } from '../../parts/page.tsx';
import { Word } from '../../parts/state.tsx';
import type { Tone } from '../../parts/state.tsx';
import { Table } from '../../parts/table.tsx';
import type { Column } from '../../parts/table.tsx';

const TONES: Record<LogRow['level'], Tone> = { info: 'idle', warning: 'warn', error: 'bad' };
const FILTERS = ['all', 'grave'] as const;
type Filter = (typeof FILTERS)[number];

const keyOf = ROW_KEY.log;

export function Events({ view }: { view: ReactNode }): ReactElement {
  const { t, i18n } = useTranslation();
  const { language } = i18n;
  const log = useSlice('log');
  const [filter, setFilter] = useState<Filter>('all');
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState<string | null>(null);
  const [count, setCount] = useState(0);
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
        width: '96px',
        cell: ({ level }) => <Word tone={TONES[level]}>{t(`activity.levels.${level}`)}</Word>,
      },
      {
        id: 'text',
        title: t('activity.text'),
        width: 'minmax(200px, 1fr)',
        cell: (row) => row.text,
        full: (row) => row.text,
      },
    ],
    [t, language],
  );
  const keep = useCallback(
    (row: LogRow) =>
      (filter === 'all' || row.level !== 'info') &&
      (text === '' || row.text.toLowerCase().includes(text.toLowerCase())),
    [filter, text],
  );
  return (
    <>
      <FilterBar
        before={view}
        label={t('activity.levelFilter')}
        options={FILTERS.map((value) => ({ value, text: t(`activity.${value}`) }))}
        filter={filter}
        onFilter={setFilter}
        text={text}
        onText={setText}
      >
        {t('activity.events', { count })}
      </FilterBar>
      <Table
        label={t('activity.log')}
        rows={log}
        keyOf={keyOf}
        columns={columns}
        keep={keep}
        sort={{ by: 'time', down: true }}
        chosen={chosen}
        onChoose={setChosen}
        onCount={setCount}
        empty={
          <Empty
            icon="activity"
            title={log.length === 0 ? t('activity.logNone') : t('common.nothingFound')}
          />
        }
      />
    </>
  );
}
