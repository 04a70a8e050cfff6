// Module test/unit/rooms.test keeps the tree free of room faults, and plants each fault to see that it is found.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

// The script is plain JavaScript, so its type is said here.
const script = new URL('../../scripts/check-rooms.mjs', import.meta.url).href;
const { checkRooms } = (await import(script)) as { checkRooms: (root?: string) => string[] };

/** The faults of a tree that holds `files` alone. */
function faultsOf(files: Record<string, string>): string[] {
  const root = mkdtempSync(join(tmpdir(), 'shipworm-rooms-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return checkRooms(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const HEAD = '// Module x does y.\n';

test('the tree has no fault', () => expect(checkRooms()).toEqual([]));

test('a tree that keeps the rules has none', () => {
  const faults = faultsOf({
    'engine/wire/a.ts': `${HEAD}export const a = 1; // not Date.now()\n`,
    'engine/client/b.ts': `${HEAD}import { a } from '../wire/a.ts';\nexport const b = a;\n`,
    'engine/service/c.ts': `${HEAD}export const c = Date.now();\n`,
  });
  expect(faults).toEqual([]);
});

test.each([
  [
    'an import up',
    {
      'engine/wire/a.ts': `${HEAD}import '../client/b.ts';\n`,
      'engine/client/b.ts': `${HEAD}export {};\n`,
    },
    'engine/wire/a.ts: engine/wire may not import engine/client/b.ts',
  ],
  [
    'a circle',
    {
      'engine/wire/a.ts': `${HEAD}import './b.ts';\n`,
      'engine/wire/b.ts': `${HEAD}import './a.ts';\n`,
    },
    'circle of imports: engine/wire/a.ts -> engine/wire/b.ts -> engine/wire/a.ts',
  ],
  [
    'an impure call',
    { 'engine/sim/a.ts': `${HEAD}export const a = Math.random();\n` },
    'engine/sim/a.ts: a pure room may not touch Math.random',
  ],
  [
    'an impure package',
    { 'engine/relay/a.ts': `${HEAD}import 'node:fs';\n` },
    'engine/relay/a.ts: a pure room may not import node:fs',
  ],
  [
    'a missing first sentence',
    { 'engine/wire/a.ts': 'export {};\n' },
    'engine/wire/a.ts: its first line must be a comment that says what it does',
  ],
  [
    'a file that is too long',
    { 'native/a.cc': HEAD + '\n'.repeat(420) },
    'native/a.cc: 422 lines; split it (limit 420)',
  ],
])('%s is found', (_, files, fault) =>
  expect(faultsOf(files as unknown as Record<string, string>)).toEqual([fault]),
);
