// Module wire/ndp reads and builds the router solicitations and advertisements of Teredo (RFC 4861 §4.1, §4.2, RFC 4380 §5.2.1).
import { buildIcmp6, ICMP6, parseIcmp6 } from './icmp6.ts';
import { isLinkLocal6, LINK_LOCAL_ALL_ROUTERS, readIp6, writeIp6 } from './ip.ts';
import type { Ip6, Result, WireReason } from './types.ts';

/** Neighbour discovery never crosses a router: anything else was forwarded (RFC 4861 §6.1). */
const HOP_LIMIT = 255;
const OPTION = { prefix: 3, mtu: 5 } as const;
const PREFIX_OPTION_LENGTH = 32;
const MTU_OPTION_LENGTH = 8;
/** Fixed part of an advertisement after the checksum: hop limit, flags, lifetime 2, reachable 4, retransmission 4. */
const ADVERTISEMENT_LENGTH = 12;
const INFINITE = 0xffffffff;
/** Autonomous address configuration flag of a prefix option. */
const AUTONOMOUS = 0x40;

/** What counts of an advertisement. */
export interface RouterAdvertisement {
  readonly source: Ip6;
  readonly destination: Ip6;
  /** The /64 of its one prefix option. */
  readonly prefix: Ip6;
  readonly mtu: number | null;
}

/** A router solicitation from `source` to all routers, without options (48 bytes). */
export function buildSolicitation(source: Ip6): Uint8Array {
  return buildIcmp6(
    {
      type: ICMP6.routerSolicitation,
      code: 0,
      source,
      destination: LINK_LOCAL_ALL_ROUTERS,
      hopLimit: HOP_LIMIT,
    },
    new Uint8Array(4),
  );
}

/** A valid solicitation (RFC 4861 §6.1.1) to all routers. */
export function parseSolicitation(packet: Uint8Array): Result<{ readonly source: Ip6 }> {
  const icmp = parseIcmp6(packet);
  if (!icmp.ok) return icmp.reason === 'notIcmp' ? fail('icmpNotSolicitation') : icmp;
  const { type, code, body, header } = icmp.value;
  if (type !== ICMP6.routerSolicitation || code !== 0) return fail('icmpNotSolicitation');
  if (header.destination !== LINK_LOCAL_ALL_ROUTERS) return fail('icmpNotSolicitation');
  if (!isLinkLocal6(header.source)) return fail('icmpNotSolicitation');
  if (header.hopLimit !== HOP_LIMIT) return fail('solicitationHopLimit');
  if (body.length < 4) return fail('icmpTruncated');
  for (const option of options(body.subarray(4)))
    if (option === null) return fail('solicitationOption');
  return { ok: true, value: { source: header.source } };
}

/** A router advertisement with one prefix option (/64, autonomous, for ever) and, if `mtu` is given, an MTU option. */
export function buildAdvertisement(fields: {
  source: Ip6;
  destination: Ip6;
  prefix: Ip6;
  mtu?: number;
}): Uint8Array {
  const { source, destination, prefix, mtu } = fields;
  const length =
    ADVERTISEMENT_LENGTH + PREFIX_OPTION_LENGTH + (mtu === undefined ? 0 : MTU_OPTION_LENGTH);
  const body = new Uint8Array(length);
  const view = new DataView(body.buffer);
  const option = ADVERTISEMENT_LENGTH;
  body.set([OPTION.prefix, PREFIX_OPTION_LENGTH / 8, 64, AUTONOMOUS], option);
  view.setUint32(option + 4, INFINITE);
  view.setUint32(option + 8, INFINITE);
  writeIp6(body, option + 16, prefix);
  if (mtu !== undefined) {
    body.set([OPTION.mtu, MTU_OPTION_LENGTH / 8], option + PREFIX_OPTION_LENGTH);
    view.setUint32(option + PREFIX_OPTION_LENGTH + 4, mtu);
  }
  return buildIcmp6(
    { type: ICMP6.routerAdvertisement, code: 0, source, destination, hopLimit: HOP_LIMIT },
    body,
  );
}

/** A valid advertisement (RFC 4861 §6.1.2) with exactly one prefix option, of 64 bits (RFC 4380 §5.2.1). */
export function parseAdvertisement(packet: Uint8Array): Result<RouterAdvertisement> {
  const icmp = parseIcmp6(packet);
  if (!icmp.ok) return icmp.reason === 'notIcmp' ? fail('icmpNotAdvertisement') : icmp;
  const { type, code, body } = icmp.value;
  const { source, destination, hopLimit } = icmp.value.header;
  if (type !== ICMP6.routerAdvertisement || code !== 0 || !isLinkLocal6(source))
    return fail('icmpNotAdvertisement');
  if (hopLimit !== HOP_LIMIT) return fail('advertisementHopLimit');
  if (body.length < ADVERTISEMENT_LENGTH) return fail('icmpTruncated');
  let prefix: Ip6 | null = null;
  let mtu: number | null = null;
  for (const option of options(body.subarray(ADVERTISEMENT_LENGTH))) {
    if (option === null) return fail('advertisementOption');
    if (option[0] === OPTION.prefix) {
      if (prefix !== null) return fail('advertisementManyPrefixes');
      if (option.length !== PREFIX_OPTION_LENGTH) return fail('advertisementOption');
      if (option[2] !== 64) return fail('advertisementPrefixLength');
      prefix = readIp6(option, 16) & ~0xffffffff_ffffffffn;
    } else if (option[0] === OPTION.mtu) {
      if (option.length !== MTU_OPTION_LENGTH) return fail('advertisementOption');
      mtu = new DataView(option.buffer, option.byteOffset + 4, 4).getUint32(0);
    }
  }
  if (prefix === null) return fail('advertisementNoPrefix');
  return { ok: true, value: { source, destination, prefix, mtu } };
}

/** Each option (`type, length in units of 8 bytes, value`); null once for one of length 0 or past the end. */
function* options(bytes: Uint8Array): Generator<Uint8Array | null> {
  for (let offset = 0; offset < bytes.length;) {
    const length = (bytes[offset + 1] ?? 0) * 8;
    if (length === 0 || offset + length > bytes.length) {
      yield null;
      return;
    }
    yield bytes.subarray(offset, offset + length);
    offset += length;
  }
}

function fail(reason: WireReason): { readonly ok: false; readonly reason: WireReason } {
  return { ok: false, reason };
}
