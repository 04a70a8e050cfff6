// Module wire/discards counts what was refused, by the name of the reason.

/** Counters that only grow; a name appears once it was counted. */
export class Discards {
  private readonly counts = new Map<string, number>();

  count(reason: string): void {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
  }

  snapshot(): Record<string, number> {
    return Object.fromEntries(this.counts);
  }
}
