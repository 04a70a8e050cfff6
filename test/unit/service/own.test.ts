// Tests each check of one's own server and relay where it is good, bad and unknown, and the sentence that it ends in.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { judgeAll } from '../../../engine/service/doctor/check.ts';
import { refusalOf } from '../../../engine/service/doctor/readings.ts';
import { textOf } from '../../../engine/service/doctor/sayings.ts';
import { question, readAnswer } from '../../../engine/service/doctor/solicitation.ts';
import type { Reading } from '../../../engine/service/doctor/solicitation.ts';
import type { NativeFacts, OwnFacts, SideFacts } from '../../../engine/service/own/facts.ts';
import { OWN_CHECKS } from '../../../engine/service/own/own.ts';
import { ownVerdict } from '../../../engine/service/own/verdict.ts';
import { buildAdvertisement, buildDatagram, parseIp6 } from '../../../engine/wire/index.ts';
import type { Authentication } from '../../../engine/wire/index.ts';
import { HEALTHY, ip4 } from './doctor-facts.ts';

type Change = Partial<OwnFacts>;
const SERVER = ip4('192.0.2.1');
const SECOND = ip4('192.0.2.2');
const ME = { ip: ip4('198.51.100.7'), port: 40_000 };
const ELSEWHERE = { ...ME, port: 40_001 };
/** The prefix of 192.0.2.1 (RFC 4380 §4). */
const PREFIX = parseIp6('2001:0:c000:201::')!;

const RIGHT: Reading = {
  ...{ fault: null, malformed: null, keyRefused: false, origin: ME, prefix: PREFIX, mtu: 1280 },
};
const ANSWER: SideFacts = { reading: RIGHT, rttMs: 20, junk: false };
const SILENT: SideFacts = { reading: null, rttMs: null, junk: false };
const PING: NativeFacts = {
  ...{ host: '2001:db8::80', given: true, error: null },
  ...{ relay: { ip: ip4('203.0.113.3'), port: 3545 }, firstMs: 60, bubble: true, directMs: 40 },
};
const LOST: NativeFacts = { ...PING, relay: null, firstMs: null, bubble: false, directMs: null };
const BUBBLED = { origin: ELSEWHERE, sender: ELSEWHERE, data: false, forged: false };
const WELL: OwnFacts = {
  ...{ allowPrivate: false, managed: HEALTHY.managed, ipv4: true },
  name: { name: 't.example', addresses: [SERVER], usable: [SERVER], error: null },
  ...{ server: SERVER, server2: SECOND, primary: ANSWER, secondary: ANSWER, coneFrom: SECOND },
  ...{ refused: null, udpOut: null, bubbles: BUBBLED, native: PING, witness: null },
  relay: PING.relay!.ip,
};
const ROOT_ANSWERS = { answered: '198.41.0.4:53', refused: null, tcp: true };
const reads = (change: Partial<Reading>): Change => ({
  primary: { ...ANSWER, reading: { ...RIGHT, ...change } },
});
/** As it is where nothing was sent. */
const NOTHING: Change = {
  ...{ name: null, server: null, server2: null, primary: null, secondary: null },
  ...{ coneFrom: undefined, bubbles: null, native: null },
};
const NO_SERVER: Change = { ...NOTHING, name: WELL.name, server: SERVER, server2: SECOND };
const SYMMETRIC: Change = {
  secondary: { ...ANSWER, reading: { ...RIGHT, origin: ELSEWHERE } },
};

/** For each check: facts by which it is bad (each must do), and by which it is unknown (each). It is good where all is well. */
const CASES: Record<
  string,
  { readonly bad: readonly Change[]; readonly unknown: readonly Change[] }
