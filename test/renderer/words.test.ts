// The words of the app: complete in both languages, none unused, and one for every code that the engine can say.
import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { CHECKS } from '../../engine/service/doctor/checks.ts';
import { ACCESS, PROGRAMS } from '../../engine/service/builtin/places.ts';
import { FAULTS } from '../../engine/service/builtin/faults.ts';
import { doctorReportSchema } from '../../engine/service/doctor-calls.ts';
import { ownReportSchema } from '../../engine/service/own/calls.ts';
import { OWN_CHECKS } from '../../engine/service/own/own.ts';
import { pcSchema } from '../../engine/service/pc-calls.ts';
import { failoverSchema, serverRowSchema } from '../../engine/service/server-list-calls.ts';
import { settingsSchema } from '../../engine/service/settings-schema.ts';
import { TOLD } from '../../engine/service/told.ts';
import { peerSchema, statusSchema } from '../../engine/service/api.ts';
import { en, ja, languageOf } from '../../renderer/words/index.ts';

type Tree = { readonly [name: string]: string | Tree };

function leaves(tree: Tree, path = ''): Map<string, string> {
  return new Map(
    Object.entries(tree).flatMap(([name, value]) =>
      typeof value === 'string' ? [[path + name, value]] : [...leaves(value, `${path}${name}.`)],
    ),
  );
}
const english = leaves(en);
const japanese = leaves(ja);
const variables = (text: string): string[] =>
  [...text.matchAll(/\{\{(\w+)[^}]*\}\}/g)].map((match) => match[1]!).sort();

test('both languages have the same words, apart from plural forms that Japanese has not', () => {
  const one = [...english.keys()].filter((key) => key.endsWith('_one'));
  expect(one.every((key) => english.has(key.replace(/_one$/, '_other')))).toBe(true);
  expect([...japanese.keys()]).toEqual([...english.keys()].filter((key) => !one.includes(key)));
});

test('each text says something, with the same values in it, and does not shout', () => {
  for (const [key, text] of english) {
    expect(text.trim(), key).not.toBe('');
    expect(text, key).not.toContain('!');
    const other = japanese.get(key.replace(/_one$/, '_other'))!;
    expect(other.trim(), key).not.toBe('');
    if (!key.endsWith('_one')) expect(variables(other), key).toEqual(variables(text));
  }
});

test('Japanese is Japanese: only names stay as they are', () => {
  const same = [...japanese].filter(([key, text]) => english.get(key) === text);
  expect(same.map(([, text]) => text)).toEqual(
    expect.arrayContaining(['Shipworm', 'Teredo', 'Ping']),
  );
  expect(same.length).toBeLessThan(10);
});

