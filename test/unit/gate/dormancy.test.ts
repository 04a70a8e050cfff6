// Module test/unit/gate/dormancy.test checks when the tunnel wakes and sleeps, what keeps it off, and the reason that is given.
import { describe, expect, test } from 'vitest';
import type { GateOutput } from '../../../engine/gate/index.ts';
import {
  ALLOW_CURL,
  CURL,
  flowVerdict,
  GateBench,
  owner,
  program,
  rule,
  SETTINGS,
  tcp,
} from './harness.ts';

const HOME = { kind: 'network', network: { id: 'home', nativeIpv6: false } } as const;
const NC = program('/usr/bin/nc');
const REACH_NC = rule('1', { path: '/usr/bin/nc' }, { connectOut: false, beReached: 'all' });

function stateOf(bench: GateBench): string {
  const { name, code } = bench.gate.currentState();
  return `${name} ${code}`;
}

describe('waking and sleeping', () => {
  test('switched off the address goes, so that switching on again learns one', () => {
    const bench = new GateBench();
    bench.input(HOME);
    bench.input({ kind: 'domain', domain: null });
    bench.input({ kind: 'qualified' });
    bench.pass(2_000);
    expect(stateOf(bench)).toBe('dormant nothing-allowed');
    bench.input({ kind: 'settings', settings: { ...SETTINGS, on: false } });
    expect(stateOf(bench)).toBe('off switched-off');
    bench.input({ kind: 'settings', settings: SETTINGS });
    expect(stateOf(bench)).toBe('awake first-address');
  });

  test('switching on learns an address once and then sleeps', () => {
    const bench = new GateBench();
    bench.input(HOME);
    expect(bench.kinds()).toEqual(['discover', 'state', 'wake', 'state']);
    expect(stateOf(bench)).toBe('awake first-address');
    bench.pass(600_000);
    expect(stateOf(bench)).toBe('awake first-address');
    bench.input({ kind: 'qualified' });
    bench.pass(2_000);
    expect(stateOf(bench)).toBe('dormant nothing-allowed');
    expect(bench.kinds().filter((kind) => kind === 'sleep')).toHaveLength(1);
    bench.log.length = 0;
    bench.pass(86_400_000);
    expect(bench.log).toEqual([]);
  });

  test('an allowed program’s first packet wakes it, a refused one’s does not', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    expect(stateOf(bench)).toBe('dormant nothing-running');
    bench.flow(tcp(1), 1n, owner(program('/usr/bin/python3')));
    expect(stateOf(bench)).toBe('dormant nothing-running');
    const outputs = bench.flow(tcp(2), 2n, owner(CURL));
    expect(outputs).toContainEqual({ kind: 'wake', why: 'allowed-program' });
    expect(stateOf(bench)).toBe('awake in-use');
  });

  test('it sleeps again after the setting, counted from the end of the last connection', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    bench.flow(tcp(1), 1n, owner(CURL));
    bench.pass(100_000);
    expect(stateOf(bench)).toBe('awake in-use');
    bench.input({ kind: 'closed', cookie: 1n });
    bench.pass(29_000);
    expect(stateOf(bench)).toBe('awake in-use');
    bench.pass(1_100);
    expect(stateOf(bench)).toBe('dormant nothing-running');
  });

  test('datagrams keep it awake as long as they pass', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    bench.flow({ ...tcp(1), protocol: 17 }, 1n, owner(CURL));
    for (let i = 0; i < 5; i++) {
      bench.pass(20_000);
      bench.input({ kind: 'activity' });
    }
    expect(stateOf(bench)).toBe('awake in-use');
    bench.pass(30_100);
    expect(stateOf(bench)).toBe('dormant nothing-running');
  });

  test('a program that may be reached keeps it awake while it listens', () => {
    const bench = new GateBench([REACH_NC]);
    expect(bench.input(HOME)).toContainEqual({
      kind: 'watch',
      files: ['/usr/bin/nc'],
      processes: [],
      groups: [],
    });
    bench.asleep();
    const listener = {
      kind: 'listener',
      cookie: 5n,
      protocol: 6,
      port: 8080,
      owner: owner(NC),
    } as const;
    expect(bench.input({ ...listener, listening: true })).toContainEqual({
      kind: 'wake',
      why: 'listener',
    });
    bench.pass(600_000);
    expect(stateOf(bench)).toBe('awake listening');
    bench.input({ ...listener, listening: false });
    bench.pass(30_100);
    expect(stateOf(bench)).toBe('dormant nothing-running');
  });

  test('a listener that no rule lets be reached does not wake it, nor one at another port', () => {
    for (const rules of [[], [{ ...REACH_NC, beReached: [22] }]]) {
      const bench = new GateBench(rules).asleep();
      bench.input({
        kind: 'listener',
        listening: true,
        cookie: 5n,
        protocol: 6,
        port: 8080,
        owner: owner(NC),
      });
      expect(bench.gate.currentState().name).toBe('dormant');
    }
  });

  test('after sleep a flow is asked about anew', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    const udp = { ...tcp(1), protocol: 17 };
    bench.flow(udp, 1n, owner(CURL));
    bench.pass(40_000);
    const outputs = bench.input({ kind: 'flow', flow: udp, direction: 'out' });
    expect(outputs).toContainEqual({ kind: 'resolve', flow: udp, direction: 'out' });
  });
});

