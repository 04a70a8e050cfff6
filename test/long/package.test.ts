// The packages as npm run make gives them: fuses read back from the executable, and a .deb that installs, runs its command and leaves no trace.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { beforeAll, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..', '..');
const MADE = join(ROOT, 'out', 'make');
let deb: string;

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ended with ${String(status)}: ${stderr}${stdout}`);
  return stdout;
}

beforeAll(() => {
  run(process.execPath, [join(ROOT, 'scripts', 'make.mjs')]);
  deb = join(
    MADE,
    readdirSync(MADE).find((name) => name.endsWith('.deb'))!,
  );
}, 900_000);

it('the executable is no Node, can’t be inspected, and loads nothing but its own archive', async () => {
  const wire = await getCurrentFuseWire(
    join(ROOT, 'out', 'Shipworm-linux-x64', 'shipworm-desktop'),
  );
  const { ENABLE, DISABLE } = FuseState;
  expect(wire[FuseV1Options.RunAsNode]).toBe(DISABLE);
  expect(wire[FuseV1Options.EnableCookieEncryption]).toBe(ENABLE);
  expect(wire[FuseV1Options.EnableNodeOptionsEnvironmentVariable]).toBe(DISABLE);
  expect(wire[FuseV1Options.EnableNodeCliInspectArguments]).toBe(DISABLE);
  expect(wire[FuseV1Options.EnableEmbeddedAsarIntegrityValidation]).toBe(ENABLE);
  expect(wire[FuseV1Options.OnlyLoadAppFromAsar]).toBe(ENABLE);
  // Older runtimes have no such fuse.
  expect([DISABLE, undefined]).toContain(wire[FuseV1Options.GrantFileProtocolExtraPrivileges]);
});

it('the .deb says what it is and has all parts', () => {
  const version = run('dpkg-deb', ['-f', deb, 'Version']).trim();
  expect(version).toMatch(/^\d+\.\d+\.\d+(~trial)?$/);
  const files = run('dpkg-deb', ['-c', deb]);
  for (const part of [
    /^-rwsr-xr-x root\/root .* \.\/usr\/lib\/shipworm\/chrome-sandbox$/m,
    /^-rwxr-xr-x root\/root .* \.\/usr\/lib\/shipworm\/shipworm-helper$/m,
    /\.\/usr\/bin\/shipworm -> \.\.\/lib\/shipworm\/resources\/cli\/shipworm$/m,
    /\.\/usr\/bin\/shipworm-desktop -> /m,
    /\.\/usr\/share\/man\/man1\/shipworm\.1\.gz$/m,
    /\.\/usr\/share\/applications\/shipworm\.desktop$/m,
    /\.\/usr\/share\/icons\/hicolor\/256x256\/apps\/shipworm\.png$/m,
    /\.\/usr\/share\/polkit-1\/actions\/org\.shipworm\.helper\.policy$/m,
    /\.\/usr\/lib\/systemd\/system\/shipworm-server\.service$/m,
  ])
    expect(files).toMatch(part);
});

it('installs, runs its command with its own Node, and is gone without a trace', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shipworm-install-'));
  try {
    // A copy of this machine that is written nowhere.
    const script = `set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay none -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /proc "$1/root/proc"
mount --bind /dev "$1/root/dev"
cp "$2" "$1/root/shipworm.deb"
there() { chroot "$1/root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "\${@:2}"; }
there "$1" dpkg -i /shipworm.deb >&2
there "$1" shipworm address decode 2001:0:c000:201:2811:3c3d:39cc:9bf8
there "$1" dpkg -P shipworm >&2
rm "$1/root/shipworm.deb"
cd "$1/upper"
find . -path ./var -prune -o -name '*shipworm*' -print -o -type f -print`;
    const out = run('unshare', ['-m', 'bash', '-c', script, 'bash', folder, deb]);
    expect(out).toContain('Client   198.51.100.7, UDP port 50114');
    // Whiteouts and caches aside, nothing of it is left.
    expect(out.split('\n').filter((line) => /shipworm/i.test(line))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
