// Module test/long/gate.test measures least exposure at size: many rules, sockets and new flows, and a minute of silence while dormant.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Actor, copyActor } from '../lab/kit/field.ts';
import { Lab, NATIVE, noLab } from '../lab/kit/lab.ts';
import { eventually, pidsIn, sleep } from '../lab/kit/processes.ts';
import {
  leavesNothing,
  SLOW,
  startMiredoRelay,
  startMiredoServer,
  startShipworm,
} from '../lab/kit/programs.ts';
import type { Shipworm } from '../lab/kit/programs.ts';

const reason = noLab();
const RULES = 500;
const SOCKETS = Number(process.env['SHIPWORM_GATE_SOCKETS'] ?? 10_000);
const FLOWS_PER_SECOND = 200;
const SECONDS = 10;
const QUIET_MS = 60_000;
/** What a new flow may take, three times over: other work runs beside. */
const FLOW_MS = 20 * SLOW;
/** Share of one core. On two slow cores that others used, too, it was a sixth; most of it are switches between four threads for each flow. */
const CORE_SHARE = 0.5;
/** Open sockets that nobody asks about: a program of one line, in a file that no rule names. */
const HOLDER = `import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (${SOCKETS + 100}, ${SOCKETS + 100}))
held = [socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(${SOCKETS})]
for each in held: each.bind(('::1', 0))
print('held', flush=True)
time.sleep(3600)`;
/** Answers each datagram, and asks from a new socket each time: prints the times of the answers, ms. */
const ECHO = `import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(('::', 4000))
print('ready', flush=True)
while True:
    data, who = s.recvfrom(2000)
    s.sendto(data, who)`;
const ASK = `import select, socket, sys, time
rate, seconds, host = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
begin, waiting, times = time.monotonic(), {}, []
poll = select.poll()
def take(ms):
    for fd, _ in poll.poll(ms):
        s, at = waiting.pop(fd)
        s.recv(2000)
        times.append((time.monotonic() - at) * 1000)
        poll.unregister(fd)
        s.close()
for i in range(rate * seconds):
    due = begin + i / rate
    while time.monotonic() < due: take(max(0, (due - time.monotonic()) * 1000))
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    waiting[s.fileno()] = (s, time.monotonic())
    poll.register(s.fileno(), select.POLLIN)
    s.sendto(b'x', (host, 4000))
end = time.monotonic() + 3
while waiting and time.monotonic() < end: take(100)
print(' '.join('%.2f' % t for t in sorted(times)))`;

describe.skipIf(reason !== null)('least exposure at size', () => {
  let lab: Lab;
  let client: Shipworm;
  beforeAll(async () => {
    lab = new Lab();
    await Promise.all([startMiredoServer(lab), startMiredoRelay(lab)]);
    client = startShipworm(lab, lab.home1);
    lab.keep();
    await client.address();
  });
  afterAll(async () => {
    expect(await client.program.stop()).toEqual({ code: 0, signal: null });
    await leavesNothing(client.home, client.place);
    await lab.close();
  });

  test('asleep, not one packet for a minute', async () => {
    await client.becomes('asleep', 60_000, ({ state }) => state === 'dormant');
    const pcap = join(lab.folder, 'quiet.pcap');
    const capture = lab.start(lab.home1.space, 'tcpdump', ['-i', 'e0', '-U', '-w', pcap, 'ip']);
    await capture.says(/listening on e0/, 10_000);
    await sleep(QUIET_MS);
    const sockets = await lab.run(lab.home1.space, 'ss', ['-uanH']);
    expect(sockets.out.trim()).toBe('');
    await capture.stop();
    const { out } = await lab.run(lab.home1.space, 'tcpdump', ['-nr', pcap]);
    expect(out).toBe('');
  });

  /** Seconds of processor time that the client, its helper and their threads have used. */
  function used(): number {
    const ours = pidsIn(lab.home1.space)
      .map((pid) => ({ pid, name: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() }))
      .filter(({ pid, name }) => pid === client.program.pid || name.startsWith('shipworm'));
    const ticks = ours.map(({ pid }) => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [user, system] = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 13);
      return Number(user) + Number(system);
    });
    return ticks.reduce((sum, each) => sum + each, 0) / 100;
  }

  test(`${RULES} rules, ${SOCKETS} sockets and ${FLOWS_PER_SECOND} new flows a second`, async () => {
    const file = copyActor(join(lab.folder, 'program'));
    for (let i = 0; i < RULES; i++) {
      const path = i === 0 ? '/usr/bin/python3' : join(lab.folder, `program-${i}`);
      if (i > 0) writeFileSync(path, `#!/bin/sh\n# ${i}\n`, { mode: 0o755 });
      await client.call('setApp', {
        path,
        user: 0,
        connectOut: true,
        beReached: [i + 1],
        never: false,
      });
    }
    const holding = lab.start(lab.home1.space, '/usr/bin/python3', ['-c', HOLDER]);
    await holding.says(/held/, 60_000);
    const echo = lab.start(lab.native, 'python3', ['-c', ECHO]);
    await echo.says(/ready/, 10_000);
    const ask = async (rate: number, seconds: number): Promise<number[]> => {
      const args = ['-c', ASK, String(rate), String(seconds), NATIVE];
      const { out } = await lab.run(lab.home1.space, '/usr/bin/python3', args, {
        timeoutMs: 60_000,
      });
      if (out.trim() === '') return [];
      return out.trim().split(' ').map(Number);
    };
    await eventually('it is awake', 30_000, async () => (await ask(1, 1)).length === 1);
    const [begin, before] = [performance.now(), used()];
    const times = await ask(FLOWS_PER_SECOND, SECONDS);
    const share = (used() - before) / ((performance.now() - begin) / 1000);
    const at = (part: number): number => times[Math.floor((times.length - 1) * part)]!;
    process.stderr.write(
      `${times.length} of ${FLOWS_PER_SECOND * SECONDS} new flows answered; ms: median ${at(0.5)}, 95 % ${at(0.95)}, most ${at(1)}; ${(share * 100).toFixed(1)} % of a core\n`,
    );
    expect(times.length).toBeGreaterThan(0.99 * FLOWS_PER_SECOND * SECONDS);
    expect(at(0.5)).toBeLessThan(FLOW_MS);
    expect(share).toBeLessThan(CORE_SHARE);
    // A program without a rule among them is refused as fast as ever.
    const actor = new Actor(lab.home1.space, file, []);
    expect(await actor.heard()).toBe('ready');
    await actor.do('udp u');
    await actor.do(`send u ${NATIVE} 4000 x`);
    await eventually(
      'it is refused',
      5_000,
      async () => (await actor.do(`send u ${NATIVE} 4000 x`)) === 'EPERM',
    );
    actor.kill();
    for (const each of [holding, echo]) await each.stop();
  });
});
