// Tests that docs/codes.md explains every code that a program can meet, and no other.
import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string): string => readFileSync(path, 'utf8');
/** Members of the string union `name` in the source text. */
const union = (text: string, name: string): string[] =>
  [
    ...(new RegExp(`type ${name} =([^;]+);`).exec(text)?.[1]?.matchAll(/'([a-z0-9-]+)'/gi) ?? []),
  ].map((m) => m[1]!);

/** Everything in code marks in the first cell of a row. */
const documented = new Set(
  [...read('docs/codes.md').matchAll(/^\| (`[^|]+) \|/gm)].flatMap((row) =>
    [...row[1]!.matchAll(/`([^`]+)`/g)].map((m) => m[1]!),
  ),
);

/** Never shown: while it is awake the client's own reason is. */
const AWAKE = ['in-use', 'listening', 'first-address', 'policy-qualified', 'everything-exposed'];

test('every reason, host and service code, and every code of a failed ping', () => {
  const codes = [
    ...union(read('engine/client/types.ts'), 'ClientReason'),
    ...union(read('engine/host/types.ts'), 'HostErrorCode'),
    ...union(read('engine/service/errors.ts'), 'ServiceErrorCode'),
    ...union(read('engine/gate/types.ts'), 'FlowReason'),
    ...union(read('engine/gate/types.ts'), 'GateReason').filter((code) => !AWAKE.includes(code)),
    ...[...read('engine/client/types.ts').matchAll(/code: ((?:'[a-z-]+'\s*\|?\s*)+)/g)].flatMap(
      (m) => [...m[1]!.matchAll(/'([a-z-]+)'/g)].map((each) => each[1]!),
    ),
    'server-unresolved',
  ];
  expect(codes.length).toBeGreaterThan(25);
  expect(codes.filter((code) => !documented.has(code))).toEqual([]);
});

test('every counted discard', () => {
  const counted = globSync('engine/{client,service,wire}/*.ts').flatMap((path) =>
    [...read(path).matchAll(/(?:count|fail|discard|refused)\(\s*'([a-zA-Z0-9]+)'/g)].map(
      (m) => m[1]!,
    ),
  );
  const names = new Set([
    ...counted,
    ...union(read('engine/wire/types.ts'), 'WireReason'),
    ...union(read('engine/relay/types.ts'), 'RelayReason'),
    ...union(read('engine/gate/screen.ts'), 'ScreenReason'),
  ]);
  expect(names.size).toBeGreaterThan(40);
  expect([...names].filter((name) => !documented.has(name))).toEqual([]);
});

test('and nothing that does not exist', () => {
  const sources = globSync('{engine,cli}/**/*.ts').map(read).join('\n');
  expect(
    [...documented].filter((code) => !new RegExp(`'${code}'|\\b${code}: `).test(sources)),
  ).toEqual([]);
});
