// Module lab/kit/udp is a program: it shows by UDP datagrams what the routers between two hosts do with addresses and ports.
import { createSocket } from 'node:dgram';
import { setTimeout } from 'node:timers/promises';
import type { Socket } from 'node:dgram';

/*
 * udp.ts reflect ENDPOINT...     answers `seen` with the sender's endpoint, `end` with the same; `tell TO FROM` sends `hello` from one endpoint of its own
 * udp.ts probe PORT END [TO TEXT]...   sends each TEXT from PORT, 100 ms apart; prints what comes until the endpoint END has answered after them
 */

function endpoint(text: string): [port: number, address: string] {
  const [address, port] = text.split(':');
  return [Number(port), address!];
}

function open(port: number, address?: string): Promise<Socket> {
  const socket = createSocket('udp4');
  return new Promise((resolve) => socket.bind(port, address, () => resolve(socket)));
}

async function reflect(endpoints: readonly string[]): Promise<void> {
  const sockets = new Map<string, Socket>();
  for (const own of endpoints) sockets.set(own, await open(...endpoint(own)));
  for (const socket of sockets.values())
    socket.on('message', (bytes, { address, port }) => {
      const [word, to, from] = bytes.toString().split(' ');
      if (word === 'seen') socket.send(`${address}:${port}`, port, address);
      else if (word === 'end') socket.send('end', port, address);
      else sockets.get(from!)!.send('hello', ...endpoint(to === 'me' ? `${address}:${port}` : to!));
    });
  process.stdout.write('ready\n');
}

async function probe(port: number, end: string, messages: readonly string[]): Promise<void> {
  const socket = await open(port);
  socket.on('message', (bytes, from) => {
    const text = bytes.toString();
    if (text === 'end') socket.close();
    else process.stdout.write(`${from.address}:${from.port} ${text}\n`);
  });
  for (let i = 0; i < messages.length; i += 2) {
    socket.send(messages[i + 1]!, ...endpoint(messages[i]!));
    await setTimeout(100);
  }
  socket.send('end', ...endpoint(end));
}

const [mode, ...args] = process.argv.slice(2);
if (mode === 'reflect') await reflect(args);
else await probe(Number(args[0]), args[1]!, args.slice(2));
