// Module cli/picture draws the way of a packet as one line of boxes, as wide as the terminal lets it.
import type { PeerEntry, Status } from '../engine/service/api.ts';
import { columns, mayColour, wrap } from './output.ts';

export interface Signs {
  readonly line: string;
  readonly broken: string;
  readonly arrow: string;
}
const UNICODE: Signs = { line: '─', broken: '╳', arrow: '▶' };
const ASCII: Signs = { line: '-', broken: 'x', arrow: '>' };

/** Plain ASCII where the locale says that the terminal knows no more. */
export function signs(env: NodeJS.ProcessEnv = process.env): Signs {
  const locale = env['LC_ALL'] ?? env['LC_CTYPE'] ?? env['LANG'] ?? 'C.UTF-8';
  return /utf-?8/i.test(locale) || locale === '' ? UNICODE : ASCII;
}

interface Stop {
  readonly name: string;
  readonly note: string;
  /** The line that leads here carries nothing. */
  readonly broken?: boolean;
}

/** `stops` from left to right with lines between them and their notes below; one below the other where that is too wide. */
export function chain(
  stops: readonly Stop[],
  width: number,
  { line, broken, arrow }: Signs,
): string {
  const sizes = stops.map(({ name, note }) => Math.max(name.length, note.length));
  const free = width - sizes.reduce((sum, size) => sum + size, 0);
  const gap = Math.min(12, Math.floor(free / Math.max(1, stops.length - 1)));
  if (gap < 5)
    return stops
      .map(({ name, note, broken: cut }, i) =>
        [i === 0 ? '' : cut ? `  ${broken} ` : `  ${arrow} `, name, note && `: ${note}`].join(''),
      )
      .join('\n');
  const middle = (cut: boolean): string => {
    const half = Math.floor((gap - 3) / 2);
    const left = line.repeat(half);
    const right = line.repeat(gap - 3 - half);
    return ` ${left}${cut ? broken : line}${right} `;
  };
  const top = stops
    .map(({ name, broken: cut }, i) => {
      const padded = name + (i === stops.length - 1 ? '' : ' '.repeat(sizes[i]! - name.length));
      return (i === 0 ? '' : middle(cut ?? false)) + filled(padded, name, line);
    })
    .join('')
    // A line that goes on below a long note has no hole in it.
    .replaceAll(`${line} ${line}`, line.repeat(3));
  const below = stops
    .map(({ note }, i) => (i === 0 ? '' : ' '.repeat(gap)) + note.padEnd(sizes[i]!))
    .join('');
  return `${top.trimEnd()}\n${below.trimEnd()}`;
}

/** A name that is shorter than its note goes on as line. */
function filled(padded: string, name: string, line: string): string {
  const rest = padded.length - name.length;
  return rest < 2 ? padded : `${name} ${line.repeat(rest - 1)}`;
}

const PATHS: Record<NonNullable<PeerEntry['path']>, string> = {
  direct: 'directly: they opened the way',
  bubbles: 'directly: both routers were opened by bubbles, by way of the server',
  relay: 'through a relay, which joins Teredo to native IPv6',
  local: 'on your own network',
  hairpin: 'through your own router and back',
};

/** The way from this PC to its server, or to `target`, with a sentence below. */
export function pathPicture(
  status: Status,
  target?: { readonly name: string; readonly path: NonNullable<PeerEntry['path']> },
  width = columns(),
  drawn = signs(),
): string {
  const silent = status.reason.code !== 'qualified' && status.state !== 'dormant';
  const pc = { name: 'Your PC', note: status.address === null ? 'no address' : 'IPv6' };
  const router =
    status.nat === 'none'
      ? []
      : [{ name: 'Your router', note: status.nat === 'unknown' ? 'NAT ?' : `${status.nat} NAT` }];
  const relay = target?.path === 'relay' ? [{ name: 'Relay', note: 'IPv4 / IPv6' }] : [];
  const end = target
    ? [...relay, { name: target.name, note: target.path }]
    : [{ name: 'Server', note: status.server?.split(':')[0] ?? '?', broken: silent }];
  const picture = chain([pc, ...router, ...end], width, drawn);
  const bold = mayColour(process.stdout)
    ? (text: string): string => `\u001b[1m${text}\u001b[22m`
    : (text: string): string => text;
  const sentence = target ? `The packets go ${PATHS[target.path]}.` : status.reason.text;
  return `${bold(picture)}\n\n${wrap(sentence, 0, width)}\n`;
}
