// Module electron/notifier is the one controller of notifications: providers say what there is, it alone says what is shown.
//
// The policy: none when they are switched off, none while the window is in front, none over a full-screen program, and at most one
// about the same subject in a day.
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
}

const DAY_MS = 86_400_000;

export class Notifier {
  private readonly parts: NotifierParts;
  private readonly shownAt = new Map<string, number>();

  constructor(parts: NotifierParts) {
    this.parts = parts;
  }

  /** Shows `notice` if the policy lets it. Gives whether it was shown. */
  async offer(notice: Notice): Promise<boolean> {
    if (!this.mayDisplay(notice) || (await this.parts.fullScreen())) return false;
    // Somebody else may have been quicker.
    if (!this.mayDisplay(notice)) return false;
    this.shownAt.set(notice.subject, this.parts.now());
    this.parts.show(notice);
    return true;
  }

  private mayDisplay({ subject }: Notice): boolean {
    const { now, enabled, windowInFront } = this.parts;
    const shown = this.shownAt.get(subject) ?? -Infinity;
    return enabled() && !windowInFront() && now() - shown >= DAY_MS;
  }
}
