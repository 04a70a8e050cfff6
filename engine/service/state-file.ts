// Module service/state-file remembers the port and the last address between runs.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const VERSION = 1;

const schema = z.object({
  version: z.literal(VERSION),
  port: z.number().int().min(1).max(65_535).nullable(),
  address: z.string().nullable(),
});

export interface Remembered {
  readonly port: number | null;
  /** Teredo address of the last run, as text. */
  readonly address: string | null;
}

/** State in one small JSON file. Writing replaces it whole; a damaged one is kept aside. */
export class StateFile {
  private readonly path: string;
  private readonly warn: (text: string) => void;
  private current: Remembered = { port: null, address: null };

  constructor(directory: string, warn: (text: string) => void) {
    this.path = join(directory, 'client.json');
    this.warn = warn;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      this.warn(
        `The folder ${directory} could not be made, so nothing will be remembered: ${(error as Error).message}.`,
      );
    }
    this.load();
  }

  get value(): Remembered {
    return this.current;
  }

  /** Changes what is remembered; failing to write it is said, not fatal. */
  update(change: Partial<Remembered>): void {
    const next = { ...this.current, ...change };
    if (next.port === this.current.port && next.address === this.current.address) return;
    this.current = next;
    try {
      const temporary = `${this.path}.new`;
      writeFileSync(temporary, `${JSON.stringify({ version: VERSION, ...next })}\n`, {
        mode: 0o600,
        flush: true,
      });
      renameSync(temporary, this.path);
    } catch (error) {
      this.warn(`${this.path} could not be written: ${(error as Error).message}.`);
    }
  }

  private load(): void {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch {
      return;
    }
    try {
      const { port, address } = schema.parse(JSON.parse(text));
      this.current = { port, address };
    } catch {
      const aside = `${this.path}.damaged`;
      try {
        renameSync(this.path, aside);
        this.warn(`${this.path} was damaged; it is kept as ${aside}, and a new one is begun.`);
      } catch {
        this.warn(`${this.path} is damaged and is ignored.`);
      }
    }
  }
}
