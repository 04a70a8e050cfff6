// Module host/linux-neighbours reads the link addresses of routers from the kernel's table of neighbours; nothing is sent for it.
import { readFileSync } from 'node:fs';
import { formatIp4 } from '../wire/index.ts';
import type { Ip4 } from '../wire/index.ts';

/** ATF_COM of linux/if_arp.h: the address is known. */
const KNOWN = 0x2;

export interface Neighbour {
  readonly address: Ip4;
  readonly interface: string;
}

/**
 * The link addresses of `routers`, sorted; null while one of them is not known: nobody has spoken with it yet.
 *
 * @param table `/proc/net/arp` (proc(5)): `address type flags link-address mask interface`, after a line of names
 */
export function linkAddresses(
  routers: readonly Neighbour[],
  table: string = readFileSync('/proc/net/arp', 'latin1'),
): readonly string[] | null {
  const known = new Map<string, string>();
  for (const line of table.split('\n').slice(1)) {
    const [address, , flags, link, , name] = line.split(/\s+/);
    if (Number(flags) & KNOWN) known.set(`${address} ${name}`, link!);
  }
  const found = routers.map((each) => known.get(`${formatIp4(each.address)} ${each.interface}`));
  const all = found.filter((link) => link !== undefined);
  return all.length < found.length ? null : [...new Set(all)].sort();
}
