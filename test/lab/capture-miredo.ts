// Records what Miredo's clients, server and relay say to each other in the lab, as fixtures for test/sim/miredo-replay.test.ts.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab, NATIVE, noLab } from './kit/lab.ts';
import type { Program } from './kit/processes.ts';
import { sleep } from './kit/processes.ts';
import { startMiredoClient, startMiredoRelay, startMiredoServer } from './kit/programs.ts';
import { answers } from './kit/traffic.ts';

const reason = noLab();
if (reason) {
  process.stderr.write(`capture-miredo: ${reason}\n`);
  process.exit(1);
}

/** One datagram: when (ms from the first one), from where to where, its payload. */
interface Recorded {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly hex: string;
}

const lab = new Lab();
try {
  await lab.setDelay(20);
  lab.setNat(lab.home1, 'restricted');
  lab.setNat(lab.home2, 'restricted');
  await startMiredoServer(lab);
  await startMiredoRelay(lab);
  const two = startMiredoClient(lab, lab.home2);
  const other = await two.address();
  const dumps: [string, Program, string][] = [];
  for (const [name, link] of [
    ['server', 'server'],
    ['client', lab.home1.line],
  ] as const) {
    const file = join(lab.folder, `${name}.pcap`);
    const dump = lab.start(lab.core, 'tcpdump', [
      ...['-Z', 'root', '-U', '--immediate-mode', '-s0', '-i', link, '-w', file, 'udp'],
    ]);
    await dump.says(/listening/, 10_000);
    dumps.push([name, dump, file]);
  }
  const one = startMiredoClient(lab, lab.home1);
  await one.address();
  await sleep(500);
  await answers(lab, lab.home1, other);
  await sleep(500);
  await answers(lab, lab.home1, NATIVE);
  await sleep(500);
  for (const [name, dump, file] of dumps) {
    await dump.stop();
    const fields = ['frame.time_relative', 'ip.src', 'udp.srcport', 'ip.dst', 'udp.dstport'];
    const names = [...fields, 'udp.payload'].flatMap((field) => ['-e', field]);
    const { code, out, err } = await lab.run(
      lab.core,
      'tshark',
      ['-n', '-r', file, '-T', 'fields', ...names],
      { timeoutMs: 60_000 },
    );
    if (code !== 0) throw new Error(err);
    const recorded = out
      .trim()
      .split('\n')
      .map((line): Recorded => {
        const [at, source, sourcePort, destination, destinationPort, hex] = line
          .split('\t')
          .map((field) => field.split(',')[0]!) as [string, string, string, string, string, string];
        return {
          at: Math.round(Number(at) * 1000),
          from: `${source}:${sourcePort}`,
          to: `${destination}:${destinationPort}`,
          hex,
        };
      });
    writeFileSync(
      `test/sim/fixtures/miredo-${name}.json`,
      `${JSON.stringify(recorded, null, 2)}\n`,
    );
  }
} finally {
  await lab.close();
}
