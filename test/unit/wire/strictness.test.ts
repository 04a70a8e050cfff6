// Module test/unit/wire/strictness.test tries the rules that refuse or end: trailers, fragments, nesting, texts, lengths.
import { describe, expect, test } from 'vitest';
import {
  buildBubble,
  buildDatagram,
  buildIp6Packet,
  buildTrailers,
  parseAdvertisement,
  parseDatagram,
  parseEcho,
  parseIcmp6,
  parseIp6,
  parseSolicitation,
  parseTrailers,
  PROTOCOL,
  readAlternateAddresses,
  readNeighborDiscovery,
  readNonce,
  readRandomPort,
  walkHeaders,
} from '../../../engine/wire/index.ts';
import { hex } from './bytes.ts';

const source = parseIp6('2001:db8::1')!;
const destination = parseIp6('2001:db8::2')!;
const bubble = buildBubble(source, destination);
const nonce = { type: 1, value: hex('01020304') };

describe('trailers (RFC 6081 §4)', () => {
  test('a malformed one ends them, those before it count', () => {
    for (const rest of ['05', '05 02', '05 02 10', '03 ff 0000', '41'])
      expect(parseTrailers(hex(`01 04 01020304 ${rest}`))).toEqual({ ok: true, value: [nonce] });
    expect(parseTrailers(hex('05'))).toEqual({ ok: true, value: [] });
  });

  test('a type of the discarding class before a malformed one still discards', () => {
    expect(parseTrailers(hex('41 00 05'))).toEqual({ ok: false, reason: 'trailerRefused' });
    expect(parseTrailers(hex('7f 01 00'))).toEqual({ ok: false, reason: 'trailerRefused' });
  });

  test('unknown types of the other classes are skipped', () => {
    for (const type of ['00', '3f', '80', 'bf', 'c0', 'ff'])
      expect(parseTrailers(hex(`${type} 01 aa 01 04 01020304`))).toEqual({
        ok: true,
        value: [nonce],
      });
  });

  test('alternate addresses have 8, 14, 20 or 26 bytes and no other length', () => {
    const counts = Array.from({ length: 256 }, (_, length) => {
      const value = new Uint8Array(length);
      return readAlternateAddresses([{ type: 3, value }]).length;
    });
    const taken = counts.flatMap((count, length) => (count ? [[length, count]] : []));
    expect(taken).toEqual([
      [8, 1],
      [14, 2],
      [20, 3],
      [26, 4],
    ]);
    expect(readAlternateAddresses([{ type: 3, value: hex('0000 0a000001 9c40') }])).toEqual([
      { ip: 0x0a000001, port: 40_000 },
    ]);
  });

  test('the Neighbor Discovery Option is a solicitation, an advertisement, or nothing', () => {
    const read = (text: string) => readNeighborDiscovery([{ type: 4, value: hex(text) }]);
    expect(read('00000000')).toBe('solicitation');
    expect(read('01000000')).toBe('advertisement');
    for (const text of ['02000000', '000000', '0000000000', '']) expect(read(text)).toBeUndefined();
    expect(readNeighborDiscovery([nonce])).toBeUndefined();
  });

  test('nonce and random port, the latter under both of its numbers', () => {
    expect(readNonce([nonce])).toEqual(nonce.value);
    expect(readNonce([{ type: 1, value: hex('010203') }])).toBeUndefined();
    expect(readRandomPort([{ type: 5, value: hex('9c40') }])).toBe(40_000);
    expect(readRandomPort([{ type: 2, value: hex('9c40') }])).toBe(40_000);
    expect(readRandomPort([{ type: 5, value: hex('9c4000') }])).toBeUndefined();
  });
});

describe('fragments (RFC 7112)', () => {
  const fragment = (protocol: number, length: number, field: number) => {
    const payload = new Uint8Array(8 + length);
    payload.set([protocol, 0, field >>> 8, field & 255, 0, 0, 0, 7]);
    return buildIp6Packet(
      { nextHeader: PROTOCOL.fragment, hopLimit: 64, source, destination },
      payload,
    );
  };

  test.each([
    ['TCP', PROTOCOL.tcp, 20],
    ['UDP', PROTOCOL.udp, 8],
    ['ICMPv6', PROTOCOL.icmp6, 8],
  ])('a first one holds the whole %s header', (_, protocol, needed) => {
    expect(walkHeaders(fragment(protocol, needed - 1, 1))).toEqual({
      ok: false,
      reason: 'fragmentHeaderChain',
    });
    expect(walkHeaders(fragment(protocol, needed, 1))).toEqual({
      ok: true,
      value: { protocol, offset: 48, fragment: { id: 7, offset: 0, more: true } },
    });
  });

  test('a later one is data, however short', () => {
    expect(walkHeaders(fragment(PROTOCOL.tcp, 1, 16))).toEqual({
      ok: true,
      value: { protocol: PROTOCOL.tcp, offset: 48, fragment: { id: 7, offset: 16, more: false } },
    });
  });

  test('an extension header that goes past a first one is refused', () => {
    expect(walkHeaders(fragment(PROTOCOL.destinationOptions, 4, 1))).toEqual({
      ok: false,
      reason: 'fragmentHeaderChain',
    });
  });
});

