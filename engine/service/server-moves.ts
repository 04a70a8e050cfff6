// Module service/server-moves lets who asked for another server wait until it serves, or has stayed silent.
import { SOLICITATION_TIMEOUT_MS, SOLICITATION_TRIES } from '../client/config.ts';
import type { Host } from '../host/types.ts';
import { formatIp4 } from '../wire/index.ts';
import type { Ip4 } from '../wire/index.ts';
import type { ServerChange } from './server-calls.ts';
import type { ServerPlace } from './server-list.ts';

/** A server counts as silent after this time, ms: N solicitations, T each (RFC 4380 §5.2.1), and some. */
const SILENT_MS = SOLICITATION_TRIES * SOLICITATION_TIMEOUT_MS + 500;

const TEXTS = {
  'no-other-server':
    'No other server is set, or its name has no address just now; name it with --server HOST,HOST2.',
  'not-awake': 'The tunnel is not awake, so no server is in use; see: shipworm status',
  'no-answer': 'The next server does not answer; the one in use stays.',
} as const;

/** What is said of a move that did not take place. */
export function notMoved(code: keyof typeof TEXTS): ServerChange {
  return { ok: false, code, text: TEXTS[code] };
}

/** Moves that were asked for and are under way. */
export class ServerMoves {
  private readonly after: Host['after'];
  private waiting: { readonly server: Ip4; readonly settle: (change: ServerChange) => void }[] = [];

  constructor(after: Host['after']) {
    this.after = after;
  }

  /** Resolves when `server` serves, at the latest when it counts as silent. */
  until(server: Ip4): Promise<ServerChange> {
    return new Promise((resolve) => {
      const settle = (change: ServerChange): void => {
        cancel();
        this.waiting = this.waiting.filter((each) => each.settle !== settle);
        resolve(change);
      };
      const cancel = this.after(SILENT_MS, () => settle(notMoved('no-answer')));
      this.waiting.push({ server, settle });
    });
  }

  /** `place` serves, with `address`. */
  served({ name, server }: ServerPlace, address: string): void {
    for (const each of [...this.waiting])
      if (each.server === server)
        each.settle({ ok: true, name, server: formatIp4(server), address });
  }
}
