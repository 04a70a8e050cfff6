// Tests each of the doctor's checks where it is good, bad and unknown, and the sentence that it ends in.
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { rulesAgainst } from '../../../engine/host/linux-probe.ts';
import { CHECKS, judge } from '../../../engine/service/doctor/checks.ts';
import type { Facts } from '../../../engine/service/doctor/facts.ts';
import { say, SAYINGS } from '../../../engine/service/doctor/sayings.ts';
import type { SayingCode } from '../../../engine/service/doctor/sayings.ts';
import { verdictOf } from '../../../engine/service/doctor/verdict.ts';
import { HEALTHY, ip4, RUNNING, SERVER, SILENT } from './doctor-facts.ts';

type Change = Partial<Facts>;
const network = HEALTHY.network!;
const machine = HEALTHY.machine!;
const managed = HEALTHY.managed!;
const mapping = HEALTHY.mapping!;
const REFUSED = {
  offered: false,
  seen: say('router-refuses', { router: '192.168.1.1', way: 'PCP', result: 2 }),
};
const elsewhere = { ip: ip4('198.51.100.7'), port: 40_001 };
const firewall = (against: readonly string[], readable = true): Change => ({
  machine: { ...machine, firewall: { against, readable } },
});

/** For each check: facts by which it is bad (each must do), and by which it is unknown. It is good where all is well. */
const CASES: Record<string, { readonly bad: readonly Change[]; readonly unknown: Change }> = {
  managed: {
    bad: [
      { managed: { ...managed, policyState: 'disabled', policyFile: '/etc/x' } },
      { managed: { ...managed, policyState: 'damaged' } },
      { managed: { ...managed, enabled: false } },
      { managed: { ...managed, domain: 'corp.example' } },
    ],
    unknown: { managed: null },
  },
  helper: {
    bad: [{ machine: { ...machine, helper: { ready: false, state: 'missing', at: null } } }],
    unknown: {
      machine: { ...machine, helper: { ready: null, state: 'installed', at: '/usr/lib/x' } },
    },
  },
  routes: {
    bad: [
      { network: { ...network, addresses: [] } },
      { network: { ...network, ipv4: false } },
      { engine: RUNNING, machine: { ...machine, teredoRoute: 'miredo' } },
    ],
    unknown: { network: null },
  },
  'other-teredo': {
    bad: [{ machine: { ...machine, otherTeredo: [{ name: 'miredo', address: null }] } }],
    unknown: { machine: { ...machine, otherTeredo: null } },
  },
  'native-ipv6': {
    bad: [{ network: { ...network, nativeIpv6: true } }],
    unknown: { network: null },
  },
  firewall: {
    bad: [
      firewall(['table inet f, chain out: drops all UDP']),
      { ...firewall([], false), servers: [{ ...SILENT, refused: 'EPERM' }] },
    ],
    unknown: { ...firewall([], false), servers: [SILENT] },
  },
  dns: {
    bad: [
      { names: [{ name: 'x', addresses: [], usable: [], error: 'There is no such name.' }] },
      { names: [{ name: 'x', addresses: [ip4('192.168.1.1')], usable: [], error: null }] },
    ],
    unknown: { names: null },
  },
  'udp-out': {
    bad: [
      { servers: [SILENT], udpOut: { answered: null, refused: 'EPERM', tcp: true } },
      { servers: [SILENT], udpOut: { answered: null, refused: null, tcp: true } },
    ],
    unknown: { servers: [SILENT], udpOut: { answered: null, refused: null, tcp: false } },
  },
  'udp-3544': {
    bad: [
      { servers: [{ ...SILENT, refused: 'EHOSTUNREACH' }] },
      {
        servers: [
          { ...SILENT, answeredAgoMs: 60_000 },
          { ...SILENT, answeredAgoMs: 90_000 },
        ],
      },
    ],
    unknown: { servers: [SILENT] },
  },
  primary: {
    bad: [
      { servers: [SILENT] },
      { servers: [{ ...SILENT, keyRefused: true }] },
      { servers: [{ ...SILENT, refused: 'ECONNREFUSED' }] },
      { servers: [{ ...SILENT, junk: true }] },
    ],
    unknown: { servers: [] },
  },
  secondary: {
    bad: [{ servers: [{ ...SERVER, secondary: SILENT.secondary }] }],
    unknown: { servers: [{ ...SERVER, server2: SERVER.server, secondary: SILENT.secondary }] },
  },
  nat: {
    bad: [{ servers: [{ ...SERVER, secondary: { rttMs: 20, origin: elsewhere } }] }],
    unknown: { servers: [{ ...SERVER, secondary: SILENT.secondary }] },
  },
  hairpin: { bad: [{ hairpin: false }], unknown: { hairpin: null } },
  'port-kept': {
    bad: [{ servers: [{ ...SERVER, localPort: 50_000 }] }],
    unknown: { servers: [] },
  },
  upnp: {
    bad: [{ mapping: { ...mapping, upnp: REFUSED } }],
    unknown: { mapping: null },
  },
  'nat-pmp': {
    bad: [{ mapping: { ...mapping, natPmp: REFUSED } }],
    unknown: { mapping: null },
  },
  pcp: {
    bad: [{ mapping: { ...mapping, pcp: REFUSED } }],
    unknown: { mapping: { ...mapping, pcp: { offered: null, seen: say('no-router') } } },
  },
  refresh: {
    bad: [{ idle: { ms: 32_000, kept: false } }],
    unknown: { idle: null },
  },
};

