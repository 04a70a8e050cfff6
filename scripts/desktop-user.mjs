// Finds whose desktop it is, and makes the command that runs a program there as an ordinary user, never as root.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
  chownSync,
  chmodSync,
  copyFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { root } from './setup.mjs';

/** What a program of a desktop needs of its session. */
const SESSION_VARIABLES = [
  'DISPLAY',
  'WAYLAND_DISPLAY',
  'XAUTHORITY',
  'DBUS_SESSION_BUS_ADDRESS',
  'XDG_RUNTIME_DIR',
  'XDG_SESSION_TYPE',
  'XDG_CURRENT_DESKTOP',
  'LANG',
  'LANGUAGE',
  'LC_ALL',
  'TZ',
  'PATH',
];
/** A user that no machine has. */
const GUEST = { name: 'shipworm-guest', uid: 61_234 };

/** The session's variables of `env`, or null when there is no display. */
export function sessionOf(env) {
  if (!env.DISPLAY && !env.WAYLAND_DISPLAY) return null;
  return Object.fromEntries(
    SESSION_VARIABLES.filter((name) => env[name]).map((name) => [name, env[name]]),
  );
}

/** Who owns the display: whoever called sudo, else the owner of the session's files; null when that is root itself. */
function ownerOf(session, env) {
  const wanted = [Number(env.SUDO_UID)];
  for (const path of [session.XAUTHORITY, session.XDG_RUNTIME_DIR])
    if (path && existsSync(path)) wanted.push(statSync(path).uid);
  const uid = wanted.find((each) => Number.isInteger(each) && each > 0);
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => Number(each.split(':')[2]) === uid && uid > 0);
  if (!line) return null;
  const [name, , , gid, , home] = line.split(':');
  return { name, uid, gid: Number(gid), home };
}

/** The topmost folder on the way to `path` that others can't enter, or ''. */
export function hiddenFolder(path) {
  const parts = resolve(path).split('/');
  const folders = parts.map((_, i) => parts.slice(0, i + 1).join('/') || '/');
  return folders.find((each) => (statSync(each).mode & 0o001) === 0) ?? '';
}

/**
 * Lines of a shell script in a mount namespace of its own: they show the folder $root to everybody although $hidden, above it, is
 * closed to others; nothing else of $hidden is there. $home is a folder for their use.
 */
export const REVEAL = `if [ -n "$hidden" ]; then
  mkdir "$home/shown"
  mount --bind "$root" "$home/shown"
  mount -t tmpfs -o mode=755 none "$hidden"
  mkdir -p "$root"
  mount --bind "$home/shown" "$root"
  umount "$home/shown"
  rmdir "$home/shown"
fi`;

/** The command that runs `program` with `args` on the desktop of `session`. As root it becomes the desktop's owner, or a guest. */
export function asOrdinaryUser(session, program, args, env = process.env) {
  if (process.getuid?.() !== 0) return { file: program, argv: args, env: process.env };
  const owner = ownerOf(session, env);
  if (!owner) return asGuest(session, program, args);
  const runtime = `/run/user/${owner.uid}`;
  const own = { ...session, HOME: owner.home, USER: owner.name, LOGNAME: owner.name };
  if (existsSync(runtime)) {
    own.XDG_RUNTIME_DIR = runtime;
    if (existsSync(`${runtime}/bus`)) own.DBUS_SESSION_BUS_ADDRESS ??= `unix:path=${runtime}/bus`;
  }
  console.error(`Running the app as ${owner.name}; it is never root.`);
  const argv = [
    '--reuid',
    String(owner.uid),
    '--regid',
    String(owner.gid),
    '--init-groups',
    program,
    ...args,
  ];
  return { file: 'setpriv', argv, env: own };
}

/**
 * A guest has a name and a home for as long as the program runs: in a mount namespace of its own, whose /etc/passwd names it.
 * The machine's files stay as they are. A repository in a closed folder is shown to it there.
 */
function asGuest(session, program, args) {
  const home = mkdtempSync(join(tmpdir(), 'shipworm-guest-'));
  chmodSync(home, 0o755);
  const { name, uid } = GUEST;
  for (const [file, line] of [
    ['passwd', `${name}:x:${uid}:${uid}:Shipworm:${home}/home:/bin/sh`],
    ['group', `${name}:x:${uid}:`],
  ])
    writeFileSync(join(home, file), `${readFileSync(`/etc/${file}`, 'utf8').trimEnd()}\n${line}\n`);
  for (const folder of ['home', 'run']) {
    mkdirSync(join(home, folder), { mode: 0o700 });
    chownSync(join(home, folder), uid, uid);
  }
  const own = {
    ...session,
    HOME: `${home}/home`,
    USER: name,
    LOGNAME: name,
    XDG_RUNTIME_DIR: `${home}/run`,
  };
  if (session.XAUTHORITY && existsSync(session.XAUTHORITY)) {
    own.XAUTHORITY = join(home, 'home', '.Xauthority');
    copyFileSync(session.XAUTHORITY, own.XAUTHORITY);
    chownSync(own.XAUTHORITY, uid, uid);
  }
  // A bus of root's session would not let it in.
  delete own.DBUS_SESSION_BUS_ADDRESS;
  console.error(
    'There is nobody whose desktop this is, so the app runs as a guest; what it keeps goes with it.',
  );
  const script = `set -e
home=$1 root=$2 hidden=$3
shift 3
mount --bind "$home/passwd" /etc/passwd
mount --bind "$home/group" /etc/group
${REVEAL}
leave() { rm -rf "$home"; }
trap leave EXIT
# It lets in its own user alone; what it says itself is for nobody. It goes with the app: told first, it would take the app with it.
trap 'kill -TERM "$(cat "$home/run/pid")"' TERM HUP
trap : INT
setpriv --reuid ${uid} --regid ${uid} --clear-groups dbus-run-session -- sh -c '
  echo $$ > "$0"
  exec "$@" 2>&3 3>&-' "$home/run/pid" "$@" 3>&2 2>/dev/null &
child=$!
wait $child && code=0 || code=$?
while kill -0 $child 2>/dev/null; do wait $child && code=0 || code=$?; done
exit $code`;
  return {
    file: 'unshare',
    argv: ['-m', 'sh', '-c', script, 'sh', home, root, hiddenFolder(root), program, ...args],
    env: own,
  };
}
