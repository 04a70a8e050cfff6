// Draws the icons' PNG files anew from their SVG sources in assets/icons; needs rsvg-convert (Debian: librsvg2-bin).
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

const folder = join(root, 'assets', 'icons');
const APP_SIZES = [16, 24, 32, 48, 64, 128, 256, 512];
const TRAY_SIZE = 22;
/** Colours on dark and on light panels; each state has its own besides its shape. `Template`: the system colours it. */
const TRAY = {
  off: { '-light': '#d7dde0', '-dark': '#4a5256', Template: '#000000' },
  working: { '-light': '#f2c14e', '-dark': '#8a5a00', Template: '#000000' },
  qualified: { '-light': '#5ccbc4', '-dark': '#0b6468', Template: '#000000' },
  attention: { '-light': '#ff9b85', '-dark': '#b3261e', Template: '#000000' },
};

function draw(svg, size, name) {
  const { status, stdout, stderr } = spawnSync('rsvg-convert', ['-w', size, '-h', size], {
    input: svg,
    maxBuffer: 1 << 24,
  });
  if (status !== 0)
    throw new Error(`${name}: rsvg-convert failed. ${stderr ?? 'It is not installed.'}`);
  writeFileSync(join(folder, name), stdout);
}

const app = readFileSync(join(folder, 'app.svg'));
for (const size of APP_SIZES) draw(app, size, `app-${size}.png`);
for (const [state, forms] of Object.entries(TRAY)) {
  const svg = readFileSync(join(folder, `tray-${state}.svg`), 'utf8');
  for (const [form, colour] of Object.entries(forms)) {
    const coloured = svg.replaceAll('#000000', colour);
    draw(coloured, TRAY_SIZE, `tray-${state}${form}.png`);
    draw(coloured, 2 * TRAY_SIZE, `tray-${state}${form}@2x.png`);
  }
}
