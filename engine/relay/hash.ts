// Module relay/hash spreads addresses over the buckets of a table so that nobody outside can choose which of them meet.

/** A secret of 64 bits. */
export type HashKey = readonly [number, number];

/** The key in the first eight of `bytes`, least significant byte first. */
export function hashKey(bytes: Uint8Array): HashKey {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return [view.getInt32(0, true), view.getInt32(4, true)];
}

/**
 * HalfSipHash-1-3 of four words of 32 bits, as Linux computes it for its own hash tables (`hsiphash_4u32` of a 32-bit kernel): a signed
 * 32-bit number. Who makes up addresses doesn't know the key, so can't make one bucket long.
 */
export function hashWords([k0, k1]: HashKey, a: number, b: number, c: number, d: number): number {
  let v0 = k0;
  let v1 = k1;
  let v2 = k0 ^ 0x6c796765;
  let v3 = k1 ^ 0x74656462;
  // Four words, the length of 16 bytes, and three rounds that finish.
  for (let round = 0; round < 8; round++) {
    const word =
      round === 0 ? a : round === 1 ? b : round === 2 ? c : round === 3 ? d : LENGTH_WORD;
    if (round <= 4) v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    if (round <= 4) v0 ^= word;
    if (round === 4) v2 ^= 0xff;
  }
  return v1 ^ v3;
}

const LENGTH_WORD = 16 << 24;
