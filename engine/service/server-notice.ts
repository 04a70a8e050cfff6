// Module service/server-notice sees to it that no change of the Teredo server goes unsaid: peers and addresses hang on it.
import { formatEndpoint } from '../wire/index.ts';
import type { Endpoint } from '../wire/index.ts';
import type { Status } from './api.ts';
import type { Settings } from './config.ts';
import type { LogEntry } from './log.ts';
import type { StateStore } from './state-file.ts';

/** `status` tells of a change for so long, ms: a person looks once a day. */
const SHOWN_MS = 24 * 3_600_000;

interface Notice {
  readonly reason: Status['reason'];
  readonly until: number;
}

/** Remembers which servers are set and which one is used, and tells when either is another than before. */
export class ServerNotice {
  private readonly log: (entry: LogEntry) => void;
  private used: Endpoint | null = null;
  private notice: Notice | null = null;

  constructor(log: (entry: LogEntry) => void) {
    this.log = log;
  }

  /** At the start: compares the setting with that of the last run, and remembers it. */
  begin(
    settings: Pick<Settings, 'servers' | 'sources' | 'policy'>,
    state: StateStore,
    now: number,
  ): void {
    const { servers, sources, policy } = settings;
    const before = state.value.servers;
    state.note({ servers });
    if (before === null || before.join() === servers.join()) return;
    const source = policy.sources['serverName'] ?? sources['server'] ?? 'the defaults';
    this.tell(
      'server-setting-changed',
      `The Teredo server is set to ${servers.join(', ')} now (by ${source}); the last time it was ${before.join(', ')}. Whoever runs it sees with whom this PC talks: if nobody here changed it, find out who did.`,
      now,
    );
  }

  /** An advertisement of `server` was taken. */
  qualified(server: Endpoint, now: number): void {
    const before = this.used;
    this.used = server;
    if (before === null || before.ip === server.ip) return;
    this.tell(
      'server-changed',
      `Another server serves us now, ${formatEndpoint(server)} instead of ${formatEndpoint(before)}, so the Teredo address is new; the old one stays for the connections that use it.`,
      now,
    );
  }

  /** What `status` gives as the reason: of a tunnel that works, what changed. */
  over(reason: Status['reason'], now: number): Status['reason'] {
    if (this.notice === null || now >= this.notice.until) return reason;
    return reason.code === 'qualified' || reason.code === 'server-changed'
      ? this.notice.reason
      : reason;
  }

  private tell(code: string, text: string, now: number): void {
    this.notice = { reason: { code, text }, until: now + SHOWN_MS };
    this.log({ level: 'warning', text });
  }
}
