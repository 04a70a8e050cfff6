// Module test/unit/gate/verdicts.test checks who passes and who does not, which rule decides, and what a change of rules cuts.
import { describe, expect, test } from 'vitest';
import { identityKey, matcherFor } from '../../../engine/gate/index.ts';
import type { GateOutput, Identity, Rule } from '../../../engine/gate/index.ts';
import {
  ALLOW_CURL,
  CURL,
  flowVerdict as verdict,
  GateBench,
  owner,
  program,
  PYTHON,
  rule,
  tcp,
} from './harness.ts';

/** What becomes of a connection out by `who` under `rules`. */
function out(rules: readonly Rule[], who: Identity): string {
  return verdict(new GateBench(rules).asleep().flow(tcp(5000), 1n, owner(who)));
}

/** What becomes of a connection from outside to port 8080 of `who`. */
function inward(rules: readonly Rule[], who: Identity | null): string {
  const bench = new GateBench(rules).asleep();
  return verdict(bench.flow(tcp(8080), who ? 1n : null, who && owner(who), 'in'));
}

describe('without a rule nothing passes', () => {
  test('out is refused at once, in is dropped without a word', () => {
    expect(out([], CURL)).toBe('refuse no-rule');
    expect(inward([], CURL)).toBe('drop no-rule');
    expect(out([ALLOW_CURL], PYTHON)).toBe('refuse no-rule');
  });

  test('a socket whose owner is not found passes neither way', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    expect(verdict(bench.flow(tcp(1), 7n, null))).toBe('refuse owner-unknown');
    expect(verdict(bench.flow(tcp(2), null, null))).toBe('refuse owner-unknown');
    expect(inward([ALLOW_CURL], null)).toBe('drop no-listener');
  });

  test('while the owner is looked for nothing is told, and it is asked for once', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    const first = bench.input({ kind: 'flow', flow: tcp(1), direction: 'out' });
    expect(first.map((output) => output.kind)).toContain('resolve');
    expect(bench.input({ kind: 'flow', flow: tcp(1), direction: 'out' })).toEqual([]);
  });

  test('echo from outside is unanswered unless the setting says otherwise', () => {
    const echo = { ...tcp(7, 0), protocol: 58 };
    const flow = { kind: 'flow', flow: echo, direction: 'in' } as const;
    expect(verdict(new GateBench().asleep().input(flow))).toBe('drop echo-unanswered');
    const answering = new GateBench([], { answerEcho: true }).asleep();
    expect(verdict(answering.input(flow))).toBe('pass allowed');
    expect(verdict(answering.input({ ...flow, direction: 'out' }))).toBe('pass allowed');
  });
});

