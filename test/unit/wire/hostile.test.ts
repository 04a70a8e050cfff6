// Module test/unit/wire/hostile.test cuts, flips and generates datagrams: every parser gives a value or a named reason.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  buildAdvertisement,
  buildDatagram,
  buildEcho,
  mayAnswerWithError,
  parseAdvertisement,
  parseDatagram,
  parseEcho,
  parseIcmp6,
  parseSolicitation,
  readAlternateAddresses,
  readNeighborDiscovery,
  readNonce,
  readRandomPort,
  walkHeaders,
} from '../../../engine/wire/index.ts';
import type { Datagram } from '../../../engine/wire/index.ts';
import { toHex } from './bytes.ts';
import { destination, echo, prefix, SAMPLES, source } from './samples.ts';

/** Everything that reads, over one datagram; the answer holds all that was understood. */
function readAll(bytes: Uint8Array): unknown {
  const result = parseDatagram(bytes);
  if (!result.ok) {
    expect(result.reason).toMatch(/^[a-z][A-Za-z0-9]+$/);
    return result;
  }
  const datagram: Datagram = result.value;
  const { packet, trailers: found } = datagram;
  return [
    datagram,
    walkHeaders(packet),
    parseIcmp6(packet),
    parseEcho(packet),
    parseSolicitation(packet),
    parseAdvertisement(packet),
    mayAnswerWithError(packet),
    readNonce(found),
    readAlternateAddresses(found),
    readNeighborDiscovery(found),
    readRandomPort(found),
  ];
}

/** `bytes` in the midst of a larger buffer that is filled with `poison`. */
function amid(bytes: Uint8Array, poison: number): Uint8Array {
  const around = new Uint8Array(bytes.length + 512).fill(poison);
  around.set(bytes, 256);
  return around.subarray(256, 256 + bytes.length);
}

const show = (value: unknown) =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'bigint' ? part.toString(16) : part instanceof Uint8Array ? toHex(part) : part,
  );

/** Reads alone and amid two kinds of poison: what is outside may not change the answer. */
function expectInside(bytes: Uint8Array): void {
  const alone = show(readAll(bytes));
  for (const poison of [0x00, 0x60, 0xff]) {
    const seen = show(readAll(amid(bytes, poison)));
    if (seen !== alone) expect(seen).toBe(alone);
  }
}

test('every sample is whole', () => {
  for (const sample of SAMPLES) expect(parseDatagram(sample).ok).toBe(true);
});

test('every truncation gives a value or a reason, and reads nothing outside', () => {
  for (const sample of SAMPLES)
    for (let length = 0; length <= sample.length; length++)
      expectInside(sample.subarray(0, length));
});

test('every flipped byte gives a value or a reason, and reads nothing outside', () => {
  for (const sample of SAMPLES)
    for (let at = 0; at < sample.length; at++)
      for (const mask of [0x01, 0x80, 0xff]) {
        const flipped = Uint8Array.from(sample);
        flipped[at]! ^= mask;
        expectInside(flipped);
      }
});

test('any bytes, bare or after an IPv6 version, give a value or a reason', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, version) => {
      if (version && bytes.length >= 40) bytes.set([0x60, 0, 0, 0, 0, bytes.length - 40]);
      expectInside(bytes);
    }),
    { numRuns: 500 },
  );
});

test('every changed byte of an ICMPv6 message fails its checksum', () => {
  for (let at = 40; at < echo.length; at++) {
    const changed = Uint8Array.from(echo);
    changed[at]! ^= 0x10;
    expect(parseEcho(changed)).toEqual({ ok: false, reason: 'icmpChecksum' });
  }
});

test('what was built parses back, part by part', () => {
  const short = fc.uint8Array({ maxLength: 255 });
  const parts = fc.record({
    authentication: fc.option(
      fc.record({
        clientId: short,
        value: short,
        nonce: fc.uint8Array({ minLength: 8, maxLength: 8 }),
        confirmation: fc.integer({ min: 0, max: 255 }),
      }),
    ),
    origin: fc.option(
      fc.record({
        ip: fc.integer({ min: 0, max: 0xffffffff }),
        port: fc.integer({ min: 0, max: 0xffff }),
      }),
    ),
    trailers: fc.array(fc.record({ type: fc.integer({ min: 1, max: 5 }), value: short })),
    data: fc.uint8Array({ maxLength: 64 }),
    identifier: fc.integer({ min: 0, max: 0xffff }),
    sequence: fc.integer({ min: 0, max: 0xffff }),
    reply: fc.boolean(),
  });
  fc.assert(
    fc.property(parts, ({ authentication, origin, trailers, ...rest }) => {
      const fields = { ...rest, source, destination };
      const packet = buildEcho(fields);
      const result = parseDatagram(
        buildDatagram({
          ...(authentication && { authentication }),
          ...(origin && { origin }),
          packet,
          trailers,
        }),
      );
      if (!result.ok) throw new Error(result.reason);
      expect(result.value.authentication).toEqual(authentication);
      expect(result.value.origin).toEqual(origin);
      expect(result.value.trailers).toEqual(trailers);
      expect(result.value.packet).toEqual(packet);
      expect(parseEcho(result.value.packet)).toEqual({ ok: true, value: fields });
    }),
  );
});

test('an advertisement parses back', () => {
  const packet = buildAdvertisement({ source, destination, prefix, mtu: 1280 });
  expect(parseAdvertisement(packet)).toEqual({
    ok: true,
    value: { source, destination, prefix, mtu: 1280 },
  });
});