test('no word is left over, and none is asked for that is not there', () => {
  const source = globSync('renderer/{app,parts,screens}/**/*.{ts,tsx}')
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  const literal = new Set([...source.matchAll(/\bt\(\s*'([\w.-]+)'/g)].map((match) => match[1]!));
  const made = [...source.matchAll(/\bt\(\s*`([^`]+)`/g)].map(
    (match) =>
      new RegExp(`^${match[1]!.replaceAll('.', '\\.').replace(/\$\{[^}]+\}/g, '[\\w-]+')}$`),
  );
  const plain = (key: string): string => key.replace(/_(one|other)$/, '');
  const unused = [...english.keys()].filter(
    (key) => !literal.has(plain(key)) && !made.some((pattern) => pattern.test(plain(key))),
  );
  expect(unused).toEqual([]);
  const known = new Set([...english.keys()].map(plain));
  expect([...literal].filter((key) => !known.has(key))).toEqual([]);
});

/** Members of the string union `name` in a source file. */
function union(path: string, name: string): string[] {
  const found = new RegExp(`type ${name} =([^;]+);`).exec(readFileSync(path, 'utf8'))?.[1] ?? '';
  return [...found.matchAll(/'([a-z0-9-]+)'/gi)].map((match) => match[1]!);
}

/** What the settings of a schema can be chosen from. */
function choicesOf({ shape }: { shape: Readonly<Record<string, unknown>> }): string[] {
  return Object.values(shape).flatMap((each) =>
    each instanceof z.ZodEnum ? each.options.map(String) : [],
  );
}

test.each([
  ['reasons of the client', union('engine/client/types.ts', 'ClientReason'), en.states.reason],
  [
    'reasons of the gate',
    // While it is awake, the client's own reason is shown.
    union('engine/gate/types.ts', 'GateReason').filter(
      (code) =>
        ![
          'in-use',
          'listening',
          'first-address',
          'policy-qualified',
          'everything-exposed',
        ].includes(code),
    ),
    en.states.reason,
  ],
  ['reasons of flows', union('engine/gate/types.ts', 'FlowReason'), en.states.why],
  ['states', statusSchema.shape.state.options, en.states.state],
  ['states as a sentence', statusSchema.shape.state.options, en.states.head],
  ['kinds of router', statusSchema.shape.nat.options, en.states.nat],
  ['paths', peerSchema.shape.path.unwrap().options, en.peers.paths],
  ['answers of servers', serverRowSchema.shape.code.options, en.servers.code],
  ['where servers come from', serverRowSchema.shape.from.options, en.servers.from],
  ['who takes over', failoverSchema.shape.code.options, en.servers.failover],
  ['states of known PCs', pcSchema.shape.state.options, en.knownPcs.state],
  ['checks of the doctor', CHECKS.map(({ code }) => code), en.doctor.check],
  ['checks of one’s own server', OWN_CHECKS.map(({ code }) => code), en.servers.own.check],
  [
    'what is said of one’s own server',
    ownReportSchema.shape.verdict.shape.code.options,
    en.servers.own.verdict,
  ],
  ['what the doctor says', doctorReportSchema.shape.verdict.shape.code.options, en.doctor.verdict],
  ['routers of the built-in network', Object.keys(ACCESS), en.builtIn.kinds],
  ['what can fail there', Object.keys(FAULTS), en.builtIn.fault],
  ['settings', Object.keys(settingsSchema.shape), en.single.name],
  ['meanings of settings', Object.keys(settingsSchema.shape), en.single.means],
  ['choices of settings', choicesOf(settingsSchema), en.single.choice],
  ['events of the log', TOLD.filter((code) => code !== 'state'), en.log],
  ['failures of the host', union('engine/host/types.ts', 'HostErrorCode'), en.failures.code],
  [
    'failures of the service',
    union('engine/service/errors.ts', 'ServiceErrorCode'),
    en.failures.code,
  ],
  ['its programs', PROGRAMS.map(({ name }) => name), en.builtIn.program],
])('has words for all %s', (_, codes, words) => {
  expect(codes.length).toBeGreaterThan(2);
  expect(codes.filter((code) => !(code in words))).toEqual([]);
});

/** They are said in a terminal alone, or by a server or relay. */
const ELSEWHERE = /control-client|(?:server|relay)-[a-z]+\.ts$/;

test('whatever fails on the way to the window has a code that says how', () => {
  const thrown = globSync(['engine/{service,host}/**/*.ts', 'electron/*.ts'])
    .filter((path) => !ELSEWHERE.test(path))
    .flatMap((path) => [
      ...readFileSync(path, 'utf8').matchAll(/new (?:Service|Host)Error\(\s*([^,]+),/g),
    ])
    .map(([, code]) => code!);
  expect(thrown.length).toBeGreaterThan(40);
  // The rest is what no one foresaw: `gate-api` hands it on.
  expect(thrown.filter((code) => code === "'failed'")).toHaveLength(1);
  const codes = thrown.flatMap((code) => [...code.matchAll(/'([a-z-]+)'/g)].map(([, one]) => one!));
  expect(codes.filter((code) => !(code in ja.failures.code))).toEqual([]);
});

test('no flag and no command of the terminal is said where a window has buttons', () => {
  // What this window has no way for: another machine, and another program’s end.
  const exceptions = ['peers.latest', 'findings.end-other-teredo'];
  const leaks = [...english, ...japanese].filter(
    ([key, text]) =>
      / --?[a-z]{2}|shipworm [a-z]|sudo/.test(text) &&
      !exceptions.includes(key) &&
      !key.startsWith('findings.own-'),
  );
  expect(leaks).toEqual([]);
});

test('the system’s language counts unless one was chosen', () => {
  expect(languageOf('system', 'ja-JP')).toBe('ja');
  expect(languageOf('system', 'de-DE')).toBe('en');
  expect(languageOf('en', 'ja-JP')).toBe('en');
});