test('M-0701: a routing header of type 0 or with segments left is refused, another exhausted one is walked', () => {
  const routed = (type: number, left: number) =>
    buildIp6Packet(
      { nextHeader: PROTOCOL.routing, hopLimit: 64, source, destination },
      Uint8Array.of(PROTOCOL.none, 0, type, left, 0, 0, 0, 0),
    );
  for (const [type, left] of [
    [0, 0],
    [0, 1],
    [2, 1],
    [4, 255],
  ] as const)
    expect(walkHeaders(routed(type, left))).toEqual({ ok: false, reason: 'routingHeader' });
  expect(walkHeaders(routed(4, 0)).ok).toBe(true);
});

describe('nesting of indicators (RFC 4380 §5.1.1)', () => {
  const authentication = '00010000 0102030405060708 00';
  const origin = '0000 63bf 3fff fdd2';
  const packet = Buffer.from(bubble).toString('hex');
  const reasonOf = (text: string) => {
    const result = parseDatagram(hex(text));
    return result.ok ? 'taken' : result.reason;
  };
  test.each([
    [packet, 'taken'],
    [origin + packet, 'taken'],
    [authentication + packet, 'taken'],
    [authentication + origin + packet, 'taken'],
    [origin + authentication + packet, 'indicatorOrder'],
    [authentication + authentication + packet, 'indicatorRepeated'],
    [origin + origin + packet, 'indicatorRepeated'],
    [`0002${packet}`, 'indicatorUnknown'],
    [`0100${packet}`, 'indicatorUnknown'],
    ['00', 'indicatorUnknown'],
    ['', 'empty'],
    [origin, 'ipv6Truncated'],
    ['0000 63bf 3fff fd', 'originTruncated'],
    ['00010000 0102030405060708', 'authenticationTruncated'],
    ['0001ff00 0102030405060708 00', 'authenticationTruncated'],
    [`4${packet.slice(1)}`, 'ipv6Version'],
  ])('%s: %s', (text, expected) => expect(reasonOf(text)).toBe(expected));

  test('the origin is told in clear, keyed parts are found', () => {
    const result = parseDatagram(
      hex(`0001 02 03 aabb ccddee 0102030405060708 05 ${origin}${packet}`),
    );
    if (!result.ok) throw new Error(result.reason);
    expect(result.value.authentication).toEqual({
      clientId: hex('aabb'),
      value: hex('ccddee'),
      nonce: hex('0102030405060708'),
      confirmation: 5,
    });
    expect(result.value.origin).toEqual({ ip: 0xc000022d, port: 40_000 });
    expect(result.value.originBytes).toEqual(hex(origin));
    expect(result.value.packet).toEqual(bubble);
  });
});

test.each([
  '::ffff:010.1.1.1',
  '::ffff:10.1.1.01',
  '::ffff:1.2.3.256',
  'fe80::1%eth0',
  '1::2::3',
  '',
])('"%s" is no IPv6 address', (text) => expect(parseIp6(text)).toBeUndefined());

test('an embedded IPv4 without leading zeros is read', () => {
  expect(parseIp6('::ffff:10.1.1.1')).toBe(0xffff_0a01_0101n);
  expect(parseIp6('64:ff9b::192.0.2.33')).toBe(parseIp6('64:ff9b::c000:221'));
});

test('what is no ICMPv6 says so, and is no solicitation or advertisement', () => {
  expect(parseIcmp6(bubble)).toEqual({ ok: false, reason: 'notIcmp' });
  expect(parseEcho(bubble)).toEqual({ ok: false, reason: 'notIcmp' });
  expect(parseSolicitation(bubble)).toEqual({ ok: false, reason: 'icmpNotSolicitation' });
  expect(parseAdvertisement(bubble)).toEqual({ ok: false, reason: 'icmpNotAdvertisement' });
});

test('parts whose length the format cannot say are refused when building', () => {
  const long = new Uint8Array(256);
  const authentication = {
    clientId: hex(''),
    value: hex(''),
    nonce: hex('0102030405060708'),
    confirmation: 0,
  };
  const build = (change: object) => () =>
    buildDatagram({ authentication: { ...authentication, ...change }, packet: bubble });
  expect(build({ clientId: long })).toThrow(RangeError);
  expect(build({ value: long })).toThrow(RangeError);
  expect(build({ nonce: hex('01') })).toThrow(RangeError);
  expect(build({ clientId: long.subarray(1), value: long.subarray(1) })).not.toThrow();
  expect(() => buildTrailers([{ type: 1, value: long }])).toThrow(RangeError);
  expect(buildTrailers([{ type: 1, value: long.subarray(1) }])).toHaveLength(257);
});
