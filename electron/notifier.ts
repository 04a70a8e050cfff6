// Module electron/notifier is the one controller of notifications: providers say what there is, it alone says what is shown.
//
// The policy: none when they are switched off, none while the window is in front, none over a full-screen program, and at most one
// about the same subject in a day, over ends and starts of the app, too.
import type { Button } from './notification-service.ts';

/** Something that a person may want to be told. */
export interface Notice {
  /** What it is about: an application, or a kind of failure. */
  readonly subject: string;
  readonly title: string;
  readonly body: string;
  /** Where the desktop has buttons, these are shown. */
  readonly buttons: readonly Button[];
}

export interface NotifierParts {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly enabled: () => boolean;
  /** The window is in front, so that the person sees it there. */
  readonly windowInFront: () => boolean;
  readonly fullScreen: () => Promise<boolean>;
  readonly show: (notice: Notice) => void;
  /** When (ms since 1970) each subject was last told of, from an earlier run. */
  readonly told: Readonly<Record<string, number>>;
  /** Keeps what `told` gives next time: what is less than a day old. */
  readonly keep: (told: Readonly<Record<string, number>>) => void;
}

const DAY_MS = 86_400_000;

export class Notifier {
  private readonly parts: NotifierParts;
  private shownAt: ReadonlyMap<string, number>;

  constructor(parts: NotifierParts) {
    this.parts = parts;
    this.shownAt = new Map(Object.entries(parts.told));
  }

  /** Shows `notice` if the policy lets it. Gives whether it was shown. */
  async offer(notice: Notice): Promise<boolean> {
    if (!this.mayDisplay(notice) || (await this.parts.fullScreen())) return false;
    // Somebody else may have been quicker.
    if (!this.mayDisplay(notice)) return false;
    this.remember(notice.subject);
    this.parts.show(notice);
    return true;
  }

  private mayDisplay({ subject }: Notice): boolean {
    const { now, enabled, windowInFront } = this.parts;
    return enabled() && !windowInFront() && !this.isRecent(this.shownAt.get(subject), now());
  }

  private remember(subject: string): void {
    const now = this.parts.now();
    const recent = [...this.shownAt].filter(([, at]) => this.isRecent(at, now));
    this.shownAt = new Map([...recent, [subject, now]]);
    this.parts.keep(Object.fromEntries(this.shownAt));
  }

  /** A time in the future is a clock that was set back: nothing to go by. */
  private isRecent(at: number | undefined, now: number): boolean {
    return at !== undefined && at <= now && now - at < DAY_MS;
  }
}
