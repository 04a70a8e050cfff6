// Module electron/switches turns an application off in the tray, and on again as it was.
import type { Params } from '../engine/service/api.ts';
import type { TrayApp } from './tray-view.ts';

type Access = Pick<Params<'setApp'>, 'connectOut' | 'beReached'>;

/** What an application may do when nothing is known of how it was before. */
const PLAIN: Access = { connectOut: true, beReached: 'none' };

export class Switches {
  /** By the subject of the rule. */
  private readonly before = new Map<string, Access>();

  /** The change of the rule about `app` that switches it. */
  change(app: TrayApp, on: boolean): Params<'setApp'> {
    const { connectOut, beReached, user, group } = app;
    const path = app.script ?? app.path;
    const subject = JSON.stringify([group?.id, path, user]);
    if (!on) this.before.set(subject, { connectOut, beReached });
    const access = on
      ? (this.before.get(subject) ?? PLAIN)
      : { connectOut: false, beReached: 'none' as const };
    return {
      ...(group ? { group } : path !== null && { path }),
      ...(user !== null && { user }),
      ...access,
      never: false,
    };
  }
}
