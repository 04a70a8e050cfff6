// Module app/setting-value turns what is typed into a setting into its value, and the value into what can be typed.
import type { SettingRow } from '../../engine/service/settings-calls.ts';

type Shape = Pick<SettingRow, 'kind' | 'value'>;

/** Words with blanks between; one with a blank in it stands in double quotes, where \" and \\ are themselves. */
export function joinWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[^\s"\\]+$/.test(word) ? word : `"${word.replaceAll(/["\\]/g, '\\$&')}"`))
    .join(' ');
}

/** The words of such a line; a quote that is not closed reaches to its end. */
export function splitWords(line: string): string[] {
  const found = line.matchAll(/"((?:[^"\\]|\\.)*)(?:"|$)|([^\s"]+)/gs);
  return [...found].map(([, quoted, plain]) =>
    quoted === undefined ? plain! : quoted.replaceAll(/\\(.)/gs, '$1'),
  );
}

/** What stands in the field. */
export function textOf({ value }: Shape): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return joinWords(value.map(String));
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What the field means; null: nothing is set. What can't be the value is left to the engine to refuse. */
export function valueOf({ kind }: Pick<Shape, 'kind'>, text: string): unknown {
  const line = text.trim();
  if (line === '') return null;
  if (kind === 'list') return splitWords(line);
  if (kind === 'number') return Number.isNaN(Number(line)) ? line : Number(line);
  return line;
}
