// Module test/long/soak-lab.test carries real traffic for half an hour while links, routers, servers and programs fail: nothing grows, and all comes back.
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { holdings } from '../lab/kit/blast.ts';
import { Lab, NATIVE, noLab } from '../lab/kit/lab.ts';
import { ipBatch, sleep } from '../lab/kit/processes.ts';
import { SLOW, startMiredoRelay, startMiredoServer, startShipworm } from '../lab/kit/programs.ts';
import type { Shipworm } from '../lab/kit/programs.ts';
import { answers, fetches, startWebServer, WEB_PAGE } from '../lab/kit/traffic.ts';

const reason = noLab();
/** Half an hour, unless told otherwise. */
const MINUTES = Number(process.env['SHIPWORM_SOAK_MINUTES'] ?? 30);
/** A fault, and the time to heal after it: two unanswered solicitations at most. */
const HEALED_MS = 10_000 * SLOW;
/** Memory that a collector and an allocator may keep beyond what they need, kB. */
const NOISE_KB = 12_000;

interface Sample {
  readonly anonymousKb: number;
  readonly fds: number;
  readonly threads: number;
  readonly peers: number;
  readonly lines: number;
}

describe.skipIf(reason !== null)('soak', () => {
  let lab: Lab;
  let ours: Shipworm;
  let theirs: Shipworm;
  beforeAll(async () => {
    lab = new Lab();
    await startMiredoServer(lab);
    await startMiredoRelay(lab);
    await startWebServer(lab, lab.native, NATIVE);
    ours = startShipworm(lab, lab.home1, ['--expose-all']);
    theirs = startShipworm(lab, lab.home2, ['--expose-all']);
    await Promise.all([ours.address(), theirs.address()]);
  }, 60_000);
  afterAll(() => lab.close());

  const threadsOf = (pid: number): number => readdirSync(`/proc/${pid}/task`).length;
  const sample = async (): Promise<Sample> => {
    const { anonymousKb, fds } = holdings(lab.home1.space);
    const { peers } = await ours.status();
    return {
      anonymousKb,
      fds,
      threads: threadsOf(ours.program.pid),
      peers: peers.length,
      lines: ours.program.err.split('\n').length,
    };
  };
  const link = (space: string, device: string, up: boolean): void => {
    ipBatch([`link set ${device} ${up ? 'up' : 'down'}`], space);
  };
  const silence = async (space: string, ms: number): Promise<void> => {
    const filter = 'table ip silent { chain in { type filter hook input priority 0; drop; }; }';
    expect(await lab.run(space, 'nft', [filter])).toMatchObject({ code: 0 });
    await sleep(ms);
    await lab.run(space, 'nft', ['delete', 'table', 'ip', 'silent']);
  };
  const FAULTS: readonly (readonly [string, () => Promise<void>])[] = [
    [
      'the cable is pulled',
      async () => {
        link(lab.home1.space, 'e0', false);
        await sleep(3_000);
        link(lab.home1.space, 'e0', true);
        ipBatch(['route add default via 192.168.1.1'], lab.home1.space);
      },
    ],
    ['the server is silent', () => silence(lab.pub, 20_000)],
    ['the relay is silent', () => silence(lab.relay, 10_000)],
    [
      'the program stands still',
      async () => {
        ours.program.signal('SIGSTOP');
        await sleep(7_000);
        ours.program.signal('SIGCONT');
      },
    ],
    [
      'the router forgets all',
      () => {
        lab.setNat(lab.home1, 'restricted');
        return Promise.resolve();
      },
    ],
    [
      'the other PC starts anew',
      async () => {
        await theirs.program.stop();
        theirs = startShipworm(lab, lab.home2, ['--expose-all']);
        await theirs.address();
      },
    ],
  ];

  test(
    `${MINUTES} minutes of traffic and faults`,
    async () => {
      const samples: Sample[] = [];
      const end = performance.now() + MINUTES * 60_000;
      for (let round = 0; performance.now() < end; round++) {
        const [name, fault] = FAULTS[round % FAULTS.length]!;
        await fault();
        const healed = { address: '', peer: '' };
        await ours.becomes(`qualified after: ${name}`, HEALED_MS, ({ state, address }) => {
          healed.address = address ?? '';
          return state === 'qualified';
        });
        healed.peer = await theirs.address();
        // The peer may have answered a bubble a moment ago, and does so again after 2 s (RFC 4380 §5.2.6).
        await sleep(2_500);
        await answers(lab, lab.home1, healed.peer);
        await answers(lab, lab.home2, healed.address);
        expect(await fetches(lab, lab.home1, NATIVE)).toBe(WEB_PAGE);
        const ping = ['-n', '-q', '-i', '0.02', '-c', '250', healed.peer];
        expect((await lab.run(lab.home1.space, 'ping', ping)).out).toMatch(/250 received/);
        samples.push(await sample());
      }
      const third = Math.max(1, Math.floor(samples.length / 3));
      const [early, late] = [samples.slice(0, third), samples.slice(-third)];
      process.stderr.write(`${JSON.stringify(samples)}\n`);
      const most = (of: readonly Sample[], what: keyof Sample): number =>
        Math.max(...of.map((each) => each[what]));
      expect(most(late, 'anonymousKb')).toBeLessThan(most(early, 'anonymousKb') + NOISE_KB);
      expect(most(late, 'fds')).toBeLessThanOrEqual(most(early, 'fds') + 2);
      expect(most(late, 'threads')).toBeLessThanOrEqual(most(early, 'threads'));
      expect(most(late, 'peers')).toBeLessThanOrEqual(most(early, 'peers') + 4);
      // A person reads what happened, a few lines for each fault, and nothing that is called an error.
      expect(samples.at(-1)!.lines / samples.length).toBeLessThan(30);
      expect(ours.program.err).not.toMatch(/error/i);
    },
    (MINUTES + 5) * 60_000,
  );
});