describe('what keeps it off', () => {
  test('the user’s switch', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    bench.flow(tcp(1), 1n, owner(CURL));
    const off = bench.input({ kind: 'settings', settings: { ...SETTINGS, on: false } });
    expect(off.map((output) => output.kind)).toContain('sleep');
    expect(stateOf(bench)).toBe('off switched-off');
    expect(flowVerdict(bench.flow(tcp(2), 2n, owner(CURL)))).toBe('refuse tunnel-off');
  });

  test('a domain controller, which is looked for only when it is about to wake or the network changed', () => {
    const bench = new GateBench([ALLOW_CURL]);
    bench.domain = 'corp.example';
    bench.input(HOME);
    expect(stateOf(bench)).toBe('managed domain-controller');
    expect(bench.kinds()).not.toContain('wake');
    bench.log.length = 0;
    bench.pass(3_600_000);
    expect(bench.log).toEqual([]);
    bench.domain = null;
    bench.input({ kind: 'network', network: { id: 'cafe', nativeIpv6: false } });
    expect(stateOf(bench)).toBe('awake first-address');
  });

  test('a router that becomes known makes no other network, another router does', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    const via = (router: string | null): GateOutput[] => {
      const id = router === null ? 'cafe' : `cafe via ${router}`;
      return bench.input({ kind: 'network', network: { id, base: 'cafe', nativeIpv6: false } });
    };
    const looks = (router: string | null): boolean => {
      via(router);
      bench.pass(11_000);
      const outputs = bench.flow(tcp(1), 1n, owner(CURL));
      const looked = outputs.some(({ kind }) => kind === 'discover');
      bench.input({ kind: 'domain', domain: null });
      bench.input({ kind: 'closed', cookie: 1n });
      bench.pass(31_000);
      return looked;
    };
    expect(looks(null)).toBe(true);
    expect(looks('A')).toBe(false);
    expect(looks(null)).toBe(false);
    expect(looks('A')).toBe(false);
    expect(looks(null)).toBe(false);
    expect(looks('B')).toBe(true);
  });

  test('on another network nothing is sent before it is known whose it is', () => {
    const bench = new GateBench([], { exposeAll: true });
    bench.input(HOME);
    bench.domain = 'corp.example';
    const outputs = bench.input({ kind: 'network', network: { id: 'work', nativeIpv6: false } });
    expect(outputs.map((output) => output.kind)).toEqual(
      expect.arrayContaining(['discover', 'sleep']),
    );
    expect(stateOf(bench)).toBe('managed domain-controller');
  });

  test('the policy: disabled; an enterprise client runs on managed networks too', () => {
    const bench = new GateBench();
    bench.domain = 'corp.example';
    bench.input(HOME);
    const policy = { state: 'disabled', defaultQualified: false, rules: [] } as const;
    bench.input({ kind: 'policy', policy });
    expect(stateOf(bench)).toBe('managed policy-disabled');
    bench.input({ kind: 'policy', policy: { ...policy, state: 'enterprise-client' } });
    expect(stateOf(bench)).toBe('awake first-address');
    bench.input({ kind: 'policy', policy: { ...policy, state: 'client' } });
    expect(stateOf(bench)).toBe('managed domain-controller');
  });

  test('native IPv6, unless the setting says otherwise', () => {
    const native = { kind: 'network', network: { id: 'home', nativeIpv6: true } } as const;
    const bench = new GateBench();
    bench.input(native);
    expect(stateOf(bench)).toBe('unneeded native-ipv6');
    const anyway = new GateBench([], { evenWithNativeIpv6: true });
    anyway.input(native);
    expect(stateOf(anyway)).toBe('awake first-address');
  });

  test('what was chosen for a network', () => {
    const bench = new GateBench([], { newNetworks: 'ask', networks: { cafe: 'off', home: 'on' } });
    bench.input(HOME);
    expect(stateOf(bench)).toBe('awake first-address');
    bench.input({ kind: 'network', network: { id: 'cafe', nativeIpv6: false } });
    expect(stateOf(bench)).toBe('off network-off');
    bench.input({ kind: 'network', network: { id: 'train', nativeIpv6: false } });
    expect(stateOf(bench)).toBe('off network-asks');
  });

  test('damaged rules: closed, and said until the user decides anew', () => {
    const bench = new GateBench([], {}, true).asleep();
    expect(stateOf(bench)).toBe('dormant rules-damaged');
    bench.input({ kind: 'rule', rule: ALLOW_CURL });
    expect(stateOf(bench)).toBe('dormant nothing-running');
  });
});

test('always qualified by policy, or everything exposed: it never sleeps', () => {
  const exposed = new GateBench([], { exposeAll: true });
  exposed.input(HOME);
  exposed.pass(600_000);
  expect(stateOf(exposed)).toBe('awake everything-exposed');
  const bench = new GateBench().asleep();
  const policy = { state: 'default', defaultQualified: true, rules: [] } as const;
  expect(bench.input({ kind: 'policy', policy })).toContainEqual({
    kind: 'wake',
    why: 'policy-qualified',
  });
});
