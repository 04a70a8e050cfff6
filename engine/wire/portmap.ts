// Module wire/portmap builds and reads what asks a router for a port: NAT-PMP (RFC 6886) and PCP (RFC 6887).
import { readIp6, writeIp6 } from './ip.ts';
import type { Ip4, Ip6 } from './types.ts';

/** UDP port of a router that serves either (RFC 6886 §3.1, RFC 6887 §19.1). */
export const PORTMAP_PORT = 5351;
const PMP = { version: 0, address: 0, mapUdp: 1, response: 128 } as const;
const PCP = { version: 2, announce: 0, map: 1, response: 0x80 } as const;
const PMP_MAP_RESPONSE = 16;
const PMP_ADDRESS_RESPONSE = 12;
const PCP_HEADER = 24;
const PCP_MAP = 36;
/** Length of the nonce of a mapping, bytes (RFC 6887 §11.1). */
export const PCP_NONCE = 12;
const UDP = 17;
/** ::ffff:0:0/96, the IPv4 addresses as PCP writes them. */
const V4_MAPPED: Ip6 = 0xffffn << 32n;

/** A router's answer; `result` 0 is success. */
export type PortmapAnswer =
  | {
      readonly kind: 'pmpAddress';
      readonly result: number;
      readonly epoch: number;
      readonly external: Ip4;
    }
  | {
      readonly kind: 'pmpMap';
      readonly result: number;
      readonly epoch: number;
      readonly internalPort: number;
      readonly externalPort: number;
      /** Seconds. */
      readonly lifetime: number;
    }
  | { readonly kind: 'pcpAnnounce'; readonly result: number; readonly epoch: number }
  | {
      readonly kind: 'pcpMap';
      readonly result: number;
      readonly epoch: number;
      readonly nonce: Uint8Array;
      readonly internalPort: number;
      readonly externalPort: number;
      readonly external: Ip4 | null;
      readonly lifetime: number;
    };

/** Asks for the router's public address (RFC 6886 §3.2): `version 0 | opcode 0`. */
export function buildPmpAddressRequest(): Uint8Array {
  return Uint8Array.of(PMP.version, PMP.address);
}

/**
 * Asks for a UDP mapping (RFC 6886 §3.3): `version 0 | opcode 1 | 0 16 | internal port 16 | wanted external port 16 | seconds 32`.
 * 0 seconds removes it; the external port must be 0 then (§3.4).
 */
export function buildPmpMapRequest(
  internalPort: number,
  externalPort: number,
  lifetime: number,
): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  bytes.set([PMP.version, PMP.mapUdp]);
  view.setUint16(4, internalPort);
  view.setUint16(6, lifetime === 0 ? 0 : externalPort);
  view.setUint32(8, lifetime);
  return bytes;
}

function pcpHeader(opcode: number, length: number, lifetime: number, client: Ip4): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set([PCP.version, opcode]);
  new DataView(bytes.buffer).setUint32(4, lifetime);
  writeIp6(bytes, 8, V4_MAPPED | BigInt(client));
  return bytes;
}

/** Asks whether the router speaks PCP (RFC 6887 §14.1); `client` is the address that it is sent from. */
export function buildPcpAnnounce(client: Ip4): Uint8Array {
  return pcpHeader(PCP.announce, PCP_HEADER, 0, client);
}

/**
 * Asks for a UDP mapping (RFC 6887 §11.1): the header, then `nonce 96 | protocol 8 | 0 24 | internal port 16 | wanted external port 16 |
 * wanted external address 128`. 0 seconds removes it.
 */
export function buildPcpMapRequest(fields: {
  readonly client: Ip4;
  readonly nonce: Uint8Array;
  readonly internalPort: number;
  readonly externalPort: number;
  readonly lifetime: number;
}): Uint8Array {
  const { client, nonce, internalPort, externalPort, lifetime } = fields;
  const bytes = pcpHeader(PCP.map, PCP_HEADER + PCP_MAP, lifetime, client);
  const view = new DataView(bytes.buffer);
  bytes.set(nonce, PCP_HEADER);
  bytes[36] = UDP;
  view.setUint16(40, internalPort);
  view.setUint16(42, externalPort);
  // Any IPv4 address will do.
  writeIp6(bytes, 44, V4_MAPPED);
  return bytes;
}

/** Reads a router's answer; null for what is none that was asked for. */
export function parsePortmapAnswer(bytes: Uint8Array): PortmapAnswer | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length >= 8 && bytes[0] === PMP.version) return parsePmp(bytes, view);
  if (bytes.length >= PCP_HEADER && bytes[0] === PCP.version) return parsePcp(bytes, view);
  return null;
}

function parsePmp(bytes: Uint8Array, view: DataView): PortmapAnswer | null {
  const [result, epoch] = [view.getUint16(2), view.getUint32(4)];
  if (bytes[1] === PMP.response + PMP.address) {
    // A refusal may end before the address (RFC 6886 §3.5).
    if (bytes.length < PMP_ADDRESS_RESPONSE && result === 0) return null;
    const external = bytes.length < PMP_ADDRESS_RESPONSE ? 0 : view.getUint32(8);
    return { kind: 'pmpAddress', result, epoch, external };
  }
  if (bytes[1] !== PMP.response + PMP.mapUdp || bytes.length < PMP_MAP_RESPONSE) return null;
  const [internalPort, externalPort] = [view.getUint16(8), view.getUint16(10)];
  return {
    kind: 'pmpMap',
    result,
    epoch,
    internalPort,
    externalPort,
    lifetime: view.getUint32(12),
  };
}

function parsePcp(bytes: Uint8Array, view: DataView): PortmapAnswer | null {
  const [result, lifetime, epoch] = [bytes[3]!, view.getUint32(4), view.getUint32(8)];
  if (bytes[1] === (PCP.response | PCP.announce)) return { kind: 'pcpAnnounce', result, epoch };
  if (bytes[1] !== (PCP.response | PCP.map)) return null;
  if (bytes.length < PCP_HEADER + PCP_MAP || bytes[36] !== UDP) return null;
  const address = readIp6(bytes, 44);
  return {
    kind: 'pcpMap',
    result,
    epoch,
    nonce: bytes.slice(PCP_HEADER, PCP_HEADER + PCP_NONCE),
    internalPort: view.getUint16(40),
    externalPort: view.getUint16(42),
    external: address >> 32n === V4_MAPPED >> 32n ? Number(address & 0xffffffffn) : null,
    lifetime,
  };
}
