// Tries with the real program what a silent server does to its clients, how they move to another, and what a router or network that changes does.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Status } from '../../engine/service/api.ts';
import { decodeTeredo, formatEndpoint, formatIp4, parseIp6 } from '../../engine/wire/index.ts';
import { Lab, noLab, SERVER, SERVER2 } from './kit/lab.ts';
import { ipBatch, sleep } from './kit/processes.ts';
import { Place, SHIPWORM, SLOW, startMiredoServer, startShipworm } from './kit/programs.ts';
import type { Shipworm } from './kit/programs.ts';
import { answers, startStream } from './kit/traffic.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const OTHER = '192.0.2.5';
const OTHER2 = '192.0.2.6';
/** Nobody: an address that no router of the lab knows. */
const DEAD = '2001:0:c000:201:1:63bf:34ff:8e8e';
/** Three solicitations, 4 s each, after somebody's silence made the client ask; else with the next refresh. */
const SILENT_MS = 16_000 * SLOW;
/** A peer's silence of 3 s makes us ask the server; without traffic the next refresh does. */
const NOTICED_MS = 6_000 * SLOW;

/** Qualified, and the address is of the present mapping: an older one is shown until the new one is on the adapter. */
const isSettled = ({ state, address, mapped }: Status): boolean =>
  state === 'qualified' &&
  address !== null &&
  formatEndpoint(decodeTeredo(parseIp6(address)!)!.client) === mapped;