describe('rules', () => {
  test('one that may connect out may not be reached for that, but its answers come in', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    expect(verdict(bench.flow(tcp(5000), 1n, owner(CURL)))).toBe('pass allowed');
    expect(verdict(bench.input({ kind: 'flow', flow: tcp(5000), direction: 'in' }))).toBe(
      'pass allowed',
    );
    expect(verdict(bench.flow(tcp(5000, 9), 1n, owner(CURL), 'in'))).toBe('drop not-reachable');
  });

  test('one that may be reached is so at its ports only, and may not begin for that', () => {
    const rules = [rule('1', { path: '/usr/bin/nc' }, { connectOut: false, beReached: [8080] })];
    const nc = program('/usr/bin/nc');
    expect(inward(rules, nc)).toBe('pass allowed');
    const bench = new GateBench(rules).asleep();
    expect(verdict(bench.flow(tcp(22), 1n, owner(nc), 'in'))).toBe('drop not-reachable');
    expect(verdict(bench.flow(tcp(5000), 2n, owner(nc)))).toBe('refuse no-rule');
  });

  test('a rule is its user’s: another user’s curl is another program', () => {
    expect(out([ALLOW_CURL], { ...CURL, user: 1001 })).toBe('refuse no-rule');
    const everybody = rule('p', { user: null, path: CURL.path }, { from: 'policy', source: 'x' });
    expect(out([everybody], { ...CURL, user: 1001 })).toBe('pass allowed-by-policy');
  });

  test('of several holders of one socket all must be allowed', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    const shared = { ...owner(CURL), identities: [CURL, PYTHON], confidence: 'shared' as const };
    expect(verdict(bench.flow(tcp(1), 1n, shared))).toBe('refuse no-rule');
    expect(verdict(bench.flow(tcp(2), 2n, { ...shared, identities: [CURL, CURL] }))).toBe(
      'pass allowed',
    );
  });

  test('the policy goes over the user’s rules, and forbids before it allows', () => {
    const policy = (id: string, never: boolean): Rule =>
      rule(
        id,
        { user: null, path: CURL.path },
        { from: 'policy', source: 'a.json', never, connectOut: !never },
      );
    expect(out([ALLOW_CURL, policy('p1', true)], CURL)).toBe('refuse forbidden-by-policy');
    expect(out([policy('p1', true), policy('p2', false)], CURL)).toBe('refuse forbidden-by-policy');
    const never = rule('9', { path: CURL.path }, { never: true, connectOut: false });
    expect(out([never, policy('p2', false)], CURL)).toBe('pass allowed-by-policy');
  });

  test('what the policy forbids is not allowed by changing the file', () => {
    const forbid = rule(
      'p',
      { user: null, path: CURL.path },
      { from: 'policy', source: 'a', never: true, connectOut: false },
    );
    for (const change of [{ writable: true, hash: 'x' }, { replaced: true }])
      expect(out([forbid], { ...CURL, ...change })).toBe('refuse forbidden-by-policy');
  });

  test('a user changes no policy rule', () => {
    const forbid = rule('p', { path: CURL.path }, { from: 'policy', source: 'a', never: true });
    const bench = new GateBench();
    bench.input({
      kind: 'policy',
      policy: { state: 'default', defaultQualified: false, rules: [forbid] },
    });
    bench.input({ kind: 'forget', id: 'p' });
    bench.input({ kind: 'rule', rule: { ...ALLOW_CURL, id: 'p' } });
    expect(bench.gate.allRules()).toEqual([forbid]);
    bench.input({ kind: 'rule', rule: { ...ALLOW_CURL, id: 'q', from: 'policy' } });
    expect(bench.gate.allRules()).toEqual([forbid]);
  });

  test('a rule ends when its time has come, and cuts its flows', () => {
    const brief = { ...ALLOW_CURL, until: { kind: 'time', at: 60_000 } } as const;
    const bench = new GateBench([brief]).asleep();
    bench.flow(tcp(1), 1n, owner(CURL));
    bench.log.length = 0;
    bench.pass(60_000);
    expect(bench.gate.allRules()).toEqual([]);
    expect(verdict(bench.log)).toBe('refuse no-rule');
  });
});

