// Module parts/table shows ten thousand rows as smoothly as ten: only those in sight exist, and only changed ones are drawn anew.
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useEffect, useId, useMemo, useRef, useState } from 'react';
import type { KeyboardEvent, ReactElement, ReactNode } from 'react';
import { Order } from '../app/order.ts';
import type { Compare } from '../app/order.ts';
import { useMedia } from '../app/media.ts';
import { Icon } from './icon.tsx';

export interface Column<T> {
  readonly id: string;
  readonly title: string;
  /** Track of the grid. */
  readonly width: string;
  readonly cell: (row: T) => ReactNode;
  /** The whole text, where the cell may cut it. */
  readonly full?: (row: T) => string;
  readonly compare?: Compare<T>;
  readonly number?: boolean;
  readonly mono?: boolean;
  /** In a narrow window it stands in a second line of its row, where a sentence has room. */
  readonly below?: boolean;
}

export interface TableProps<T> {
  readonly label: string;
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string;
  readonly columns: readonly Column<T>[];
  readonly keep: (row: T) => boolean;
  readonly sort: { readonly by: string; readonly down: boolean };
  readonly chosen?: string | null;
  readonly onChoose?: (key: string | null) => void;
  /** Shown when no row is kept. */
  readonly empty: ReactNode;
  /** Told how many rows are kept. */
  readonly onCount?: (count: number) => void;
}

const ROW = 32;
/** With a second line. */
const ROW_OF_TWO = 52;
/** Here and below, one line has no room for a sentence beside the rest. */
const NARROW = '(max-width: 999px)';
/** The headings, which stay in sight. */
const HEAD = 33;
/** Rows keep their places that long while their values change, ms. */
const REST_MS = 1_000;

interface RowProps<T> {
  readonly row: T;
  readonly id: string;
  readonly index: number;
  readonly chosen: boolean;
  readonly columns: readonly Column<T>[];
  /** Those in the second line. */
  readonly below: readonly Column<T>[];
  readonly template: string;
}

function RowOf<T>(props: RowProps<T>): ReactElement {
  const { row, id, index, chosen, columns, below, template } = props;
  const height = below.length === 0 ? ROW : ROW_OF_TWO;
  return (
    <div
      role="row"
      id={id}
      data-index={index}
      aria-rowindex={index + 2}
      aria-selected={chosen}
      className={below.length === 0 ? 'table-row' : 'table-row of-two'}
      style={{ gridTemplateColumns: template, transform: `translateY(${index * height}px)` }}
    >
      {columns.map((column) => (
        <div
          key={column.id}
          role="gridcell"
          className={[column.number && 'number', column.mono && 'mono'].filter(Boolean).join(' ')}
          title={column.full?.(row)}
        >
          {column.cell(row)}
        </div>
      ))}
      {below.length > 0 && (
        <div role="gridcell" className="table-below">
          {below.map((column) => (
            <span key={column.id} className="cut" title={column.full?.(row)}>
              {column.cell(row)}
            </span>
          ))}
        </div>
      )}
    </div>
  );
}
const Row = memo(RowOf) as typeof RowOf;

function useSort<T>({ columns, sort }: TableProps<T>): {
  by: string;
  down: boolean;
  compare: Compare<T>;
  press: (id: string) => void;
} {
  const [{ by, down }, setSort] = useState(sort);
  const compare = useMemo<Compare<T>>(() => {
    const own = columns.find((column) => column.id === by)?.compare ?? (() => 0);
    return down ? (a, b) => own(b, a) : own;
  }, [columns, by, down]);
  const press = (id: string): void => setSort({ by: id, down: id === by ? !down : false });
  return { by, down, compare, press };
}

/** Where an arrow key leads from row `at` of `count`; null for other keys. */
function step(key: string, at: number, count: number, page: number): number | null {
  const to = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + page,
    PageUp: at - page,
    Home: 0,
    End: count - 1,
  }[key];
  return to === undefined ? null : Math.max(0, Math.min(count - 1, to));
}