> = {
  'may-ask': {
    bad: [{ managed: { ...HEALTHY.managed!, domain: 'corp.example' }, ...NOTHING }],
    unknown: [{ managed: null, ...NOTHING }],
  },
  'server-name': {
    bad: [{ ...NOTHING, name: { name: 'x', addresses: [], usable: [], error: 'No such name.' } }],
    unknown: [
      { ...NOTHING, ipv4: false },
      { ...NOTHING, name: null },
    ],
  },
  'server-public': {
    bad: [
      {
        ...NOTHING,
        name: { name: 'x', addresses: [ip4('10.0.0.5')], usable: [], error: null },
      },
    ],
    unknown: [NOTHING],
  },
  'server-answers': {
    bad: [
      { ...NO_SERVER, primary: SILENT, udpOut: ROOT_ANSWERS },
      { ...NO_SERVER, primary: SILENT, refused: 'ECONNREFUSED' },
      { ...NO_SERVER, primary: { ...SILENT, junk: true } },
    ],
    unknown: [
      { ...NO_SERVER, primary: SILENT, udpOut: { answered: null, refused: null, tcp: true } },
      { ...NO_SERVER, primary: SILENT, refused: 'EPERM' },
      { ...NOTHING, ipv4: false },
    ],
  },
  'server-advertisement': {
    bad: [
      reads({ fault: 'no-nonce' }),
      reads({ fault: 'other-nonce' }),
      reads({ fault: 'bad-signature' }),
      reads({ fault: 'malformed', malformed: 'advertisementNoPrefix' }),
      reads({ fault: 'other-receiver' }),
      reads({ fault: 'no-origin', origin: null }),
      reads({ prefix: parseIp6('2001:0:cb00:7101::')! }),
      reads({ origin: { ip: ip4('192.168.1.9'), port: 4000 } }),
      reads({ mtu: 576 }),
      reads({ mtu: 9000 }),
    ],
    unknown: [reads({ keyRefused: true }), { ...NO_SERVER, primary: SILENT }],
  },
  'second-address': {
    bad: [
      { secondary: SILENT },
      { secondary: { ...SILENT, junk: true } },
      { secondary: { ...ANSWER, reading: { ...RIGHT, fault: 'no-origin' } } },
    ],
    unknown: [{ secondary: { ...ANSWER, reading: { ...RIGHT, keyRefused: true } } }, NOTHING],
  },
  'cone-answer': {
    bad: [{ coneFrom: SERVER }, { coneFrom: null }],
    unknown: [{ ...SYMMETRIC, coneFrom: null }, { coneFrom: undefined }],
  },
  'same-mapping': { bad: [], unknown: [SYMMETRIC, { secondary: SILENT }] },
  'server-bubbles': {
    bad: [
      { bubbles: { ...BUBBLED, origin: undefined } },
      { bubbles: { ...BUBBLED, origin: null } },
      { bubbles: { ...BUBBLED, origin: ME } },
    ],
    unknown: [{ bubbles: null }],
  },
  'server-refuses': {
    bad: [
      { bubbles: { ...BUBBLED, data: true } },
      { bubbles: { ...BUBBLED, forged: true } },
      { bubbles: { ...BUBBLED, data: true, forged: true } },
    ],
    unknown: [{ bubbles: { ...BUBBLED, origin: undefined } }, { bubbles: null }],
  },
  'native-ping': {
    bad: [
      { native: LOST, witness: { ...LOST, given: false } },
      { native: LOST, witness: { ...PING, given: false, host: '2001:7fd::1' } },
    ],
    unknown: [
      { native: { ...LOST, given: false } },
      { native: { ...LOST, error: 'There is no such name.' } },
      { ...SYMMETRIC, native: LOST },
      { native: null },
    ],
  },
  'relay-whose': {
    bad: [{ relay: ip4('203.0.113.99') }],
    unknown: [{ relay: null }, { native: LOST }],
  },
  'relay-bubbles': { bad: [{ native: { ...PING, bubble: false } }], unknown: [{ native: LOST }] },
  'relay-carries': {
    bad: [{ native: { ...PING, directMs: null } }],
    unknown: [{ native: LOST }],
  },
};

const judge = (change: Change) => {
  const facts = { ...WELL, ...change };
  const checks = judgeAll(OWN_CHECKS, facts);
  return { checks, verdict: ownVerdict(facts, checks) };
};
const resultOf = (code: string, change: Change) =>
  judge(change).checks.find((each) => each.code === code)!;

test('there is a case for each check, and a check rests on earlier ones alone', () => {
  expect(Object.keys(CASES)).toEqual(OWN_CHECKS.map(({ code }) => code));
  OWN_CHECKS.forEach(({ dependsOn }, i) => {
    const before = OWN_CHECKS.slice(0, i).map(({ code }) => code);
    expect(before).toEqual(expect.arrayContaining([...dependsOn]));
  });
});

describe.each(OWN_CHECKS.map(({ code }) => code))('%s', (code) => {
  test('good', () => {
    expect(resultOf(code, {})).toMatchObject({ result: 'good', action: null });
  });
  test.each(CASES[code]!.bad)('bad, with one thing to do', (change) => {
    const { result, evidence, action } = resultOf(code, change);
    expect([result, evidence]).toEqual(['bad', expect.stringMatching(/^[A-Z0-9].*[.]$/)]);
    expect(action).toMatch(/[.]$/);
  });
  test.each(CASES[code]!.unknown)('unknown', (change) => {
    expect(resultOf(code, change).result).toBe('unknown');
  });
});