describe('identities', () => {
  test('an update under a root-owned path keeps its rule', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    const updated = { ...CURL, file: { device: '1', inode: 'new' } };
    expect(verdict(bench.flow(tcp(1), 1n, owner(CURL)))).toBe('pass allowed');
    expect(verdict(bench.flow(tcp(2), 2n, owner(updated)))).toBe('pass allowed');
  });

  test('a replaced file that still runs keeps the old identity, a stranger’s does not get it', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    bench.flow(tcp(1), 1n, owner(CURL));
    // Of a file that is no longer at its path nobody can say who may write it.
    const replaced = { ...CURL, replaced: true, writable: true };
    expect(verdict(bench.flow(tcp(2), 2n, owner(replaced)))).toBe('pass allowed');
    const stranger = { ...CURL, replaced: true, file: { device: '1', inode: 'other' } };
    expect(verdict(bench.flow(tcp(3), 3n, owner(stranger)))).toBe('refuse file-changed');
  });

  test('a file that its user can write is pinned by content', () => {
    const mine = program('/home/u/tool', { writable: true, hash: 'aa' });
    const pinned = rule('1', { path: '/home/u/tool', hash: 'aa' });
    expect(out([pinned], mine)).toBe('pass allowed');
    expect(out([pinned], { ...mine, hash: 'bb' })).toBe('refuse file-changed');
    expect(out([pinned], { ...mine, hash: null })).toBe('refuse file-changed');
    expect(out([rule('1', { path: '/home/u/tool' })], mine)).toBe('refuse file-changed');
    expect(matcherFor(mine)).toMatchObject({ path: '/home/u/tool', hash: 'aa' });
    expect(matcherFor({ ...mine, hash: null })).toBeNull();
  });

  test('a process in a foreign mount namespace never matches a path of the host', () => {
    expect(out([ALLOW_CURL], { ...CURL, foreign: true })).toBe('refuse foreign-namespace');
    expect(matcherFor({ ...CURL, foreign: true })).toBeNull();
  });

  test('Flatpak, Snap, AppImage and container go by what the kernel says of them', () => {
    for (const kind of ['flatpak', 'snap', 'container'] as const) {
      const app = program('/app/bin/x', { foreign: true, group: { kind, id: 'org.example.X' } });
      const matcher = matcherFor(app)!;
      expect(out([rule('1', matcher)], app)).toBe('pass allowed');
      expect(out([rule('1', matcher)], { ...app, group: { kind, id: 'org.example.Y' } })).toBe(
        'refuse no-rule',
      );
      expect(out([rule('1', matcher)], { ...app, group: null })).toBe('refuse no-rule');
    }
    const image = program('/home/u/x.AppImage', {
      writable: true,
      hash: 'aa',
      group: { kind: 'appimage', id: '/home/u/x.AppImage' },
    });
    expect(out([rule('1', matcherFor(image)!)], image)).toBe('pass allowed');
    expect(out([rule('1', matcherFor(image)!)], { ...image, hash: 'bb' })).toBe(
      'refuse file-changed',
    );
    // What nobody could read, or a rule without content says, pins nothing.
    expect(matcherFor({ ...image, hash: null })).toBeNull();
    const loose = { ...matcherFor(image)!, hash: null };
    expect(out([rule('1', loose)], image)).toBe('refuse file-changed');
    expect(identityKey(image)).not.toBe(identityKey({ ...image, hash: 'bb' }));
    // A rule about its file is one about it.
    const byPath = { ...loose, path: image.path, hash: 'aa', group: null };
    expect(out([rule('1', byPath)], image)).toBe('pass allowed');
    expect(out([rule('1', byPath)], { ...image, hash: 'bb' })).toBe('refuse file-changed');
    const roots = { ...image, writable: false, hash: null };
    expect(out([rule('1', matcherFor(roots)!)], roots)).toBe('pass allowed');
  });

  test('a script is not its interpreter, nor another script', () => {
    const script = { ...PYTHON, script: '/home/u/a.py' };
    const rules = [rule('1', matcherFor(script)!)];
    expect(out(rules, script)).toBe('pass allowed');
    expect(out(rules, PYTHON)).toBe('refuse no-rule');
    expect(out(rules, { ...PYTHON, script: '/home/u/b.py' })).toBe('refuse no-rule');
    expect(identityKey(script)).not.toBe(identityKey(PYTHON));
  });
});