const resultOf = (code: string, change: Change) =>
  judge({ ...HEALTHY, ...change }).find((each) => each.code === code)!;

test('there is a case for each check, and a check rests on earlier ones alone', () => {
  expect(Object.keys(CASES).sort()).toEqual(CHECKS.map(({ code }) => code).sort());
  CHECKS.forEach(({ dependsOn }, i) => {
    const before = CHECKS.slice(0, i).map(({ code }) => code);
    expect(before).toEqual(expect.arrayContaining([...dependsOn]));
  });
});

describe.each(CHECKS.map(({ code }) => code))('%s', (code) => {
  test('good', () => {
    expect(resultOf(code, {})).toMatchObject({ result: 'good', action: null });
  });
  test('bad, with one thing to do', () => {
    for (const change of CASES[code]!.bad) {
      const { result, evidence, action } = resultOf(code, change);
      expect([result, evidence]).toEqual(['bad', expect.stringMatching(/\w.*[.]$/)]);
      expect(action).toMatch(/\w/);
    }
  });
  test('unknown', () => {
    expect(resultOf(code, CASES[code]!.unknown).result).toBe('unknown');
  });
});

describe('what rests on a bad check', () => {
  test('is unknown and says on which', () => {
    const finding = resultOf('primary', {
      servers: [SILENT],
      udpOut: { answered: null, refused: null, tcp: true },
    });
    expect(finding).toMatchObject({ result: 'unknown', action: null });
    expect(finding.evidence).toMatch(/UDP to the Internet/);
  });
  test('is good if it was seen good', () => {
    expect(resultOf('nat', { network: { ...network, ipv4: false } }).result).toBe('good');
  });
});

describe('the tunnel’s own socket', () => {
  test('rules over a probe’s about the router', () => {
    const symmetric = {
      ...RUNNING,
      status: { ...RUNNING.status, nat: 'symmetric' as const, mapped: '198.51.100.7:9' },
    };
    expect(resultOf('nat', { engine: symmetric }).result).toBe('bad');
    expect(resultOf('port-kept', { engine: symmetric }).result).toBe('bad');
  });
  test('shows that a refresh interval holds', () => {
    const { result, evidence } = resultOf('refresh', { engine: RUNNING, idle: null });
    expect(result).toBe('good');
    expect(evidence).toMatch(/30 s.*10 min/);
  });
});

