// Module bench/picture draws what the bench measured as bars on a logarithmic scale (SVG), each value as a multiple of Miredo's.
import type { Measured, Row } from './group.ts';
import { spread } from './report.ts';

const WIDTH = 860;
const LABEL = 330;
const BAR = 13;
const GAP = 16;
const COLOURS = ['#0b6e99', '#b0b0b0', '#7a9e3f', '#c8a44a'];
/** The scale goes from a tenth to thirty times as good. */
const [LEAST, MOST] = [0.1, 40];

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const x = (times: number): number => {
  const share = Math.log(Math.min(MOST, Math.max(LEAST, times)) / LEAST) / Math.log(MOST / LEAST);
  return LABEL + share * (WIDTH - LABEL - 60);
};

/** How many times as good as Miredo each column is; null where it can't be told. */
function merits({ group, samples }: Measured, row: Row): (number | null)[] {
  const theirs = spread(samples[1] ?? [], row.key)?.median;
  return group.columns.map((_, i) => {
    const own = spread(samples[i] ?? [], row.key)?.median;
    if (theirs === undefined || own === undefined || theirs <= 0 || own <= 0) return null;
    return row.better === 'higher' ? own / theirs : theirs / own;
  });
}

/** The bars of all rows of `all` that can be compared. */
export function picture(all: readonly Measured[]): string {
  const parts: string[] = [];
  let y = 54;
  const text = (at: number, height: number, what: string, more = ''): void =>
    void parts.push(`<text x="${at}" y="${height}" ${more}>${escape(what)}</text>`);
  for (const measured of all) {
    text(8, y + 4, measured.group.title, 'font-weight="bold"');
    y += 14;
    for (const row of measured.group.rows) {
      const values = merits(measured, row);
      if (values[0] === null || values[0] === undefined) continue;
      text(8, y + BAR, row.label);
      for (const [i, value] of values.entries()) {
        if (value === null || i === 1) continue;
        const [from, to] = [Math.min(x(1), x(value)), Math.max(x(1), x(value))];
        const size = `x="${from.toFixed(1)}" y="${y}" width="${Math.max(1, to - from).toFixed(1)}" height="${BAR - 2}"`;
        parts.push(`<rect ${size} fill="${COLOURS[i % COLOURS.length]!}"/>`);
        text(to + 5, y + BAR - 3, `${Number(value.toPrecision(2))}x`, 'font-size="10"');
        y += BAR;
      }
      y += GAP - 8;
    }
    y += GAP;
  }
  for (const mark of [0.1, 0.3, 1, 3, 10, 30])
    parts.push(
      `<line x1="${x(mark).toFixed(1)}" x2="${x(mark).toFixed(1)}" y1="40" y2="${y - GAP}" stroke="#888" stroke-width="${mark === 1 ? 1.2 : 0.3}"/>`,
      `<text x="${x(mark).toFixed(1)}" y="36" text-anchor="middle" font-size="10">${mark}x</text>`,
    );
  const names = all[0]?.group.columns ?? [];
  const legend = names
    .map((name, i) =>
      i === 1 ? '' : `<tspan fill="${COLOURS[i]!}" dx="10">■ ${escape(name)}</tspan>`,
    )
    .join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
<text x="8" y="16" font-size="13">How many times as good as Miredo, in one run (median)${legend}</text>
${parts.join('\n')}
</svg>
`;
}
