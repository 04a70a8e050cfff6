// Puts into the .deb what its maker can't: the command line, the helper with its polkit action, man page, systemd units, icons of all sizes.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { manPage } from './man.mjs';
import { root, run, stop } from './setup.mjs';

const assets = join(root, 'assets');
const LIB = 'usr/lib/shipworm';

/** Writes a file that everybody may read. */
function put(tree, path, content, mode = 0o644) {
  const file = join(tree, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

/** A unit for where a package has things. */
const packaged = (unit) =>
  unit
    .replaceAll('/opt/shipworm/bin/shipworm', '/usr/bin/shipworm')
    .replaceAll('/opt/shipworm/build/native/shipworm-helper', `/${LIB}/shipworm-helper`)
    .replaceAll(/file:\/opt\/shipworm\/docs\/[a-z-]+\.md/g, 'man:shipworm(1)');

function fill(tree) {
  const bin = join(tree, 'usr/bin');
  rmSync(bin, { recursive: true, force: true });
  mkdirSync(bin);
  symlinkSync('../lib/shipworm/shipworm-desktop', join(bin, 'shipworm-desktop'));
  symlinkSync('../lib/shipworm/resources/cli/shipworm', join(bin, 'shipworm'));
  const entry = join(tree, 'usr/share/applications/shipworm.desktop');
  const text = readFileSync(entry, 'utf8').replace(/^Exec=.*$/m, 'Exec=shipworm-desktop');
  put(tree, 'usr/share/applications/shipworm.desktop', text);
  copyFileSync(
    join(tree, LIB, 'resources/native/shipworm-helper'),
    join(tree, LIB, 'shipworm-helper'),
  );
  chmodSync(join(tree, LIB, 'shipworm-helper'), 0o755);
  // Chromium's sandbox for systems without user namespaces for everybody.
  chmodSync(join(tree, LIB, 'chrome-sandbox'), 0o4755);
  put(tree, 'usr/share/man/man1/shipworm.1.gz', gzipSync(manPage(), { level: 9 }));
  put(
    tree,
    'usr/share/polkit-1/actions/org.shipworm.helper.policy',
    readFileSync(join(assets, 'polkit', 'org.shipworm.helper.policy')),
  );
  for (const name of [
    'shipworm-helper.service',
    'shipworm-helper.socket',
    'shipworm-client.service',
    'shipworm-server.service',
    'shipworm-relay.service',
  ])
    put(
      tree,
      `usr/lib/systemd/system/${name}`,
      packaged(readFileSync(join(assets, 'systemd', name), 'utf8')),
    );
  for (const file of readdirSync(join(assets, 'icons'))) {
    const size = /^app-(\d+)\.png$/.exec(file)?.[1];
    if (size)
      put(
        tree,
        `usr/share/icons/hicolor/${size}x${size}/apps/shipworm.png`,
        readFileSync(join(assets, 'icons', file)),
      );
  }
  rmSync(join(tree, 'usr/share/pixmaps'), { recursive: true, force: true });
  for (const name of ['prerm', 'postrm'])
    put(tree, `DEBIAN/${name}`, readFileSync(join(assets, 'package', name)), 0o755);
}

/** Finishes every .deb below out/make and renames the zips; gives the paths of all that was made. */
export function finishDeb(version) {
  const out = join(root, 'out', 'make');
  const files = readdirSync(out, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name));
  return files.map((file) => {
    if (file.endsWith('.deb')) {
      const tree = mkdtempSync(join(tmpdir(), 'shipworm-deb-'));
      try {
        if (!run('dpkg-deb', ['-R', file, tree])) stop('dpkg-deb failed.');
        chmodSync(tree, 0o755);
        fill(tree);
        const { stdout } = spawnSync('du', ['-sk', '--exclude=DEBIAN', tree], { encoding: 'utf8' });
        const controlFile = join(tree, 'DEBIAN', 'control');
        writeFileSync(
          controlFile,
          readFileSync(controlFile, 'utf8').replace(
            /^Installed-Size:.*$/m,
            `Installed-Size: ${parseInt(stdout, 10)}`,
          ),
        );
        if (!run('dpkg-deb', ['--root-owner-group', '-Zzstd', '-b', tree, file]))
          stop('dpkg-deb failed.');
      } finally {
        rmSync(tree, { recursive: true, force: true });
      }
    }
    if (!file.endsWith('.zip') || file.includes(version)) return file;
    const renamed = file.replace(/-[\d.]+\.zip$/, `-${version}.zip`);
    renameSync(file, renamed);
    return existsSync(renamed) ? renamed : file;
  });
}
