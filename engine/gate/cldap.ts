// Module gate/cldap asks a domain controller whether it is one: the netlogon ping over connectionless LDAP, and its answer (RFC 4511, RFC 1798, MS-ADTS §6.3).

import { readDnsName } from './dns.ts';

/** Bits of NtVer (MS-ADTS §6.3.1.1): answer with NETLOGON_SAM_LOGON_RESPONSE_EX. */
const NT_VERSION_5EX = 0x0000_0004;
const NT_VERSION_5 = 0x0000_0002;
/** Operation codes of the answer (MS-ADTS §6.3.1.3). */
const LOGON_SAM_LOGON_RESPONSE_EX = 23;
const LOGON_SAM_PAUSE_RESPONSE_EX = 24;
const LOGON_SAM_USER_UNKNOWN_EX = 25;

const TAG = {
  integer: 0x02,
  octets: 0x04,
  boolean: 0x01,
  enumerated: 0x0a,
  sequence: 0x30,
  set: 0x31,
  searchRequest: 0x63,
  searchEntry: 0x64,
  /** Filter: and, and equalityMatch (RFC 4511 §4.5.1). */
  and: 0xa0,
  equals: 0xa3,
} as const;

/** A longer answer is none of a controller's: it fits one datagram. */
const MAX_ANSWER = 4096;

// ---- BER (X.690): definite lengths only, as LDAP demands (RFC 4511 §5.1)

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Tag, length, `content`. */
function element(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const body = join(content);
  const { length } = body;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >>> 8, length & 0xff];
  return join([Uint8Array.from(head), body]);
}

/** A number from 0 to 2^31 - 1 in as few bytes as it takes; the first bit is the sign. */
function integer(value: number, tag: number = TAG.integer): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.unshift(rest & 0xff);
    rest >>>= 8;
  } while (rest > 0);
  if (bytes[0]! >= 0x80) bytes.unshift(0);
  return element(tag, Uint8Array.from(bytes));
}

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
  /** What follows it. */
  readonly rest: Uint8Array;
}

/** The first element of `bytes`; null when it is none, is cut short, or has an indefinite length. */
function readElement(bytes: Uint8Array): Element | null {
  if (bytes.length < 2) return null;
  const first = bytes[1]!;
  let offset = 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 3 || bytes.length < 2 + count) return null;
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + bytes[offset + i]!;
    offset += count;
  }
  if (bytes.length - offset < length) return null;
  return {
    tag: bytes[0]!,
    content: bytes.subarray(offset, offset + length),
    rest: bytes.subarray(offset + length),
  };
}

/** The element with `tag` that begins `bytes`. */
function expectElement(bytes: Uint8Array, tag: number): Element | null {
  const read = readElement(bytes);
  return read?.tag === tag ? read : null;
}

// ---- the ping

function equals(attribute: string, value: Uint8Array): Uint8Array {
  return element(TAG.equals, element(TAG.octets, bytesOf(attribute)), element(TAG.octets, value));
}

/**
 * The netlogon ping for `domain` (MS-ADTS §6.3.3.1): a search of the root for its attribute Netlogon, filtered by domain and
 * version. `messageId` is 1 to 2^31 - 1.
 */
export function buildNetlogonPing(domain: string, messageId: number): Uint8Array {
  const version = new Uint8Array(4);
  new DataView(version.buffer).setUint32(0, NT_VERSION_5 | NT_VERSION_5EX, true);
  const baseObject = integer(0, TAG.enumerated);
  const neverDereference = integer(0, TAG.enumerated);
  return element(
    TAG.sequence,
    integer(messageId),
    element(
      TAG.searchRequest,
      element(TAG.octets),
      baseObject,
      neverDereference,
      integer(0),
      integer(0),
      element(TAG.boolean, Uint8Array.of(0)),
      element(TAG.and, equals('DnsDomain', bytesOf(domain)), equals('NtVer', version)),
      element(TAG.sequence, element(TAG.octets, bytesOf('Netlogon'))),
    ),
  );
}

/** What a controller says of itself. */
export interface NetlogonAnswer {
  readonly messageId: number;
  /** Domain and forest, as DNS names. */
  readonly domain: string;
  readonly forest: string;
  /** Name of the controller. */
  readonly host: string;
}

/** The answer in `bytes`; null when it is none: not LDAP, without the attribute, or with another structure in it. */
export function parseNetlogonAnswer(bytes: Uint8Array): NetlogonAnswer | null {
  if (bytes.length > MAX_ANSWER) return null;
  const message = expectElement(bytes, TAG.sequence);
  const id = message && expectElement(message.content, TAG.integer);
  if (!id || id.content.length === 0 || id.content.length > 4) return null;
  const messageId = id.content.reduce((sum, byte) => sum * 256 + byte, 0);
  // RFC 1798 puts the client's name between; MS-ADTS and RFC 3352 leave it out.
  const after = readElement(id.rest);
  const entry = after?.tag === TAG.octets ? readElement(after.rest) : after;
  if (entry?.tag !== TAG.searchEntry) return null;
  const name = expectElement(entry.content, TAG.octets);
  const attributes = name && expectElement(name.rest, TAG.sequence);
  if (!attributes) return null;
  for (let rest = attributes.content; rest.length > 0;) {
    const attribute = expectElement(rest, TAG.sequence);
    const type = attribute && expectElement(attribute.content, TAG.octets);
    const values = type && expectElement(type.rest, TAG.set);
    if (!attribute || !values) return null;
    rest = attribute.rest;
    if (new TextDecoder().decode(type.content).toLowerCase() !== 'netlogon') continue;
    const value = expectElement(values.content, TAG.octets);
    const answer = value && parseLogonResponse(value.content);
    return answer && { messageId, ...answer };
  }
  return null;
}

/** NETLOGON_SAM_LOGON_RESPONSE_EX (MS-ADTS §6.3.1.9): `opcode 16 | 0 16 | flags 32 | guid 128 | names…`, little-endian. */
function parseLogonResponse(bytes: Uint8Array): Omit<NetlogonAnswer, 'messageId'> | null {
  const NAMES = 24;
  if (bytes.length < NAMES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const opcode = view.getUint16(0, true);
  const known = [
    LOGON_SAM_LOGON_RESPONSE_EX,
    LOGON_SAM_PAUSE_RESPONSE_EX,
    LOGON_SAM_USER_UNKNOWN_EX,
  ];
  if (!known.includes(opcode)) return null;
  const forest = readDnsName(bytes, NAMES);
  const domain = forest && readDnsName(bytes, forest.next);
  const host = domain && readDnsName(bytes, domain.next);
  if (!host || domain.text === '') return null;
  return { forest: forest.text, domain: domain.text, host: host.text };
}
