// Module lab/kit/udp is a program: it shows by UDP datagrams what the routers between two hosts do with addresses and ports.
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';

/*
 * udp.ts reflect ENDPOINT...     answers `seen` with the sender's endpoint, `end` with the same; `tell TO FROM` sends `hello` from one endpoint of its own
 * udp.ts probe PORT END [TO TEXT]...   sends each TEXT from PORT once the one before was acted upon, as its endpoint END says; prints what comes
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
  let answered = (): void => undefined;
  socket.on('message', (bytes, from) => {
    const text = bytes.toString();
    if (text === 'end') answered();
    else process.stdout.write(`${from.address}:${from.port} ${text}\n`);
  });
  /** The reflector has done what it was told: by the second answer, what came to its other sockets as well. */
  const done = async (): Promise<void> => {
    for (let n = 0; n < 2; n++) {
      const answer = new Promise<void>((resolve) => (answered = resolve));
      socket.send('end', ...endpoint(end));
      await answer;
    }
  };
  for (let i = 0; i < messages.length; i += 2) {
    socket.send(messages[i + 1]!, ...endpoint(messages[i]!));
    await done();
  }
  socket.close();
}

const [mode, ...args] = process.argv.slice(2);
if (mode === 'reflect') await reflect(args);
else await probe(Number(args[0]), args[1]!, args.slice(2));
