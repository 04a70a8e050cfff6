// Module lab/kit/blast runs the sender of junk, solicitations and raw packets (test/lab/blast.cc), and watches its victims.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildIp6Packet } from '../../../engine/wire/index.ts';
import type { Ip6Fields } from '../../../engine/wire/index.ts';
import { compiled } from './compile.ts';
import type { Lab } from './lab.ts';
import { pidsIn } from './processes.ts';

export const JUNK = [
  ...(['small', 'large', 'udp', 'bubble', 'echo'] as const),
  ...(['trailers', 'scan', 'advert'] as const),
];

interface Sent {
  readonly sent: number;
  readonly heard: number;
  readonly answered: number;
  readonly lost: number;
  readonly seconds: number;
}

async function blast(lab: Lab, space: string, args: readonly string[]): Promise<Sent> {
  const result = await lab.run(space, resolve(compiled('blast')), args, { timeoutMs: 60_000 });
  if (result.code !== 0) throw new Error(`blast ${args.join(' ')}: ${result.err}`);
  return JSON.parse(result.out) as Sent;
}

/**
 * Sends `rate` datagrams of `kind` a second to `ip`:`port`; `inner` is the IPv6 destination of those that have one, `outer` their source,
 * made up if it is not said. A `reply` is an ICMPv6 echo reply of chance, a `sibling` a bubble whose source differs from `outer` in flags and port.
 */
export function junk(
  lab: Lab,
  space: string,
  kind: (typeof JUNK)[number] | 'reply' | 'sibling',
  [ip, port]: readonly [string, number],
  { rate, seconds, inner, outer }: { rate: number; seconds: number; inner: string; outer?: string },
): Promise<Sent> {
  const source = outer === undefined ? [] : [outer];
  return blast(lab, space, [
    ...['junk', kind, ip, `${port}`, `${rate}`, `${seconds}`, inner],
    ...source,
  ]);
}

/** Solicits the server at `ip` with at most `window` of them unanswered. */
export function ask(
  lab: Lab,
  space: string,
  ip: string,
  seconds: number,
  window: number,
): Promise<Sent> {
  return blast(lab, space, ['ask', ip, '3544', `${seconds}`, `${window}`]);
}

/** Solicits the server at `ip` at `rate` a second, whether it answers or not. */
export function offer(
  lab: Lab,
  space: string,
  ip: string,
  rate: number,
  seconds: number,
): Promise<Sent> {
  return blast(lab, space, ['offer', ip, '3544', `${rate}`, `${seconds}`]);
}

/** `count` clients at the addresses from `from` on solicit the server at `ip` once each, `rate` a second in all. */
export function crowd(
  lab: Lab,
  space: string,
  from: string,
  ip: string,
  rate: number,
  count: number,
): Promise<Sent> {
  return blast(lab, space, ['crowd', from, ip, '3544', `${rate}`, `${count}`]);
}

/** Sends whole packets, IPv4 or IPv6 by their first byte, exactly as they are (the kernel fills in IPv4's checksum). */
export async function sendRaw(
  lab: Lab,
  space: string,
  packets: readonly Uint8Array[],
): Promise<void> {
  const file = join(lab.folder, 'packets');
  const lines = packets.map((p) => `${p[0]! >> 4} ${Buffer.from(p).toString('hex')}\n`);
  writeFileSync(file, lines.join(''));
  const command = `exec "$0" raw < "$1"`;
  const args = ['-c', command, resolve(compiled('blast')), file];
  const { code, err } = await lab.run(space, 'sh', args);
  if (code !== 0) throw new Error(err);
}

const ip4Bytes = (text: string): number[] => text.split('.').map(Number);

/** A UDP datagram over IPv4 as it goes over the wire; a UDP checksum of 0 is none. */
export function udp4(
  [fromIp, fromPort]: readonly [string, number],
  [toIp, toPort]: readonly [string, number],
  payload: Uint8Array,
): Uint8Array {
  const packet = new Uint8Array(28 + payload.length);
  const view = new DataView(packet.buffer);
  packet.set([0x45, 0]);
  view.setUint16(2, packet.length);
  packet.set([64, 17], 8);
  packet.set([...ip4Bytes(fromIp), ...ip4Bytes(toIp)], 12);
  view.setUint16(20, fromPort);
  view.setUint16(22, toPort);
  view.setUint16(24, 8 + payload.length);
  packet.set(payload, 28);
  return packet;
}

/** An IPv6 packet whose routing header of `type` has `left` segments to go, before a UDP header. */
export function routed(
  fields: Pick<Ip6Fields, 'source' | 'destination'>,
  type: number,
  left: number,
): Uint8Array {
  const routing = Uint8Array.of(17, 2, type, left, ...new Uint8Array(20));
  const udp = Uint8Array.of(0x30, 0x39, 0, 9, 0, 8, 0, 0);
  return buildIp6Packet(
    { nextHeader: 43, hopLimit: 64, ...fields },
    Uint8Array.of(...routing, ...udp),
  );
}

/** What the processes in `space` hold. */
export interface Holdings {
  /** Anonymous memory (heaps, stacks, rings), a shared page by its share, kB. */
  readonly anonymousKb: number;
  readonly fds: number;
  /** CPU time used so far, s. */
  readonly cpu: number;
  readonly pids: readonly number[];
}

export function holdings(space: string): Holdings {
  const pids = pidsIn(space).sort();
  let [anonymousKb, fds, cpu] = [0, 0, 0];
  for (const pid of pids) {
    let status: string;
    try {
      // Not what it maps from files: its share of that grows when another program that maps them ends.
      const maps = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      anonymousKb += Number(/^Pss_Anon:\s+(\d+)/m.exec(maps)![1]);
      fds += readdirSync(`/proc/${pid}/fd`).length;
      status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    } catch {
      // It has ended since it was listed.
      continue;
    }
    // utime and stime, in hundredths of a second, come 11 and 12 fields after the state behind the name.
    const fields = status.replace(/^.*\) /, '').split(' ');
    cpu += (Number(fields[11]) + Number(fields[12])) / 100;
  }
  return { anonymousKb, fds, cpu, pids };
}
