// Module service/paging cuts a long list to the page that was asked for, so that a call's cost is bounded however long the list is.
import { z } from 'zod';
import type { Choose } from '../datapath/limits.ts';

/** Rows that a call gives unless it is asked for others; `status` and the window have the latest so many. */
export const PAGE_ROWS = 1_000;

/** What a call for a long list takes. */
export const pageSchema = z.strictObject({
  /** So many of the latest are left out. */
  offset: z.number().int().min(0).optional(),
  limit: z.number().int().min(1).max(100_000).optional(),
  /** Only rows with this text in one of their values, upper and lower case alike. */
  match: z.string().min(1).max(200).optional(),
});
export type Page = z.infer<typeof pageSchema>;

/** The page of `rows`, which makes rows of what is chosen; where a text is to be found, of everything. The order stays: the latest last. */
export function pageOf<Row>(
  { offset = 0, limit = PAGE_ROWS, match }: Page,
  rows: (choose: Choose) => readonly Row[],
): Row[] {
  const cut: Choose = (all) => {
    const end = Math.max(0, all.length - offset);
    return all.slice(Math.max(0, end - limit), end);
  };
  if (match === undefined) return [...rows(cut)];
  const wanted = match.toLowerCase();
  return [...cut(rows((all) => all).filter((row) => holds(row, wanted)))];
}

/** So many rows are looked at before others get their turn: some two milliseconds. */
const TURN_ROWS = 512;

/**
 * The page of a list so long that it is looked through by and by: `latest` makes its rows from the latest to the oldest, `turn` waits
 * for the event loop's next.
 */
export async function pageOfLatest<Row>(
  { offset = 0, limit = PAGE_ROWS, match }: Page,
  latest: Iterable<() => Row>,
  turn: () => Promise<void>,
): Promise<Row[]> {
  const wanted = match?.toLowerCase();
  const page: Row[] = [];
  let looked = 0;
  let found = 0;
  for (const make of latest) {
    if (++looked % TURN_ROWS === 0) await turn();
    if (wanted === undefined) {
      if (++found > offset) page.push(make());
    } else {
      const row = make();
      if (holds(row, wanted) && ++found > offset) page.push(row);
    }
    if (page.length >= limit) break;
  }
  return page.reverse();
}

function holds(value: unknown, wanted: string): boolean {
  if (typeof value === 'object' && value !== null)
    return Object.values(value).some((each) => holds(each, wanted));
  return typeof value === 'string' || typeof value === 'number'
    ? String(value).toLowerCase().includes(wanted)
    : false;
}
