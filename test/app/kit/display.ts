// Module kit/display opens a screen without a monitor, and a home folder for a user who owns nothing else.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `nobody`: the app is never root, so a test that is becomes this user for it. */
const NOBODY = 65_534;

/** An X server of its own; `name` is for DISPLAY. */
export interface Display {
  readonly name: string;
  close(): Promise<void>;
}

export async function openDisplay(width: number, height: number): Promise<Display> {
  const args = ['-displayfd', '3', '-screen', '0', `${width}x${height}x24`, '-nolisten', 'tcp'];
  const server: ChildProcess = spawn('Xvfb', args, {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const name = await new Promise<string>((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`Xvfb ended with ${code}`)));
    server.stdio[3]!.once('data', (text: Buffer) => resolve(`:${text.toString().trim()}`));
  });
  return {
    name,
    close: async () => {
      server.removeAllListeners('exit');
      const gone = new Promise((resolve) => server.once('exit', resolve));
      server.kill();
      await gone;
    },
  };
}

/** A home of its own, and the program that runs another one as its owner. */
export interface Home {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** A program that runs `program` with its own arguments, as the owner of the home. */
  runner(program: string): string;
  remove(): void;
}

export function makeHome(): Home {
  const folder = mkdtempSync(join(tmpdir(), 'shipworm-app-'));
  const isRoot = process.getuid!() === 0;
  const folders = {
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_STATE_HOME: join(folder, 'state'),
    XDG_CACHE_HOME: join(folder, 'cache'),
    XDG_RUNTIME_DIR: join(folder, 'run'),
  };
  for (const each of Object.values(folders)) {
    mkdirSync(each, { recursive: true, mode: 0o700 });
    if (isRoot) chownSync(each, NOBODY, NOBODY);
  }
  return {
    folder,
    environment: folders,
    runner: (program) => {
      const path = join(folder, 'run-as-owner');
      const become = isRoot ? `setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups ` : '';
      writeFileSync(path, `#!/bin/sh\nexec ${become}'${program}' "$@"\n`, { mode: 0o755 });
      return path;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
