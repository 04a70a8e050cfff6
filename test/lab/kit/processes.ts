// Module lab/kit/processes starts programs in network namespaces, reads what they say, and ends them by their pid.
import { execFile, execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `condition` gives something truthy and returns it; fails after `ms` with what was waited for. */
export async function eventually<T>(
  what: string,
  ms: number,
  condition: () => T | Promise<T>,
): Promise<NonNullable<T>> {
  const end = performance.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain: ${what}`);
    await sleep(20);
  }
}

/** Is there a process `pid` that is no zombie? */
export function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export interface Result {
  /** Exit code; null when a signal (or the time limit) ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  readonly ms: number;
}

export interface RunOptions {
  /** Added to a small clean environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** What every program of the lab gets: no trace of who runs the tests (SUDO_UID, XDG folders). */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', HOME: '/nonexistent', ...extra };
}

/** Command and arguments as they run in the namespace `space`; `ip` becomes the command, so its pid is the command's. */
export function inside(space: string, command: string, args: readonly string[]): string[] {
  return ['netns', 'exec', space, command, ...args];
}

/** Runs a command in `space` to its end. */
export function run(
  space: string,
  command: string,
  args: readonly string[],
  { env = {}, timeoutMs = 30_000 }: RunOptions = {},
): Promise<Result> {
  const begin = performance.now();
  return new Promise((resolve) => {
    execFile(
      'ip',
      inside(space, command, args),
      {
        env: cleanEnvironment(env),
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: 64 << 20,
      },
      (error, out, err) => {
        const code = error ? (typeof error.code === 'number' ? error.code : null) : 0;
        resolve({ code, out, err, ms: performance.now() - begin });
      },
    );
  });
}

/** Runs lines of `ip` at once; throws when one fails. */
export function ipBatch(lines: readonly string[], space?: string): void {
  const args = [...(space === undefined ? [] : ['-n', space]), '-batch', '-'];
  execFileSync('ip', args, { input: `${lines.join('\n')}\n`, stdio: ['pipe', 'ignore', 'pipe'] });
}

/** Pids of the processes in `space`. */
export function pidsIn(space: string): number[] {
  return execFileSync('ip', ['netns', 'pids', space], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '')
    .map(Number)
    .filter(alive);
}

/** Times that the threads of all programs in `space` have waited and come back. */
export function wakeUps(space: string): number {
  return pidsIn(space)
    .flatMap((pid) =>
      readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}/status`),
    )
    .map((file) =>
      Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(file, 'utf8'))![1]),
    )
    .reduce((sum, count) => sum + count, 0);
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program that runs. */
export class Program {
  readonly pid: number;
  readonly ended: Promise<Ending>;
  out = '';
  err = '';
  ending: Ending | null = null;
  private readonly child: ChildProcess;
  private readonly what: string;

  constructor(space: string, command: string, args: readonly string[], env = {}) {
    this.what = [command, ...args].join(' ');
    this.child = spawn('ip', inside(space, command, args), {
      env: cleanEnvironment(env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.pid = this.child.pid!;
    this.child.stdout!.on('data', (chunk: Buffer) => (this.out += chunk.toString()));
    this.child.stderr!.on('data', (chunk: Buffer) => (this.err += chunk.toString()));
    this.ended = new Promise((resolve) => {
      // 'close' comes when the output is complete; children that outlive the program have let go of it.
      this.child.once('close', (code, signal) => {
        this.ending = { code, signal };
        resolve(this.ending);
      });
    });
  }

  /** Waits until the log has `pattern`. */
  async says(pattern: RegExp, ms: number): Promise<RegExpExecArray> {
    const match = await eventually(`${this.what} says ${pattern.source}`, ms, () => {
      const found = pattern.exec(this.out + this.err);
      if (!found && this.ending)
        throw new Error(`${this.what} ended (${this.ending.code}): ${this.out}${this.err}`);
      return found;
    }).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; it said: ${this.out}${this.err}`);
    });
    return match;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.ending) this.child.kill(signal);
  }

  /** Waits for the end; fails after `ms`. */
  async end(ms: number): Promise<Ending> {
    return eventually(`${this.what} ends`, ms, () => this.ending);
  }

  /** TERM, and KILL when that is not heard. */
  async stop(ms = 3_000): Promise<Ending> {
    this.signal('SIGTERM');
    return this.end(ms).catch(async () => {
      this.signal('SIGKILL');
      return this.ended;
    });
  }
}