/** A grid: arrow keys walk through its rows, Escape lets go, and its headings sort. */
export function Table<T>(props: TableProps<T>): ReactElement {
  const { label, rows, keyOf, keep, chosen = null, onChoose, empty, onCount } = props;
  const narrow = useMedia(NARROW);
  const [columns, below] = useMemo(() => {
    const under = narrow ? props.columns.filter((column) => column.below) : [];
    return [props.columns.filter((column) => !under.includes(column)), under] as const;
  }, [props.columns, narrow]);
  const height = below.length === 0 ? ROW : ROW_OF_TWO;
  const id = useId();
  const body = useRef<HTMLDivElement>(null);
  const [order] = useState(() => new Order(keyOf, REST_MS));
  const { by, down, compare, press } = useSort(props);
  const shown = order.take(rows, { keep, compare }, performance.now());
  const template = columns.map(({ width }) => width).join(' ');
  // eslint-disable-next-line react-hooks/incompatible-library -- no compiler memoizes here
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => body.current,
    estimateSize: () => height,
    overscan: 8,
    scrollMargin: HEAD,
    scrollPaddingStart: HEAD,
  });
  useEffect(() => virtual.measure(), [virtual, height]);
  useEffect(() => onCount?.(shown.length), [onCount, shown.length]);

  const at = chosen === null ? -1 : shown.findIndex((row) => keyOf(row) === chosen);
  const onKey = (event: KeyboardEvent): void => {
    if (event.target !== event.currentTarget) return undefined;
    if (event.key === 'Escape') return onChoose?.(null);
    const page = Math.max(1, Math.floor((body.current?.clientHeight ?? 0) / height) - 1);
    const to = step(event.key, at, shown.length, page);
    if (to === null || shown.length === 0) return undefined;
    event.preventDefault();
    virtual.scrollToIndex(to);
    return onChoose?.(keyOf(shown[to]!));
  };
  const onClick = (target: EventTarget): void => {
    const index = (target as HTMLElement).closest<HTMLElement>('[data-index]')?.dataset['index'];
    const row = index === undefined ? undefined : shown[Number(index)];
    if (row) onChoose?.(keyOf(row));
  };
  const items = virtual.getVirtualItems();
  return (
    <div
      ref={body}
      className="table"
      role="grid"
      tabIndex={0}
      aria-label={label}
      aria-rowcount={shown.length + 1}
      aria-activedescendant={items.some(({ index }) => index === at) ? `${id}${at}` : undefined}
      onKeyDown={onKey}
      onClick={(event) => onClick(event.target)}
    >
      <div role="rowgroup" className="table-top">
        <div className="table-row" role="row" style={{ gridTemplateColumns: template }}>
          {columns.map((column) => (
            <div
              key={column.id}
              role="columnheader"
              className={column.number ? 'number' : ''}
              aria-sort={column.id !== by ? undefined : down ? 'descending' : 'ascending'}
            >
              {column.compare ? (
                <button type="button" className="table-sort" onClick={() => press(column.id)}>
                  <span className="cut">{column.title}</span>
                  {column.id === by && <Icon name={down ? 'down' : 'up'} size={12} />}
                </button>
              ) : (
                <span className="table-plain">{column.title}</span>
              )}
            </div>
          ))}
        </div>
      </div>
      <div
        role="rowgroup"
        className="table-space"
        style={{ height: shown.length === 0 ? undefined : virtual.getTotalSize() }}
      >
        {shown.length === 0 && (
          <div role="row">
            <div role="gridcell">{empty}</div>
          </div>
        )}
        {items.map(({ index }) => {
          const row = shown[index]!;
          return (
            <Row
              key={keyOf(row)}
              row={row}
              id={`${id}${index}`}
              index={index}
              chosen={index === at}
              columns={columns}
              below={below}
              template={template}
            />
          );
        })}
      </div>
    </div>
  );
}
