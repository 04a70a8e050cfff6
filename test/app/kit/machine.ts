// Module test/app/kit/machine is a PC of its own as far as polkit and the helper's places go, in a network of its own if wanted: the host's files stay as they are.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Session } from './session.ts';

const SCRIPT = `set -e
folder=$1
for each in /usr/lib /usr/share/polkit-1 /etc/polkit-1; do
  name=$(echo "$each" | tr / _)
  mkdir -p "$folder/layers/$name/upper" "$folder/layers/$name/work"
  mount -t overlay none -o "lowerdir=$each,upperdir=$folder/layers/$name/upper,workdir=$folder/layers/$name/work" "$each"
done
mount -t tmpfs none /run/dbus
mount --bind "$folder/passwd" /etc/passwd
mount --bind "$folder/group" /etc/group
rm -f /etc/polkit-1/rules.d/* /usr/share/polkit-1/rules.d/*
dbus-daemon --system --nofork --nopidfile &
bus=$!
trap 'kill $bus $polkit 2>/dev/null; wait' EXIT
trap 'exit 0' TERM
until [ -S /run/dbus/system_bus_socket ]; do sleep 0.1; done
/usr/lib/polkit-1/polkitd --no-debug >/dev/null 2>&1 &
polkit=$!
until dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.PolicyKit1 2>/dev/null | grep -q true; do sleep 0.2; done
echo ready
wait $polkit`;

/** A PC with a system bus and polkit, on which nothing is installed. */
export class Machine {
  readonly session: Session;
  private readonly holder: ChildProcess;

  private constructor(session: Session, holder: ChildProcess) {
    this.session = session;
    this.holder = holder;
  }

  /** `space`: the network namespace that is its network; without one it is the host's. */
  static async open(session: Session, space?: string): Promise<Machine> {
    const layers = join(session.folder, 'layers');
    mkdirSync(layers);
    // Overlays need a file system of their own kind below them.
    spawnSync('mount', ['-t', 'tmpfs', 'none', layers]);
    const command = ['unshare', '-m', 'sh', '-c', SCRIPT, 'sh', session.folder];
    if (space !== undefined) command.unshift('ip', 'netns', 'exec', space);
    const holder = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    const enter = [
      'nsenter',
      `--mount=/proc/${holder.pid!}/ns/mnt`,
      `--net=/proc/${holder.pid!}/ns/net`,
    ];
    // Its system bus is where a system bus always is.
    const env = Object.fromEntries(
      Object.entries(session.env).filter(([name]) => name !== 'DBUS_SYSTEM_BUS_ADDRESS'),
    );
    const machine = new Machine({ ...session, env, enter }, holder);
    for await (const line of createInterface({ input: holder.stdout })) {
      if (line === 'ready') return machine;
    }
    await machine.close();
    throw new Error('The machine did not start.');
  }

  /** Runs a command there, as root; gives what it prints. */
  run(...command: string[]): string {
    const [nsenter, ...words] = this.session.enter!;
    return spawnSync(nsenter!, [...words, ...command], { encoding: 'utf8' }).stdout.trim();
  }

  /** Starts a command there, as root. */
  start(...command: string[]): ChildProcess {
    const [nsenter, ...words] = this.session.enter!;
    return spawn(nsenter!, [...words, ...command], { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  /** From now on the guest may do `actions` without a password, as an active user with an agent might. */
  permit(...actions: string[]): void {
    const rule = `polkit.addRule(function (action, subject) {
  if (${JSON.stringify(actions)}.indexOf(action.id) >= 0 && subject.user === 'guest') return polkit.Result.YES;
});`;
    const file = join(this.session.folder, 'rule');
    writeFileSync(file, rule, { mode: 0o644 });
    this.run('cp', file, '/etc/polkit-1/rules.d/10-guest.rules');
  }

  async close(): Promise<void> {
    if (this.holder.exitCode === null && this.holder.signalCode === null) {
      const ended = new Promise((resolve) => this.holder.once('exit', resolve));
      this.holder.kill();
      await ended;
    }
    spawnSync('umount', ['-l', join(this.session.folder, 'layers')]);
  }
}
