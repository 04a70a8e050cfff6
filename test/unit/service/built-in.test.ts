// The built-in network: the very client on it, behind each kind of router, with its programs, faults and their mending.
import { afterEach, expect, it, vi } from 'vitest';
import type { Status } from '../../../engine/service/api.ts';
import { NAT_KINDS } from '../../../engine/sim/index.ts';
import { startBuiltIn } from '../../../engine/service/builtin/start.ts';
import type { BuiltInOptions, RunningBuiltIn } from '../../../engine/service/builtin/start.ts';
import { decodeTeredo, formatIp4, parseIp6 } from '../../../engine/wire/index.ts';

const WAIT = { timeout: 20_000, interval: 20 };
const running: RunningBuiltIn[] = [];
let log: string[] = [];
afterEach(async () => {
  for (const each of running.splice(0)) await each.close();
});

async function start(options: BuiltInOptions = {}): Promise<RunningBuiltIn> {
  log = [];
  const built = await startBuiltIn(
    { control: null, speed: 50, ...options },
    {
      log: ({ text }) => log.push(text),
      onFailed: (error) => {
        throw error;
      },
    },
  );
  running.push(built);
  return built;
}

const becomes = (client: RunningBuiltIn, wanted: Partial<Status>): Promise<void> =>
  vi.waitFor(() => expect(client.status()).toMatchObject(wanted), WAIT);

async function addressOf(client: RunningBuiltIn, name: string): Promise<string> {
  return vi.waitFor(async () => {
    const { hosts } = await client.api.builtIn({});
    const { address } = hosts.find((each) => each.name === name)!;
    expect(address).not.toBeNull();
    return address!;
  }, WAIT);
}

async function program(client: RunningBuiltIn, name: string) {
  const { programs } = await client.api.builtIn({});
  return programs.find((each) => each.name === name)!;
}

it('qualifies, says that it is built in, and reaches a Teredo peer and a native host', async () => {
  const client = await start();
  await becomes(client, { builtIn: true, adapter: 'built-in', nat: 'restricted' });
  expect(formatIp4(decodeTeredo(parseIp6(client.status().address!)!)!.server)).toBe('192.0.2.1');
  const ana = await addressOf(client, 'Ana');
  expect(await client.api.ping({ address: ana, timeoutMs: 60_000 })).toMatchObject({ ok: true });
  const website = await client.api.ping({ address: '2001:db8::80', timeoutMs: 60_000 });
  expect(website).toMatchObject({ ok: true, path: 'relay' });
  const quiet = await client.api.ping({ address: '2001:db8::dead', timeoutMs: 60_000 });
  expect(quiet).toMatchObject({ ok: false, code: 'no-path' });
});

it.each(['none', ...Object.keys(NAT_KINDS)] as NonNullable<BuiltInOptions['nat']>[])(
  'gets an address and reaches a native host with access by %s',
  async (nat) => {
    const client = await start({ nat });
    await vi.waitFor(() => expect(client.status().nat).not.toBe('unknown'), WAIT);
    const website = await client.api.ping({ address: '2001:db8::80', timeoutMs: 60_000 });
    expect(website).toMatchObject({ ok: true });
    expect(client.status().nat).toBe(
      nat === 'none' ? 'none' : nat.startsWith('symmetric') ? 'symmetric' : 'restricted',
    );
  },
);

it('carries the allowed program, and refuses the other at once', async () => {
  const client = await start();
  await vi.waitFor(async () => {
    expect((await program(client, 'Chess')).received).toBeGreaterThan(3);
    expect((await program(client, 'Photos')).refused).toBeGreaterThan(0);
  }, WAIT);
  const photos = await program(client, 'Photos');
  expect(photos).toMatchObject({ allowed: false, received: 0, refused: photos.sent });
  expect((await client.api.questions({})).map((each) => each.path)).toEqual([photos.path]);
  await client.api.changeBuiltIn({
    change: 'program',
    name: 'photos',
    allowed: true,
    running: true,
  });
  await vi.waitFor(
    async () => expect((await program(client, 'Photos')).received).toBeGreaterThan(0),
    WAIT,
  );
});

it('allows a built-in program by its path, whatever is on the disk', async () => {
  const client = await start();
  const how = { connectOut: true, beReached: 'none', untilQuit: false, never: false } as const;
  const { app } = await client.api.setApp({ path: '/opt/photos/photos', ...how });
  expect(app).toMatchObject({ path: '/opt/photos/photos', connectOut: true });
  await vi.waitFor(
    async () => expect((await program(client, 'Photos')).received).toBeGreaterThan(0),
    WAIT,
  );
  await expect(client.api.setApp({ path: process.execPath, ...how })).rejects.toThrow(
    /on the built-in network; its programs are .*\/opt\/photos\/photos/,
  );
});

it('keeps its peers while the server is silent, and says so', async () => {
  const client = await start();
  await vi.waitFor(
    async () => expect((await program(client, 'Chess')).received).toBeGreaterThan(1),
    WAIT,
  );
  await client.api.changeBuiltIn({ change: 'fault', name: 'server' });
  await vi.waitFor(() => expect(client.status().reason.code).toBe('server-silent'), WAIT);
  const before = (await program(client, 'Chess')).received;
  await vi.waitFor(
    async () => expect((await program(client, 'Chess')).received).toBeGreaterThan(before),
    WAIT,
  );
  await client.api.changeBuiltIn({ change: 'heal' });
  await vi.waitFor(() => expect(client.status().reason.code).not.toBe('server-silent'), WAIT);
});

it('gets a new address behind another router, and after the provider changed the old', async () => {
  const client = await start();
  await vi.waitFor(() => expect(client.status().mapped).toMatch(/^198\.51\.100\.7:/), WAIT);
  await vi.waitFor(() => expect(client.status().state).toBe('qualified'), WAIT);
  await client.api.changeBuiltIn({ change: 'nat', kind: 'symmetric' });
  await vi.waitFor(() => expect(client.status().nat).toBe('symmetric'), WAIT);
  await client.api.changeBuiltIn({ change: 'fault', name: 'renumber' });
  await vi.waitFor(() => expect(client.status().mapped).toMatch(/^198\.51\.100\.101:/), WAIT);
});

it('says that UDP is blocked, and qualifies once it is not any more', async () => {
  const client = await start();
  await client.api.changeBuiltIn({ change: 'fault', name: 'udp' });
  await client.api.changeBuiltIn({ change: 'nat', kind: 'linux' });
  await vi.waitFor(() => expect(log.join()).toContain('the network blocks UDP port 3544'), WAIT);
  await client.api.changeBuiltIn({ change: 'reset' });
  await vi.waitFor(() => expect(client.status().mapped).toMatch(/^198\.51\.100\.7:/), WAIT);
  expect((await client.api.builtIn({})).faults.filter((each) => each.active)).toEqual([]);
});
