// Compares the trailers that we build with bytes written down from the drawings of RFC 6081 §4.
import { expect, test } from 'vitest';
import {
  alternateAddressTrailer,
  buildTrailers,
  neighborDiscoveryTrailer,
  nonceTrailer,
  parseTrailers,
  probeTrailer,
  randomPortTrailer,
  readAlternateAddresses,
  readNeighborDiscovery,
  readNonce,
  readProbe,
  readRandomPort,
} from '../../../engine/wire/index.ts';
import type { Trailer } from '../../../engine/wire/index.ts';
import { parseIp4 } from '../../../engine/wire/index.ts';

const bytes = (hex: string): Uint8Array =>
  Uint8Array.from(hex.split(' ').map((each) => parseInt(each, 16)));
const parsed = (hex: string): readonly Trailer[] => {
  const trailers = parseTrailers(bytes(hex));
  if (!trailers.ok) throw new Error(trailers.reason);
  return trailers.value;
};
const at = (ip: string, port: number) => ({ ip: parseIp4(ip)!, port });

test('Nonce (§4.2): type 01, length 04, nonce', () => {
  expect(buildTrailers([nonceTrailer(bytes('de ad be ef'))])).toEqual(bytes('01 04 de ad be ef'));
  expect(readNonce(parsed('01 04 de ad be ef'))).toEqual(bytes('de ad be ef'));
});

test('Alternate Address (§4.3): type 03, length 2 + 6 n, reserved 2, pairs in network byte order', () => {
  // Figure 3: 192.168.1.0 and port 4095 are behind NAT F, and the client knows a second one.
  const pairs = [at('192.168.1.0', 4095), at('10.0.0.2', 50_000)];
  const golden = '03 0e 00 00 c0 a8 01 00 0f ff 0a 00 00 02 c3 50';
  expect(buildTrailers([alternateAddressTrailer(pairs)])).toEqual(bytes(golden));
  expect(readAlternateAddresses(parsed(golden))).toEqual(pairs);
});

test('a length that is not 8, 14, 20 or 26 makes no Alternate Address (§4.3)', () => {
  expect(readAlternateAddresses(parsed('03 02 00 00'))).toEqual([]);
  expect(readAlternateAddresses(parsed('03 09 00 00 c0 a8 01 00 0f ff 00'))).toEqual([]);
  const five = `03 20 00 00 ${'c0 a8 01 00 0f ff '.repeat(5).trim()}`;
  expect(readAlternateAddresses(parsed(five))).toEqual([]);
});

test('Neighbor Discovery Option (§4.4): type 04, length 04, discovery type, reserved 3', () => {
  for (const [kind, golden] of [
    ['solicitation', '04 04 00 00 00 00'],
    ['advertisement', '04 04 01 00 00 00'],
  ] as const) {
    expect(buildTrailers([neighborDiscoveryTrailer(kind)])).toEqual(bytes(golden));
    expect(readNeighborDiscovery(parsed(golden))).toBe(kind);
  }
});

test('Random Port (§4.5): sent as type 05, taken as 02 of §9 as well', () => {
  expect(buildTrailers([randomPortTrailer(1201)])).toEqual(bytes('05 02 04 b1'));
  expect(readRandomPort(parsed('05 02 04 b1'))).toBe(1201);
  expect(readRandomPort(parsed('02 02 04 b1'))).toBe(1201);
});

test('Probe, which no RFC has: type fd, which others skip (§4.1), length 05, flags, nonce', () => {
  const nonce = bytes('de ad be ef');
  const words = [
    ['fd 05 00 de ad be ef', { begins: false, symmetric: false, round: 0, nonce }],
    ['fd 05 31 de ad be ef', { begins: true, symmetric: false, round: 3, nonce }],
    ['fd 05 f2 de ad be ef', { begins: false, symmetric: true, round: 15, nonce }],
  ] as const;
  for (const [golden, word] of words) {
    expect(buildTrailers([probeTrailer(word)])).toEqual(bytes(golden));
    expect(readProbe(parsed(golden))).toEqual(word);
  }
  expect(readProbe(parsed('fd 04 00 de ad be'))).toBeUndefined();
});

test('a malformed trailer ends them, those before it count (§5.1.2)', () => {
  expect(readNonce(parsed('01 04 de ad be ef 05 02 04'))).toEqual(bytes('de ad be ef'));
  expect(readRandomPort(parsed('01 04 de ad be ef 05 02 04'))).toBeUndefined();
});

test('unknown types: 00, 10 and 11 are skipped, 01 discards the packet (§4.1)', () => {
  for (const type of ['3f', '80', 'c0'])
    expect(readRandomPort(parsed(`${type} 01 aa 05 02 04 b1`))).toBe(1201);
  expect(parseTrailers(bytes('40 01 aa'))).toEqual({ ok: false, reason: 'trailerRefused' });
});
