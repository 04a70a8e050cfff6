// M-0602 for real: the system refuses our sends, writes and sockets; each is counted, told, and over when its cause is.
import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { callStatus } from '../../engine/service/control-client.ts';
import type { ServerStatus } from '../../engine/service/api.ts';
import { ask, holdings } from './kit/blast.ts';
import { Lab, NATIVE, noLab, SERVER, SERVER2 } from './kit/lab.ts';
import { alive, eventually, ipBatch, sleep } from './kit/processes.ts';
import {
  leavesNothing,
  Place,
  SHIPWORM,
  Shipworm,
  SLOW,
  startRelay,
  startShipworm,
} from './kit/programs.ts';
import type { RelayProgram } from './kit/programs.ts';
import { answers } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** Nothing that is sent by UDP gets past the firewall of its own machine: sendmsg gives EPERM. */
const FIREWALL = `table ip guard {
  chain out { type filter hook output priority filter; meta l4proto udp drop; }
}`;

describe.skipIf(reason !== null)('M-0602', () => {
  let lab: Lab;
  let server: Place;
  let relay: RelayProgram;
  let client: Shipworm;
  beforeAll(async () => {
    lab = new Lab();
    server = new Place(lab, 'server');
    const args = ['server', '--primary', SERVER, '--secondary', SERVER2];
    const program = lab.start(lab.pub, SHIPWORM, args, server.env);
    await program.says(/Serving at /, 5_000 * SLOW);
    relay = await startRelay(lab, lab.relay);
    client = startShipworm(lab, lab.home1, ['--expose-all']);
    await client.address();
    await answers(lab, lab.home1, NATIVE);
  });
  afterAll(() => lab.close());
  // Whatever was done to the system is over, and then all is as it was: nobody has to start anything again.
  afterEach(async () => {
    await client.becomes('qualified', 15_000 * SLOW, ({ state, address }) => {
      return state === 'qualified' && address !== null;
    });
    await answers(lab, lab.home1, NATIVE);
    expect(client.program.ending).toBeNull();
    expect(alive(client.program.pid)).toBe(true);
  });

  const nft = (space: string, input: string): void =>
    void execFileSync('ip', ['netns', 'exec', space, 'nft', '-f', '-'], { input });
  async function behindFirewall(space: string, act: () => Promise<void>): Promise<void> {
    nft(space, FIREWALL);
    try {
      await act();
    } finally {
      nft(space, 'delete table ip guard');
    }
  }
  const datapath = async (name: string): Promise<number> =>
    (await client.status()).counters.datapath[name]!;
  /** Pings the native host until the counter `name` has grown. */
  async function sendsUntil(name: string): Promise<void> {
    const before = await datapath(name);
    await eventually(`${name} grows`, 3_000 * SLOW, async () => {
      await lab.run(lab.home1.space, 'ping', ['-n', '-c1', '-W1', NATIVE]);
      return (await datapath(name)) > before;
    });
  }
  const home = (...lines: string[]): void => ipBatch(lines, lab.home1.space);

  test('EPERM, a firewall of the client’s own: counted by its cause', async () => {
    await behindFirewall(lab.home1.space, () => sendsUntil('sendRefused'));
  });

  test('ENETUNREACH, no route: counted, and the way is taken again when it is back', async () => {
    home('route del default');
    try {
      await sendsUntil('sendUnreachable');
    } finally {
      home('route add default via 192.168.1.1');
    }
  });

  test('ENETDOWN, the interface down: counted, and the network’s return is noticed', async () => {
    home('link set e0 down');
    try {
      await sendsUntil('sendUnreachable');
    } finally {
      home('link set e0 up', 'route add default via 192.168.1.1');
    }
  });

  test('ENOBUFS, a full queue of the interface: counted, what fits goes on', async () => {
    const tc = (...args: string[]): void =>
      void execFileSync('ip', ['netns', 'exec', lab.home1.space, 'tc', ...args]);
    tc(
      'qdisc',
      'add',
      'dev',
      'e0',
      'root',
      'tbf',
      'rate',
      '8kbit',
      'burst',
      '1540',
      'limit',
      '2000',
    );
    try {
      const before = await datapath('sendNoBuffers');
      await eventually('sendNoBuffers grows', 3_000 * SLOW, async () => {
        const flood = ['-n', '-c20', '-i0.01', '-s1000', '-W1', NATIVE];
        await lab.run(lab.home1.space, 'ping', flood);
        return (await datapath('sendNoBuffers')) > before;
      });
    } finally {
      tc('qdisc', 'del', 'dev', 'e0', 'root');
    }
  });

  test('EMFILE in a client that runs: its tunnel goes on, and status answers again once there is room', async () => {
    const place = new Place(lab, 'few-files');
    const args = ['--nofile=64', SHIPWORM, 'client', '--server', SERVER, '--expose-all'];
    const program = lab.start(lab.home2.space, 'prlimit', args, place.env);
    const few = new Shipworm(lab, lab.home2, place, program);
    await few.address();
    const sockets = await Promise.all(
      Array.from({ length: 80 }, async () => {
        const socket = connect(place.control).on('error', () => undefined);
        await new Promise((resolve) => void socket.once('connect', resolve).once('close', resolve));
        return socket;
      }),
    );
    await eventually(
      'no more files can be opened',
      3_000 * SLOW,
      () => holdings(few.home.space).fds >= 60,
    );
    await answers(lab, few.home, NATIVE);
    expect(program.ending).toBeNull();
    for (const socket of sockets) socket.destroy();
    await few.becomes('answering', 3_000 * SLOW, ({ state }) => state === 'qualified');
    await program.stop();
    await leavesNothing(few.home, place);
  });

  test('EPERM at a server: not answered, counted; the next solicitation is', async () => {
    const counters = async (): Promise<ServerStatus['counters']> =>
      ((await callStatus([server.control])) as ServerStatus).counters;
    // What was asked before is answered by now.
    let before = await counters();
    await eventually('nobody asks any more', 3_000 * SLOW, async () => {
      await sleep(200);
      const last = before;
      before = await counters();
      return before.answered === last.answered;
    });
    await behindFirewall(lab.pub, async () => {
      await ask(lab, lab.core, SERVER, 0.2, 4);
    });
    const refused = await counters();
    expect(refused.answered).toBe(before.answered);
    expect(refused.discards['sendFailed']).toBeGreaterThan(before.discards['sendFailed'] ?? 0);
    const { answered } = await ask(lab, lab.core, SERVER, 0.2, 4);
    expect(answered).toBeGreaterThan(0);
  });

  test('EPERM at a relay: counted, and it relays on', async () => {
    const refused = async (): Promise<number> =>
      (await relay.status()).counters.datapath['sendRefused']!;
    const before = await refused();
    await behindFirewall(lab.relay, async () => {
      const { address } = await client.status();
      await lab.run(lab.native, 'ping', ['-n', '-c2', '-i0.2', '-W1', address!]);
    });
    expect(await refused()).toBeGreaterThan(before);
  });

  test('EMFILE at the start, wherever it strikes: one sentence or none of it, and nothing is left', async () => {
    for (const files of [22, 23, 24, 32, 33, 34, 35, 36]) {
      const place = new Place(lab, `files${files}`);
      const args = [`--nofile=${files}`, SHIPWORM, 'client', '--server', SERVER, '--once'];
      const { code, err } = await lab.run(lab.home2.space, 'prlimit', args, { env: place.env });
      if (code !== 0) {
        expect(code).toBe(4);
        expect(err).toMatch(/^(\d\d:.*\n)*shipworm: .*EMFILE.*ulimit -n.*\.\n$/);
      } else expect(err).toMatch(/Qualified: .*\n\S+ Stopping\.\n$/);
      await leavesNothing(lab.home2, place);
    }
    expect(holdings(lab.home2.space).pids).toEqual([]);
  });
});
