// Module parts/filter-bar narrows a list: by a choice, by words, and says how many rows are left.
import type { ReactElement, ReactNode } from 'react';
import { Choices } from './button.tsx';
import { Search } from './field.tsx';

export interface FilterBarProps<Filter extends string> {
  /** Stands first. */
  readonly before?: ReactNode;
  /** What the choice is about, for who can't see it. */
  readonly label: string;
  readonly options: readonly { readonly value: Filter; readonly text: string }[];
  readonly filter: Filter;
  readonly onFilter: (filter: Filter) => void;
  readonly text: string;
  readonly onText: (text: string) => void;
  /** How many rows are left. */
  readonly children: ReactNode;
}

export function FilterBar<Filter extends string>(props: FilterBarProps<Filter>): ReactElement {
  const { before, label, options, filter, onFilter, text, onText, children } = props;
  return (
    <div className="bar">
      {before}
      <Choices label={label} value={filter} onChange={onFilter} options={options} />
      <Search value={text} onChange={onText} />
      <span className="rest" role="status">
        {children}
      </span>
    </div>
  );
}
