// Module electron/settings keeps what a person chose in the app, and was told, in one small file.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { LANGUAGES, THEMES } from '../engine/service/shell-calls.ts';

const schema = z.object({
  theme: z.enum(THEMES).default('system'),
  language: z.enum(LANGUAGES).default('system'),
  firstRun: z.boolean().default(true),
  notifications: z.boolean().default(true),
  networkKind: z.enum(['built-in', 'real']).default('built-in'),
  server: z.string().nullable().default(null),
  /** What notifications were about, and when (ms since 1970). */
  told: z.record(z.string(), z.number()).default({}),
});

export type AppSettings = Readonly<z.infer<typeof schema>>;

/** The file is replaced whole; a damaged one is kept aside, and everything is as at first. */
export class SettingsFile {
  private readonly path: string;
  private readonly warn: (text: string) => void;
  private current: AppSettings;

  constructor(path: string, warn: (text: string) => void) {
    this.path = path;
    this.warn = warn;
    this.current = this.load();
  }

  get value(): AppSettings {
    return this.current;
  }

  update(change: Partial<AppSettings>): void {
    this.current = { ...this.current, ...change };
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      writeFileSync(`${this.path}.new`, `${JSON.stringify(this.current)}\n`, { mode: 0o600 });
      renameSync(`${this.path}.new`, this.path);
    } catch (error) {
      this.warn(`${this.path} could not be written: ${(error as Error).message}.`);
    }
  }

  private load(): AppSettings {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch {
      return schema.parse({});
    }
    try {
      return schema.parse(JSON.parse(text));
    } catch {
      const aside = `${this.path}.damaged`;
      try {
        renameSync(this.path, aside);
      } catch {
        // It stays; it is replaced by the next change.
      }
      this.warn(`${this.path} was damaged; it is kept as ${aside}, and the app is as at first.`);
      return schema.parse({});
    }
  }
}
