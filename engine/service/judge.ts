// Module service/judge reads JSON against a schema and says of each fault where it is, why, and how to mend it.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { ServiceError } from './errors.ts';

/** A schema of settings: one flat object, in which groups may be nested. */
export type SettingsSchema = z.ZodObject<z.ZodRawShape>;

/**
 * Merges the files that exist of `defaults` (a later one rules), `explicit` instead of them if given, and `overrides`. Each
 * fault becomes a line in `faults`, and `sources` says of each setting where it comes from.
 */
export function mergeSettings<S extends SettingsSchema>(
  schema: S,
  defaults: readonly string[],
  explicit: string | undefined,
  overrides: unknown,
  faults: string[],
  sources: Record<string, string> = {},
  overriddenBy = 'command line',
): z.infer<S> {
  const from = (source: string, values: Partial<z.infer<S>>): Partial<z.infer<S>> => {
    for (const name of Object.keys(values)) sources[name] = source;
    return values;
  };
  const files = explicit === undefined ? defaults : [resolve(explicit)];
  let merged = {} as z.infer<S>;
  for (const file of files) {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!missing || explicit !== undefined)
        faults.push(
          `${file}: could not be read (${(error as Error).message}); check the path and its permissions.`,
        );
      continue;
    }
    merged = { ...merged, ...from(file, parseFile(schema, text, file, faults)) };
  }
  const given = parseWith(schema, overrides, overriddenBy, faults);
  return { ...merged, ...from(overriddenBy, given) };
}

/** The text of one file against `schema`; each fault becomes a line in `faults`. */
export function parseFile<S extends SettingsSchema>(
  schema: S,
  text: string,
  file: string,
  faults: string[],
): Partial<z.infer<S>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    faults.push(`${file}: is no valid JSON (${(error as Error).message}).`);
    return {};
  }
  return parseWith(schema, json, file, faults);
}

/** `value` as `schema` has it. Throws ServiceError 'bad-config' with one sentence that begins with `failure`. */
export function judge<S extends SettingsSchema>(
  schema: S,
  value: unknown,
  failure: string,
): z.infer<S> {
  const faults: string[] = [];
  const parsed = parseWith(schema, value, failure, faults);
  if (faults.length === 0) return parsed as z.infer<S>;
  const more = faults.length === 1 ? '' : ` (${faults.length - 1} more)`;
  throw new ServiceError('bad-config', `${faults[0]!}${more}`);
}

function parseWith<S extends SettingsSchema>(
  schema: S,
  value: unknown,
  where: string,
  faults: string[],
): Partial<z.infer<S>> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  faults.push(...describe(parsed.error, where, schema));
  return {};
}

/** One line for each fault: where, what, and how to mend it. */
function describe(error: z.ZodError, where: string, schema: SettingsSchema): string[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map(
        (key) =>
          `${where}: there is no setting "${[...issue.path, key].join('.')}"; ${suggestion(key, namesAt(schema, issue.path))}.`,
      );
    if (issue.path.length === 0) return [`${where}: must be one JSON object of settings.`];
    return [`${where}: "${issue.path.join('.')}" ${issue.message}.`];
  });
}

/** The settings that there are in the group at `path`; none where it can't be said. */
function namesAt(schema: SettingsSchema, path: readonly PropertyKey[]): string[] {
  let group: unknown = schema;
  for (const part of path) {
    group = bare(group);
    group =
      group instanceof z.ZodArray
        ? group.element
        : group instanceof z.ZodObject
          ? (group.shape as z.ZodRawShape)[String(part)]
          : undefined;
  }
  group = bare(group);
  return group instanceof z.ZodObject ? Object.keys(group.shape) : [];
}

function bare(schema: unknown): unknown {
  return schema instanceof z.ZodOptional ? bare(schema.unwrap()) : schema;
}

function suggestion(key: string, names: readonly string[]): string {
  const near = names
    .map((name) => ({ name, distance: editDistance(name.toLowerCase(), key.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  if (!near) return 'remove it';
  return near.distance <= 2
    ? `"${near.name}" may be meant`
    : `remove it (there are ${names.join(', ')})`;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
