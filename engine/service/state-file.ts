// Module service/state-file remembers port, last address, rules and networks between runs.
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { NetworkChoice, Rule } from '../gate/index.ts';
import { formatIp4 } from '../wire/index.ts';
import type { Ip4 } from '../wire/index.ts';

const VERSION = 8;

const fileId = z.object({ device: z.string(), inode: z.string() });
const port = z.number().int().min(1).max(65_535);
const group = z.object({
  kind: z.enum(['flatpak', 'snap', 'appimage', 'systemd', 'container', 'run']),
  id: z.string(),
});
const rule = z
  .object({
    id: z.string(),
    matcher: z.object({
      user: z.number().int().nullable(),
      path: z.string().nullable(),
      hash: z.string().nullable(),
      group: group.nullable(),
      script: z.string().nullable(),
    }),
    connectOut: z.boolean(),
    beReached: z.union([z.enum(['none', 'all']), z.array(port)]),
    files: z.array(fileId),
    /** `at`: ms since 1970. */
    until: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('forever') }),
      z.object({ kind: z.literal('time'), at: z.number() }),
    ]),
    never: z.boolean(),
  })
  // A rule about no program in particular would be one about all.
  .refine(({ matcher }) => matcher.path !== null || matcher.group !== null);

const pc = z.object({
  name: z.string(),
  target: z.string(),
  address: z.string().nullable(),
  test: z
    .object({
      state: z.enum(['reachable', 'open', 'unreachable']),
      code: z.string(),
      text: z.string(),
      rttMs: z.number().nullable(),
      path: z.enum(['direct', 'bubbles', 'relay', 'local', 'hairpin']).nullable(),
      /** ms since 1970. */
      at: z.number(),
    })
    .nullable(),
});

/** Another PC by name, and how its last test went. */
export type RememberedPc = Readonly<z.infer<typeof pc>>;

const schema = z.object({
  version: z.literal(VERSION),
  port: port.nullable(),
  address: z.string().nullable(),
  rules: z.array(rule),
  networks: z.record(z.string(), z.enum(['ask', 'on', 'off'])),
  /** When servers answered last, ms since 1970, by address. */
  answers: z.record(z.string(), z.number()),
  servers: z.array(z.string()).nullable(),
  /** The port was chosen to be mapped by the router. */
  portMapped: z.boolean(),
  /** The user's own list of servers. */
  ownServers: z.array(z.string()),
  pcs: z.array(pc),
  /** Refresh interval that the NAT of a network allows, ms, by network. */
  intervals: z.record(z.string(), z.number()),
});

/** From each version to the next one. */
const MIGRATIONS: Record<number, (file: Record<string, unknown>) => Record<string, unknown>> = {
  1: (file) => ({ ...file, version: 2, rules: [], networks: {} }),
  2: (file) => ({ ...file, version: 3, answers: {} }),
  3: (file) => ({ ...file, version: 4, servers: null }),
  4: (file) => ({ ...file, version: 5, portMapped: false }),
  5: (file) => ({ ...file, version: 6, ownServers: [], pcs: [] }),
  6: (file) => ({ ...file, version: 7, intervals: {} }),
  // A test says why it ended as it did: the old ones don't, and are made anew.
  7: (file) => ({
    ...file,
    version: 8,
    pcs: (file['pcs'] as object[]).map((each) => ({ ...each, test: null })),
  }),
};

export interface Remembered {
  readonly port: number | null;
  /** Teredo address of the last run, as text. */
  readonly address: string | null;
  /** The user's rules; times in ms since 1970. Those that end with a program are not kept. */
  readonly rules: readonly Rule[];
  readonly networks: Readonly<Record<string, NetworkChoice>>;
  readonly answers: Readonly<Record<string, number>>;
  /** Teredo servers that were set in the last run. */
  readonly servers: readonly string[] | null;
  /** The port was chosen to be mapped by the router. */
  readonly portMapped: boolean;
  /** The user's own list of servers. */
  readonly ownServers: readonly string[];
  readonly pcs: readonly RememberedPc[];
  /** Refresh interval that the NAT of a network allows, ms, by network (RFC 4380 §5.2.7). */
  readonly intervals: Readonly<Record<string, number>>;
}

export const NOTHING: Remembered = {
  port: null,
  address: null,
  rules: [],
  networks: {},
  answers: {},
  servers: null,
  portMapped: false,
  ownServers: [],
  pcs: [],
  intervals: {},
};

/** What a client keeps between its runs. */
export interface StateStore {
  readonly value: Remembered;
  /** What was kept could not be read, so that nobody knows what had been allowed. */
  readonly damaged: boolean;
  /** What somebody chose. */
  update(change: Partial<Remembered>): void;
  /** What was noticed; it lasts once `flush` was called, or a moment later. */
  note(change: Partial<Remembered>): void;
  flush(): void;
}

