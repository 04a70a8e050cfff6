// Tries the doctor on a real machine's network: real sockets, a real firewall, real routers in the way, with and without a client.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { DoctorReport } from '../../engine/service/doctor-calls.ts';
import { withEtc } from './kit/field.ts';
import { Lab, noLab, SERVER, SERVER2 } from './kit/lab.ts';
import { QUALIFIED_MS, SHIPWORM, startMiredoServer, startShipworm } from './kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

describe.skipIf(reason !== null)('the doctor', () => {
  let lab: Lab;
  /** Undoes what a test changed. */
  const undo: (() => void)[] = [];
  beforeAll(async () => {
    lab = new Lab();
    await startMiredoServer(lab);
    lab.keep();
  });
  afterEach(async () => {
    for (const each of undo.splice(0)) each();
    lab.setNat(lab.home1, 'restricted');
    await lab.stopPrograms();
  });
  afterAll(() => lab.close());

  const inHome = (command: string, ...args: string[]): void =>
    void execFileSync('ip', ['netns', 'exec', lab.home1.space, command, ...args]);

  /** Rules on the PC, gone after the test. */
  function firewall(rule: string, hook: string): void {
    const rules = `table inet mine { chain c { type filter hook ${hook} priority 0; ${rule}\n }\n}`;
    execFileSync('ip', ['netns', 'exec', lab.home1.space, 'nft', '-f', '-'], { input: rules });
    undo.push(() => inHome('nft', 'flush', 'ruleset'));
  }

  /** What it says without a client, and its exit code. `before`: words before the command. */
  async function look(...before: readonly string[]): Promise<{
    readonly report: DoctorReport;
    readonly code: number | null;
    readonly of: (check: string) => DoctorReport['checks'][number];
  }> {
    const { home1 } = lab;
    const words = [...before, SHIPWORM, 'doctor', '--json', '--server', SERVER];
    const { out, err, code } = await lab.run(home1.space, words[0]!, words.slice(1), {
      timeoutMs: 60_000,
    });
    if (out === '') throw new Error(err);
    const report = JSON.parse(out) as DoctorReport;
    return { report, code, of: (check) => report.checks.find((each) => each.code === check)! };
  }

  test('finds nothing in the way where nothing is', async () => {
    const { report, code, of } = await look();
    const good = [
      'managed',
      'helper',
      'routes',
      'other-teredo',
      'native-ipv6',
      'firewall',
      'dns',
      'udp-out',
    ];
    for (const each of [...good, 'udp-3544', 'primary', 'secondary', 'nat', 'port-kept'])
      expect(of(each)).toMatchObject({ result: 'good' });
    expect(of('nat').evidence).toMatch(/^Restricted/);
    // This router offers nothing, and brings nothing back.
    for (const each of ['upnp', 'nat-pmp', 'pcp', 'hairpin'])
      expect(of(each)).toMatchObject({ result: 'bad' });
    expect([code, report.verdict.code]).toEqual([0, 'ready']);
  });

  test('asks a running client’s own socket', async () => {
    const client = startShipworm(lab, lab.home1, ['--expose-all']);
    await client.becomes('qualified', QUALIFIED_MS, ({ state }) => state === 'qualified');
    const { out, code } = await client.cli('doctor', '--json');
    const report = JSON.parse(out) as DoctorReport;
    expect([code, report.client, report.verdict.code]).toEqual([0, true, 'works']);
    const { mapped } = await client.status();
    expect(report.checks.find((each) => each.code === 'nat')?.evidence).toContain(mapped!);
  });

  test('a rule of this PC that drops port 3544', async () => {
    firewall('udp dport 3544 drop', 'output');
    const { report, code, of } = await look();
    expect(of('firewall')).toMatchObject({ result: 'bad' });
    expect(of('firewall').evidence).toMatch(/3544/);
    expect(of('udp-3544')).toMatchObject({ result: 'bad' });
    expect([code, report.verdict.check]).toEqual([1, 'firewall']);
  });

  test('a router that drops it in silence: unknown, not guessed', async () => {
    lab.setNat(lab.home1, 'blocked');
    const { report, of } = await look();
    expect(of('primary').result).not.toBe('good');
    expect(['udp-out', 'udp-3544'].map((each) => of(each).result)).not.toContain('good');
    expect(report.verdict).toMatchObject({ ok: false, code: 'unclear' });
  });

  test('a symmetric router', async () => {
    lab.setNat(lab.home1, 'symmetric');
    const { report, of } = await look();
    expect([of('nat').result, of('port-kept').result]).toEqual(['bad', 'bad']);
    expect(report.verdict).toMatchObject({ ok: true, code: 'limited' });
  });

  test('a machine on which no server runs', async () => {
    const { out } = await lab.run(lab.home1.space, SHIPWORM, [
      'doctor',
      '--json',
      '--server',
      '203.0.114.3',
    ]);
    const report = JSON.parse(out) as DoctorReport;
    expect(report.verdict).toMatchObject({ ok: false, check: 'primary' });
    expect(report.verdict.text).toMatch(/no server runs/);
  });

  test('an ordinary user without a helper, where a policy forbids it and the server has one address', async () => {
    const etc = join(lab.folder, 'etc');
    const policy = join(etc, 'shipworm', 'policy.d');
    mkdirSync(policy, { recursive: true });
    writeFileSync(join(policy, '10-site.json'), '{"state":"disabled"}');
    const second = `table ip second { chain c { type filter hook output priority 0; ip saddr ${SERVER2} drop\n }\n}`;
    execFileSync('ip', ['netns', 'exec', lab.pub, 'nft', '-f', '-'], { input: second });
    undo.push(() =>
      execFileSync('ip', ['netns', 'exec', lab.pub, 'nft', 'delete table ip second']),
    );
    const guest = ['setpriv', '--reuid', '61235', '--regid', '61235', '--clear-groups'];
    const { report, code, of } = await look(...withEtc(etc, guest));
    for (const each of ['managed', 'helper', 'secondary'])
      expect(of(each)).toMatchObject({ result: 'bad', action: expect.any(String) as string });
    expect(of('managed').evidence).toContain('10-site.json');
    expect(of('nat').result).toBe('unknown');
    expect([code, report.verdict.check]).toEqual([1, 'managed']);
  });

  test('another Teredo, IPv6 of the network, no way out', async () => {
    inHome('ip', 'tuntap', 'add', 'dev', 'miredo', 'mode', 'tun');
    undo.push(() => inHome('ip', 'link', 'del', 'miredo'));
    inHome('ip', '-6', 'route', 'add', 'default', 'dev', 'e0');
    undo.push(() => inHome('ip', '-6', 'route', 'del', 'default', 'dev', 'e0'));
    const first = await look();
    expect(first.of('other-teredo')).toMatchObject({ result: 'bad' });
    expect(first.of('native-ipv6')).toMatchObject({ result: 'bad' });
    inHome('ip', 'route', 'del', 'default');
    const gateway = lab.home1.inside.replace(/10$/, '1');
    undo.push(() => inHome('ip', 'route', 'add', 'default', 'via', gateway));
    const second = await look();
    expect(second.report.verdict).toMatchObject({ ok: false, check: 'routes' });
    expect(second.of('primary').result).toBe('unknown');
  });
});
