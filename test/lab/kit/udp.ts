// Module lab/kit/udp is a program: it shows by UDP datagrams what the routers between two hosts do with addresses and ports.
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';

/*
 * udp.ts reflect ENDPOINT...     answers `seen` with the sender's endpoint; `tell TO FROM` sends `hello` from one endpoint of its own
 * udp.ts probe PORT MS [TO TEXT]...   sends each TEXT from PORT, 100 ms apart; prints what comes within MS after that
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
      else sockets.get(from!)!.send('hello', ...endpoint(to === 'me' ? `${address}:${port}` : to!));
    });
  process.stdout.write('ready\n');
}

async function probe(port: number, ms: number, messages: readonly string[]): Promise<void> {
  const pause = (time: number): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, time));
  const socket = await open(port);
  socket.on('message', (bytes, from) =>
    process.stdout.write(`${from.address}:${from.port} ${bytes.toString()}\n`),
  );
  for (let i = 0; i < messages.length; i += 2) {
    socket.send(messages[i + 1]!, ...endpoint(messages[i]!));
    await pause(100);
  }
  await pause(ms);
  socket.close();
}

const [mode, ...args] = process.argv.slice(2);
if (mode === 'reflect') await reflect(args);
else await probe(Number(args[0]), Number(args[1]), args.slice(2));
