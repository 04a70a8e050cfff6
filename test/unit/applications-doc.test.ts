// Tests that docs/applications.md has each pitfall of naming an application once, and names only tests that exist.
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** Where a gate that is built without care fails. */
const PITFALLS = [
  'a sender that lives only for a moment',
  'two programs on one port',
  'a connected socket before a wildcard one',
  'listeners on one address, on all, or on IPv4 alone',
  'a stranger to a connected socket',
  'a deleted or replaced executable',
  'an impostor in mounts of its own',
  'a process that hides from its user',
  'a child, and a program begun after the socket was made',
  'a descriptor passed on',
  'a port taken over as its owner closes it',
  'a container behind our own address',
  'fragments both ways',
  'a stranger at the adapter’s queue',
  'another user’s program of the same name',
  'ten thousand sockets, 500 rules',
  '200 new flows a second',
  'the helper killed',
  'the client killed',
  'the client stopped',
  'a policy that the user would change or pass over',
  'a scan from outside',
  'shared files',
  'a rule turned off',
  'a domain controller',
  'a minute of silence',
];
/** Pitfall, file, title, and what was seen to make the test fail. */
const ROW = /^\| (.+?) +\| `(test\/[^`]+)` +\| (.+?) +\| (.+?) +\|$/gm;
const doc = readFileSync('docs/applications.md', 'utf8');
const rows = [...doc.matchAll(ROW)].map(([, pitfall, file, title]) => ({
  pitfall: pitfall!,
  file: file!,
  title: title!,
}));

test('each pitfall is there, and no other', () => {
  expect([...new Set(rows.map(({ pitfall }) => pitfall))].sort()).toEqual([...PITFALLS].sort());
});

test.each(rows)('$pitfall: $file has "$title"', ({ file, title }) => {
  const source = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const whole = title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const call = /^\s*(?:\]\)\(|(?:test|it)(?:\.each\([^\n]*\))?\(\s*)(['"`])/m.source;
  expect(new RegExp(`${call}${whole}\\1,`, 'm').test(source), `${file}: ${title}`).toBe(true);
});
