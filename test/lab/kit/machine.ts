// Module kit/machine gives a namespace of the lab the files of a fresh machine: /etc, /run, /opt and /var/lib of its own, Shipworm in /opt.
import { resolve } from 'node:path';
import type { Lab } from './lab.ts';
import type { Program, Result } from './processes.ts';

/** What is made before the machine is used. `systemctl` is the lab's own: nothing here may reach the real one. */
const PREPARE = `
set -e
mount --make-rprivate /
spare=$(mktemp -d /tmp/shipworm-machine-XXXXXX)
mount -t tmpfs tmpfs "$spare"
cp -a /etc/. "$spare/"
mount --move "$spare" /etc
mount --bind /var/lib "$spare"
mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir /var/lib/dpkg
mount --bind "$spare/dpkg" /var/lib/dpkg
umount "$spare"
rmdir "$spare"
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /opt
mkdir /opt/shipworm /opt/lab
mount --bind "$1" /opt/shipworm
printf '#!/bin/sh\\nexec "%s" /opt/shipworm/test/lab/kit/systemctl.mjs "$@"\\n' "$2" > /opt/lab/systemctl
chmod 755 /opt/lab/systemctl
ln -s "$2" /opt/lab/node
echo ready
exec sleep infinity`;

/** One machine. It ends with its lab. */
export class Machine {
  private readonly lab: Lab;
  private readonly space: string;
  private readonly holder: Program;
  private readonly env = { PATH: `/opt/lab:${process.env['PATH'] ?? ''}`, HOME: '/root' };

  private constructor(lab: Lab, space: string, holder: Program) {
    this.lab = lab;
    this.space = space;
    this.holder = holder;
  }

  /** `space`: its network. */
  static async make(lab: Lab, space: string): Promise<Machine> {
    const args = ['-m', 'bash', '-c', PREPARE, 'machine', resolve('.'), process.execPath];
    const holder = lab.start(space, 'unshare', args);
    await holder.says(/^ready$/m, 15_000);
    return new Machine(lab, space, holder);
  }

  /** What keeps its folders. */
  pids(): number[] {
    return [this.holder.pid];
  }

  private inside(script: string): string[] {
    return ['-t', String(this.holder.pid), '-m', 'bash', '--norc', '-euc', script];
  }

  /** Runs the lines of a script as root, as a person types them. */
  run(script: string): Promise<Result> {
    const options = { env: this.env, timeoutMs: 60_000 };
    return this.lab.run(this.space, 'nsenter', this.inside(script), options);
  }

  /** What they print; fails with them. */
  async shell(script: string): Promise<string> {
    const { code, out, err } = await this.run(script);
    if (code !== 0) throw new Error(`${script}\nended with ${code}: ${out}${err}`);
    return out;
  }

  /** Starts a script that goes on. */
  start(script: string): Program {
    return this.lab.start(this.space, 'nsenter', this.inside(script), this.env);
  }
}