describe('a change of rules', () => {
  test('turning a rule off cuts its live flows, in the kernel first', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    bench.flow(tcp(1), 1n, owner(CURL));
    const cut = bench.input({ kind: 'forget', id: '1' });
    const order = cut.map((output) => output.kind).filter((k) => k === 'verdict' || k === 'flow');
    expect(order).toEqual(['verdict', 'flow']);
    expect(cut).toContainEqual({
      kind: 'verdict',
      cookie: 1n,
      verdict: { out: 'deny', in: 'none' },
    });
    expect(verdict(cut)).toBe('refuse no-rule');
    expect(verdict(bench.flow(tcp(1), 1n, owner(CURL)))).toBe('refuse no-rule');
  });

  test('allowing a program opens the sockets that it has already', () => {
    const bench = new GateBench().asleep();
    bench.flow(tcp(1), 1n, owner(CURL));
    expect(bench.input({ kind: 'rule', rule: ALLOW_CURL })).toContainEqual({
      kind: 'verdict',
      cookie: 1n,
      verdict: { out: 'allow', in: 'none' },
    });
    expect(verdict(bench.flow(tcp(1), 1n, owner(CURL)))).toBe('pass allowed');
  });

  test('when a socket closes its flows are forgotten: the port may be another program’s', () => {
    const bench = new GateBench([ALLOW_CURL]).asleep();
    bench.flow(tcp(1), 1n, owner(CURL));
    expect(bench.input({ kind: 'closed', cookie: 1n })).toContainEqual({
      kind: 'forget-flow',
      flow: tcp(1),
    });
    expect(verdict(bench.flow(tcp(1), 2n, owner(PYTHON)))).toBe('refuse no-rule');
  });
});

