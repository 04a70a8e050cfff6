// Module test/app/kit/gateway lets a driver on the host reach the debugging ports of an app in another network namespace.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';

/** Runs inside: from a socket in the file system, which every namespace shares, to a port there. */
const INSIDE = `
const { connect, createServer } = require('node:net');
for (const each of process.argv.slice(1)) {
  const [path, port] = each.split('=');
  createServer((near) => {
    const far = connect(Number(port), '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]]) from.on('error', () => to.destroy()).pipe(to);
  }).listen(path, () => console.log('ready'));
}`;

function joined(a: Socket, b: Socket): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const)
    from.on('error', () => to.destroy()).pipe(to);
}

/** Two ports, which are the same numbers on both sides. */
export interface Gateway {
  readonly ports: readonly [number, number];
  close(): Promise<void>;
}

/** @param folder for its sockets; @param enter words before a command that bring it there */
export async function openGateway(folder: string, enter: readonly string[]): Promise<Gateway> {
  const path = (port: number): string => join(folder, `port-${port}`);
  const listen = (): Promise<Server> =>
    new Promise((resolve) => {
      const server = createServer((near) => joined(near, connect(path(portOf(server)))));
      server.listen(0, '127.0.0.1', () => resolve(server));
    });
  const servers = [await listen(), await listen()] as const;
  const [first, second] = servers.map(portOf) as [number, number];
  const pairs = [first, second].map((port) => `${path(port)}=${port}`);
  const [command, ...words] = [...enter, process.execPath, '-e', INSIDE, ...pairs];
  const inside: ChildProcess = spawn(command!, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    let said = '';
    inside.stdout!.on('data', (text: Buffer) => {
      said += text.toString();
      if (said.split('ready').length === 3) resolve();
    });
    inside.once('exit', () => reject(new Error('The gateway ended.')));
  });
  return {
    ports: [first, second],
    close: async () => {
      for (const server of servers) server.close();
      const ended = new Promise((resolve) => inside.once('exit', resolve));
      inside.kill();
      await ended;
    },
  };
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;
