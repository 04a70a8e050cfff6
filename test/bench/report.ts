// Module bench/report makes a table of what the bench measured: medians side by side, their spread, and the ratio.
import type { Measured, Row, Sample } from './group.ts';

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
};

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Of one row in one column; null when it was not measured. */
export function spread(samples: readonly Sample[], key: string): Spread | null {
  const values = samples.map((sample) => sample[key]).filter((value) => value !== undefined);
  if (values.length === 0) return null;
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/** Ours divided by Miredo's; null when one of them was not measured or Miredo's is 0. */
export function ratio({ samples }: Measured, { key }: Row): number | null {
  const [ours, theirs] = samples.slice(0, 2).map((column) => spread(column, key));
  return ours && theirs && theirs.median !== 0 ? ours.median / theirs.median : null;
}

/** Three digits that count, without an exponent. */
const short = (n: number): string =>
  Math.abs(n) >= 1000 ? Math.round(n).toLocaleString('en') : String(Number(n.toPrecision(3)));

function cell(value: Spread | null): string {
  if (!value) return '-';
  const { median: middle, least, most } = value;
  return least === most ? short(middle) : `${short(middle)} (${short(least)}-${short(most)})`;
}

function cells(measured: Measured): string[][] {
  const { rows, columns } = measured.group;
  const head = [measured.group.title, ...columns, 'ratio', 'better'];
  return [
    head,
    ...rows.map((row) => [
      row.label,
      ...columns.map((_, i) => cell(spread(measured.samples[i] ?? [], row.key))),
      ratio(measured, row)?.toFixed(2) ?? '-',
      row.better,
    ]),
  ];
}

/** For a terminal. */
export function textTable(measured: Measured): string {
  const table = cells(measured);
  const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
  return table
    .map((row) =>
      row
        .map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)))
        .join('  '),
    )
    .join('\n');
}

/** For docs/performance.md. */
export function markdownTable(measured: Measured): string {
  const [head, ...rows] = cells(measured);
  const line = (row: readonly string[]): string => `| ${row.join(' | ')} |`;
  return [
    line(head!),
    line(head!.map((_, i) => (i === 0 ? '---' : '--:'))),
    ...rows.map(line),
  ].join('\n');
}
