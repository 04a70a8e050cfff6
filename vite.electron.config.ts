// Bundles the desktop app's main process and its preload script: one CommonJS file each, for the oldest Node among the runtimes.
import { readFileSync } from 'node:fs';
import { defineConfig } from 'vite';
import { absentParts } from './vite.absent.ts';

/** One of the two; `SHIPWORM_BUNDLE` says which. */
const name = process.env['SHIPWORM_BUNDLE'] === 'preload' ? 'preload' : 'main';

const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly devDependencies: { readonly electron: string };
};
const [pinned] = /\d+/.exec(devDependencies.electron)!;

export default defineConfig({
  plugins: [absentParts],
  define: { __PINNED_ELECTRON__: JSON.stringify(pinned) },
  build: {
    ssr: `electron/${name}.ts`,
    outDir: 'build/app',
    emptyOutDir: false,
    target: 'node18',
    minify: false,
    rolldownOptions: {
      external: ['electron'],
      output: { entryFileNames: `${name}.cjs`, format: 'cjs', codeSplitting: false },
    },
  },
  ssr: { noExternal: true, external: ['electron'] },
});