describe.skipIf(reason !== null)('servers, routers and networks that change', () => {
  let lab: Lab;
  let ours: Shipworm;
  let theirs: Shipworm;
  const nft = async (space: string, ...args: string[]): Promise<void> => {
    const { code, err } = await lab.run(space, 'nft', args);
    if (code !== 0) throw new Error(err);
  };
  const silence = (): Promise<void> =>
    nft(
      lab.pub,
      `table ip silent { chain in { type filter hook input priority 0; ip daddr { ${SERVER}, ${SERVER2} } drop; }; }`,
    );
  const speak = (): Promise<void> => nft(lab.pub, 'delete', 'table', 'ip', 'silent');
  const told = (what: string, begin: number): void =>
    void process.stderr.write(`${what} ${Math.round(performance.now() - begin)} ms\n`);
  /** Who answered a bubble a moment ago does so again after 2 s (RFC 4380 §5.2.6). */
  const reaches = async (from: Shipworm, address: string): Promise<void> =>
    expect(await from.call('ping', { address, timeoutMs: 4_000 * SLOW })).toMatchObject({
      ok: true,
    });
  const onAdapter = (): string =>
    execFileSync('ip', ['-n', lab.home1.space, '-6', 'addr', 'show', 'dev', 'teredo'], {
      encoding: 'utf8',
    });

  beforeAll(async () => {
    lab = new Lab();
    ipBatch([`addr add ${OTHER}/24 dev e0`, `addr add ${OTHER2}/24 dev e0`], lab.pub);
    const args = ['server', '--primary', OTHER, '--secondary', OTHER2];
    const other = lab.start(lab.pub, SHIPWORM, args, new Place(lab, 'other').env);
    await Promise.all([startMiredoServer(lab), other.says(/Serving /, 5_000 * SLOW)]);
    const both = `${SERVER},${OTHER}`;
    ours = startShipworm(lab, lab.home1, ['--expose-all', '--failover-after', '15'], both);
    theirs = startShipworm(lab, lab.home2, ['--expose-all', '--failover-after', '0'], both);
    await Promise.all([ours.address(), theirs.address()]);
  }, 60_000);
  afterAll(() => lab.close());

  test('a silent server is told, its flow goes on, another serves after the time set, and the old address stays for the flow', async () => {
    const peer = await theirs.address();
    const old = await ours.address();
    await answers(lab, lab.home1, peer);
    const stream = await startStream(
      lab,
      { from: lab.home1, space: lab.home2.space, address: peer },
      'from',
      110,
      200,
    );
    await stream.says(/^3$/m, 5_000 * SLOW);
    const begin = performance.now();
    await silence();
    // Somebody who does not answer makes both clients ask their server, which would be asked within 30 s anyway.
    const ask = (client: Shipworm): Promise<unknown> =>
      client.call('ping', { address: DEAD, timeoutMs: 5_000 });
    await Promise.all([ask(ours), ask(theirs)]);
    const silent = ({ reason: why }: { reason: { code: string } }): boolean =>
      why.code === 'server-silent';
    await Promise.all([
      ours.becomes('silent', SILENT_MS, silent),
      theirs.becomes('silent', SILENT_MS, silent),
    ]);
    told('server silent: told after', begin);
    const { address, reason: why } = await ours.becomes(
      'another server',
      20_000 * SLOW,
      (status) => status.server === `${OTHER}:3544` && isSettled(status) && status.address !== old,
    );
    told('server silent: another one after', begin);
    expect(why.code).toBe('server-changed');
    expect(ours.program.err).toMatch(/Another server serves us now, 192\.0\.2\.5:3544 instead of/);
    expect(formatIp4(decodeTeredo(parseIp6(address!)!)!.server)).toBe(OTHER);
    expect(onAdapter()).toMatch(new RegExp(`${old}/\\S+ scope global (nodad )?deprecated`));
    // Who has no other server says so and keeps what he has.
    expect(await theirs.status()).toMatchObject({ state: 'qualified', address: peer });
    await stream.says(/^109$/m, 40_000 * SLOW);
    const lines = stream.out.split('\n').filter((line) => /^\d+$/.test(line));
    expect(lines).toEqual(Array.from({ length: 110 }, (_, n) => String(n)));
  }, 240_000);

  test('a new peer works within five seconds of the server’s return', async () => {
    // A client that has spoken with nobody, behind the silent server.
    const peer = await theirs.address();
    const port = decodeTeredo(parseIp6(peer)!)!.client;
    expect(formatEndpoint(port)).toMatch(/^203\.0\.113\.9:/);
    const ping = lab.run(lab.home2.space, 'ping', ['-n', '-i', '0.5', '-w', '20', '-c', '1', DEAD]);
    await sleep(1_000);
    await speak();
    const begin = performance.now();
    await theirs.becomes('back', 5_000 * SLOW, ({ reason: why }) => why.code === 'qualified');
    told('server back: noticed after', begin);
    // The first one's new address is a peer that was never heard of.
    await answers(lab, lab.home2, (await ours.status()).address!);
    told('server back: a new peer answers after', begin);
    expect(performance.now() - begin).toBeLessThan(5_000 * SLOW);
    await ping;
  }, 120_000);

  test('the next server on the user’s word: at once, told, and with an address of its own', async () => {
    const { out, code } = await ours.cli('servers', 'next', '--json');
    expect(code).toBe(0);
    const change = JSON.parse(out) as { ok: boolean; server: string; address: string };
    expect(change).toMatchObject({ ok: true, server: SERVER });
    expect(await ours.status()).toMatchObject({
      server: `${SERVER}:3544`,
      address: change.address,
      reason: { code: 'server-changed' },
    });
    expect(formatIp4(decodeTeredo(parseIp6(change.address)!)!.server)).toBe(SERVER);
    await reaches(theirs, change.address);
  }, 60_000);

  test('a router that forgets and gives another port: noticed while somebody sends, and a new address', async () => {
    const before = (await ours.status()).mapped!;
    const peer = await theirs.address();
    await answers(lab, lab.home1, peer);
    const { router, outside, gateway } = lab.home1;
    const rule =
      'insert rule ip home leaving oifname "e0" meta l4proto udp masquerade to :41000-41999';
    await nft(router, rule);
    const begin = performance.now();
    // A masquerading router forgets its connections when its address goes.
    ipBatch(
      [
        `addr del ${outside}/24 dev e0`,
        `addr add ${outside}/24 dev e0`,
        `route add default via ${gateway}`,
      ],
      router,
    );
    const ping = lab.run(lab.home1.space, 'ping', ['-n', '-i', '0.5', '-w', '6', '-c', '20', peer]);
    const { mapped, address } = await ours.becomes(
      'another mapping',
      NOTICED_MS,
      (status) => status.mapped !== before && isSettled(status),
    );
    told('another mapping: noticed after', begin);
    expect(mapped).toMatch(/^198\.51\.100\.7:41\d{3}$/);
    expect(formatEndpoint(decodeTeredo(parseIp6(address!)!)!.client)).toBe(mapped);
    await reaches(theirs, address!);
    told('another mapping: a peer answers after', begin);
    await ping;
  }, 120_000);

  test('another IPv4 address in the same network: asked at once, and peers answer', async () => {
    const peer = await theirs.address();
    const begin = performance.now();
    ipBatch(
      [
        'addr del 192.168.1.10/24 dev e0',
        'addr add 192.168.1.11/24 dev e0',
        'route add default via 192.168.1.1',
      ],
      lab.home1.space,
    );
    await sleep(500);
    await ours.becomes('qualified', 4_100 * SLOW, ({ state }) => state === 'qualified');
    told('another IPv4 address: healed after', begin);
    await reaches(ours, peer);
  }, 60_000);

  test('another uplink: asked at once, and the address is of the new router', async () => {
    const { space } = lab.home1;
    const second = lab.home2.router;
    ipBatch([`link add e1 netns ${space} type veth peer name in2 netns ${second}`]);
    ipBatch(['addr add 192.168.3.1/24 dev in2', 'link set in2 up'], second);
    const begin = performance.now();
    ipBatch(
      [
        'addr add 192.168.3.10/24 dev e1',
        'link set e1 up',
        'route replace default via 192.168.3.1',
        'link set e0 down',
      ],
      space,
    );
    const { address } = await ours.becomes(
      'the other router',
      4_100 * SLOW,
      (status) => status.mapped?.startsWith('203.0.113.9:') === true && isSettled(status),
    );
    told('another uplink: healed after', begin);
    expect(formatIp4(decodeTeredo(parseIp6(address!)!)!.client.ip)).toBe('203.0.113.9');
  }, 60_000);
});
