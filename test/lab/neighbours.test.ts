// Tries local client discovery (RFC 4380 §5.2.8) with real sockets and real multicast: two PCs behind one router, and a liar beside them.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildBubble, encodeTeredo, formatIp6, parseIp4 } from '../../engine/wire/index.ts';
import type { Ip6 } from '../../engine/wire/index.ts';
import { sendRaw, udp4 } from './kit/blast.ts';
import { Lab, noLab, SERVER } from './kit/lab.ts';
import type { Home } from './kit/lab.ts';
import { eventually } from './kit/processes.ts';
import type { Program } from './kit/processes.ts';
import { Place, SHIPWORM, Shipworm, SLOW, startMiredoServer } from './kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** Teredo IPv4 Discovery Address and port (RFC 4380 §2.17), and where its bubbles are said to go (§5.2.8). */
const GROUP = ['224.0.0.253', 3544] as const;
const ALL_NODES = 0xff020000_00000000_00000000_00000001n;
describe.skipIf(reason !== null)('H-discovery: local client discovery', () => {
  let lab: Lab;
  let one: Shipworm;
  let two: Shipworm;
  let other: string;
  let liar: string;
  let inside: Program;
  let outside: Program;

  function start(home: Home, name: string, port: number): Shipworm {
    const place = new Place(lab, name);
    writeFileSync(
      place.config,
      JSON.stringify({ server: SERVER, exposeAll: true, localDiscovery: true }),
    );
    const args = ['client', '--config', place.config, '--port', `${port}`];
    return new Shipworm(lab, home, place, lab.start(home.space, SHIPWORM, args, place.env));
  }

  async function capture(space: string, device: string, filter: string): Promise<Program> {
    const options = ['-Z', 'root', '-l', '-n', '-v', '-tt', '--immediate-mode', '-i', device];
    const dump = lab.start(space, 'tcpdump', [...options, filter]);
    await dump.says(/listening/, 10_000);
    return dump;
  }

  beforeAll(async () => {
    lab = new Lab();
    await startMiredoServer(lab);
    other = lab.addPc(lab.home1, 11);
    liar = lab.addPc(lab.home1, 66);
    const ours = `(src host ${lab.home1.inside} or src host 192.168.1.11)`;
    inside = await capture(lab.home1.router, 'lan', `dst host ${GROUP[0]} and ${ours}`);
    outside = await capture(lab.home1.router, 'e0', 'udp');
    const second: Home = { ...lab.home1, space: other, inside: '192.168.1.11' };
    one = start(lab.home1, 'one', 40_001);
    two = start(second, 'two', 40_002);
    await Promise.all([one, two].map((each) => each.address()));
  });
  afterAll(() => lab.close());

  const mapped = (ip: string): Ip6 =>
    encodeTeredo({
      server: parseIp4(SERVER)!,
      flags: 0,
      client: { ip: parseIp4(ip)!, port: 40_000 },
    });
  /** Three answers; those to the first pings may be late, by the two seconds between bubbles (§5.2.6). */
  async function reaches(space: string, pc: Shipworm): Promise<void> {
    const args = ['-n', '-c', '3', '-i', '0.2', '-w', `${4 * SLOW}`, (await pc.status()).address!];
    const { code, out, err } = await lab.run(space, 'ping', args);
    if (code !== 0) throw new Error(`no answer: ${out}${err}`);
  }
  const refused = async (): Promise<number> =>
    (await one.status()).counters.discards['discoveryRefused'] ?? 0;

  test('what is not of our link, or not seen where we are, is refused', async () => {
    const link = '192.168.1.66';
    const ours = buildBubble(mapped(lab.home1.outside), ALL_NODES);
    const heard = await capture(liar, 'e0', `udp port 5555 and src host ${lab.home1.inside}`);
    // The PC's own system drops what can't have come that way; here the client has to.
    execFileSync('ip', [
      ...['netns', 'exec', lab.home1.space, 'sysctl', '-qw'],
      ...['all', 'e0'].map((name) => `net.ipv4.conf.${name}.rp_filter=0`),
    ]);
    const before = await refused();
    await sendRaw(lab, liar, [
      udp4(['10.99.0.5', 5555], GROUP, ours),
      udp4([link, 5555], GROUP, buildBubble(mapped('203.0.113.77'), ALL_NODES)),
      udp4([link, 5555], GROUP, buildBubble(0x20010db8n << 96n, ALL_NODES)),
      // Unicast, to the service port.
      udp4([link, 5555], [lab.home1.inside, 40_001], ours),
    ]);
    await eventually(
      'three are refused',
      3_000 * SLOW,
      async () => (await refused()) >= before + 3,
    );
    const known = (await one.status()).peers;
    expect(known.filter(({ endpoint }) => endpoint?.endsWith(':5555'))).toEqual([]);
    expect(heard.out).toBe('');
    // The same from the link, by multicast, is asked by a bubble.
    await sendRaw(lab, liar, [udp4([link, 5555], GROUP, ours)]);
    await heard.says(/192\.168\.1\.10\.40001 > 192\.168\.1\.66\.5555/, 3_000 * SLOW);
    const { peers } = await one.status();
    const forged = formatIp6(mapped(lab.home1.outside));
    expect(peers.find(({ address }) => address === forged)).toMatchObject({ trusted: false });
  });

  test('two PCs behind one router talk directly when nothing leaves it any more; multicast stays on the link', async () => {
    const { line } = lab.home1;
    execFileSync('ip', ['-n', lab.core, 'link', 'set', line, 'down']);
    try {
      await reaches(lab.home1.space, two);
      await reaches(other, one);
    } finally {
      execFileSync('ip', ['-n', lab.core, 'link', 'set', line, 'up']);
    }
    const rows = (await one.status()).peers.filter(({ trusted }) => trusted);
    expect(rows).toMatchObject([{ path: 'local', endpoint: '192.168.1.11:40002' }]);
    // §5.2.8: TTL 1, to the Teredo port, from the service port; and never beyond the link.
    expect(inside.out).toMatch(/ttl 1,[^]*192\.168\.1\.1[01]\.4000[12] > 224\.0\.0\.253\.3544: /);
    expect(inside.out).not.toMatch(/ttl (?!1,)/);
    expect(outside.out).not.toMatch(/224\.0\.0\.253|192\.168\.1\./);
  });
});
