// Module app/order keeps the rows of a long table in order while a few of them change ten times a second.

export type Compare<T> = (a: T, b: T) => number;

/** What the order is made from; the same functions again mean the same question. */
export interface Question<T> {
  readonly keep: (row: T) => boolean;
  readonly compare: Compare<T>;
}

/**
 * Gives the rows that a person asked for, sorted. A row whose values change keeps its place for a while, so that a table which is
 * read doesn't jump, and so that an update costs about as much as the rows that it touches.
 */
export class Order<T> {
  private question: Question<T> | null = null;
  private given: readonly T[] = [];
  private result: readonly T[] = [];
  /** Where the rows of the result stand in what was given. */
  private places: number[] = [];
  private sortedAt = -Infinity;
  private readonly keyOf: (row: T) => string;
  private readonly restMs: number;

  /** @param restMs how long rows keep their places, ms */
  constructor(keyOf: (row: T) => string, restMs: number) {
    this.keyOf = keyOf;
    this.restMs = restMs;
  }

  /** @param now any clock, ms */
  take(rows: readonly T[], question: Question<T>, now: number): readonly T[] {
    const asked =
      question.keep !== this.question?.keep || question.compare !== this.question.compare;
    if (!asked && rows === this.given) return this.result;
    const same = !asked && this.hasSamePlaces(rows, question.keep);
    if (!same) this.places = this.placesOf(rows, question.keep);
    if (!same || now - this.sortedAt >= this.restMs) {
      // Nearly in order already, which the sort of the platform makes use of.
      this.places.sort((a, b) => question.compare(rows[a] as T, rows[b] as T));
      this.sortedAt = now;
    }
    this.question = question;
    this.given = rows;
    this.result = this.places.map((place) => rows[place] as T);
    return this.result;
  }

  /** The same rows as before, by key, in the same places, and the same of them kept: only values are others. */
  private hasSamePlaces(rows: readonly T[], keep: (row: T) => boolean): boolean {
    return (
      rows.length === this.given.length &&
      rows.every((row, i) => {
        const before = this.given[i] as T;
        if (row === before) return true;
        return this.keyOf(row) === this.keyOf(before) && keep(row) === keep(before);
      })
    );
  }

  /** Places of the rows that are kept: in the order of before where they were there, then new ones. */
  private placesOf(rows: readonly T[], keep: (row: T) => boolean): number[] {
    const kept = new Map<string, number>();
    rows.forEach((row, i) => {
      if (keep(row)) kept.set(this.keyOf(row), i);
    });
    const places: number[] = [];
    for (const row of this.result) {
      const name = this.keyOf(row);
      const place = kept.get(name);
      if (place === undefined) continue;
      places.push(place);
      kept.delete(name);
    }
    for (const place of kept.values()) places.push(place);
    return places;
  }
}
