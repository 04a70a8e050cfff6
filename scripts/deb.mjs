// Makes the .deb of the packaged app: with the command line, the helper and its polkit action, man page, systemd units, icons.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
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
const UNITS = [
  'shipworm-helper.service',
  'shipworm-helper.socket',
  'shipworm-client.service',
  'shipworm-server.service',
  'shipworm-relay.service',
];

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

/** What is said of the app to all packagers. */
const product = JSON.parse(readFileSync(join(root, 'electron-builder.json'), 'utf8'));
const { executableName, category, synopsis, desktop } = product.linux;

/** What the runtime is linked with or, as libx11-xcb1 and libnotify4, loads while it runs; either name where Debian's releases differ. */
const DEPENDS = [
  'libc6 (>= 2.31)',
  'libgcc-s1',
  'libglib2.0-0 | libglib2.0-0t64',
  'libgtk-3-0 | libgtk-3-0t64',
  'libpango-1.0-0',
  'libcairo2',
  'libnss3',
  'libnspr4',
  'libasound2 | libasound2t64',
  'libgbm1',
  'libatk1.0-0 | libatk1.0-0t64',
  'libatk-bridge2.0-0 | libatk-bridge2.0-0t64',
  'libatspi2.0-0 | libatspi2.0-0t64',
  'libcups2 | libcups2t64',
  'libdbus-1-3',
  'libdrm2',
  'libexpat1',
  'libudev1',
  'libx11-6',
  'libx11-xcb1',
  'libxcb1',
  'libxcomposite1',
  'libxdamage1',
  'libxext6',
  'libxfixes3',
  'libxkbcommon0',
  'libxrandr2',
  'libxss1',
  'libxtst6',
  'libnotify4',
];

function control(version, sizeKb) {
  return `Package: shipworm
Version: ${version}
Section: net
Priority: optional
Architecture: amd64
Installed-Size: ${sizeKb}
Maintainer: The Shipworm developers <shipworm@localhost>
Depends: ${DEPENDS.join(', ')}
Recommends: pkexec | policykit-1, xdg-utils, x11-utils
Suggests: fonts-noto-cjk
Description: ${synopsis}
 Shipworm gives a PC behind a home router an IPv6 address and direct paths to
 other such PCs, for the applications you allow and no other. With the command
 line, server and relay.
`;
}

const ENTRY = [
  '[Desktop Entry]',
  'Type=Application',
  `Name=${product.productName}`,
  ...Object.entries(desktop.entry).map(([key, value]) => `${key}=${value}`),
  `Exec=${executableName}`,
  'Icon=shipworm',
  'Terminal=false',
  `Categories=${category};`,
  '',
].join('\n');

function fill(tree, app) {
  cpSync(app, join(tree, LIB), { recursive: true, verbatimSymlinks: true });
  chmodSync(join(tree, LIB), 0o755);
  const bin = join(tree, 'usr/bin');
  mkdirSync(bin);
  symlinkSync(`../lib/shipworm/${executableName}`, join(bin, executableName));
  symlinkSync('../lib/shipworm/resources/cli/shipworm', join(bin, 'shipworm'));
  put(tree, 'usr/share/applications/shipworm.desktop', ENTRY);
  const helper = join(tree, LIB, 'shipworm-helper');
  copyFileSync(join(tree, LIB, 'resources/native/shipworm-helper'), helper);
  chmodSync(helper, 0o755);
  // Chromium's sandbox, for systems that keep user namespaces from ordinary users.
  chmodSync(join(tree, LIB, 'chrome-sandbox'), 0o4755);
  const action = 'org.shipworm.helper.policy';
  put(tree, `usr/share/polkit-1/actions/${action}`, readFileSync(join(assets, 'polkit', action)));
  put(tree, 'usr/share/man/man1/shipworm.1.gz', gzipSync(manPage(), { level: 9 }));
  put(tree, 'usr/share/doc/shipworm/copyright', readFileSync(join(root, 'LICENSE')));
  for (const name of UNITS)
    put(
      tree,
      `usr/lib/systemd/system/${name}`,
      packaged(readFileSync(join(assets, 'systemd', name), 'utf8')),
    );
  for (const file of readdirSync(join(assets, 'icons'))) {
    const size = /^app-(\d+)\.png$/.exec(file)?.[1];
    const place = `usr/share/icons/hicolor/${size}x${size}/apps/shipworm.png`;
    if (size) put(tree, place, readFileSync(join(assets, 'icons', file)));
  }
  for (const name of ['prerm', 'postrm'])
    put(tree, `DEBIAN/${name}`, readFileSync(join(assets, 'package', name)), 0o755);
}

/** Makes `file` of the packaged app in the folder `app`. */
export function makeDeb(app, version, file) {
  const tree = mkdtempSync(join(tmpdir(), 'shipworm-deb-'));
  try {
    chmodSync(tree, 0o755);
    fill(tree, app);
    const { stdout } = spawnSync('du', ['-sk', tree], { encoding: 'utf8' });
    put(tree, 'DEBIAN/control', control(version, parseInt(stdout, 10)));
    if (!run('dpkg-deb', ['--root-owner-group', '-Zzstd', '-b', tree, file]))
      stop('dpkg-deb failed; see above.');
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}