describe('the sentence at the end', () => {
  const verdict = (change: Change) => {
    const facts = { ...HEALTHY, ...change };
    return verdictOf(facts, judge(facts));
  };
  test.each<[string, Change, boolean, string, string | null]>([
    ['works', { engine: RUNNING }, true, 'works', null],
    ['nothing runs, nothing is in the way', {}, true, 'ready', null],
    [
      'a root, not what follows from it',
      { network: { ...network, ipv4: false }, servers: [SILENT], names: null },
      false,
      'prevented',
      'routes',
    ],
    ['silence of the servers', { servers: [SILENT] }, false, 'unclear', 'udp-3544'],
    [
      'a server that is off',
      { servers: [{ ...SILENT, refused: 'ECONNREFUSED' }] },
      false,
      'prevented',
      'primary',
    ],
    ['native IPv6', { network: { ...network, nativeIpv6: true } }, true, 'unneeded', 'native-ipv6'],
    [
      'a symmetric router',
      { servers: [{ ...SERVER, secondary: { rttMs: 20, origin: elsewhere } }] },
      true,
      'limited',
      'nat',
    ],
    [
      'asleep',
      {
        engine: { ...RUNNING, status: { ...RUNNING.status, state: 'dormant' } },
      },
      true,
      'asleep',
      null,
    ],
  ])('%s', (_, change, ok, code, check) => {
    const found = verdict(change);
    expect(found).toMatchObject({ ok, code, check });
    expect(found.text).toMatch(/^[A-Z].*[.\w]$/);
  });
});

test('each sentence is said somewhere, has its values there, and is English by itself', () => {
  const sources = globSync('engine/service/{doctor,own,portmap}/*.ts').map((path) =>
    readFileSync(path, 'utf8').replace(/^export const \w*SAYINGS[^]*?^} as const;$/m, ''),
  );
  const codes = Object.keys(SAYINGS) as SayingCode[];
  expect(codes.filter((code) => !sources.some((text) => text.includes(`'${code}'`)))).toEqual([]);
  const changes = Object.values(CASES).flatMap((each) => [...each.bad, each.unknown]);
  for (const change of [{}, { engine: RUNNING }, ...changes]) {
    const facts = { ...HEALTHY, ...change };
    const checks = judge(facts);
    const texts = [...checks.map(({ evidence }) => evidence), verdictOf(facts, checks).text];
    expect(texts.filter((text) => /undefined|\{\{|\[object/.test(text))).toEqual([]);
  }
});

describe('rules of nftables', () => {
  const ruleset = (hook: string, ...expr: unknown[]) => ({
    nftables: [
      { chain: { family: 'inet', table: 'f', name: 'c', hook } },
      { rule: { family: 'inet', table: 'f', chain: 'c', expr } },
    ],
  });
  const equal = (left: unknown, right: unknown) => ({ match: { op: '==', left, right } });
  const udpPort = (field: string) => equal({ payload: { protocol: 'udp', field } }, 3544);
  const udp = equal({ meta: { key: 'l4proto' } }, 'udp');
  const drop = { drop: null };

  test.each([
    ['all UDP', ruleset('output', udp, drop), /drops all UDP/],
    ['port 3544', ruleset('output', udpPort('dport'), { counter: {} }, drop), /3544/],
    [
      'the adapter',
      ruleset('input', equal({ meta: { key: 'iifname' } }, 'teredo'), drop),
      /adapter/,
    ],
    ['by reject', ruleset('output', udp, { reject: null }), /all UDP/],
  ])('that drop %s are found', (_, rules, expected) => {
    expect(rulesAgainst(rules, 'teredo')).toEqual([expect.stringMatching(expected)]);
  });
  test.each([
    ['accept', ruleset('output', udp, { accept: null })],
    [
      'look at something else, too',
      ruleset(
        'output',
        udp,
        equal({ payload: { protocol: 'ip', field: 'daddr' } }, '10.0.0.1'),
        drop,
      ),
    ],
    ['are about what is forwarded', ruleset('forward', udp, drop)],
    [
      'are about another interface',
      ruleset('input', equal({ meta: { key: 'iifname' } }, 'eth9'), drop),
    ],
    ['are about packets to port 3544 that come in', ruleset('input', udpPort('dport'), drop)],
  ])('that %s are not', (_, rules) => {
    expect(rulesAgainst(rules, 'teredo')).toEqual([]);
  });
});
