// Module test/fuzz/machines/promises is what the targets of the machines share: what each of them promises, and who is hostile.
import type { SeededRandom } from '../../../engine/sim/index.ts';
import {
  directedBroadcast4,
  formatEndpoint,
  inNetwork4,
  isGlobalUnicast4,
  parseDatagram,
} from '../../../engine/wire/index.ts';
import type { Endpoint, Ip4 } from '../../../engine/wire/index.ts';
import type { Corpus } from './bytes.ts';

/** One conversation; `executions` are inputs given. Throws Error when a promise is broken. */
export type Target = (random: SeededRandom, corpus: Corpus) => number;

export const STEPS = 60;
/** An Ethernet frame holds no more. */
const MAX_DATAGRAM = 1_472;
/** Sources of hostile datagrams, besides the true ones. */
export const STRANGERS = [
  '203.0.113.66:40404',
  '198.51.100.99:1',
  '192.0.2.1:3545',
  '203.0.113.9:50001',
];

export function must(held: boolean, text: string): asserts held {
  if (!held) throw new Error(text);
}

/** The network of the machine, whose hosts it may send to, and a multicast group that it speaks to. */
interface Link {
  readonly network: { readonly address: Ip4; readonly prefix: number };
  readonly group: Ip4;
}

function isOn({ network, group }: Link, ip: Ip4): boolean {
  const { address, prefix } = network;
  return (
    ip === group ||
    (inNetwork4(ip, address, prefix) &&
      ip !== address &&
      ip !== directedBroadcast4(address, prefix))
  );
}

export function judgeDatagram(to: Endpoint, bytes: Uint8Array, link?: Link): void {
  const may = isGlobalUnicast4(to.ip) || (link !== undefined && isOn(link, to.ip));
  must(may && to.port > 0, `sent to ${formatEndpoint(to)}`);
  must(bytes.length <= MAX_DATAGRAM, `sent ${bytes.length} bytes`);
  const parsed = parseDatagram(bytes);
  must(parsed.ok, `sent what is no datagram: ${parsed.ok ? '' : parsed.reason}`);
}

export function judgeReasons(discards: Readonly<Record<string, number>>): void {
  for (const [reason, count] of Object.entries(discards))
    must(/^[a-z][A-Za-z0-9]+$/.test(reason) && count > 0, `a discard without a name: ${reason}`);
}
