// Module host/linux-addresses6 reads this network namespace's global IPv6 addresses as the kernel lists them.
import { readFileSync } from 'node:fs';
import type { Ip6 } from '../wire/index.ts';

/** Flags of linux/if_addr.h: temporary (RFC 8981), failed duplicate detection, deprecated, tentative. */
const TEMPORARY = 0x01;
const FAILED = 0x08;
const DEPRECATED = 0x20;
const TENTATIVE = 0x40;
const GLOBAL_SCOPE = '00';

export interface Address6 {
  readonly name: string;
  readonly index: number;
  readonly address: Ip6;
  readonly prefix: number;
  /** Deprecated, or temporary. */
  readonly passing: boolean;
}

/** Addresses in use of global scope (loopback's and link-local ones have other scopes). Empty where there is no IPv6. */
export function readAddresses6(): Address6[] {
  let text: string;
  try {
    text = readFileSync('/proc/net/if_inet6', 'utf8');
  } catch {
    return [];
  }
  return parseAddresses6(text);
}

/** Each line: address, interface index, prefix length, scope and flags in hexadecimal, then the interface's name. */
function parseAddresses6(text: string): Address6[] {
  return text.split('\n').flatMap((line) => {
    const [address, index, prefix, scope, flags, name] = line.trim().split(/\s+/);
    if (name === undefined || scope !== GLOBAL_SCOPE) return [];
    const bits = parseInt(flags!, 16);
    if (bits & (FAILED | TENTATIVE)) return [];
    return {
      name,
      index: parseInt(index!, 16),
      address: BigInt(`0x${address}`),
      prefix: parseInt(prefix!, 16),
      passing: (bits & (DEPRECATED | TEMPORARY)) !== 0,
    };
  });
}
