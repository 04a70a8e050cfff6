// Module wire/authentication computes and compares the authentication value of secure qualification (RFC 4380 §5.2.2).
import { hmac } from '@noble/hashes/hmac.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { originBytesOf } from './origin.ts';
import type { Endpoint } from './types.ts';

/** The authentication indicator (RFC 4380 §5.1.1). Without a shared key `clientId` and `value` are empty. */
export interface Authentication {
  readonly clientId: Uint8Array;
  readonly value: Uint8Array;
  /** 8 bytes. */
  readonly nonce: Uint8Array;
  /** 0; any other value from a server asks for a new key. */
  readonly confirmation: number;
}

/** HMAC-SHA1 (RFC 2104) over the concatenation of `parts`; 20 bytes. */
export function hmacSha1(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = hmac.create(sha1, key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** The value over nonce, confirmation byte, origin indication (empty if there is none) and IPv6 packet. */
export function authenticationValue(
  key: Uint8Array,
  nonce: Uint8Array,
  confirmation: number,
  originBytes: Uint8Array,
  packet: Uint8Array,
): Uint8Array {
  return hmacSha1(key, nonce, Uint8Array.of(confirmation), originBytes, packet);
}

/** A signed authentication for a datagram of `origin` and `packet`. */
export function authenticate(fields: {
  clientId: Uint8Array;
  key: Uint8Array;
  nonce: Uint8Array;
  confirmation: number;
  origin?: Endpoint;
  packet: Uint8Array;
}): Authentication {
  const { clientId, key, nonce, confirmation, origin, packet } = fields;
  const originBytes = origin ? originBytesOf(origin) : new Uint8Array(0);
  const value = authenticationValue(key, nonce, confirmation, originBytes, packet);
  return { clientId, value, nonce, confirmation };
}

/** Equality whose time depends on the lengths alone. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
