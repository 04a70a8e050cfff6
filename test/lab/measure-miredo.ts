// Measures which pairs of NATs two Miredo clients talk through, in namespaces with the kernel's NAT, and compares that with what docs/nat-matrix.md says.
import { execFileSync } from 'node:child_process';
import { MIREDO_KINDS, MIREDO_PAIRS } from '../sim/matrix/miredo.ts';
import { Lab, noLab } from './kit/lab.ts';
import type { Home } from './kit/lab.ts';
import { ipBatch } from './kit/processes.ts';
import { startMiredoClient, startMiredoServer } from './kit/programs.ts';
import { answers } from './kit/traffic.ts';

const reason = noLab();
if (reason) {
  process.stderr.write(`measure-miredo: ${reason}\n`);
  process.exit(1);
}

/** Gives the PC of `home` the public address; its router only forwards. */
function withoutNat({ space, router, outside, gateway, inside }: Home): void {
  const lan = inside.replace(/10$/, '1');
  const nft = ['netns', 'exec', router, 'nft', 'flush', 'ruleset'];
  execFileSync('ip', nft);
  execFileSync('ip', ['netns', 'exec', router, 'sysctl', '-qw', 'net.ipv4.conf.e0.proxy_arp=1']);
  ipBatch(
    [
      `addr del ${outside}/24 dev e0`,
      `addr add ${outside.replace(/\d+$/, '200')}/24 dev e0`,
      `route add default via ${gateway}`,
      `route add ${outside}/32 dev in`,
    ],
    router,
  );
  ipBatch(
    [
      'addr flush dev e0',
      `addr add ${outside}/32 dev e0`,
      `route add ${lan}/32 dev e0`,
      `route add default via ${lan}`,
    ],
    space,
  );
}

async function measure(
  from: (typeof MIREDO_KINDS)[number],
  to: (typeof MIREDO_KINDS)[number],
): Promise<'ok' | 'fail'> {
  const lab = new Lab();
  try {
    for (const [home, kind] of [
      [lab.home1, from],
      [lab.home2, to],
    ] as const) {
      if (kind === 'none') withoutNat(home);
      else lab.setNat(home, kind);
    }
    await startMiredoServer(lab);
    const one = startMiredoClient(lab, lab.home1);
    const two = startMiredoClient(lab, lab.home2);
    const [, address] = await Promise.all([one.address(), two.address()]);
    await answers(lab, lab.home1, address);
    return 'ok';
  } catch (error) {
    if (!/no answer from|in vain: Miredo has an address/.test((error as Error).message))
      throw error;
    return 'fail';
  } finally {
    await lab.close();
  }
}

let other = 0;
for (const from of MIREDO_KINDS)
  for (const to of MIREDO_KINDS) {
    const found = await measure(from, to);
    const same = found === MIREDO_PAIRS[from][to];
    other += same ? 0 : 1;
    process.stdout.write(
      `${from.padEnd(10)} to ${to.padEnd(10)} ${found}${same ? '' : ', written down otherwise'}\n`,
    );
  }
process.stdout.write(`${other} of ${MIREDO_KINDS.length ** 2} pairs are written down otherwise\n`);
process.exitCode = other > 0 ? 1 : 0;
