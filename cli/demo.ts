// Module cli/demo shows the built-in network in the terminal, one packet at a time.
import { setTimeout as wait } from 'node:timers/promises';
import { ACCESS } from '../engine/service/builtin/places.ts';
import type { AccessKind } from '../engine/service/builtin/places.ts';
import { FAULTS } from '../engine/service/builtin/faults.ts';
import type { FaultName } from '../engine/service/builtin/faults.ts';
import { demoSteps } from '../engine/service/demo.ts';
import type { DemoResult, DemoStep } from '../engine/service/demo.ts';
import { tourSteps } from '../engine/service/demo-tour.ts';
import type { TourStep } from '../engine/service/demo-tour.ts';
import { runInteractive } from './interactive.ts';
import { EXIT, Exit, mayColour, print, printJson, table, wrap } from './output.ts';
import { pathPicture, signs } from './picture.ts';

const PACKET_INDENT = 9;
type Step = DemoStep | TourStep;

/** Time to read, ms; only where a person looks on. */
const PACE_MS: Record<Step['kind'], number> = {
  chapter: 1_500,
  rows: 1_000,
  packet: 500,
  text: 1_200,
  picture: 1_000,
  table: 1_500,
  end: 0,
  result: 0,
};

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
  const { line, broken, arrow } = signs();
  const way = `${step.from} ${line}${step.dropped ? broken : arrow} ${step.to}`;
  const head = `${dim(time)}  ${(step.dropped ? drop : bold)(way)}  ${step.name}`;
  const size = `${step.source} to ${step.destination}, ${step.bytes} bytes`;
  return [head, dim(wrap(size, PACKET_INDENT)), wrap(step.why, PACKET_INDENT), ''].join('\n');
}

/** What the whole came to. */
function endText({ packets }: DemoResult, ok: boolean): string {
  if (!ok) return 'The demo did not come to its end: the client did not do what it should.';
  return [
    wrap(
      `That was all. It began with ${packets} packets; and everything happened inside this program, nothing touched your real network.`,
      0,
    ),
    '',
    'What next:',
    '  ./bin/shipworm demo --interactive           try this network yourself',
    '  ./bin/shipworm demo --nat symmetric         behind another router',
    '  ./bin/shipworm demo --fault reboot          what one failure does',
    '  sudo ./bin/shipworm client --server HOST    for real, with a server you know',
    '  docs/run-your-own.md                        a server and relay of your own',
  ].join('\n');
}

function stepText(step: Exclude<Step, { kind: 'result' | 'end' }>, styles: Style): string {
  switch (step.kind) {
    case 'chapter':
      return `\n${styles.bold(step.title)}\n${wrap(step.text, 0)}\n`;
    case 'rows': {
      const width = Math.max(...step.rows.map(([name]) => name.length));
      return `${step.rows
        .map(([name, text]) => `  ${name.padEnd(width)}  ${wrap(text, width + 4).trimStart()}`)
        .join('\n')}\n`;
    }
    case 'packet':
      return packetText(step, styles);
    case 'text':
      return `${wrap(step.text, 0)}\n`;
    case 'picture':
      return pathPicture(step.status, step.target);
    case 'table':
      return `${table(step.rows).replaceAll(/^/gm, '  ')}\n`;
  }
}

export interface DemoOptions {
  readonly json?: boolean;
  /** Without pauses. */
  readonly fast?: boolean;
  readonly interactive?: boolean;
  readonly nat?: string;
  readonly fault?: string;
}

/** `word` as one of `names`. Throws Exit with those that there are. */
function oneOf<T extends string>(option: string, word: string, names: readonly T[]): T {
  const found = names.find((name) => name.toLowerCase() === word.toLowerCase());
  if (found !== undefined) return found;
  throw new Exit(EXIT.usage, `${option} takes one of: ${names.join(', ')}.`);
}

/** Both parts of the story, one after the other. */
async function* story(nat: AccessKind, fault?: FaultName): AsyncGenerator<Step> {
  yield* demoSteps(nat);
  yield* tourSteps({ nat, ...(fault && { fault }) });
}

export async function runDemo(options: DemoOptions): Promise<void> {
  const { nat: natWord = 'portRestricted', fault: faultWord } = options;
  const nat = oneOf('--nat', natWord, Object.keys(ACCESS) as AccessKind[]);
  const fault =
    faultWord === undefined
      ? undefined
      : oneOf('--fault', faultWord, Object.keys(FAULTS) as FaultName[]);
  if (options.interactive) {
    await runInteractive({ control: null, nat });
    return;
  }
  const styles = style(mayColour(process.stdout));
  const paced = process.stdout.isTTY && !options.fast;
  const steps: Step[] = [];
  let result: DemoResult | null = null;
  let ok = false;
  for await (const step of story(nat, fault)) {
    if (step.kind === 'result') result = step.result;
    else if (step.kind === 'end') ok = step.ok && result?.ok === true;
    else if (options.json) steps.push(step);
    else {
      print(stepText(step, styles));
      if (paced) await wait(PACE_MS[step.kind]);
    }
  }
  if (!ok) process.exitCode = EXIT.failed;
  if (options.json) printJson({ ...result, ok, steps });
  else print(endText(result!, ok));
}