/** What was noticed is written this long after, ms: a disk that takes its time keeps no packet waiting. */
const NOTED_MS = 250;

/** Answers of one server within this time are one, ms. */
const SAME_ANSWER_MS = 600_000;
/** Servers that are remembered. */
const MAX_ANSWERS = 64;

/** Remembers that `server` has answered just now. */
export function noteAnswer(state: StateStore, server: Ip4): void {
  const { answers } = state.value;
  const name = formatIp4(server);
  const now = Date.now();
  if (now - (answers[name] ?? 0) < SAME_ANSWER_MS) return;
  const latest = Object.entries({ ...answers, [name]: now })
    .sort(([, a], [, b]) => b - a)
    .slice(0, MAX_ANSWERS);
  state.note({ answers: Object.fromEntries(latest) });
}

/** Networks whose refresh interval is remembered. */
const MAX_INTERVALS = 64;

/** Reads and notes the refresh interval of the network that one is in, ms; `wanted` false: knows none. */
export function intervalHooks(
  state: StateStore,
  client: {
    readonly settings: { readonly intervalSearch: boolean };
    readonly network: { readonly id: string | null };
  },
): { interval: () => number | undefined; intervalFound: (ms: number) => void } {
  return {
    interval: () => {
      const { id } = client.network;
      return client.settings.intervalSearch && id !== null ? state.value.intervals[id] : undefined;
    },
    intervalFound: (ms) => {
      const { id } = client.network;
      if (id === null) return;
      const others = Object.entries(state.value.intervals).filter(([name]) => name !== id);
      const latest = [...others, [id, ms] as const].slice(-MAX_INTERVALS);
      state.note({ intervals: Object.fromEntries(latest) });
    },
  };
}

/** State in one small JSON file. Writing replaces it whole; a damaged one is kept aside. */
export class StateFile implements StateStore {
  damaged = false;
  private readonly directory: string;
  private readonly path: string;
  private readonly warn: (text: string) => void;
  private current: Remembered = NOTHING;
  private written = fileText(NOTHING);
  private timer: NodeJS.Timeout | undefined;

  constructor(directory: string, warn: (text: string) => void) {
    this.directory = directory;
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
    this.current = { ...this.current, ...change };
    this.flush();
  }

  /** The same, but written a moment later. */
  note(change: Partial<Remembered>): void {
    this.current = { ...this.current, ...change };
    this.timer ??= setTimeout(() => this.flush(), NOTED_MS);
  }

  /** Writes what is not written yet. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const text = fileText(this.current);
    if (text === this.written) return;
    this.written = text;
    try {
      const temporary = `${this.path}.new`;
      writeFileSync(temporary, text, { mode: 0o600, flush: true });
      renameSync(temporary, this.path);
      // The new name lasts only once its folder is written, too.
      const folder = openSync(this.directory, 'r');
      fsyncSync(folder);
      closeSync(folder);
    } catch (error) {
      this.warn(`${this.path} could not be written: ${(error as Error).message}.`);
    }
  }

  private load(): void {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.damaged = true;
      this.warn(
        `${this.path} could not be read (${(error as Error).message}); no application is allowed until it is allowed again.`,
      );
      return;
    }
    try {
      const file = schema.parse(migrated(JSON.parse(text)));
      const rules = file.rules.map((each): Rule => ({ ...each, from: 'user', source: null }));
      this.current = { ...kept(file), rules };
      this.written = fileText(this.current);
    } catch {
      this.damaged = true;
      const aside = `${this.path}.damaged`;
      try {
        renameSync(this.path, aside);
        this.warn(
          `${this.path} was damaged; it is kept as ${aside}, a new one is begun, and no application is allowed until it is allowed again.`,
        );
      } catch {
        this.warn(`${this.path} is damaged and is ignored.`);
      }
    }
  }
}

/** What of a file is remembered as it stands. */
function kept({
  port,
  address,
  networks,
  answers,
  servers,
  portMapped,
  ownServers,
  pcs,
  intervals,
}: z.infer<typeof schema>): Omit<Remembered, 'rules'> {
  return { port, address, networks, answers, servers, portMapped, ownServers, pcs, intervals };
}

function migrated(file: unknown): unknown {
  let current = file;
  for (;;) {
    const { version } = z.looseObject({ version: z.number() }).parse(current);
    const next = MIGRATIONS[version];
    if (!next) return current;
    current = next(current as Record<string, unknown>);
  }
}

function fileText({ rules, ...rest }: Remembered): string {
  const own = rules
    .filter(({ from, until }) => from === 'user' && until.kind !== 'quit')
    .map(({ id, matcher, connectOut, beReached, files, until, never }) => ({
      ...{ id, matcher, connectOut, beReached, files, until, never },
    }));
  return `${JSON.stringify({ version: VERSION, ...rest, rules: own })}\n`;
}
