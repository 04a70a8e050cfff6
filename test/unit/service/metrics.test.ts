// The metrics as Prometheus sees them: the text format, what they count, and a port that nobody can hurt the service by.
import { randomInt } from 'node:crypto';
import { connect } from 'node:net';
import { request } from 'node:http';
import { afterEach, describe, expect, it, test } from 'vitest';
import type { RelayStatus, ServerStatus, Status } from '../../../engine/service/api.ts';
import { NOT_ASKED } from '../../../engine/service/portmap/state.ts';
import type { AnyStatus } from '../../../engine/service/metrics.ts';
import {
  metricsEndpoint,
  parseMetricsEndpoint,
  serveMetrics,
} from '../../../engine/service/metrics-server.ts';

/** Of this run alone: another one on this machine has another. */
const ADDRESS = ['127', ...Array.from({ length: 3 }, () => randomInt(1, 255))].join('.');
const PORT = 43_545;
const open: { close(): void }[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

const SERVER: ServerStatus = {
  role: 'server',
  primary: '192.0.2.1',
  secondary: null,
  port: 3544,
  nativePings: true,
  counters: { answered: 3, forwarded: 2, native: 1, discards: { notRelayed: 7, empty: 1 } },
};
const RELAY: RelayStatus = {
  role: 'relay',
  hostSpecific: false,
  address: '2001:db8::1',
  native: 'six',
  adapter: 'teredo',
  bind: '0.0.0.0:3545',
  forwarding: 'two',
  served: [],
  clients: 4,
  pending: 5,
  queuedBytes: 600,
  offloads: [],
  counters: {
    toClients: 10,
    fromClients: 11,
    bubbles: 12,
    errors: 13,
    discards: { clientSilent: 14 },
    datapath: { packetsIn: 15 },
  },
};
const CLIENT: Status = {
  state: 'qualifying',
  reason: { code: 'starting', text: '' },
  address: null,
  mtu: null,
  server: null,
  serverName: null,
  serverRttMs: null,
  mapped: null,
  nat: 'unknown',
  peerCounts: { known: 3, open: 2 },
  peers: [],
  exposure: { mode: 'closed', text: '' },
  offloads: [],
  attribution: null,
  portMapping: NOT_ASKED,
  adapter: 'teredo',
  builtIn: false,
  counters: { discards: {}, datapath: {} },
};

async function serve(status: () => AnyStatus): Promise<void> {
  open.push(await serveMetrics({ address: ADDRESS, port: PORT }, status));
}

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly text: string;
}

