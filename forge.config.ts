// Packaging: what goes into the app's folder, its fuses, and makers for other systems; scripts/make.mjs makes .deb and zip of the folder.
import { join } from 'node:path';
import { FusesPlugin } from '@electron-forge/plugin-fuses';
import type { ForgeConfig } from '@electron-forge/shared-types';
import { FuseV1Options, FuseVersion } from '@electron/fuses';

/** Set by scripts/make.mjs: where the runtime to package is, if it can't be downloaded. */
const zips = process.env['SHIPWORM_ELECTRON_ZIPS'];
/** A build for a test driver, which comes in by --inspect; never shipped. */
const forTests = process.env['SHIPWORM_FOR_TESTS'] === '1';
const staged = join('build', 'stage');

const description =
  'Direct IPv6 between two PCs behind home routers, for the applications you allow and no other.';

const config: ForgeConfig = {
  packagerConfig: {
    name: 'Shipworm',
    executableName: 'shipworm-desktop',
    asar: true,
    icon: 'assets/icons/app-512',
    appCopyright: 'The Shipworm developers, MIT licence',
    ...(zips !== undefined && { electronZipDir: zips }),
    // The bundles hold all code; nothing of node_modules is needed.
    ignore: (path: string) =>
      path !== '' && !/^\/(package\.json|LICENSE|build|build\/app(\/.*)?)$/.test(path),
    prune: false,
    extraResource: ['native', 'icons', 'cli', 'docs'].map((name) => join(staged, name)),
  },
  rebuildConfig: { onlyModules: [] },
  makers: [
    { name: '@electron-forge/maker-zip', platforms: ['darwin'], config: {} },
    {
      name: '@electron-forge/maker-rpm',
      platforms: ['linux'],
      config: {
        options: {
          name: 'shipworm',
          bin: 'shipworm-desktop',
          productName: 'Shipworm',
          description,
          license: 'MIT',
          categories: ['Network'],
          icon: 'assets/icons/app-256.png',
        },
      },
    },
    { name: '@electron-forge/maker-dmg', platforms: ['darwin'], config: {} },
  ],
  plugins: [
    new FusesPlugin({
      version: FuseVersion.V1,
      [FuseV1Options.RunAsNode]: false,
      [FuseV1Options.EnableCookieEncryption]: true,
      [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: false,
      [FuseV1Options.EnableNodeCliInspectArguments]: forTests,
      [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: true,
      [FuseV1Options.OnlyLoadAppFromAsar]: true,
      // The page has a scheme of its own. The stand-in runtime is older than this fuse.
      ...(zips === undefined && { [FuseV1Options.GrantFileProtocolExtraPrivileges]: false }),
    }),
  ],
};

export default config;
