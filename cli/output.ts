// Module cli/output prints results to stdout and the log to stderr, and names the exit codes.
import type { LogEntry } from '../engine/service/log.ts';

export const EXIT = { done: 0, failed: 1, usage: 2, notRunning: 3, noPrivilege: 4 } as const;

/** Ends the command with `exitCode` after printing `message` (if it has one). */
export class Exit extends Error {
  readonly exitCode: number;
  constructor(exitCode: number, message = '') {
    super(message);
    this.exitCode = exitCode;
  }
}

const COLOURS = { info: '', warning: '\u001b[33m', error: '\u001b[31m' } as const;

/** Colour only where a person looks at it and did not decline (https://no-color.org). */
export function mayColour(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && !process.env['NO_COLOR'];
}

/** Lets whoever reads the output stop when they have enough, as `head` does; what runs on runs on without a reader of its log. */
export function bearClosedPipes(): void {
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') printError(`The output could not be written: ${message}`);
    process.exit(code === 'EPIPE' ? EXIT.done : EXIT.failed);
  });
  process.stderr.on('error', () => undefined);
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** One line per line of `text`, each marked as ours. */
export function printError(text: string): void {
  for (const line of text.split('\n')) process.stderr.write(`shipworm: ${line}\n`);
}

/** One line of the log: local time of day, text. */
export function logLine(entry: LogEntry): void {
  const time = new Date().toTimeString().slice(0, 8);
  const colour = mayColour(process.stderr) ? COLOURS[entry.level] : '';
  process.stderr.write(`${time} ${colour}${entry.text}${colour ? '\u001b[0m' : ''}\n`);
}

const NARROWEST = 40;
const USUAL = 80;
/** Longer lines are hard to read, however wide the terminal. */
const WIDEST = 78;

/** Columns that there are; 80 where nobody knows. */
export function columns(): number {
  return Math.max(NARROWEST, process.stdout.columns || USUAL);
}

/** Breaks `text` into lines that fit into `width` columns and are easy to read, each indented. */
export function wrap(text: string, indent: number, width = columns()): string {
  const most = Math.min(WIDEST, width - 2);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > most) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => ' '.repeat(indent) + each).join('\n');
}

/** `1 packet`, `2 packets`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Rows as aligned columns, the first row being the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `1.5 MB` and the like, in powers of 1000. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]!}`;
}
