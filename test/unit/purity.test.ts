// Module test/unit/purity.test loads every module of the pure rooms where clock, timers, randomness and network throw.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const ROOMS = ['wire', 'datapath', 'client', 'server', 'relay', 'gate', 'sim'].map((name) =>
  join(root, 'engine', name),
);

const PRELOAD = `
  for (const [owner, name] of [
    [Date, 'now'], [performance, 'now'], [globalThis, 'setTimeout'], [globalThis, 'setInterval'],
    [Math, 'random'], [globalThis, 'fetch'], [Crypto.prototype, 'getRandomValues'],
  ])
    Object.defineProperty(owner, name, { value() { throw new Error('impure: ' + name); } });
`;
const LOAD = 'for (const url of process.argv.slice(1)) await import(url);';

/** Loads `files` in a Node of their own; its exit code and what it complained of. */
function load(files: readonly string[]) {
  const child = spawnSync(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      `--import=data:text/javascript,${encodeURIComponent(PRELOAD)}`,
      '--input-type=module',
      '-e',
      LOAD,
      '--',
      ...files.map((file) => pathToFileURL(file).href),
    ],
    { encoding: 'utf8', timeout: 20_000 },
  );
  return { status: child.status, complaint: child.stderr };
}

describe.each(ROOMS.filter((room) => existsSync(room)))('%s', (room) => {
  test('loads without clock, timers, randomness and network', { timeout: 25_000 }, () => {
    const files = readdirSync(room, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(room, name));
    expect(files).not.toHaveLength(0);
    expect(load(files)).toEqual({ status: 0, complaint: '' });
  });
});

test.each([
  'Date.now()',
  'performance.now()',
  'setTimeout(() => {}, 0)',
  'setInterval(() => {}, 1)',
  'Math.random()',
  "fetch('http://127.0.0.1:9/')",
  'crypto.getRandomValues(new Uint8Array(1))',
])('a module that calls %s is found', { timeout: 25_000 }, (call) => {
  const folder = mkdtempSync(join(tmpdir(), 'shipworm-purity-'));
  try {
    const file = join(folder, 'impure.ts');
    writeFileSync(file, `export const value: unknown = ${call};\n`);
    const { status, complaint } = load([file]);
    expect(status).toBe(1);
    expect(complaint).toContain('impure: ');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