function get(
  path = '/metrics',
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const { body = '', ...rest } = options;
  return new Promise((resolve, reject) => {
    const asked = request({ host: ADDRESS, port: PORT, path, agent: false, ...rest }, (got) => {
      let text = '';
      got.setEncoding('utf8');
      got.on('data', (chunk: string) => (text += chunk));
      got.on('end', () =>
        resolve({ code: got.statusCode!, type: got.headers['content-type']!, text }),
      );
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/**
 * The samples of a text in the exposition format 0.0.4, by name and labels. Throws on any line that is not of the format, on a
 * sample without HELP and TYPE before it, and on one that comes twice.
 */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  const helps = new Set<string>();
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const help = /^# HELP ([a-z_]+) \S.*\.$/.exec(line);
    const type = /^# TYPE ([a-z_]+) (counter|gauge)$/.exec(line);
    const sample = /^([a-z_]+)((?:\{(?:[a-z_]+="[^"\\]*",?)+\})?) (\d+)$/.exec(line);
    if (help) helps.add(help[1]!);
    else if (type) types.set(type[1]!, type[2]!);
    else {
      if (!sample) throw new Error(`not of the format: ${line}`);
      const [, name, labels, value] = sample;
      if (!helps.has(name!) || !types.has(name!)) throw new Error(`${name!} is not explained`);
      if ((types.get(name!) === 'counter') !== name!.endsWith('_total'))
        throw new Error(`${name!} has another type than its name says`);
      if (samples.has(name! + labels!)) throw new Error(`twice: ${line}`);
      samples.set(name! + labels!, Number(value));
    }
  }
  return samples;
}

test('a server’s counters, by reason', async () => {
  await serve(() => SERVER);
  const { code, type, text } = await get();
  expect(code).toBe(200);
  expect(type).toMatch(/^text\/plain; ?version=0\.0\.4/);
  expect(Object.fromEntries(parse(text))).toEqual({
    'shipworm_info{role="server",version="0.1.0"}': 1,
    'shipworm_discarded_total{reason="notRelayed"}': 7,
    'shipworm_discarded_total{reason="empty"}': 1,
    shipworm_server_advertisements_total: 3,
    'shipworm_server_forwarded_total{to="client"}': 2,
    'shipworm_server_forwarded_total{to="native"}': 1,
    shipworm_server_native_pings: 1,
  });
});

test('a relay’s', async () => {
  await serve(() => RELAY);
  const samples = parse((await get()).text);
  expect(samples.get('shipworm_relay_packets_total{direction="to_clients"}')).toBe(10);
  expect(samples.get('shipworm_relay_packets_total{direction="from_clients"}')).toBe(11);
  expect(samples.get('shipworm_relay_bubbles_total')).toBe(12);
  expect(samples.get('shipworm_relay_icmp_errors_total')).toBe(13);
  expect(samples.get('shipworm_relay_clients{state="answered"}')).toBe(4);
  expect(samples.get('shipworm_relay_clients{state="asked"}')).toBe(5);
  expect(samples.get('shipworm_relay_queued_bytes')).toBe(600);
  expect(samples.get('shipworm_discarded_total{reason="clientSilent"}')).toBe(14);
  expect(samples.get('shipworm_datapath_total{counter="packetsIn"}')).toBe(15);
});

test('a client’s: the state it is in, and no other', async () => {
  let status = CLIENT;
  await serve(() => status);
  const states = (text: string): string[] =>
    [...parse(text)]
      .filter(([name, value]) => name.startsWith('shipworm_client_state') && value === 1)
      .map(([name]) => name);
  expect(states((await get()).text)).toEqual(['shipworm_client_state{state="qualifying"}']);
  status = { ...CLIENT, state: 'qualified' };
  await expect
    .poll(async () => states((await get()).text), { timeout: 5_000 })
    .toEqual(['shipworm_client_state{state="qualified"}']);
});

test('asking fast costs one look at the status a second, and counters are never added up', async () => {
  let looks = 0;
  await serve(() => {
    looks += 1;
    return SERVER;
  });
  looks = 0;
  const begin = performance.now();
  const texts = new Set<string>();
  for (let n = 0; n < 300; n++) texts.add((await get()).text);
  expect(looks).toBeLessThanOrEqual(2 + (performance.now() - begin) / 1_000);
  expect(texts.size).toBe(1);
});

describe('the port', () => {
  test.each([
    ['another path', '/', {}, 404],
    ['another method', '/metrics', { method: 'POST' }, 405],
    ['a body', '/metrics', { headers: { 'content-length': '3' }, body: 'abc' }, 400],
    ['a page that a browser was lured to', '/metrics', { headers: { host: 'evil.example' } }, 403],
  ])('refuses %s', async (_, path, options, code) => {
    await serve(() => SERVER);
    expect(await get(path, options)).toMatchObject({ code });
    expect((await get()).code).toBe(200);
  });

  test('a status that can’t be read is an answer, too', async () => {
    let broken = false;
    await serve(() => {
      if (broken) throw new Error('broken');
      return SERVER;
    });
    broken = true;
    expect((await get()).code).toBe(500);
    broken = false;
    await expect.poll(async () => (await get()).code, { timeout: 5_000 }).toBe(200);
  });

  test('lives on after junk, endless headers, halves of requests, and too many connections', async () => {
    await serve(() => SERVER);
    const junk = [
      Buffer.from(Array.from({ length: 2_000 }, (_, n) => (n * 7_919) & 0xff)),
      Buffer.from('GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ' + 'a'.repeat(100_000)),
      Buffer.from('GET /metrics HTTP/1.1\r\nHost: 127.0'),
      Buffer.from('GET /metrics HTTP/9.9\r\n\r\n\r\n\0\0'),
      Buffer.from('GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n'),
      Buffer.from('GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(1_000)),
      Buffer.from(
        'POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n',
      ),
    ];
    const sockets = Array.from({ length: 100 }, (_, n) => {
      const socket = connect(PORT, ADDRESS);
      socket.on('error', () => undefined);
      socket.resume();
      socket.write(junk[n % junk.length]!);
      return socket;
    });
    // The halves are hung up on by the server itself, within its time for a request and a look-up of a second.
    await expect
      .poll(
        () =>
          get().then(
            ({ code }) => code,
            () => 0,
          ),
        { timeout: 21_000, interval: 200 },
      )
      .toBe(200);
    for (const socket of sockets) socket.destroy();
  }, 30_000);

  test('a taken one is said', async () => {
    await serve(() => SERVER);
    await expect(serve(() => SERVER)).rejects.toMatchObject({
      code: 'metrics-failed',
      message: expect.stringContaining(`${ADDRESS}:${PORT} (it is in use)`) as string,
    });
  });
});

it.each([
  ['127.0.0.1:9544', { address: '127.0.0.1', port: 9544 }],
  ['127.8.9.10:1', { address: '127.8.9.10', port: 1 }],
  ['[::1]:9544', { address: '::1', port: 9544 }],
  ['localhost:9544', { address: '127.0.0.1', port: 9544 }],
])('%s is on loopback', (text, endpoint) => {
  expect(parseMetricsEndpoint(text)).toEqual(endpoint);
  expect(metricsEndpoint.safeParse(text).success).toBe(true);
});

it.each([
  '0.0.0.0:9544',
  '192.0.2.1:9544',
  '[::]:9544',
  '[2001:db8::1]:9544',
  '127.0.0.1',
  '127.0.0.1:0',
  '127.0.0.1:65536',
  '127.0.0.256:9544',
  'localhost.example.net:9544',
  ':9544',
  '9544',
])('%s is not, and refused', (text) => {
  expect(metricsEndpoint.safeParse(text).error?.issues[0]?.message).toContain('loopback');
});
