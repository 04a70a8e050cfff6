// Tests that what the native table answers is what the server would have answered, byte for byte, and that it leaves all else to it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Answers } from '../../../engine/datapath/answers.ts';
import { KeyedBuckets } from '../../../engine/datapath/limits.ts';
import type { ServerSettings } from '../../../engine/server/types.ts';
import { authenticate, buildDatagram, buildSolicitation } from '../../../engine/wire/index.ts';
import type { Endpoint } from '../../../engine/wire/index.ts';
import {
  A,
  at,
  B,
  Bench,
  bubble,
  bytesOf,
  echo,
  hexOf,
  LINK_LOCAL,
  LINK_LOCAL_CONE,
  MIREDO,
  NATIVE,
} from '../server/harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'shipworm-answers-'));
const program = join(folder, 'answers');
const sources = ['answers', 'sources', 'checksum'].map((name) => `native/datapath/${name}.cc`);
const flags = ['-std=c++20', '-O2', '-fsanitize=address,undefined', '-fno-sanitize-recover'];
execFileSync('g++', [...flags, '-o', program, 'test/unit/native/answers-tool.cc', ...sources]);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (lines: readonly string[]): string[] =>
  execFileSync(program, { input: lines.join('\n'), encoding: 'utf8', maxBuffer: 1 << 28 })
    .split('\n')
    .slice(0, -1);

/** The table as the tool reads it. */
function tableOf({ cases, refused }: Answers, limit: string): string[] {
  return [
    `L ${limit}`,
    ...cases.map((each) => {
      const lent = each.lent.map(({ from, to, length }) => `${from},${to},${length}`).join(';');
      const places = [Number(each.viaOther), each.questionPacketAt, each.answerPacketAt];
      const parts = [each.question, each.mask, each.answer].map(hexOf);
      return ['C', ...places, each.originAt, ...parts, lent].join(' ');
    }),
    ...refused.map(({ network, prefix }) => {
      const mask = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
      return `R ${network} ${mask}`;
    }),
    'G',
  ];
}

interface Question {
  readonly from: Endpoint;
  readonly bytes: Uint8Array;
}

