// The helper's reading of the machine policy: it agrees with the engine's about what must not be passed over, whatever the files hold.
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPolicy } from '../../../engine/service/policy.ts';
import type { MachinePolicy } from '../../../engine/service/policy.ts';

interface Read {
  readonly off: boolean;
  readonly closed: boolean;
  readonly forbidden: readonly Record<string, unknown>[];
}

const HASH = 'ab'.repeat(32);
/** Files, and whether they switch Teredo off. */
const FILES: readonly [string, boolean][] = [
  ['{}', false],
  ['{"state":"disabled"}', true],
  ['{"state":"client"}', false],
  ['{"state":"enterprise-client","serverName":["a.example","192.0.2.1"]}', false],
  [' {"lockedSettings" : {"enabled": false , "exposeAll":true}} \n', true],
  ['{"lockedSettings":{"exposeAll":false}}', false],
  ['{"forbiddenApplications":[{"path":"/usr/bin/c\\u00e4rl","user":33}]}', false],
  [`{"forbiddenApplications":[{"flatpak":"org.a.B"},{"snap":"x","hash":"${HASH}"}]}`, false],
  ['{"state":"dis\\u0061bled"}', true],
  ['{"allowedApplications":[{"path":"/usr/bin/curl","beReached":[443]}]}', false],
  // What can't be understood switches off.
  ['', true],
  ['{"state":"disabled"', true],
  ['{"state":"off"}', true],
  ['{"stat":"default"}', true],
  ['[]', true],
  ['{"lockedSettings":{"exposeAll":"no"}}', true],
  ['{"lockedSettings":{"exposeall":false}}', true],
  ['{"forbiddenApplications":[{"path":"curl"}]}', true],
  ['{"forbiddenApplications":[{"path":"/a","snap":"b"}]}', true],
  ['{"forbiddenApplications":[{"path":"/a","user":-1}]}', true],
  ['{"forbiddenApplications":[{"path":"/a","user":1.5}]}', true],
  ['{"forbiddenApplications":[{"path":"/a","hash":"AB"}]}', true],
  ['{"forbiddenApplications":{"path":"/a"}}', true],
  ['{"state":"default",}', true],
  ["{'state':'default'}", true],
  ['{"refreshRate":01}', true],
  ['\ufeff{}', true],
  ['{"serverName":"a\nb"}', true],
  ['nul', true],
];

const off = ({ gate, settings }: MachinePolicy): boolean =>
  gate.state === 'disabled' || gate.state === 'damaged' || settings.enabled === false;

describe.skipIf(process.getuid?.() !== 0)('the machine policy as the helper reads it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shipworm-policy-tool-'));
  const tool = join(folder, 'tool');
  let made = 0;
  beforeAll(() => {
    const sources = ['policy', 'json'].map((name) => `native/policy/${name}.cc`);
    const flags = ['-std=c++20', '-O0', '-fsanitize=address,undefined', '-o', tool];
    execFileSync('g++', [...flags, 'test/unit/native/policy-tool.cc', ...sources]);
  }, 240_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  /** A policy folder that holds these texts, each in a file of its own. */
  function place(...texts: (string | Uint8Array)[]): string {
    const directory = join(folder, `p${made++}`, 'policy.d');
    mkdirSync(directory, { recursive: true });
    texts.forEach((text, i) => writeFileSync(join(directory, `${10 + i}.json`), text));
    return directory;
  }

  const readAll = (directories: readonly string[]): Read[] =>
    execFileSync(tool, { input: `${directories.join('\n')}\n`, encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Read);

  test('each kind of file', () => {
    const directories = FILES.map(([text]) => place(text));
    const both = readAll(directories).map((read, i) => ({
      text: FILES[i]![0],
      helper: read.off,
      engine: off(readPolicy(directories[i])),
    }));
    expect(both).toEqual(
      FILES.map(([text, expected]) => ({ text, helper: expected, engine: expected })),
    );
  });

  test('a later file rules over an earlier one, and what is forbidden adds up', () => {
    const [first, second] = readAll([
      place('{"state":"disabled","lockedSettings":{"exposeAll":false}}', '{"state":"default"}'),
      place(
        '{"forbiddenApplications":[{"path":"/usr/bin/c\\u00e4rl","user":33}]}',
        `{"lockedSettings":{"exposeAll":true},"forbiddenApplications":[{"snap":"x","hash":"${HASH}"}]}`,
      ),
    ]);
    expect(first).toEqual({ off: false, closed: true, forbidden: [] });
    expect(second).toEqual({
      off: false,
      closed: true,
      forbidden: [
        { path: '/usr/bin/cärl', flatpak: '', snap: '', hash: '', user: 33 },
        { path: '', flatpak: '', snap: 'x', hash: HASH, user: -1 },
      ],
    });
  });

  test('nobody but root has a say, and a folder that is none says nothing', () => {
    const strangers = place('{"state":"disabled"}');
    chownSync(join(strangers, '10.json'), 12_345, 12_345);
    const open = { off: false, closed: false, forbidden: [] };
    expect(readAll([strangers, join(folder, 'nowhere')])).toEqual([open, open]);
    expect(off(readPolicy(strangers))).toBe(false);
  });

  test('what is too long, too deep, or not UTF-8 switches off', () => {
    const deep = `{"serverName":${'['.repeat(40)}${']'.repeat(40)}}`;
    const long = `{"serverName":"${'a'.repeat(300_000)}"}`;
    const bytes = Uint8Array.from([...Buffer.from('{"state":"'), 0xc0, 0x80, ...Buffer.from('"}')]);
    for (const read of readAll([place(deep), place(long), place(bytes)]))
      expect(read.off).toBe(true);
  });

  test('where the helper lets Teredo run, a damaged file is one that the engine understands too, or leaves shut', () => {
    const texts = fc.sample(
      fc
        .tuple(
          fc.constantFrom(...FILES.map(([text]) => text)),
          fc.nat(80),
          fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
        )
        .map(([text, at, by]) => text.slice(0, at) + by + text.slice(at + 1)),
      150,
    );
    const directories = texts.map((text) => place(text));
    readAll(directories).forEach((read, i) => {
      const engine = readPolicy(directories[i]);
      // The helper looks only at what it enforces: it may understand what the engine does not, and never the other way round.
      if (off(engine) && engine.gate.state !== 'damaged')
        expect({ text: texts[i], off: read.off }).toMatchObject({ off: true });
      const forbidden = engine.gate.rules.filter(({ never }) => never).length;
      if (!off(engine) && !read.off)
        expect({ text: texts[i], forbidden: read.forbidden.length }).toMatchObject({ forbidden });
    });
  });
});
