// Looks at a server and a relay from a home: ours and Miredo's, well and with what goes wrong on rented machines.
import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { OwnReport } from '../../engine/service/own/calls.ts';
import { Lab, NATIVE, noLab, RELAY, SERVER, SERVER2 } from './kit/lab.ts';
import {
  Place,
  SHIPWORM,
  SLOW,
  startMiredoRelay,
  startMiredoServer,
  startRelay,
} from './kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** A root name server, which shows that UDP gets out; it answers each question with itself (RFC 1035 §4.1.1). */
const ROOT = '198.41.0.4';
const ANSWERS = `const s = require('dgram').createSocket('udp4');
s.on('message', (m, { port, address }) => { m[2] |= 0x80; s.send(m, port, address); });
s.bind(53, '${ROOT}', () => console.log('ready'));`;

describe.skipIf(reason !== null)('one’s own server and relay from outside', () => {
  let lab: Lab;
  /** Undoes what a test changed. */
  const undo: (() => void)[] = [];
  beforeAll(async () => {
    lab = new Lab();
    ip(lab.relay, 'addr', 'add', `${ROOT}/32`, 'dev', 'lo');
    ip(lab.core, 'route', 'add', `${ROOT}/32`, 'via', RELAY);
    await lab.start(lab.relay, process.execPath, ['-e', ANSWERS]).says(/ready/, 5_000 * SLOW);
    lab.keep();
  });
  afterEach(async () => {
    for (const each of undo.splice(0)) each();
    lab.setNat(lab.home1, 'restricted');
    await lab.stopPrograms();
  });
  afterAll(() => lab.close());

  const ip = (space: string, ...args: string[]): void =>
    void execFileSync('ip', ['-n', space, ...args]);

  /** A rule on the machine `space`, gone after the test. */
  function firewall(space: string, hook: string, rule: string): void {
    const rules = `table inet mine { chain c { type filter hook ${hook} priority 0; ${rule}\n }\n}`;
    execFileSync('ip', ['netns', 'exec', space, 'nft', '-f', '-'], { input: rules });
    undo.push(
      () =>
        void execFileSync('ip', ['netns', 'exec', space, 'nft', 'delete', 'table', 'inet', 'mine']),
    );
  }

  async function startServer(...addresses: string[]): Promise<void> {
    const place = new Place(lab, 'server');
    const program = lab.start(lab.pub, SHIPWORM, ['server', ...addresses], place.env);
    await program.says(/Serving at /, 5_000 * SLOW);
  }
  const BOTH = ['--primary', SERVER, '--secondary', SERVER2];
  const OURS = ['--relay', RELAY, '--native', NATIVE];

  /** Looks from home, where no client runs. */
  async function look(...args: string[]) {
    const all = ['servers', 'check', SERVER, '--json', ...args];
    const { out, err, code } = await lab.run(lab.home1.space, SHIPWORM, all, { timeoutMs: 90_000 });
    if (out === '') throw new Error(err);
    const report = JSON.parse(out) as OwnReport;
    const of = (check: string) => report.checks.find((each) => each.code === check)!;
    return { report, code, of, verdict: report.verdict };
  }
  const notGood = ({ checks }: OwnReport) => checks.filter(({ result }) => result !== 'good');

  test('a relay machine that lets nothing through to native IPv6', async () => {
    await Promise.all([startServer(...BOTH), startRelay(lab, lab.relay)]);
    firewall(lab.relay, 'forward', 'iifname "teredo" drop');
    const { code, verdict } = await look(...OURS);
    expect(verdict).toMatchObject({ code: 'partly', check: 'relay-carries' });
    expect(code).toBe(1);
  });

  test.each([
    ['ours', () => startServer(...BOTH), () => startRelay(lab, lab.relay)],
    ['Miredo’s', () => startMiredoServer(lab), () => startMiredoRelay(lab)],
  ] as const)('all is well with %s', async (_, server, relay) => {
    await Promise.all([server(), relay()]);
    const { report, code, of } = await look(...OURS);
    expect(notGood(report)).toEqual([]);
    expect([code, report.verdict.code]).toEqual([0, 'works']);
    // What the router made of our port, as the server saw it.
    expect(of('server-advertisement').evidence).toMatch(
      /2001:0:c000:201::\/64.* 198\.51\.100\.7:\d+, .*1280/,
    );
    expect(of('cone-answer').evidence).toContain(SERVER2);
    expect(of('relay-whose').evidence).toContain(`${RELAY}:`);
  });

  test('Miredo’s server that has no way to native IPv6, and then a relay that is not ours', async () => {
    await Promise.all([startMiredoServer(lab), startMiredoRelay(lab)]);
    const way = ['2001:db8::/32', 'via', '2001:db8:0:1::80'];
    ip(lab.pub, '-6', 'route', 'del', ...way);
    undo.push(() => ip(lab.pub, '-6', 'route', 'replace', ...way));
    const closed = await look(...OURS);
    expect(closed.of('native-ping')).toMatchObject({ result: 'bad' });
    expect(closed.verdict).toMatchObject({ ok: false, code: 'partly', check: 'native-ping' });
    undo.pop()!();
    const { code, verdict, of } = await look('--relay', SERVER, '--native', NATIVE);
    expect(of('relay-whose').evidence).toMatch(`${RELAY}:3545 brought the answer, not your`);
    expect([code, verdict.code, verdict.check]).toEqual([1, 'partly', 'relay-whose']);
  });

  test('our server with one address', async () => {
    await Promise.all([startServer('--primary', SERVER), startRelay(lab, lab.relay)]);
    const one = await look(...OURS);
    expect(notGood(one.report).map(({ code, result }) => [code, result])).toEqual([
      ['second-address', 'bad'],
      ['cone-answer', 'unknown'],
      ['same-mapping', 'unknown'],
    ]);
    expect([one.code, one.verdict.code]).toEqual([0, 'limited']);
  });

  test('UDP port 3544 is closed at the server, then nobody is there, then this PC has no way out', async () => {
    await startServer(...BOTH);
    firewall(lab.pub, 'input', 'udp dport 3544 drop');
    const closed = await look(...OURS);
    expect(closed.verdict).toMatchObject({ code: 'fails', check: 'server-answers' });
    expect(closed.verdict.text).toMatch(/while other UDP gets through.*open UDP port 3544/);
    undo.splice(0).forEach((each) => each());
    await lab.stopPrograms();
    const { verdict } = await look(...OURS);
    expect(verdict).toMatchObject({ code: 'fails', check: 'server-answers' });
    expect(verdict.text).toMatch(/nobody listens there/);
    ip(lab.home1.space, 'route', 'del', 'default');
    undo.push(() => ip(lab.home1.space, 'route', 'add', 'default', 'via', '192.168.1.1'));
    expect((await look(...OURS)).verdict).toMatchObject({ code: 'unclear' });
  });

  test('a symmetric router at home is not the server’s fault', async () => {
    await Promise.all([startServer(...BOTH), startRelay(lab, lab.relay)]);
    lab.setNat(lab.home1, 'symmetric');
    const { report, verdict, of } = await look(...OURS);
    expect(of('same-mapping').evidence).toMatch(/it is symmetric/);
    expect(report.checks.filter(({ result }) => result === 'bad')).toEqual([]);
    expect(verdict.code).toBe('works');
  });
});
