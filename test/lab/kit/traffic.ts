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
  // A slow machine's third answer may come after a fourth request.
  const answered = [1, 2, 3].every((each) => out.includes(` icmp_seq=${each} ttl=`));
  if (code !== 0 || !answered) throw new Error(`no answer from ${address}: ${out}${err}`);
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

/** One end of a TCP connection: `listen` or `connect`, address, port; writes numbers from 0 up to COUNT, MS apart, prints what it reads. */
const STREAM = `
import { connect, createServer } from 'node:net';
const [role, address, port, count, ms] = process.argv.slice(1);
const talk = (socket) => {
  socket.on('data', (bytes) => process.stdout.write(bytes));
  socket.on('error', (error) => console.log(error.message));
  socket.on('close', () => process.exit());
  let line = 0;
  const timer = setInterval(() => {
    if (line < count) socket.write(line++ + '\\n');
    if (line >= count && line > 0) { clearInterval(timer); socket.end(); }
  }, ms);
};
if (role === 'connect') talk(connect(port, address));
else createServer(talk).listen(port, address, () => console.log('ready'));`;

/**
 * One TCP connection from `from` to `address` in `space`, over which `writer` sends the numbers from 0 up to `count`, one each `ms`;
 * gives the program that prints them.
 */
export async function startStream(
  lab: Lab,
  ends: { readonly from: Host; readonly space: string; readonly address: string },
  writer: 'from' | 'to',
  count: number,
  ms: number,
): Promise<Program> {
  const { from, space, address } = ends;
  const end = (where: string, role: string, writes: boolean): Program => {
    const numbers = [writer === 'to' ? '7' : '9', `${writes ? count : 0}`, `${ms}`];
    const script = ['--input-type=module', '-e', STREAM, role, address, ...numbers];
    return lab.start(where, process.execPath, script);
  };
  const server = end(space, 'listen', writer === 'to');
  await server.says(/ready/, 10_000);
  const client = end(from.space, 'connect', writer === 'from');
  return writer === 'to' ? client : server;
}
