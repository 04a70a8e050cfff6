// Module cli/demo shows the built-in network in the terminal, one packet at a time.
import { setTimeout as wait } from 'node:timers/promises';
import { demoSteps } from '../engine/service/demo.ts';
import type { DemoResult, DemoStep } from '../engine/service/demo.ts';
import { runInteractive } from './interactive.ts';
import { EXIT, mayColour, print, printJson } from './output.ts';

const WIDTH = 78;
const PACKET_INDENT = 9;
/** Time to read, ms; only where a person looks on. */
const PACE_MS: Record<DemoStep['kind'], number> = {
  chapter: 700,
  rows: 500,
  packet: 250,
  text: 400,
  result: 0,
};

/** Breaks `text` into lines of at most WIDTH, each indented. */
function wrap(text: string, indent: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => ' '.repeat(indent) + each).join('\n');
}

interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly drop: (text: string) => string;
}

function style(colour: boolean): Style {
  const code = (on: number, off: number) => (text: string) =>
    colour ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return { bold: code(1, 22), dim: code(2, 22), drop: code(33, 39) };
}

function packetText(step: DemoStep & { kind: 'packet' }, { bold, dim, drop }: Style): string {
  const time = `${step.atMs.toFixed(0)} ms`.padStart(PACKET_INDENT - 2);
  const way = step.dropped ? `${step.from} ─✕ ${step.to}` : `${step.from} ─▶ ${step.to}`;
  const head = `${dim(time)}  ${(step.dropped ? drop : bold)(way)}  ${step.name}`;
  const size = `${step.source} to ${step.destination}, ${step.bytes} bytes`;
  return [head, dim(wrap(size, PACKET_INDENT)), wrap(step.why, PACKET_INDENT), ''].join('\n');
}

function resultText({ ok, packets }: DemoResult): string {
  if (!ok) return 'The demo did not come to its end: the client did not do what it should.';
  return [
    wrap(
      `That was all: ${packets} packets, an address, two ways opened. It happened inside this program; nothing touched your real network.`,
      0,
    ),
    '',
    'To do it for real, with a Teredo server that you know:',
    '  sudo ./bin/shipworm client --server HOST',
  ].join('\n');
}

function stepText(step: DemoStep, styles: Style): string {
  switch (step.kind) {
    case 'chapter':
      return `\n${styles.bold(step.title)}\n${wrap(step.text, 0)}\n`;
    case 'rows': {
      const width = Math.max(...step.rows.map(([name]) => name.length));
      return step.rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`).join('\n') + '\n';
    }
    case 'packet':
      return packetText(step, styles);
    case 'text':
      return `${wrap(step.text, 0)}\n`;
    case 'result':
      return resultText(step.result);
  }
}

export interface DemoOptions {
  readonly json?: boolean;
  /** Without pauses. */
  readonly fast?: boolean;
  readonly interactive?: boolean;
}

export async function runDemo(options: DemoOptions): Promise<void> {
  if (options.interactive) {
    await runInteractive({ control: null });
    return;
  }
  const styles = style(mayColour(process.stdout));
  const paced = process.stdout.isTTY && !options.fast;
  const steps: DemoStep[] = [];
  for (const step of demoSteps()) {
    if (step.kind === 'result' && !step.result.ok) process.exitCode = EXIT.failed;
    if (options.json) {
      if (step.kind === 'result') printJson({ ...step.result, steps });
      else steps.push(step);
    } else {
      print(stepText(step, styles));
      if (paced) await wait(PACE_MS[step.kind]);
    }
  }
}
