// Module cli/doctor looks why the tunnel has no address for `shipworm doctor`, through the running client or without one.
import { configPaths } from '../engine/service/paths.ts';
import { callService, callStatus } from '../engine/service/control-client.ts';
import { doctorAlone } from '../engine/service/doctor/alone.ts';
import type { DoctorReport } from '../engine/service/doctor-calls.ts';
import { startBuiltIn } from '../engine/service/builtin/start.ts';
import { ServiceError } from '../engine/service/errors.ts';
import { EXIT, mayColour, print, printJson } from './output.ts';
import { ask, paths } from './query.ts';
import type { QueryOptions } from './query.ts';

export interface DoctorOptions extends QueryOptions {
  readonly server?: string[];
  readonly config?: string;
  readonly thorough?: boolean;
  readonly builtIn?: boolean;
  readonly allowPrivate?: boolean;
}

const LOOK_MS = 60_000;
const THOROUGH_MS = 180_000;
const MARKS = { good: '✓ good   ', bad: '✗ bad    ', unknown: '? unknown' } as const;
const COLOURS = { good: '\u001b[32m', bad: '\u001b[31m', unknown: '\u001b[33m' } as const;

export async function runDoctor(options: DoctorOptions): Promise<void> {
  const report = await look(options);
  if (options.json) printJson(report);
  else print(reportText(report, mayColour(process.stdout)));
  // Sockets and look-ups that are still under way would keep the process.
  process.exit(report.verdict.ok ? EXIT.done : EXIT.failed);
}

async function look(options: DoctorOptions): Promise<DoctorReport> {
  const { thorough = false } = options;
  if (options.builtIn) return lookBuiltIn(thorough);
  // A client that runs knows more; who names a server means that one.
  if (options.server === undefined && options.config === undefined) {
    const where = paths(options);
    try {
      const status = await callStatus(where);
      if (!('role' in status))
        return await ask(
          callService(where, 'doctor', { thorough }, thorough ? THOROUGH_MS : LOOK_MS),
        );
    } catch (error) {
      const none = error instanceof ServiceError && error.code === 'not-running';
      if (!none || options.control !== undefined) await ask(Promise.reject(error as Error));
    }
  }
  const { server, config, allowPrivate } = options;
  return ask(
    doctorAlone(
      {
        defaults: configPaths(),
        explicit: config,
        overrides: { ...(server && { server }), ...(allowPrivate && { allowPrivate }) },
      },
      thorough,
    ),
  );
}

async function lookBuiltIn(thorough: boolean): Promise<DoctorReport> {
  const client = await startBuiltIn(
    { control: null },
    { log: () => undefined, onFailed: () => undefined },
  );
  try {
    return await client.api.doctor({ thorough });
  } finally {
    await client.close();
  }
}

export function reportText(report: DoctorReport, colour: boolean): string {
  const mark = (result: keyof typeof MARKS): string =>
    colour ? `${COLOURS[result]}${MARKS[result]}\u001b[0m` : MARKS[result];
  const width = Math.max(...report.checks.map(({ title }) => title.length));
  const lines = report.checks.flatMap(({ title, result, evidence, action }) => [
    `${mark(result)}  ${title.padEnd(width)}  ${evidence}`,
    ...(action === null || result === 'good' ? [] : [`${' '.repeat(width + 13)}→ ${action}`]),
  ]);
  return [
    ...(report.builtIn
      ? ['BUILT-IN NETWORK: nothing of this is about your real network.', '']
      : []),
    ...lines,
    '',
    report.verdict.text,
    '',
    'Beyond this program, on every network:',
    ...report.beyond.map((each) => `  ${each}`),
  ].join('\n');
}
