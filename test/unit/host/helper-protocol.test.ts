// Tests the frames for the privileged helper: their bytes, and answers of any bytes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { helperFrames, readReply } from '../../../engine/host/helper-protocol.ts';
import { HostError } from '../../../engine/host/types.ts';
import { parseIp6 } from '../../../engine/wire/index.ts';

const ADDRESS = parseIp6('2001:0:c000:201:1234:56:7890:1')!;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** An answer as native/helper/protocol.h states it. */
function answer(command: number, status: number, index: number, text = ''): Uint8Array {
  const bytes = Buffer.alloc(20 + Buffer.byteLength(text));
  bytes.write('SWPH');
  bytes.writeUInt16BE(1, 4);
  bytes.writeUInt16BE(command, 6);
  bytes.writeUInt32BE(bytes.length - 12, 8);
  bytes.writeUInt32BE(status, 12);
  bytes.writeUInt32BE(index, 16);
  bytes.write(text, 20);
  return new Uint8Array(bytes);
}

test('each frame has the bytes that native/helper/protocol.h states', () => {
  expect(hex(helperFrames.hello())).toBe('53575048' + '0001' + '0001' + '00000000');
  expect(hex(helperFrames.openAdapter('teredo', 1280, 2))).toBe(
    '53575048' +
      '0001' +
      '0002' +
      '00000014' +
      '74657265646f00000000000000000000' +
      '0500' +
      '0200',
  );
  expect(hex(helperFrames.setAddress(ADDRESS, true))).toBe(
    '53575048' + '0001' + '0003' + '00000014' + '20010000c00002011234005678900001' + '01000000',
  );
  expect(hex(helperFrames.removeAddress(ADDRESS))).toBe(
    '53575048' + '0001' + '0004' + '00000010' + '20010000c00002011234005678900001',
  );
  expect(hex(helperFrames.helloServer())).toBe(
    '53575048' + '0001' + '0001' + '00000004' + '02000000',
  );
  expect(hex(helperFrames.openRaw6())).toBe('53575048' + '0001' + '0006' + '00000000');
  expect(hex(helperFrames.growBuffers())).toBe('53575048' + '0001' + '0007' + '00000000');
  expect(hex(helperFrames.defaultRoute(false))).toBe(
    '53575048' + '0001' + '0005' + '00000004' + '00000000',
  );
});

describe('answers', () => {
  const request = helperFrames.openAdapter('teredo', 1280, 1);

  test('success gives the index', () => {
    expect(readReply(request, answer(2, 0, 7))).toEqual({ index: 7 });
  });

  test.each([
    [5, 'helper-refused'],
    [8, 'adapter-busy'],
    [9, 'no-tun'],
    [4711, 'helper-refused'],
  ])('status %i is %s with the helper’s sentence', (status, code) => {
    expect(() => readReply(request, answer(2, status, 0, 'Why not.'))).toThrow(
      expect.objectContaining({ code, message: 'Why not.' }) as Error,
    );
  });

  test('an answer to another command is none', () => {
    expect(() => readReply(request, answer(3, 0, 0))).toThrow(
      expect.objectContaining({ code: 'helper-lost' }) as Error,
    );
  });

  test('any bytes give a value or a HostError', () => {
    const good = answer(2, 0, 7, 'text');
    const damaged = fc
      .tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(good.length))
      .map(([at, mask, length]) => {
        const bytes = good.slice(0, length);
        if (at < length) bytes[at]! ^= mask;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), damaged), (bytes) => {
        try {
          readReply(request, bytes);
        } catch (error) {
          if (!(error instanceof HostError)) throw error;
        }
      }),
    );
  });
});
