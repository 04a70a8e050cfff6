// Module host/cgroup puts this process into a control group of its own, so that what it starts can be told from all else.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

/** The helper takes groups of this name for what `shipworm run` started. */
const PREFIX = 'shipworm-run-';

/** A control group made for one program. */
export interface OwnGroup {
  /** Its path in the cgroup2 hierarchy, as the gate names it. */
  readonly id: string;
  /** This process, and whatever it starts from then on, belongs to it. */
  enter(): void;
  /** This process goes back; the group goes, unless something that was started still runs in it. */
  leave(): void;
}

/** Makes a group below the one that this process is in. Throws an Error whose message says what is wrong. */
export function makeOwnGroup(): OwnGroup {
  const root = cgroup2Mount();
  const home = ownPath();
  const name = `${PREFIX}${process.pid}-${randomBytes(4).toString('hex')}`;
  const id = join(home, name);
  const folder = join(root, id);
  try {
    mkdirSync(folder);
  } catch (error) {
    throw new Error(
      `No control group could be made below ${join(root, home)} (${(error as Error).message}); run it in a desktop session or with systemd-run --user --scope, or allow the program itself with: shipworm apps allow`,
      { cause: error },
    );
  }
  const move = (to: string): void =>
    writeFileSync(join(root, to, 'cgroup.procs'), String(process.pid));
  return {
    id,
    enter: () => move(id),
    leave: () => {
      try {
        move(home);
        rmdirSync(folder);
      } catch {
        // Something still runs there: the group is the system's to remove, once its user or the machine ends.
      }
    },
  };
}

/** mountinfo (proc(5)): the 5th word is the place; after "-" comes the kind. */
function cgroup2Mount(): string {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    if (after.startsWith('cgroup2 ')) return before.split(' ')[4]!;
  }
  throw new Error(
    'There is no cgroup2 hierarchy here, which telling the program from others needs; allow the program itself with: shipworm apps allow',
  );
}

function ownPath(): string {
  const line = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .find((each) => each.startsWith('0::/'));
  if (line === undefined) throw new Error('This process has no control group.');
  return line.slice(3);
}

/** Start of a process, ms of CLOCK_BOOTTIME in the steps of proc(5), as the helper tells it; null when it is gone. */
export function processStart(pid: number): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command stands in brackets and may hold anything; the start is the 20th word after it, in ticks of 10 ms.
    const words = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return Number(words[19]) * 10;
  } catch {
    return null;
  }
}
