// Module app/address takes a Teredo address apart for the screen.
import { formatIp4, parseIp6 } from '../../engine/wire/ip.ts';
import { decodeTeredo } from '../../engine/wire/teredo.ts';

export type PartName = 'prefix' | 'server' | 'flags' | 'port' | 'client';

/** One part of the address: what stands there, and what it says. */
export interface AddressPart {
  readonly name: PartName;
  /** As it stands in the address, with its colons. */
  readonly text: string;
  readonly says: string;
}

/** Full groups of four digits, so that each part begins and ends at a colon. Null when it is no Teredo address (RFC 4380 §4). */
export function takeApart(address: string): readonly AddressPart[] | null {
  const ip = parseIp6(address);
  const parts = ip === undefined ? undefined : decodeTeredo(ip);
  if (ip === undefined || !parts) return null;
  const group = (nth: number): string =>
    ((ip >> BigInt(112 - 16 * nth)) & 0xffffn).toString(16).padStart(4, '0');
  const groups = (first: number, last = first): string =>
    Array.from({ length: last - first + 1 }, (_, i) => group(first + i)).join(':');
  return [
    { name: 'prefix', text: `${groups(0, 1)}:`, says: '2001::/32' },
    { name: 'server', text: `${groups(2, 3)}:`, says: formatIp4(parts.server) },
    { name: 'flags', text: `${groups(4)}:`, says: `0x${group(4)}` },
    { name: 'port', text: `${groups(5)}:`, says: String(parts.client.port) },
    { name: 'client', text: groups(6, 7), says: formatIp4(parts.client.ip) },
  ];
}
