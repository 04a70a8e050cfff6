// Module cli/own looks at one's own server and relay from outside for `shipworm servers check`.
import { callService } from '../engine/service/control-client.ts';
import { ownAlone } from '../engine/service/own/alone.ts';
import type { OwnParams, OwnReport } from '../engine/service/own/calls.ts';
import { configPaths } from '../engine/service/paths.ts';
import { checkLines, onBuiltIn, throughClient } from './doctor.ts';
import { EXIT, mayColour, print, printJson } from './output.ts';
import { ask } from './query.ts';
import type { QueryOptions } from './query.ts';

interface OwnOptions extends QueryOptions {
  readonly server2?: string;
  readonly relay?: string;
  readonly native?: string;
  readonly config?: string;
  readonly allowPrivate?: boolean;
  readonly builtIn?: boolean;
}

/** A look waits for the one before it. */
const LOOK_MS = 60_000;

export async function checkOwn(server: string, options: OwnOptions): Promise<void> {
  const report = await look(server, options);
  if (options.json) printJson(report);
  else print(reportText(report, mayColour(process.stdout)));
  // Look-ups that are still under way would keep the process.
  process.exit(report.verdict.ok ? EXIT.done : EXIT.failed);
}

async function look(server: string, options: OwnOptions): Promise<OwnReport> {
  const { server2, relay, native, config, allowPrivate, builtIn } = options;
  const asked: OwnParams = {
    server,
    ...(server2 !== undefined && { secondary: server2 }),
    ...(relay !== undefined && { relay }),
    ...(native !== undefined && { native }),
    ...(allowPrivate !== undefined && { allowPrivate }),
  };
  if (builtIn) return ask(onBuiltIn((api) => api.checkOwn(asked)));
  const report =
    config === undefined
      ? await throughClient(options, (where) => callService(where, 'checkOwn', asked, LOOK_MS))
      : null;
  const places = { defaults: configPaths(), explicit: config, overrides: {} };
  return report ?? ask(ownAlone(places, asked));
}

function reportText(report: OwnReport, colour: boolean): string {
  const { text, chapter } = report.verdict;
  return [
    ...checkLines(report, colour),
    '',
    text,
    '',
    `More in docs/run-your-own.md, “${chapter}”.`,
  ].join('\n');
}