describe('the sentence at the end', () => {
  const down = { ...NO_SERVER, primary: SILENT, udpOut: ROOT_ANSWERS };
  test.each<[string, Change, string, string | null]>([
    ['all is well', {}, 'works', null],
    ['a relay that nobody named', { relay: null }, 'works', null],
    ['a managed network', CASES['may-ask']!.bad[0]!, 'prevented', 'may-ask'],
    ['a policy that nobody could read', { ...NOTHING, managed: null }, 'unclear', 'may-ask'],
    ['silence', down, 'fails', 'server-answers'],
    ['no IPv4 here', { ...NOTHING, ipv4: false }, 'unclear', 'server-name'],
    ['a wrong prefix', reads({ prefix: 0n }), 'fails', 'server-advertisement'],
    ['one address', { secondary: SILENT, coneFrom: undefined }, 'limited', 'second-address'],
    ['no native IPv6', { native: LOST }, 'partly', 'native-ping'],
    ['silent root servers', { native: { ...LOST, given: false } }, 'partly', 'native-ping'],
    ['a symmetric router here', SYMMETRIC, 'works', null],
    ['data passed on', { bubbles: { ...BUBBLED, data: true } }, 'partly', 'server-refuses'],
  ])('%s', (_, change, code, check) => {
    const { verdict } = judge(change);
    expect(verdict).toMatchObject({ ok: /works|limited/.test(code), code, check });
    expect(verdict.text).toMatch(/^[A-Z].*[.]$/);
  });

  test('leads to a chapter that is there', () => {
    const text = readFileSync('docs/run-your-own.md', 'utf8');
    const chapters = [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
    const all = [{}, ...Object.values(CASES).flatMap((each) => [...each.bad, ...each.unknown])];
    for (const change of all) expect(chapters).toContain(judge(change).verdict.chapter);
  });

  test('is English by itself', () => {
    const all = [{}, ...Object.values(CASES).flatMap((each) => [...each.bad, ...each.unknown])];
    for (const change of all) {
      const { checks, verdict } = judge(change);
      const texts = [...checks.flatMap((each) => [each.evidence, each.action]), verdict.text];
      expect(texts.filter((text) => /undefined|\{\{|\[object/.test(text ?? ''))).toEqual([]);
    }
  });
});

test('a refusal is told in words', () => {
  expect(textOf(refusalOf('ECONNREFUSED'))).toMatch(/nobody listens/);
});

describe('an advertisement that is not right', () => {
  const random = { bytes: (length: number) => new Uint8Array(length).fill(7) };
  const asked = question(random, null);
  const nonceOf = (nonce: Uint8Array): Authentication => ({
    ...{ clientId: new Uint8Array(0), value: new Uint8Array(0), nonce, confirmation: 0 },
  });
  const packet = (destination: bigint, prefix = PREFIX) =>
    buildAdvertisement({ source: 0xfe80n << 112n, destination, prefix, mtu: 1280 });
  const good = { authentication: nonceOf(asked.nonce), origin: ME, packet: packet(asked.source) };
  const read = (parts: Parameters<typeof buildDatagram>[0]) =>
    readAnswer([asked], null, buildDatagram(parts));

  test('is told from one that is, by what is wrong with it', () => {
    expect(read(good)).toEqual({ to: asked, reading: RIGHT });
    const { authentication, origin } = good;
    expect(read({ origin, packet: good.packet })?.reading.fault).toBe('no-nonce');
    const other = nonceOf(new Uint8Array(8));
    expect(read({ ...good, authentication: other })).toMatchObject({
      ...{ to: null, reading: { fault: 'other-nonce' } },
    });
    expect(read({ authentication, packet: good.packet })?.reading.fault).toBe('no-origin');
    const stranger = packet(parseIp6('fe80::1')!);
    expect(read({ ...good, packet: stranger })?.reading.fault).toBe('other-receiver');
    const wrong = parseIp6('2001:0:cb00:7101::')!;
    expect(read({ ...good, packet: packet(asked.source, wrong) })?.reading.prefix).toBe(wrong);
    const refused = { ...authentication, confirmation: 1 };
    expect(read({ ...good, authentication: refused })?.reading.keyRefused).toBe(true);
  });

  test('with a key in the settings, without a signature', () => {
    const credentials = { clientId: 'me', key: 'secret' };
    const signed = question(random, credentials);
    const bytes = buildDatagram({ ...good, packet: packet(signed.source) });
    expect(readAnswer([signed], credentials, bytes)?.reading.fault).toBe('bad-signature');
  });

  test('and something else is none', () => {
    expect(readAnswer([asked], null, new Uint8Array(60))).toBeNull();
    expect(read({ ...good, packet: good.packet.slice(0, 40).fill(0, 4, 6) })).toBeNull();
  });
});
