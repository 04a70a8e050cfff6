// Module host/program finds out what a rule must know of a program's file: its real path, who can write it, its content, its script.
import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { closeSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { HostError } from './types.ts';
import type { ProgramFile } from './types.ts';

/** First bytes of a file; longer first lines of scripts are cut by the kernel, too. */
const HEAD_BYTES = 256;

/**
 * The program that `path` (absolute) starts: of a script its interpreter. Throws an Error whose message says what is wrong.
 * `searchPath` finds the interpreter of `#!/usr/bin/env NAME`.
 */
export async function programAt(path: string, searchPath: string): Promise<ProgramFile> {
  const real = realFile(path);
  const interpreter = interpreterOf(real, searchPath);
  const executable = interpreter === null ? real : realFile(interpreter);
  const stat = statSync(executable, { bigint: true });
  if ((stat.mode & 0o111n) === 0n)
    throw new HostError(
      'program-not-executable',
      `${path} is no program: nobody may execute it; check the path.`,
      { path },
    );
  const writable = isWritable(executable);
  return {
    path: executable,
    file: { device: String(stat.dev), inode: String(stat.ino) },
    writable,
    hash: writable ? await hashOf(executable) : null,
    script: interpreter === null ? null : real,
  };
}

function realFile(path: string): string {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    throw new HostError(
      'program-missing',
      `${path} does not exist, or may not be read by this user; check the path.`,
      { path },
    );
  }
  if (!statSync(real).isFile())
    throw new HostError('program-no-file', `${path} is no file; name a program.`, { path });
  return real;
}

/** What runs the script at `path`; null when it is no script. */
function interpreterOf(path: string, searchPath: string): string | null {
  const head = Buffer.alloc(HEAD_BYTES);
  let length = 0;
  try {
    const file = openSync(path, 'r');
    length = readSync(file, head, 0, HEAD_BYTES, 0);
    closeSync(file);
  } catch {
    // A program that may be run but not read is no script: its interpreter would have to read it.
    return null;
  }
  const line = /^#![ \t]*([^\n]*)/.exec(head.toString('latin1', 0, length));
  if (!line) return null;
  const [first = '', ...rest] = line[1]!.trim().split(/[ \t]+/);
  if (first.slice(first.lastIndexOf('/') + 1) !== 'env') return first;
  const name = rest.find((word) => !word.startsWith('-') && !word.includes('='));
  return (name !== undefined && findProgram(name, searchPath)) || first;
}

/** The absolute path of `name` as a shell would find it; null when there is none. */
export function findProgram(name: string, searchPath: string): string | null {
  if (name.includes('/')) return isAbsolute(name) ? name : join(process.cwd(), name);
  for (const folder of searchPath.split(delimiter)) {
    const path = join(folder === '' ? '.' : folder, name);
    if (isProgram(path)) return isAbsolute(path) ? path : join(process.cwd(), path);
  }
  return null;
}

/** A folder of the search path that this user may not enter holds none for him. */
function isProgram(path: string): boolean {
  try {
    const stat = statSync(path);
    return stat.isFile() && (stat.mode & 0o111) !== 0;
  } catch {
    return false;
  }
}

/** The file, or a folder on its way, can be written by somebody who is not root. */
function isWritable(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    const { uid, mode } = lstatSync(at);
    if (uid !== 0 || (mode & 0o022) !== 0) return true;
    if (dirname(at) === at) return false;
  }
}

/** SHA-256 of the content, in hex. */
async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part as Buffer);
  return hash.digest('hex');
}
