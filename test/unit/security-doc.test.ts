// Tests that docs/security.md speaks of every known attack and names only tests that exist.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const ATTACKS = [
  ...['M-0401', 'M-0501', 'M-0601', 'M-0602', 'M-0603', 'M-0604', 'M-0701', 'M-0702', 'M-0703'],
  ...['H-source-routing', 'H-ingress-bypass', 'H-inducement', 'H-queue', 'H-cache', 'H-peer-spoof'],
  ...['H-ping-guess', 'H-scan', 'H-discovery', 'H-server-switch', 'H-relay-dead', 'H-3544'],
  ...['B-relay-flood', 'R-spoofed-server', 'R-mitm', 'R-reflection', 'L-1…3'],
  ...['X-trailers', 'X-nested'],
];

const doc = readFileSync('docs/security.md', 'utf8');
const sections = new Map(
  doc
    .split(/^### /m)
    .slice(1)
    .map((section) => [/^[^:]+/.exec(section)![0], section]),
);
const PROOF = /^- (\w+): `([^`]+)` "([^"]+)"$/gm;

test('every attack has one section, and no section is of another', () => {
  expect([...sections.keys()].sort()).toEqual([...ATTACKS].sort());
});

describe.each(ATTACKS)('%s', (attack) => {
  const section = sections.get(attack) ?? '';
  const proofs = [...section.matchAll(PROOF)];

  test('has a proof whose title names it, or is said to be missing', () => {
    if (proofs.length === 0) expect(section).toMatch(/Not there yet/);
    // A describe block or another test of the same file may be what bears the name.
    else
      expect(
        proofs.some(([, , file, title]) => title!.includes(attack) || named(file!, attack)),
      ).toBe(true);
  });
});

const named = (file: string, attack: string): boolean =>
  new RegExp(`\\b(describe|test|it)\\b[^\\n]*\\n?[^\\n]*${attack}`).test(read(file));
const read = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

test.each([...doc.matchAll(PROOF)].map(([, role, file, title]) => [role!, file!, title!]))(
  '%s: %s has "%s"',
  (role, file, title) => {
    expect(['client', 'server', 'relay', 'system']).toContain(role);
    const source = read(file);
    // As the title of a test or a block of tests, on the line of the call or the next.
    const call =
      /\b(?:describe|test|it)\b(?:\.\w+|\([^()]*\)|\(\[[^\]]*\](?: as const)?\))*\(\s*(['"`])/;
    const titles = new RegExp(`${call.source}${escaped(title)}\\1`);
    expect(titles.test(source), `${file}: ${title}`).toBe(true);
  },
);

test('every line that looks like a proof is one', () => {
  const lines = doc.split('\n').filter((line) => line.startsWith('- '));
  expect(lines.filter((line) => !new RegExp(PROOF.source).test(line))).toEqual([]);
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
