// Tests that a datapath whose system gives it no random numbers or no memory does not open, says so, and leaves nothing behind.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildAddon } from './line.ts';

const folder = mkdtempSync(join(tmpdir(), 'shipworm-refuse-'));
const library = join(folder, 'refuse.so');
beforeAll(() => {
  buildAddon();
  const source = 'test/unit/native/refuse.cc';
  execFileSync('g++', ['-std=c++20', '-shared', '-fPIC', '-o', library, source, '-ldl']);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

const OPEN = `
import { readdirSync } from 'node:fs';
import { openDatapath } from './engine/host/linux-datapath.ts';
const open = () => openDatapath({ adapter: null, bind: { ip: 0x7f000001, port: 0 }, validMs: 30000, offloads: true,
  onUpcalls: () => undefined, onFailed: () => undefined });
const attempt = () => { try { open().close(); return 'opened'; } catch (error) { return error.code + ': ' + error.message; } };
attempt();
const descriptors = () => readdirSync('/proc/self/fd').length;
const before = descriptors();
const said = attempt();
console.log(JSON.stringify({ said, left: descriptors() - before }));`;

/** What opening a datapath says, and the descriptors that it left, where the system refuses it `what`. */
function opening(what: string): { said: string; left: number } {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', OPEN], {
    env: { ...process.env, LD_PRELOAD: library, SHIPWORM_REFUSE: what },
    encoding: 'utf8',
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as { said: string; left: number };
}

test('without any refusal it opens', () => {
  expect(opening('')).toEqual({ said: 'opened', left: 0 });
});

test('M-0702: without random numbers it does not open, rather than with a key that can be guessed', () => {
  expect(opening('getrandom')).toEqual({
    said: expect.stringMatching(/^no-randomness: .*getrandom fails.*start again\.$/) as string,
    left: 0,
  });
});

test.each(['mmap', 'malloc'])(
  'Miredo fault 17: without memory (%s) it does not open, says so, and the process lives on',
  (what) => {
    expect(opening(what)).toEqual({
      said: expect.stringMatching(/^bind-failed: .*Cannot allocate memory.*\.$/) as string,
      left: 0,
    });
  },
);
