// Module test/app/kit/bare-root is a Debian with nothing on it but what debootstrap puts there, in namespaces of its own, for one session.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asGuest, firstLine } from './session.ts';
import type { Session } from './session.ts';

/** The screen's sockets, which are files of every machine that sees it. */
const SCREENS = '/tmp/.X11-unix';

/** Becomes the first process of the machine: its files, its devices and its processes, but no network. */
const BOOT = `set -e
root=$1 session=$2 screens=$3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 none "$root/dev"
for each in null zero full random urandom tty; do
  touch "$root/dev/$each"
  mount --bind "/dev/$each" "$root/dev/$each"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir -p "$root/dev/shm" "$root/dev/pts" "$root/tmp"
mount -t tmpfs -o mode=1777 none "$root/dev/shm"
mount -t tmpfs -o mode=1777 none "$root/tmp"
for each in "$session" "$screens"; do
  mkdir -p "$root$each"
  mount --bind "$each" "$root$each"
done
ip link set lo up
# A mere chroot would keep ordinary users from namespaces of their own.
cd "$root"
mkdir before
pivot_root . before
exec chroot . sh -c 'umount -l /before; rmdir /before; echo ready; while :; do sleep 60; done'`;

/** Every file with what it is, and the content of what names users and settings. */
const LIST = `find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /run \\
  -o -path /var/cache -o -path /var/log -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /etc/resolv.conf \\) -prune \\
  -o -printf '%p %y %m %U:%G %l\\n'
find / -xdev -path '/var/*' -name '*shipworm*'
find /etc -type f -exec sha256sum {} +`;

/** Where a Debian of this machine's release is to be had; null: this is no Debian. */
function release(): { readonly name: string; readonly mirror: string } | null {
  const name = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', '$(RELEASE) $(REPO_URI)'], {
    encoding: 'utf8',
  });
  const line = (stdout as string | null)?.split('\n').find((each) => each.startsWith(`${name} `));
  const mirror = line?.slice(line.indexOf(' ') + 1);
  return name && mirror ? { name, mirror } : null;
}

export class BareRoot {
  private readonly session: Session;
  private readonly folder: string;
  private readonly first: ChildProcess;

  private constructor(session: Session, folder: string, first: ChildProcess) {
    this.session = session;
    this.folder = folder;
    this.first = first;
  }

  /** Gives a sentence where no such machine can be had. */
  static async open(session: Session): Promise<BareRoot | string> {
    const wanted = release();
    if (!wanted) return 'This machine is no Debian, so that it knows of no mirror.';
    const folder = mkdtempSync(join(tmpdir(), 'shipworm-bare-'));
    const root = join(folder, 'root');
    const { name, mirror } = wanted;
    const made = spawnSync(
      'sh',
      ['-c', 'exec debootstrap --variant=minbase "$@" 2>&1', 'sh', name, root, mirror],
      { encoding: 'utf8' },
    );
    if (made.status !== 0) {
      rmSync(folder, { recursive: true, force: true });
      return `debootstrap made no Debian: ${made.stdout.trim().split('\n').at(-1)!}`;
    }
    const spaces = ['--mount', '--pid', '--fork', '--kill-child', '--net', '--ipc', '--uts'];
    const boot = ['sh', '-c', BOOT, 'sh', root, session.folder, SCREENS];
    const first = spawn('unshare', [...spaces, ...boot], { stdio: ['ignore', 'pipe', 'inherit'] });
    await firstLine(first);
    return new BareRoot(session, folder, first);
  }

  /** Puts a file of the host there. */
  put(file: string, path: string): void {
    copyFileSync(file, join(this.folder, 'root', path));
  }

  /** Runs a line of shell there as root; gives what it prints. Throws with what it said when it fails. */
  run(line: string): string {
    return this.inside(this.enter, line);
  }

  /** The same with the host's network, for apt. */
  install(line: string): string {
    return this.inside(
      this.enter.filter((word) => !word.startsWith('--net=')),
      `DEBIAN_FRONTEND=noninteractive apt-get -qq ${line}`,
    );
  }

  /** Starts a command there as the session's user, on the session's screen. */
  start(...command: string[]): ChildProcess {
    const { folder, env } = this.session;
    const [nsenter, ...words] = [...this.enter, ...asGuest(folder, null), ...command];
    return spawn(nsenter!, words, {
      env: { ...env, PATH: PATHS },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** What runs there besides its first process: one line each. */
  processes(): readonly string[] {
    const own = `for each in /proc/[0-9]*; do tr '\\0' ' ' < "$each/cmdline" 2>/dev/null; echo; done`;
    return this.run(own)
      .split('\n')
      .filter((line) => line !== '' && !/^(sleep|sh -e?c|tr )/.test(line));
  }

  /** What there is: a line for each file and for each setting's content. */
  files(): readonly string[] {
    return this.run(LIST).split('\n').sort();
  }

  /** The host's number of its first process. */
  private get pid(): number {
    const { pid } = this.first;
    return Number(readFileSync(`/proc/${pid!}/task/${pid!}/children`, 'utf8').trim());
  }

  /** Words before a command that bring it there. */
  private get enter(): string[] {
    const spaces = ['mnt', 'pid', 'net', 'ipc', 'uts'].map((name) => {
      const option = name === 'mnt' ? 'mount' : name;
      return `--${option}=/proc/${this.pid}/ns/${name}`;
    });
    return ['nsenter', ...spaces, `--root=/proc/${this.pid}/root`, '--wdns=/'];
  }

  private inside([nsenter, ...words]: readonly string[], line: string): string {
    const { status, stdout, stderr } = spawnSync(nsenter!, [...words, 'sh', '-ec', line], {
      encoding: 'utf8',
      env: { PATH: PATHS, LC_ALL: 'C.UTF-8' },
      maxBuffer: 1 << 26,
    });
    if (status !== 0) throw new Error(`${line} ended with ${String(status)}: ${stderr}${stdout}`);
    return stdout;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.first.once('exit', resolve));
    // It takes the machine's first process with it, that all others, and they their mounts.
    this.first.kill('SIGKILL');
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const PATHS = '/usr/sbin:/usr/bin:/sbin:/bin';
