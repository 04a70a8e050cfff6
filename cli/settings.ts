// Module cli/settings shows, changes, exports and imports a client's settings for `shipworm settings`.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { Option } from 'commander';
import type { CallName, CallResult, Params } from '../engine/service/api.ts';
import { callService, PATIENT_MS } from '../engine/service/control-client.ts';
import { ServiceError } from '../engine/service/errors.ts';
import { performCall } from '../engine/service/perform.ts';
import type {
  SettingRow,
  SettingsChange,
  SettingsState,
} from '../engine/service/settings-calls.ts';
import { SettingsStore } from '../engine/service/settings-store.ts';
import { EXIT, Exit, print, printJson, table } from './output.ts';
import { ask, paths } from './query.ts';
import type { QueryOptions } from './query.ts';

type SettingsCall = CallName & ('settings' | 'setSettings' | 'exportSettings' | 'importSettings');

/** Asks the client that runs; where none does, the files themselves are read and written. */
function call<C extends SettingsCall>(
  options: QueryOptions,
  name: C,
  params: Params<C>,
): Promise<CallResult<C>> {
  const asked = callService(paths(options), name, params, PATIENT_MS).catch(
    async (error: unknown) => {
      const none = error instanceof ServiceError && error.code === 'not-running';
      if (!none || options.control !== undefined) throw error;
      const store = await SettingsStore.idle();
      // What is wrong with the files is said.
      store.read();
      return (await performCall(store.api, name, params)) as CallResult<C>;
    },
  );
  return ask(asked);
}

async function list(options: QueryOptions): Promise<void> {
  const state = await call(options, 'settings', {});
  if (options.json) printJson(state);
  else print(settingsText(state));
}

async function get(name: string, options: QueryOptions): Promise<void> {
  const row = found(await call(options, 'settings', {}), name);
  if (options.json) printJson(row);
  else print(valueText(row));
}

async function set(name: string, words: string[], options: QueryOptions): Promise<void> {
  const row = found(await call(options, 'settings', {}), name);
  const values = { [name]: parsed(row, words) };
  tell(await call(options, 'setSettings', { values }), options);
}

async function reset(names: string[], options: QueryOptions): Promise<void> {
  const state = await call(options, 'settings', {});
  const values = Object.fromEntries(names.map((name) => [found(state, name).name, null]));
  tell(await call(options, 'setSettings', { values }), options);
}

async function exportTo(file: string | undefined, options: QueryOptions): Promise<void> {
  const { document } = await call(options, 'exportSettings', {});
  if (file === undefined) {
    process.stdout.write(document);
    return;
  }
  try {
    writeFileSync(file, document, { mode: 0o600 });
  } catch (error) {
    throw new Exit(EXIT.failed, `${file} could not be written: ${(error as Error).message}.`);
  }
}

async function importFrom(
  file: string,
  options: QueryOptions & { readonly weaken?: boolean },
): Promise<void> {
  let document: string;
  try {
    document = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new Exit(EXIT.failed, `${file} could not be read: ${(error as Error).message}.`);
  }
  const { weaken = false } = options;
  tell(await call(options, 'importSettings', { document, weaken }), options);
}

function found({ rows }: SettingsState, name: string): SettingRow {
  const row = rows.find((each) => each.name === name);
  if (row) return row;
  throw new Exit(EXIT.usage, `There is no setting ${name}; see: shipworm settings`);
}

/** What the words on the command line mean for that setting; what they can't mean the schema will say. */
function parsed({ kind, name }: SettingRow, words: string[]): unknown {
  const text = words.join(' ');
  switch (kind) {
    case 'list':
      return words;
    case 'number':
      return text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text);
    case 'flag':
      return { true: true, on: true, false: false, off: false }[text] ?? text;
    case 'object':
      try {
        return JSON.parse(text) as unknown;
      } catch {
        throw new Exit(EXIT.usage, `${name} takes JSON, in quotes: '{"…": …}'`);
      }
    case 'text':
    case 'choice':
      return text;
  }
}

function tell({ applied, needRestart }: SettingsChange, options: QueryOptions): void {
  if (options.json) printJson({ applied, needRestart });
  else if (applied.length + needRestart.length === 0) print('Nothing has changed.');
  else {
    if (applied.length > 0) print(`In force now: ${applied.join(', ')}.`);
    if (needRestart.length > 0) print(`From the next start on: ${needRestart.join(', ')}.`);
  }
}

function valueText({ value, secret }: SettingRow): string {
  if (secret) return value === null ? '-' : '(set, not shown)';
  if (value === null) return '-';
  if (Array.isArray(value)) return value.map(String).join(' ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Where `clientId` and `key` are. */
const IDENTITY: Readonly<Record<SettingsState['identity'], string | null>> = {
  keychain: 'clientId and key are kept in the desktop’s keychain, not in the file.',
  locked:
    'clientId and key are in the desktop’s keychain, which is locked, so they are not in use; unlock it, and then: shipworm reload',
  failed:
    'The desktop’s keychain can’t be used (the log says why), so clientId and key are not known.',
  file: 'There is no keychain in this session: clientId and key are kept in the file, which its owner alone may read.',
  'file-locked':
    'clientId and key stay in the file while the desktop’s keychain is locked; unlock it, and then: shipworm reload',
  'file-stays':
    'clientId and key stay in the file, because they could not be moved to the desktop’s keychain; the log says why.',
  elsewhere: null,
};

function settingsText({ file, error, rows, identity }: SettingsState): string {
  const where = IDENTITY[identity];
  return [
    table([
      ['SETTING', 'VALUE', 'FROM'],
      ...rows.map((row) => [
        row.name,
        valueText(row),
        `${row.source}${row.locked ? ' (locked)' : ''}${row.waiting ? '; another waits for a restart' : ''}`,
      ]),
    ]),
    '',
    ...(error === null ? [] : [error]),
    ...(where === null ? [] : [where]),
    `Changes are written to ${file}`,
  ].join('\n');
}

export function addSettingsCommands(root: Command): void {
  const common = (command: Command): Command =>
    command
      .addOption(
        new Option('--control <path>', 'control socket of what is running, if not the usual one'),
      )
      .addOption(new Option('--json', 'print JSON for scripts'));
  const settings = common(
    root
      .command('settings')
      .description('list every setting of the client, where it comes from, and change them')
      .addHelpText(
        'after',
        `
Examples:
  shipworm settings set server teredo.example.net teredo2.example.net
  shipworm settings set sleepAfter 60
  shipworm settings reset sleepAfter
  shipworm settings export settings.json

Where no client runs, the files are read and written all the same. A value that does not fit is refused, and nothing
changes then. Keys are not exported.`,
      ),
  ).action(list);
  const verb = (name: string, description: string): Command =>
    common(settings.command(name).description(description));
  verb('get', 'print one').argument('<name>').action(get);
  verb('set', 'change one; several words for a list')
    .argument('<name>')
    .argument('<value...>')
    .action(set);
  verb('reset', 'back to the default').argument('<name...>').action(reset);
  verb('export', 'write all that the files set as one JSON document')
    .argument('[file]', 'default: print it')
    .action(exportTo);
  verb('import', 'take the settings of such a document, all or none')
    .argument('<file>', '-: from the standard input')
    .option('--weaken', 'RISK: also what opens this PC further, or lets a program run')
    .action(importFrom);
}
