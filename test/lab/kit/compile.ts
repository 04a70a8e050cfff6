// Module lab/kit/compile builds the small C++ programs of the lab when their source is newer.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';

/** Path of the program made of `test/lab/{name}.cc`. */
export function compiled(name: string): string {
  const source = `test/lab/${name}.cc`;
  const binary = `build/lab/${name}`;
  if (existsSync(binary) && statSync(binary).mtimeMs > statSync(source).mtimeMs) return binary;
  mkdirSync('build/lab', { recursive: true });
  const fresh = `${binary}.${process.pid}`;
  execFileSync('g++', ['-std=c++20', '-O2', '-Wall', '-Wextra', '-o', fresh, source]);
  renameSync(fresh, binary);
  return binary;
}
