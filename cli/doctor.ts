// Module cli/doctor looks why the tunnel has no address for `shipworm doctor`, through the running client or without one.
import type { Api } from '../engine/service/api.ts';
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
  const { thorough = false, server, config, allowPrivate } = options;
  if (options.builtIn) return onBuiltIn((api) => api.doctor({ thorough }));
  // A client that runs knows more; who names a server means that one.
  const own = server === undefined && config === undefined;
  const ms = thorough ? THOROUGH_MS : LOOK_MS;
  const report = own
    ? await throughClient(options, (where) => callService(where, 'doctor', { thorough }, ms))
    : null;
  return (
    report ??
    ask(
      doctorAlone(
        {
          defaults: configPaths(),
          explicit: config,
          overrides: { ...(server && { server }), ...(allowPrivate && { allowPrivate }) },
        },
        thorough,
      ),
    )
  );
}

/** What `work` comes to at the client that runs; null when none does. */
export async function throughClient<T>(
  options: QueryOptions,
  work: (where: readonly string[]) => Promise<T>,
): Promise<T | null> {
  const where = paths(options);
  try {
    const status = await callStatus(where);
    return 'role' in status ? null : await ask(work(where));
  } catch (error) {
    const none = error instanceof ServiceError && error.code === 'not-running';
    return none && options.control === undefined ? null : ask(Promise.reject(error as Error));
  }
}

/** What `work` comes to on the built-in network, which is there for that alone. */
export async function onBuiltIn<T>(work: (api: Required<Api>) => Promise<T>): Promise<T> {
  const client = await startBuiltIn(
    { control: null },
    { log: () => undefined, onFailed: () => undefined },
  );
  try {
    return await work(client.api);
  } finally {
    await client.close();
  }
}

export function reportText(report: DoctorReport, colour: boolean): string {
  return [
    ...checkLines(report, colour),
    '',
    report.verdict.text,
    '',
    'Beyond this program, on every network:',
    ...report.beyond.map((each) => `  ${each}`),
  ].join('\n');
}

/** The checks one below the other, after a word where they are about no real network. */
export function checkLines(
  { checks, builtIn }: Pick<DoctorReport, 'checks' | 'builtIn'>,
  colour: boolean,
): string[] {
  const mark = (result: keyof typeof MARKS): string =>
    colour ? `${COLOURS[result]}${MARKS[result]}\u001b[0m` : MARKS[result];
  const width = Math.max(...checks.map(({ title }) => title.length));
  const lines = checks.flatMap(({ title, result, evidence, action }) => [
    `${mark(result)}  ${title.padEnd(width)}  ${evidence}`,
    ...(action === null || result === 'good' ? [] : [`${' '.repeat(width + 13)}→ ${action}`]),
  ]);
  return builtIn
    ? ['BUILT-IN NETWORK: nothing of this is about your real network.', '', ...lines]
    : lines;
}
