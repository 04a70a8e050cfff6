// Module healing/table writes down as a table what the simulator shows of each fault.
import { FAULTS } from './faults.ts';
import type { Fault } from './faults.ts';
import { measure } from './measure.ts';
import type { Range } from './measure.ts';

/** The table stands in the document between these two lines. */
export const BEGIN =
  '<!-- Made by "npm run healing"; a test compares it with what the simulator shows. Change test/sim/healing, not this. -->';
export const END = '<!-- The end of what "npm run healing" makes. -->';

const seconds = (ms: number): string => (ms / 1_000).toFixed(1);
const DASH = '-';

function span({ least, most }: Range): string {
  const [low, high] = [seconds(least), seconds(most)];
  return low === high ? `${high} s` : `${low} to ${high} s`;
}

function percent({ least, most }: Range): string {
  const [low, high] = [least, most].map((part) => Math.round(part * 100));
  return low === high ? `${high} %` : `${low} to ${high} %`;
}

function lasts({ lastsMs }: Fault): string {
  if (lastsMs === 0) return DASH;
  return lastsMs > 3_600_000 ? 'a day' : `${lastsMs / 60_000} min`;
}

function row(fault: Fault): string {
  const { shown, told, arrived, healed } = measure(fault);
  const cells = [
    fault.name,
    lasts(fault),
    shown.length === 0 ? 'nothing' : shown.join(', '),
    told ? span(told) : DASH,
    arrived ? percent(arrived) : DASH,
    healed.most === 0 ? 'at once' : span(healed),
    fault.lab === '' ? DASH : fault.lab,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The table, with a row for each fault. */
export function table(): string {
  return [
    '| Fault | lasts | shown | told after | arrives meanwhile | healed after its end | real program |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...FAULTS.map(row),
  ].join('\n');
}

/** `document` with the table as it is now between the two lines; throws an Error without these. */
export function withTable(document: string): string {
  const [from, to] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (from < 0 || to < from) throw new Error('The document has no place for the table.');
  return `${document.slice(0, from + BEGIN.length)}\n\n${table()}\n\n${document.slice(to)}`;
}
