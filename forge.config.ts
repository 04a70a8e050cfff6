// Packaging: what goes into the app's folder, its fuses, and makers for other systems; scripts/make.mjs makes .deb and zip of the folder.
import { readFileSync } from 'node:fs';
import { FusesPlugin } from '@electron-forge/plugin-fuses';
import type { ForgeConfig } from '@electron-forge/shared-types';
import { FuseV1Options, FuseVersion } from '@electron/fuses';

/** What is packaged and what it is called is said once, in the file that the other packager reads. */
interface Product {
  readonly appId: string;
  readonly productName: string;
  readonly copyright: string;
  readonly files: readonly string[];
  readonly extraResources: readonly { readonly from: string }[];
  readonly electronFuses: Readonly<Record<string, boolean>>;
  readonly linux: { readonly executableName: string; readonly category: string };
}
const read = (file: string): unknown =>
  JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'));
const product = read('electron-builder.json') as Product;
const { name, description, license } = read('package.json') as Readonly<Record<string, string>>;

/** Set by scripts/make.mjs: where the runtime to package is, if it can't be downloaded. */
const zips = process.env['SHIPWORM_ELECTRON_ZIPS'];
/** A build for a test driver, which comes in by --inspect; never shipped. */
const forTests = process.env['SHIPWORM_FOR_TESTS'] === '1';

/** The files and folders that are packed, from the top. */
const packed = product.files
  .filter((each) => !each.startsWith('!'))
  .map((each) => `/${each.replace(/\/\*\*$/, '')}`);
const within = (path: string, folder: string): boolean => `${path}/`.startsWith(`${folder}/`);

/** By Forge's names. The stand-in runtime is older than one of them, and a test driver comes in by another. */
const fuses = Object.entries(product.electronFuses)
  .map(([fuse, on]) => [fuse.charAt(0).toUpperCase() + fuse.slice(1), on] as const)
  .filter(([fuse]) => zips === undefined || fuse !== 'GrantFileProtocolExtraPrivileges')
  .map(([fuse, on]): [number, boolean] => [
    FuseV1Options[fuse as keyof typeof FuseV1Options],
    on || (forTests && fuse === 'EnableNodeCliInspectArguments'),
  ]);

const config: ForgeConfig = {
  packagerConfig: {
    name: product.productName,
    executableName: product.linux.executableName,
    appBundleId: product.appId,
    asar: true,
    icon: 'assets/icons/app-512',
    appCopyright: product.copyright,
    ...(zips !== undefined && { electronZipDir: zips }),
    // The bundles hold all code; nothing of node_modules is needed.
    ignore: (path: string) =>
      path !== '' && !packed.some((each) => within(path, each) || within(each, path)),
    prune: false,
    extraResource: product.extraResources.map(({ from }) => from),
  },
  rebuildConfig: { onlyModules: [] },
  makers: [
    { name: '@electron-forge/maker-zip', platforms: ['darwin'], config: {} },
    {
      name: '@electron-forge/maker-rpm',
      platforms: ['linux'],
      config: {
        options: {
          name,
          bin: product.linux.executableName,
          productName: product.productName,
          description,
          license,
          categories: [product.linux.category],
          icon: 'assets/icons/app-256.png',
        },
      },
    },
    { name: '@electron-forge/maker-dmg', platforms: ['darwin'], config: {} },
  ],
  plugins: [
    new FusesPlugin({
      ...(Object.fromEntries(fuses) as Partial<Record<FuseV1Options, boolean>>),
      version: FuseVersion.V1,
    }),
  ],
};

export default config;