describe('questions', () => {
  const questions = (outputs: readonly GateOutput[]) =>
    outputs.filter((output) => output.kind === 'question');

  test('are asked once for each program, however often it tries', () => {
    const bench = new GateBench().asleep();
    expect(questions(bench.flow(tcp(1), 1n, owner(PYTHON)))).toHaveLength(1);
    bench.pass(5_000);
    expect(questions(bench.flow(tcp(1), 1n, owner(PYTHON)))).toHaveLength(0);
    const again = { kind: 'attempt', flow: tcp(2), cookie: 1n, times: 3 } as const;
    expect(questions(bench.input(again))).toHaveLength(0);
    expect(bench.gate.allQuestions()).toMatchObject([{ times: 5, answered: false }]);
  });

  test('are not asked by strangers: what is refused from outside makes none', () => {
    const bench = new GateBench().asleep();
    bench.flow(tcp(8080), 1n, owner(PYTHON), 'in');
    expect(bench.gate.allQuestions()).toEqual([]);
  });

  test('no answer and "not now" leave it refused, and it stays in the list', () => {
    const bench = new GateBench().asleep();
    bench.flow(tcp(1), 1n, owner(PYTHON));
    const id = bench.gate.allQuestions()[0]!.id;
    bench.input({ kind: 'answer', id, answer: 'not-now' });
    bench.pass(5_000);
    expect(verdict(bench.flow(tcp(1), 1n, owner(PYTHON)))).toBe('refuse no-rule');
    expect(bench.gate.allQuestions()).toMatchObject([{ answered: true }]);
  });

  test('"allow" lets it pass, "never" refuses it without asking again', () => {
    const bench = new GateBench().asleep();
    bench.flow(tcp(1), 1n, owner(PYTHON));
    bench.flow(tcp(2), 2n, owner(CURL));
    const [python, curl] = bench.gate.allQuestions().map(({ id }) => id);
    bench.input({ kind: 'answer', id: python!, answer: 'allow' });
    bench.input({ kind: 'answer', id: curl!, answer: 'never' });
    expect(bench.gate.allQuestions()).toEqual([]);
    expect(verdict(bench.flow(tcp(1), 1n, owner(PYTHON)))).toBe('pass allowed');
    expect(verdict(bench.flow(tcp(2), 2n, owner(CURL)))).toBe('refuse never');
    expect(bench.gate.allQuestions()).toEqual([]);
  });

  test('"until it quits" ends with its last process', () => {
    const bench = new GateBench().asleep();
    bench.flow(tcp(1), 1n, owner(PYTHON, 100));
    const id = bench.gate.allQuestions()[0]!.id;
    const answered = bench.input({ kind: 'answer', id, answer: 'until-quit' });
    expect(answered).toContainEqual({
      kind: 'watch',
      files: ['/usr/bin/python3'],
      processes: [{ pid: 100, startedMs: 100 }],
      groups: [],
    });
    const second = { pid: 200, startedMs: 200 };
    bench.input({ kind: 'exec', process: second, identity: PYTHON });
    bench.input({ kind: 'exit', process: { pid: 100, startedMs: 100 } });
    expect(verdict(bench.flow(tcp(2), 2n, owner(PYTHON, 200)))).toBe('pass allowed');
    // A process that has the pid by chance is another one.
    bench.input({ kind: 'exit', process: { pid: 200, startedMs: 1 } });
    expect(bench.gate.allRules()).toHaveLength(1);
    expect(verdict(bench.input({ kind: 'exit', process: second }))).toBe('refuse no-rule');
    expect(bench.gate.allRules()).toEqual([]);
  });

  test('a rule about what one command started ends with that command', () => {
    const started = program('/usr/bin/python3', { group: { kind: 'run', id: '/a/run-1' } });
    const bench = new GateBench().asleep();
    const command = { pid: 300, startedMs: 300 };
    const until = { kind: 'quit' } as const;
    const outputs = bench.input({
      kind: 'rule',
      rule: rule('1', { group: { kind: 'run', id: '/a/run-1' } }, { until }),
      processes: [command],
    });
    expect(outputs).toContainEqual({ kind: 'watch', files: [], processes: [command], groups: [] });
    expect(verdict(bench.flow(tcp(1), 1n, owner(started, 301)))).toBe('pass allowed');
    // The same program started otherwise is another matter.
    expect(verdict(bench.flow(tcp(2), 2n, owner(PYTHON, 302)))).toBe('refuse no-rule');
    expect(verdict(bench.input({ kind: 'exit', process: command }))).toBe('refuse no-rule');
    expect(bench.gate.allRules()).toEqual([]);
  });

  test('a changed file of the user’s is asked about again, and the answer replaces the old pin', () => {
    const mine = program('/home/u/tool', { writable: true, hash: 'aa' });
    const bench = new GateBench([rule('1', matcherFor(mine)!)]).asleep();
    const changed = { ...mine, hash: 'bb' };
    expect(questions(bench.flow(tcp(1), 1n, owner(changed)))).toMatchObject([
      { question: { reason: 'file-changed' } },
    ]);
    const id = bench.gate.allQuestions()[0]!.id;
    bench.input({ kind: 'answer', id, answer: 'allow' });
    expect(bench.gate.allRules()).toMatchObject([{ matcher: { hash: 'bb' } }]);
  });
});

test('500 rules and 10,000 sockets stay cheap', () => {
  let looks = 0;
  const rules = Array.from({ length: 500 }, (_, i) => {
    const made = rule(String(i), { path: `/usr/bin/p${i}` });
    const { matcher } = made;
    return Object.defineProperty(made, 'matcher', { get: () => (looks++, matcher) });
  });
  const bench = new GateBench(rules).asleep();
  looks = 0;
  const flow = (i: number) => tcp(i % 60_000, 1_000 + Math.floor(i / 60_000));
  const started = process.cpuUsage();
  for (let i = 0; i < 10_000; i++)
    bench.flow(flow(i), BigInt(i + 1), owner(program(`/usr/bin/p${i % 1_000}`)));
  // Each socket has to do with one rule at most, and no other is looked at.
  expect(looks).toBeLessThan(10_000 * 10);
  bench.input({ kind: 'forget', id: '3' });
  const { user } = process.cpuUsage(started);
  expect(bench.gate.allRules()).toHaveLength(499);
  // 200 new flows a second may take 5 % of a core: 250 µs each. Measured: about 10.
  expect(user / 10_000).toBeLessThan(250);
});
