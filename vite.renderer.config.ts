// Bundles the window: React, for the oldest Chromium among the runtimes.
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: 'renderer',
  base: './',
  plugins: [react()],
  build: {
    outDir: '../build/app/renderer',
    emptyOutDir: true,
    target: 'chrome114',
    // A data: URL would need a hole in the window's policy.
    assetsInlineLimit: 0,
    // It comes from the disk, in one piece.
    chunkSizeWarningLimit: 2_000,
    modulePreload: { polyfill: false },
  },
});
