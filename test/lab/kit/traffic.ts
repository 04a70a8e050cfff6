// Module lab/kit/traffic makes and checks traffic between the lab's hosts: pings and web pages.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SLOW } from './programs.ts';
import type { Lab } from './lab.ts';
import type { Program } from './processes.ts';

interface Host {
  readonly space: string;
}

/** A path opens in less than one interval of bubbles or connectivity tests (2 s); one of them may be lost. */
const PATH_MS = 4_000 * SLOW;

/** Three echo requests from `from` to `address`, the first of which opens the path: all must be answered. */
export async function answers(lab: Lab, from: Host, address: string): Promise<void> {
  const args = ['-n', '-c', '3', '-i', '0.2', '-w', String(PATH_MS / 1000), address];
  const { code, out, err } = await lab.run(from.space, 'ping', args);
  if (code !== 0 || !/3 packets transmitted, 3 received/.test(out))
    throw new Error(`no answer from ${address}: ${out}${err}`);
}

/** 100 kB of text: several full windows of packets. */
export const WEB_PAGE = 'Teredo navalis bores through.\n'.repeat(3400);

const WEB_SERVER = `
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
const page = readFileSync(process.argv[1]);
createServer((request, response) => response.end(page)).listen(80, process.argv[2], () => console.log('ready'));`;

/** Serves WEB_PAGE on port 80 of `address`. */
export async function startWebServer(lab: Lab, space: string, address: string): Promise<Program> {
  const folder = join(lab.folder, `web-${address.replaceAll(':', '-')}`);
  mkdirSync(folder, { recursive: true });
  const page = join(folder, 'page');
  writeFileSync(page, WEB_PAGE);
  const program = lab.start(space, process.execPath, [
    '--input-type=module',
    '-e',
    WEB_SERVER,
    page,
    address,
  ]);
  await program.says(/ready/, 10_000);
  return program;
}

/** What curl gets from `address`. */
export async function fetches(lab: Lab, from: Host, address: string): Promise<string> {
  const args = ['-sS', '-6', '--max-time', String(PATH_MS / 1000), `http://[${address}]/`];
  const { code, out, err } = await lab.run(from.space, 'curl', args);
  if (code !== 0) throw new Error(`curl ${address}: ${err}`);
  return out;
}

const STREAM_SERVER = `
import { createServer } from 'node:net';
const [address, count, ms] = process.argv.slice(1);
createServer((socket) => {
  let line = 0;
  socket.on('error', () => undefined);
  const timer = setInterval(() => {
    socket.write(line++ + '\\n');
    if (line === Number(count)) { clearInterval(timer); socket.end(); }
  }, Number(ms));
}).listen(7, address, () => console.log('ready'));`;

const STREAM_READER = `
import { connect } from 'node:net';
connect(7, process.argv[1]).on('data', (bytes) => process.stdout.write(bytes)).on('error', (error) => console.log(error.message));`;

/** One TCP connection from `from` to a server in `space`, which writes a number `ms` apart, from 0 up to `count`; gives the reader. */
export async function startStream(
  lab: Lab,
  from: Host,
  space: string,
  address: string,
  count: number,
  ms: number,
): Promise<Program> {
  const script = ['--input-type=module', '-e'];
  const node = process.execPath;
  const numbers = [`${count}`, `${ms}`];
  const server = lab.start(space, node, [...script, STREAM_SERVER, address, ...numbers]);
  await server.says(/ready/, 10_000);
  return lab.start(from.space, node, [...script, STREAM_READER, address]);
}