/** A generator with a seed: a failure can be repeated. */
function draws(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const NONCE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const KEY = new Uint8Array(20).fill(7);
const none = new Uint8Array(0);

/** Solicitations of every kind that clients send, and what else comes to a server. */
const SEEDS: readonly Uint8Array[] = [LINK_LOCAL, LINK_LOCAL_CONE].flatMap((source) => {
  const packet = buildSolicitation(source);
  const unsigned = { clientId: none, value: none, nonce: NONCE, confirmation: 0 };
  const clientId = Uint8Array.of(0xab, 0xcd);
  const signed = authenticate({ clientId, key: KEY, nonce: NONCE, confirmation: 0, packet });
  const nonceTrailer = [{ type: 1, value: Uint8Array.of(1, 2, 3, 4) }];
  return [
    packet,
    buildDatagram({ authentication: unsigned, packet }),
    buildDatagram({ authentication: { ...unsigned, confirmation: 9 }, packet }),
    buildDatagram({ authentication: { ...unsigned, value: Uint8Array.of(1) }, packet }),
    buildDatagram({ authentication: signed, packet }),
    buildDatagram({ authentication: unsigned, origin: at('198.51.100.7:1'), packet }),
    buildDatagram({ authentication: unsigned, packet, trailers: nonceTrailer }),
  ];
});
const OTHERS = [bytesOf(MIREDO.solicitation), bubble(A, B), echo(A, NATIVE), none];
const SOURCES = [
  ...['198.51.100.7:40000', '203.0.113.9:1', '8.8.8.8:65535', '192.0.2.1:3544', '192.0.2.1:9'],
  ...['192.0.2.2:3544', '10.1.2.3:4000', '100.64.0.1:4', '127.0.0.1:5', '198.51.100.7:0'],
  ...['0.1.2.3:6', '239.1.2.3:7', '255.255.255.255:8', '192.88.99.1:9', '198.51.100.255:10'],
].map(at);

/** Every single bit of every seed changed, every length cut, and `count` changed at random, with sums mended for half of them. */
function questions(count: number): Question[] {
  const draw = draws(20_260_101);
  const usual = SOURCES[0]!;
  const all: Question[] = [];
  for (const seed of [...SEEDS, ...OTHERS]) {
    for (const from of SOURCES) all.push({ from, bytes: seed });
    for (let bit = 0; bit < seed.length * 8; bit++) {
      const bytes = seed.slice();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      all.push({ from: usual, bytes }, { from: usual, bytes: mended(bytes) });
    }
    for (let length = 0; length < seed.length; length++)
      all.push({ from: usual, bytes: seed.slice(0, length) });
    for (let more = 1; more <= 16; more++)
      all.push({ from: usual, bytes: Uint8Array.of(...seed, ...new Uint8Array(more)) });
  }
  for (let i = 0; i < count; i++) {
    const seed = SEEDS[draw(SEEDS.length)]!;
    const bytes = seed.slice();
    for (let changes = draw(4); changes >= 0; changes--) bytes[draw(bytes.length)] = draw(256);
    const from = { ip: draw(2 ** 32), port: draw(65_536) };
    all.push({ from, bytes: draw(2) ? mended(bytes) : bytes });
  }
  return all;
}

/** The ICMPv6 checksum set right where a plain solicitation has it, by RFC 1071 in its plainest form. */
function mended(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const packet = copy.subarray(copy.length - 48);
  if (copy.length < 48) return copy;
  packet[42] = packet[43] = 0;
  let sum = 8 + 58;
  for (let i = 8; i < 48; i += 2) sum += packet[i]! * 256 + packet[i + 1]!;
  while (sum > 0xffff) sum = (sum % 65_536) + Math.floor(sum / 65_536);
  packet[42] = (sum ^ 0xffff) >> 8;
  packet[43] = (sum ^ 0xffff) & 255;
  return copy;
}

const CONFIGURATIONS: readonly [string, Partial<ServerSettings>][] = [
  ['two addresses', {}],
  ['one address', { secondary: null }],
  ['a closed lab', { allowPrivate: true }],
  ['known clients', { clients: new Map([['abcd', KEY]]) }],
  ['broadcasts of its own', { broadcasts: [at('198.51.100.255:1').ip] }],
];
const ENDLESS = 1_000_000;

describe('the table of answers', () => {
  test.each(CONFIGURATIONS)('of a server with %s says what the server says', (_, settings) => {
    const limits = { solicitationsPerSecondPerSource: ENDLESS };
    const bench = new Bench({ ...settings, limits });
    const asked = questions(20_000);
    const lines = asked.map(
      ({ from, bytes }) => `Q ${from.ip} ${from.port} 0 ${bytes.length ? hexOf(bytes) : '-'}`,
    );
    const table = bench.server.answers()!;
    const said = run([...tableOf(table, `${ENDLESS} ${ENDLESS} 4096`), ...lines]);
    expect(said).toHaveLength(asked.length);
    const kinds = new Map<string, number>();
    for (const [i, { from, bytes }] of asked.entries()) {
      const outputs = bench.ask(bytes, from);
      const [answer] = outputs;
      const advertised = answer?.kind === 'transmit' && answer.why === 'advertisement';
      if (said[i] === '?') {
        kinds.set('left', (kinds.get('left') ?? 0) + 1);
        continue;
      }
      if (!advertised) throw new Error(`${hexOf(bytes)} from ${from.ip}: ${said[i]}, not answered`);
      expect(answer.to).toEqual(from);
      expect(said[i]).toBe(`${answer.via === 'primary' ? 0 : 1} ${hexOf(answer.bytes)}`);
      const kind = `${answer.via} ${answer.bytes.length}`;
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    // Each case was met many times, and so was what is none.
    const second = settings.secondary === null ? [] : ['secondary 104', 'secondary 117'];
    expect([...kinds.keys()].sort()).toEqual(['left', 'primary 104', 'primary 117', ...second]);
    for (const count of kinds.values()) expect(count).toBeGreaterThan(200);
  });

  test("holds what Miredo's clients and ours send, and nothing when each client must sign", () => {
    const bench = new Bench();
    const [from] = SOURCES;
    const lines = [MIREDO.solicitation, ...SEEDS.slice(0, 2).map(hexOf)].map(
      (hex) => `Q ${from!.ip} ${from!.port} 0 ${hex}`,
    );
    const table = tableOf(bench.server.answers()!, '20 20 64');
    for (const line of run([...table, ...lines])) expect(line).toMatch(/^0 00/);
    const strict = new Bench({ requireAuthentication: true, clients: new Map([['abcd', KEY]]) });
    expect(strict.server.answers()).toBeNull();
  });

  test('a solicitation beyond the limit is refused there, one that is none takes nothing from it', () => {
    const table = tableOf(new Bench().server.answers()!, '2 2 64');
    const ask = (hex: string, ms: number): string => `Q ${SOURCES[0]!.ip} 40000 ${ms} ${hex}`;
    const plain = hexOf(SEEDS[0]!);
    const wrongSum = `${plain.slice(0, -10)}0000${plain.slice(-6)}`;
    const lines = [ask(wrongSum, 0), ask(plain, 0), ask(plain, 0), ask(plain, 0), ask(plain, 500)];
    expect(run([...table, ...lines]).map((line) => line[0])).toEqual(['?', '0', '0', '!', '0']);
  });
});

test('the limit of the threads is the limit of the engine', () => {
  const draw = draws(7);
  const buckets = new KeyedBuckets<number>(3, 5, 16_384);
  let now = 0;
  const takes = Array.from({ length: 50_000 }, () => {
    now += draw(100) / 4;
    return { ip: draw(200) * 7919, now };
  });
  const said = run(['L 3 5 16384', ...takes.map((take) => `T ${take.ip} ${take.now}`)]);
  expect(said).toEqual(takes.map((take) => (buckets.take(take.ip, take.now) ? '1' : '0')));
  expect(new Set(said)).toEqual(new Set(['0', '1']));
});
