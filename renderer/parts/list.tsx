// Module parts/list is a table that is narrowed by a choice and by words, says how many rows are left, and shows one of them whole.
import { useCallback, useState } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Choices } from './button.tsx';
import { Search } from './field.tsx';
import type { IconName } from './icon.tsx';
import { Empty } from './page.tsx';
import { Table } from './table.tsx';
import type { TableProps } from './table.tsx';

export interface ListProps<T, Filter extends string> extends Pick<
  TableProps<T>,
  'label' | 'rows' | 'keyOf' | 'columns' | 'sort'
> {
  /** Stands before the filter. */
  readonly before?: ReactNode;
  /** What the choice is about, for who can't see it. */
  readonly filterLabel: string;
  /** `all` is chosen at first. */
  readonly options: readonly { readonly value: Filter | 'all'; readonly text: string }[];
  /** `sought` is in small letters; empty: nothing is sought. Must stay the same function while it says the same. */
  readonly matches: (row: T, filter: Filter | 'all', sought: string) => boolean;
  /** What is said of the number of rows that are left. */
  readonly counted: (count: number) => ReactNode;
  /** Shown when there is no row at all. */
  readonly none: { readonly icon: IconName; readonly title: string; readonly text?: string };
  /** The chosen row, whole. */
  readonly detail?: (row: T) => ReactNode;
}

export function List<T, Filter extends string>(props: ListProps<T, Filter>): ReactElement {
  const { before, filterLabel, options, matches, counted, none, detail, ...table } = props;
  const { rows, keyOf } = table;
  const { t } = useTranslation();
  const [filter, setFilter] = useState<Filter | 'all'>('all');
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState<string | null>(null);
  const [count, setCount] = useState(0);
  const keep = useCallback(
    (row: T) => matches(row, filter, text.toLowerCase()),
    [matches, filter, text],
  );
  const whole = detail && chosen !== null ? rows.find((row) => keyOf(row) === chosen) : undefined;
  return (
    <>
      <div className="bar">
        {before}
        <Choices label={filterLabel} value={filter} onChange={setFilter} options={options} />
        <Search value={text} onChange={setText} />
        <span className="rest" role="status">
          {counted(count)}
        </span>
      </div>
      <Table
        {...table}
        keep={keep}
        chosen={chosen}
        onChoose={setChosen}
        onCount={setCount}
        empty={
          <Empty icon={none.icon} title={rows.length === 0 ? none.title : t('common.nothingFound')}>
            {rows.length === 0 && none.text}
          </Empty>
        }
      />
      {whole !== undefined && detail?.(whole)}
    </>
  );
}
