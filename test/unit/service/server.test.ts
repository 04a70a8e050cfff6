// The server's service on a real UDP socket of this machine: settings, an answered solicitation, status, and failures.
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { createHost } from '../../../engine/host/index.ts';
import { HostError } from '../../../engine/host/types.ts';
import type { ServerHost } from '../../../engine/host/types.ts';
import { readServerSettings } from '../../../engine/service/server-config.ts';
import { ServerService } from '../../../engine/service/server-service.ts';
import {
  buildDatagram,
  buildSolicitation,
  formatIp4,
  parseAdvertisement,
  parseDatagram,
  parseIp6,
  teredoPrefix,
} from '../../../engine/wire/index.ts';
import type { Ip4 } from '../../../engine/wire/index.ts';
import { buildAddon } from '../native/line.ts';

beforeAll(() => buildAddon(), 120_000);

/** A UDP port that nobody has, for this run alone. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => void socket.close(resolve));
  return port;
}

const PORT = await freePort();
const told: string[] = [];
const open: ServerService[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service.close();
  told.length = 0;
});

/** This machine without the helper. */
function host(): ServerHost {
  const real = createHost();
  return {
    now: () => real.now(),
    networkState: () => real.networkState(),
    watchNetwork: (callback) => real.watchNetwork(callback),
    openUdp: (options) => real.openUdp(options),
    makeLimit: (...limits) => real.makeLimit(...limits),
    openRaw6: () => Promise.reject(new HostError('no-privilege', 'Run: sudo shipworm')),
  };
}

function make(primary: string): ServerService {
  const settings = readServerSettings(undefined, { primary, port: PORT, allowPrivate: true });
  const service = new ServerService(host(), settings, ({ text }) => told.push(text));
  open.push(service);
  return service;
}

/** The first answer at `address` to a solicitation without the cone bit. */
function solicit(address: string): Promise<{ bytes: Uint8Array; port: number }> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('message', (bytes) => {
      const { port } = socket.address();
      socket.close(() => resolve({ bytes, port }));
    });
    const packet = buildSolicitation(parseIp6('fe80::1234:5678:9abc:def0')!);
    socket.send(buildDatagram({ packet }), PORT, address);
  });
}

const networks = (await createHost().networkState()).networks;
const own: Ip4 | undefined = networks[0]?.address;

it.skipIf(own === undefined)('answers a solicitation and counts it', async () => {
  const address = formatIp4(own!);
  const service = make(address);
  await service.open();
  await service.start();
  const { bytes, port } = await solicit(address);
  const answer = parseDatagram(bytes);
  expect(answer.ok && answer.value.origin).toEqual({ ip: own, port });
  const advertisement = answer.ok && parseAdvertisement(answer.value.packet);
  expect(advertisement && advertisement.ok && advertisement.value).toMatchObject({
    prefix: teredoPrefix(own!),
    mtu: 1280,
  });
  expect(service.status()).toEqual({
    role: 'server',
    primary: address,
    secondary: null,
    port: PORT,
    nativePings: false,
    counters: { answered: 1, forwarded: 0, native: 0, discards: {} },
  });
  expect(told).toEqual([
    'Clients’ connectivity tests to native IPv6 hosts can’t be forwarded: Run: sudo shipworm',
    `Serving at ${address}, UDP port ${PORT}.`,
    expect.stringContaining('--secondary'),
  ]);
});

it('counts what it refuses: loopback is nobody’s address, not even in a lab', async () => {
  const service = make('127.0.0.1');
  await service.open();
  await service.start();
  const socket = createSocket('udp4');
  socket.send(
    buildDatagram({ packet: buildSolicitation(parseIp6('fe80::1')!) }),
    PORT,
    '127.0.0.1',
  );
  await expect.poll(() => service.status().counters.discards).toEqual({ sourceNotGlobal: 1 });
  socket.close();
});

it('a port in use and an address of others are said', async () => {
  await make('127.0.0.1').open();
  await expect(make('127.0.0.1').open()).rejects.toMatchObject({
    code: 'port-taken',
    message: expect.stringContaining(`UDP port ${PORT} of 127.0.0.1`) as string,
  });
  await expect(make('203.0.113.200').open()).rejects.toMatchObject({
    code: 'bind-failed',
    message: expect.stringContaining('no address 203.0.113.200') as string,
  });
});

it('each wrong setting has its line, in groups too', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shipworm-server-'));
  const file = join(folder, 'server.json');
  const settings = {
    primry: '192.0.2.1',
    port: 0,
    clients: { a: 7 },
    limits: { maxSource: 1 },
  };
  writeFileSync(file, JSON.stringify(settings));
  try {
    expect(() => readServerSettings(file, { primary: '10.0.0.1' })).toThrow(
      [
        `${file}: "port" must be 1 to 65535.`,
        `${file}: "clients.a" must be text.`,
        `${file}: there is no setting "limits.maxSource"; "maxSources" may be meant.`,
        `${file}: there is no setting "primry"; "primary" may be meant.`,
        '10.0.0.1 is not a public IPv4 address, so it can serve nobody; for a closed lab add --allow-private.',
      ].join('\n'),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(() => readServerSettings(undefined, {})).toThrow('--primary IP');
  expect(() =>
    readServerSettings(undefined, { primary: '192.0.2.1', secondary: '192.0.2.1' }),
  ).toThrow('the same address');
});
