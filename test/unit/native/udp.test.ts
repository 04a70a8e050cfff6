// Tests the batched UDP socket of servers on loopback: bursts, what became of each datagram, and its end.
import { createSocket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { createHost } from '../../../engine/host/index.ts';
import { LinuxUdp } from '../../../engine/host/linux-udp.ts';
import type { SendOutcome } from '../../../engine/host/types.ts';
import type { Endpoint } from '../../../engine/wire/index.ts';
import { buildAddon } from './line.ts';

const LOOPBACK = 0x7f000001;
const PORT = 43_545;
beforeAll(() => buildAddon(), 120_000);

const sockets: LinuxUdp<number>[] = [];
let got: { from: Endpoint; text: string }[] = [];
let batches = 0;
let sent: [SendOutcome, number][] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
  got = [];
  sent = [];
  batches = 0;
});

function open(workers = 1): LinuxUdp<number> {
  const socket: LinuxUdp<number> = new LinuxUdp<number>({
    bind: { ip: LOOPBACK, port: PORT },
    workers,
    onDatagram: (from, bytes) => {
      got.push({ from, text: Buffer.from(bytes).toString() });
      socket.send(from, Buffer.from('to you'), got.length);
    },
    onBatch: () => {
      batches += 1;
      socket.flush();
    },
    onSent: (...outcome) => sent.push(outcome),
  });
  sockets.push(socket);
  return socket;
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!condition() && performance.now() < end) await new Promise((go) => setTimeout(go, 5));
}

test('a burst comes whole and in order, in batches, and each datagram is answered', async () => {
  open();
  const client = createSocket('udp4');
  let answers = 0;
  client.on('message', () => (answers += 1));
  await new Promise<void>((go) => client.bind(0, '127.0.0.1', go));
  const count = 200;
  for (let i = 0; i < count; i++) client.send(`datagram ${i}`, PORT, '127.0.0.1');
  await until(() => answers === count);
  expect(got.map(({ text }) => text)).toEqual(
    Array.from({ length: count }, (_, i) => `datagram ${i}`),
  );
  expect(got[0]!.from).toEqual({ ip: LOOPBACK, port: client.address().port });
  expect(sent).toEqual(got.map((_, i) => ['sent', i + 1]));
  expect(batches).toBeGreaterThan(0);
  client.close();
});

test('what the system refuses is told for that datagram alone', () => {
  const socket = open();
  socket.send({ ip: LOOPBACK, port: 9 }, Buffer.from('a'), 1);
  socket.send({ ip: 0xffffffff, port: 9 }, Buffer.from('no broadcast'), 2);
  socket.send({ ip: LOOPBACK, port: 9 }, Buffer.from('b'), 3);
  expect(sent).toEqual([]);
  socket.flush();
  expect(sent).toEqual([
    ['sent', 1],
    ['failed', 2],
    ['sent', 3],
  ]);
});

test('a taken port is one sentence; closed twice it holds no descriptor, and sends nothing', () => {
  const fds = (): number => readdirSync('/proc/self/fd').length;
  createHost();
  const before = fds();
  const socket = open();
  expect(() => open()).toThrow(/UDP port 43545 of 127\.0\.0\.1 is in use already/);
  // The socket and what ends its thread.
  expect(fds()).toBe(before + 2);
  socket.close();
  socket.close();
  expect(fds()).toBe(before);
  socket.send({ ip: LOOPBACK, port: 9 }, Buffer.from('a'), 7);
  socket.flush();
  expect(sent).toEqual([['failed', 7]]);
});

test('several threads share the port with each other and with nobody else, and lose nothing', async () => {
  open(4);
  expect(() => open(4)).toThrow(/UDP port 43545 of 127\.0\.0\.1 is in use already/);
  expect(() => open(1)).toThrow(/UDP port 43545 of 127\.0\.0\.1 is in use already/);
  const clients = Array.from({ length: 32 }, () => createSocket('udp4'));
  let answers = 0;
  for (const client of clients) {
    client.on('message', () => (answers += 1));
    await new Promise<void>((go) => client.bind(0, '127.0.0.1', go));
  }
  for (let i = 0; i < 640; i++) clients[i % 32]!.send(`${i}`, PORT, '127.0.0.1');
  await until(() => answers === 640);
  // Each client's own come in order; different ones may change places.
  for (const client of clients) {
    const own = got.filter(({ from }) => from.port === client.address().port);
    const numbers = own.map(({ text }) => Number(text));
    expect(numbers).toHaveLength(20);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    client.close();
  }
});
