// The two packagers are told the same: what the app is called, what goes into it, and what its executable may not do.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, matchesGlob, resolve } from 'node:path';
import { FuseV1Options } from '@electron/fuses';
import type { FusesPlugin } from '@electron-forge/plugin-fuses';
import { expect, test } from 'vitest';
import forge from '../../forge.config.ts';

const ROOT = resolve(import.meta.dirname, '..', '..');
const builder = JSON.parse(readFileSync(join(ROOT, 'electron-builder.json'), 'utf8')) as {
  readonly appId: string;
  readonly productName: string;
  readonly copyright: string;
  readonly asar: boolean;
  readonly files: readonly string[];
  readonly extraResources: readonly { readonly from: string; readonly to: string }[];
  readonly electronFuses: Readonly<Record<string, boolean>>;
  readonly linux: {
    readonly executableName: string;
    readonly icon: string;
    readonly desktop: { readonly entry: Readonly<Record<string, string>> };
  };
};
const packager = forge.packagerConfig!;
const rpm = (forge.makers as { name: string; config: { options: object } }[]).find(({ name }) =>
  name.endsWith('rpm'),
)!.config.options;

test('names are the same everywhere', () => {
  const { appId, productName, copyright, linux } = builder;
  expect(packager).toMatchObject({
    ...{ name: productName, executableName: linux.executableName },
    ...{ appBundleId: appId, appCopyright: copyright, asar: builder.asar },
  });
  expect(rpm).toMatchObject({ productName, bin: linux.executableName });
  const { productName: ours } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    productName: string;
  };
  expect(ours).toBe(productName);
  // A panel finds the entry of a window by this.
  expect(linux.desktop.entry['StartupWMClass']).toBe(productName);
});

test('the same files are packed', () => {
  const ignore = packager.ignore as (path: string) => boolean;
  const taken = (path: string): boolean =>
    builder.files.some((each) => !each.startsWith('!') && matchesGlob(path, each)) &&
    !builder.files.some((each) => each.startsWith('!') && matchesGlob(path, each.slice(1)));
  // Folders on the way to what is packed are entered.
  const files = readdirSync(ROOT, { withFileTypes: true })
    .filter((each) => each.isFile())
    .map(({ name }) => name);
  const below = [
    'build/app/main.cjs',
    'build/app/renderer/assets/index.js',
    'build/app.old/main.cjs',
    'build/cli.mjs',
    'build/native/shipworm.node',
    'build/stage/cli/node',
    'node_modules/zod/package.json',
    'engine/service/api.ts',
    'test/app/build/app/x',
  ];
  for (const path of [...files, ...below]) expect(!ignore(`/${path}`), path).toBe(taken(path));
  expect([...files, ...below].filter(taken).sort()).toEqual([
    'LICENSE',
    'build/app/main.cjs',
    'build/app/renderer/assets/index.js',
    'package.json',
  ]);
  expect(ignore('/build')).toBe(false);
});

test('the same folders stand beside the archive, under the names where the app looks for them', () => {
  const { extraResources } = builder;
  expect(packager.extraResource).toEqual(extraResources.map(({ from }) => from));
  for (const { from, to } of extraResources) expect(basename(from)).toBe(to);
  expect(extraResources.map(({ to }) => to).sort()).toEqual(['cli', 'docs', 'icons', 'native']);
});

test('the executable is no Node, can’t be inspected, and loads nothing but its archive', () => {
  const { fusesConfig } = (forge.plugins as FusesPlugin[])[0]!;
  const named = Object.fromEntries(
    Object.entries(builder.electronFuses).map(([name, on]) => {
      const fuse = name.charAt(0).toUpperCase() + name.slice(1);
      expect(Object.keys(FuseV1Options)).toContain(fuse);
      return [FuseV1Options[fuse as keyof typeof FuseV1Options], on];
    }),
  );
  const { version, ...set } = fusesConfig as { version: string } & Record<string, boolean>;
  expect(version).toBe('1');
  expect(set).toEqual(named);
  expect(builder.electronFuses).toEqual({
    runAsNode: false,
    enableCookieEncryption: true,
    enableNodeOptionsEnvironmentVariable: false,
    enableNodeCliInspectArguments: false,
    enableEmbeddedAsarIntegrityValidation: true,
    onlyLoadAppFromAsar: true,
    grantFileProtocolExtraPrivileges: false,
  });
});

test('one Node is named that set-up can be begun with', () => {
  const { engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  const said = ['README.md', 'docs/guide.md', 'docs/run-your-own.md'].flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(/Node \(?(\d+) or newer/g)].map(
      ([, n]) => n,
    ),
  );
  expect(said).toHaveLength(3);
  expect(new Set(said.map((version) => `>=${version}`))).toEqual(new Set([engines.node]));
});

test('the icon is the same, and is there', () => {
  const { icon } = builder.linux;
  expect(`${packager.icon as string}.png`).toBe(icon);
  expect(existsSync(join(ROOT, icon))).toBe(true);
});
