// Module electron/notices shows what the notifier lets through, with buttons where the desktop has them, and takes it away when it no longer holds.
import { Notification } from 'electron';
import type { Button } from './notification-service.ts';
import { NotificationService } from './notification-service.ts';
import type { Notice } from './notifier.ts';

export interface NoticeParts {
  /** Path of the app's picture. */
  readonly icon: string;
  /** What a click on a notification does. */
  readonly open: () => Button;
}

export class Notices {
  private readonly parts: NoticeParts;
  private service: NotificationService | null = null;
  /** What takes each one away, by its subject. */
  private readonly shown = new Map<string, () => void>();
  private current: ReadonlySet<string> = new Set();

  constructor(parts: NoticeParts) {
    this.parts = parts;
  }

  /** These subjects still hold; what is shown about others is taken away. */
  settle(subjects: ReadonlySet<string>): void {
    this.current = subjects;
    for (const [subject, takeAway] of this.shown) {
      if (subjects.has(subject)) continue;
      this.shown.delete(subject);
      takeAway();
    }
  }

  async show(notice: Notice): Promise<void> {
    const { subject } = notice;
    const takeAway = (await this.withButtons(notice)) ?? this.plain(notice);
    this.shown.set(subject, takeAway);
    // It may have been answered meanwhile.
    this.settle(this.current);
  }

  close(): void {
    this.settle(new Set());
    this.service?.close();
  }

  /** Null: there is no service that has buttons. */
  private async withButtons({
    subject,
    title,
    body,
    buttons,
  }: Notice): Promise<(() => void) | null> {
    try {
      if (!this.service?.isOpen) this.service = await NotificationService.open();
      const capabilities = (await this.service?.capabilities()) ?? [];
      if (!this.service || !capabilities.includes('actions')) return null;
      const { icon, open } = this.parts;
      const closed = (): void => void this.shown.delete(subject);
      const content = { title, body, icon, buttons, click: open(), closed };
      return await this.service.show(content, capabilities);
    } catch {
      // The bus is gone, or the service: the next one is asked anew.
      this.service?.close();
      this.service = null;
      return null;
    }
  }

  /** A click opens the window; what there is to choose is there. */
  private plain({ subject, title, body }: Notice): () => void {
    const notification = new Notification({ title, body, icon: this.parts.icon, silent: true });
    notification.on('click', () => this.parts.open().press());
    notification.on('close', () => this.shown.delete(subject));
    notification.show();
    return () => notification.close();
  }
}
