// Tries the lab itself: every kind of NAT does what its name says, and the delay line delays.
import { resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Lab, noLab, SERVER, SERVER2 } from './kit/lab.ts';
import type { NatKind } from './kit/nat.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const UDP = resolve('test/lab/kit/udp.ts');
const A = `${SERVER}:5000`;
const B = `${SERVER2}:5001`;
const TEREDO = `${SERVER}:3544`;

describe.skipIf(reason !== null)('the lab', () => {
  let lab: Lab;
  let port = 20_000;
  beforeAll(async () => {
    lab = new Lab();
    const reflector = lab.start(lab.pub, process.execPath, [UDP, 'reflect', A, B, TEREDO]);
    await reflector.says(/ready/, 10_000);
    lab.keep();
  });
  afterAll(() => lab.close());
  // What a failed test left must not fail the next one.
  afterEach(() => lab.stopPrograms());

  /** Sends from a port in home 1; what came back. */
  async function probe(from: number, ...messages: string[]): Promise<string[]> {
    const args = [UDP, 'probe', String(from), A, ...messages];
    const { out } = await lab.run(lab.home1.space, process.execPath, args);
    return out.split('\n').filter((line) => line !== '');
  }
  const outside = (mapped: number): string => `198.51.100.7:${mapped}`;
  const use = (kind: NatKind): number => {
    lab.setNat(lab.home1, kind);
    return (port += 1);
  };

  test.each(['restricted', 'cone', 'open', 'blocked'] as const)(
    'NAT %s has one port for all destinations',
    async (kind) => {
      const own = use(kind);
      expect(await probe(own, A, 'seen', B, 'seen')).toEqual([
        `${A} ${outside(own)}`,
        `${B} ${outside(own)}`,
      ]);
    },
  );

  test('a symmetric NAT has another port for each destination', async () => {
    const own = use('symmetric');
    const seen = await probe(own, A, 'seen', B, 'seen', A, 'seen');
    expect(seen.map((line) => line.split(' ')[0])).toEqual([A, B, A]);
    const ports = seen.map((line) => line.split(':')[2]);
    expect(ports[0]).toBe(ports[2]);
    expect(new Set([String(own), ...ports]).size).toBe(3);
  });

  test.each([
    ['restricted', false],
    ['symmetric', false],
    ['open', false],
    ['cone', true],
  ] as const)('what nobody asked for passes NAT %s: %s', async (kind, passes) => {
    const own = use(kind);
    const got = await probe(own, A, 'seen', A, `tell me ${B}`);
    expect(got).toHaveLength(passes ? 2 : 1);
    if (passes) expect(got[1]).toBe(`${B} hello`);
  });

  test.each([
    ['restricted', true],
    ['cone', true],
    ['open', false],
  ] as const)('NAT %s keeps the port towards a host that wrote first: %s', async (kind, keeps) => {
    const own = use(kind);
    const seen = await probe(own, A, `tell ${outside(own)} ${B}`, B, 'seen');
    const mapped = seen.find((line) => / \d/.test(line))!;
    expect(mapped === `${B} ${outside(own)}`).toBe(keeps);
    expect(mapped).toMatch(/^192\.0\.2\.2:5001 198\.51\.100\.7:\d+$/);
  });

  test('a blocked UDP port 3544 is the only thing blocked', async () => {
    const seen = await probe(use('blocked'), TEREDO, 'seen', A, 'seen');
    expect(seen).toHaveLength(1);
    expect(await probe(use('restricted'), TEREDO, 'seen', A, 'seen')).toHaveLength(2);
  });

  test('a change of NAT forgets what was mapped', async () => {
    const own = use('symmetric');
    const before = await probe(own, A, 'seen');
    lab.setNat(lab.home1, 'restricted');
    expect(await probe(own, A, 'seen')).toEqual([`${A} ${outside(own)}`]);
    expect(before).not.toContain(`${A} ${outside(own)}`);
  });

  test('the core delays by 20 ms each way when told to, and not otherwise', async () => {
    const rtt = async (): Promise<number> => {
      const { out } = await lab.run(lab.home1.space, 'ping', ['-nc5', '-i0.2', '-w5', SERVER]);
      return Number(/= ([\d.]+)/.exec(out)![1]);
    };
    expect(await rtt()).toBeLessThan(10);
    await lab.setDelay(20);
    const slow = await rtt();
    expect(slow).toBeGreaterThanOrEqual(40);
    expect(slow).toBeLessThan(60);
    await lab.setDelay(0);
    expect(await rtt()).toBeLessThan(10);
  });
});
