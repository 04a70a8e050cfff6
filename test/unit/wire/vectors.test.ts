// Module test/unit/wire/vectors.test compares addresses, texts, MACs and checksums with published answers.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  authenticate,
  authenticationValue,
  checksum6,
  constantTimeEqual,
  decodeTeredo,
  encodeTeredo,
  formatIp4,
  formatIp6,
  hmacSha1,
  isCone,
  parseIp4,
  parseIp6,
  randomFlags,
  writeIp6,
} from '../../../engine/wire/index.ts';
import { hex, toHex } from './bytes.ts';

describe('Teredo addresses (RFC 4380 §4, RFC 6081 §3.1)', () => {
  test.each([
    ['2001::4136:e378:8000:63bf:3fff:fdd2', '65.54.227.120', true, '192.0.2.45', 40_000],
    ['2001::4136:e37e:8000:eefb:3fff:dd59', '65.54.227.126', true, '192.0.34.166', 4356],
    ['2001:0:cb00:7178:0:efff:3fff:fdfe', '203.0.113.120', false, '192.0.2.1', 4096],
  ])('%s', (text, server, cone, ip, port) => {
    const address = parseIp6(text)!;
    const parts = decodeTeredo(address)!;
    expect(formatIp4(parts.server)).toBe(server);
    expect(isCone(parts.flags)).toBe(cone);
    expect(parts.client).toEqual({ ip: parseIp4(ip), port });
    expect(encodeTeredo(parts)).toBe(address);
  });

  test('another prefix is none', () => {
    expect(decodeTeredo(parseIp6('2001:1::1')!)).toBeUndefined();
    expect(decodeTeredo(parseIp6('3ffe:831f::1')!)).toBeUndefined();
  });

  test('new flags have 12 random bits, C, R, U and G are 0 (RFC 5991 §3)', () => {
    const flags = (byte: number) => randomFlags({ bytes: (n) => new Uint8Array(n).fill(byte) });
    expect(flags(0xff)).toBe(0b0011_1100_1111_1111);
    expect(flags(0)).toBe(0);
  });
});

test.each([
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['2001:DB8::AAAA:0:0:1', '2001:db8::aaaa:0:0:1'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['::1', '::1'],
])('%s is written %s (RFC 5952)', (text, canonical) =>
  expect(formatIp6(parseIp6(text)!)).toBe(canonical),
);

const ascii = (text: string) => new TextEncoder().encode(text);
const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte);

describe('HMAC-SHA1 (RFC 2202 §3)', () => {
  test.each([
    [filled(20, 0x0b), ascii('Hi There'), 'b617318655057264e28bc0b6fb378c8ef146be00'],
    [
      ascii('Jefe'),
      ascii('what do ya want for nothing?'),
      'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79',
    ],
    [filled(20, 0xaa), filled(50, 0xdd), '125d7342b9ac11cd91a39af48aa17b4f63f175d3'],
    [
      hex('0102030405060708090a0b0c0d0e0f10111213141516171819'),
      filled(50, 0xcd),
      '4c9007f4026250c6bc8414f9bf50c86c2d7235da',
    ],
    [filled(20, 0x0c), ascii('Test With Truncation'), '4c1a03424b55e07fe7f27be1d58bb9324a9a5a04'],
    [
      filled(80, 0xaa),
      ascii('Test Using Larger Than Block-Size Key - Hash Key First'),
      'aa4ae5e15272d00e95705637ce8a3b55ed402112',
    ],
    [
      filled(80, 0xaa),
      ascii('Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data'),
      'e8e99d0f45237d786d6bbaa7965c7808bbff1a91',
    ],
  ])('case %#', (key, data, digest) => {
    expect(toHex(hmacSha1(key, data))).toBe(digest);
    expect(toHex(hmacSha1(key, data.subarray(0, 3), data.subarray(3)))).toBe(digest);
  });

  test('the authentication value covers nonce, confirmation, origin and packet, in that order', () => {
    const key = ascii('Jefe');
    const [nonce, origin, packet] = [hex('0102030405060708'), hex('000063bf3ffffdd2'), hex('6000')];
    const whole = hmacSha1(key, hex('0102030405060708 07 000063bf3ffffdd2 6000'));
    expect(authenticationValue(key, nonce, 7, origin, packet)).toEqual(whole);
    const endpoint = { ip: parseIp4('192.0.2.45')!, port: 40_000 };
    const fields = { clientId: ascii('me'), key, nonce, confirmation: 7, packet };
    expect(authenticate({ ...fields, origin: endpoint }).value).toEqual(whole);
    expect(authenticate(fields).value).toEqual(hmacSha1(key, hex('0102030405060708 07 6000')));
  });

  test('comparing takes content and length into account', () => {
    expect(constantTimeEqual(hex('0102'), hex('0102'))).toBe(true);
    expect(constantTimeEqual(hex('0102'), hex('0103'))).toBe(false);
    expect(constantTimeEqual(hex('0102'), hex('010200'))).toBe(false);
  });
});

/** The checksum as RFC 1071 §1 puts it: ones' complement addition, word by word, of one laid-out block. */
function plainChecksum(source: bigint, destination: bigint, protocol: number, payload: Uint8Array) {
  const block = new Uint8Array(40 + payload.length + (payload.length % 2));
  writeIp6(block, 0, source);
  writeIp6(block, 16, destination);
  block.set(
    [payload.length >>> 24, payload.length >>> 16, payload.length >>> 8, payload.length],
    32,
  );
  block[39] = protocol;
  block.set(payload, 40);
  let sum = 0;
  for (let at = 0; at < block.length; at += 2) {
    sum += block[at]! * 256 + block[at + 1]!;
    if (sum > 0xffff) sum -= 0xffff;
  }
  return 0xffff - sum;
}

test('the checksum agrees with a plain one over any payload', () => {
  const address = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
  fc.assert(
    fc.property(
      address,
      address,
      fc.integer({ min: 1, max: 255 }),
      fc.uint8Array({ maxLength: 1500 }),
      (source, destination, protocol, payload) => {
        expect(checksum6(source, destination, protocol, payload)).toBe(
          plainChecksum(source, destination, protocol, payload),
        );
      },
    ),
  );
});

test('any Teredo address and any IPv6 text comes back', () => {
  const ip4 = fc.integer({ min: 0, max: 0xffffffff });
  const word = fc.integer({ min: 0, max: 0xffff });
  fc.assert(
    fc.property(ip4, word, ip4, word, (server, flags, ip, port) => {
      const parts = { server, flags, client: { ip, port } };
      const address = encodeTeredo(parts);
      expect(decodeTeredo(address)).toEqual(parts);
      expect(parseIp6(formatIp6(address))).toBe(address);
      expect(parseIp4(formatIp4(ip))).toBe(ip);
    }),
  );
});
