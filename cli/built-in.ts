// Module cli/built-in shows and changes the built-in network of a running client for `shipworm built-in`.
import { callService } from '../engine/service/control-client.ts';
import { builtInText, drive } from './built-in-words.ts';
import { print, printJson } from './output.ts';
import { ask, paths } from './query.ts';
import type { QueryOptions } from './query.ts';

export async function driveBuiltIn(words: string[], options: QueryOptions): Promise<void> {
  const where = paths(options);
  const state = await ask(
    drive(
      {
        builtIn: () => callService(where, 'builtIn', {}),
        changeBuiltIn: (change) => callService(where, 'changeBuiltIn', change),
      },
      words,
    ),
  );
  if (options.json) printJson(state);
  else print(builtInText(state));
}
