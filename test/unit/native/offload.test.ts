// Tests segmentation and joining of packets against a plain reference: TSO, USO, and the rules of the kernel's GRO.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ACK,
  CWR,
  ECE,
  FIN,
  OffloadTool,
  PSH,
  RST,
  SYN,
  TCP,
  UDP,
  URG,
  build,
  checksumHolds,
  handedOver,
  pseudoHeader,
  readVnet,
  sum16,
  writeVnet,
} from './offload.ts';
import type { Fields } from './offload.ts';

const GSO_TCP6 = 4;
const GSO_UDP = 5;
const GSO_ECN = 0x80;
const TIMESTAMPS = Buffer.from('0101080a0000000100000002', 'hex');

let tool: OffloadTool;
beforeAll(() => void (tool = new OffloadTool()), 240_000);
afterAll(() => tool.close());

const payload = (bytes: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, i) => (i * 31 + seed * 17 + (i >> 8)) & 0xff);

/** What a sender without offloads would have made of the same stream: the reference. */
function plainly(fields: Fields, each: number): Uint8Array[] {
  const parts = Math.ceil(fields.payload.length / each);
  return Array.from({ length: parts }, (_, i) => {
    const flags = fields.flags ?? ACK;
    const last = i === parts - 1;
    return build({
      ...fields,
      payload: fields.payload.subarray(i * each, (i + 1) * each),
      sequence: ((fields.sequence ?? 1000) + i * each) >>> 0,
      flags: flags & ~(last ? 0 : FIN | PSH) & ~(i === 0 ? 0 : CWR),
    });
  });
}

describe('segmentation', () => {
  test('a super-packet becomes what a sender without offloads would have sent', () => {
    const stream = fc.record({
      protocol: fc.constantFrom(TCP, UDP),
      bytes: fc.integer({ min: 1, max: 20_000 }),
      each: fc.integer({ min: 1, max: 1_240 }),
      seed: fc.nat(1000),
      sequence: fc.integer({ min: 0, max: 0xffffffff }),
      flags: fc.constantFrom(ACK, ACK | PSH, ACK | FIN | PSH, ACK | ECE, ACK | CWR | PSH),
      options: fc.constantFrom(new Uint8Array(0), TIMESTAMPS),
    });
    const cases = fc.sample(stream, { numRuns: 150, seed: 20 }).map((c) => {
      const each = Math.max(c.each, Math.ceil(c.bytes / 60));
      const fields: Fields = { ...c, payload: payload(c.bytes, c.seed) };
      const type = c.protocol === UDP ? GSO_UDP : c.flags & CWR ? GSO_TCP6 | GSO_ECN : GSO_TCP6;
      return { given: handedOver(build(fields), type, each), expected: plainly(fields, each) };
    });
    const results = tool.segment(cases.map((c) => c.given));
    cases.forEach((c, i) => {
      expect(results[i]!.map((b) => Buffer.from(b).toString('hex'))).toEqual(
        c.expected.map((b) => Buffer.from(b).toString('hex')),
      );
      for (const segment of results[i]!) expect(checksumHolds(segment)).toBe(true);
    });
  });

  test('a plain packet gets its checksum, for every length and with UDP never zero', () => {
    const packets = Array.from({ length: 300 }, (_, i) =>
      build({ protocol: i % 2 ? UDP : TCP, payload: payload(i, i) }),
    );
    // RFC 768: a checksum that comes out as 0 is sent as ones.
    const zero = build({ protocol: UDP, payload: new Uint8Array(2) });
    const sum = sum16(Buffer.concat([pseudoHeader(zero), zero.subarray(40)]));
    const rest = (sum16(zero.subarray(46, 48)) + 0xffff - sum + 0xffff) % 0xffff;
    const special = build({ protocol: UDP, payload: Uint8Array.of(rest >> 8, rest & 0xff) });
    expect(special.subarray(46, 48)).toEqual(Uint8Array.of(0xff, 0xff));
    const all = [...packets, special];
    const results = tool.segment(all.map((packet) => handedOver(packet, 0, 0)));
    all.forEach((packet, i) => expect(Buffer.compare(results[i]![0]!, packet)).toBe(0));
  });

  test('a packet that asks for nothing is left as it is', () => {
    const packet = build({ payload: payload(100), badChecksum: true });
    const header = writeVnet({
      flags: 0,
      gsoType: 0,
      headerBytes: 0,
      gsoBytes: 0,
      sumStart: 0,
      sumOffset: 0,
    });
    expect(tool.segment([Buffer.concat([header, packet])])[0]).toEqual([Buffer.from(packet)]);
  });

  test.each([
    ['an unknown type', { gsoType: 1 }],
    ['a segment size of 0', { gsoBytes: 0 }],
    ['no checksum asked for', { flags: 0 }],
    ['a transport header past the end', { sumStart: 4000 }],
    ['a transport header inside the IPv6 one', { sumStart: 20 }],
    ['a checksum field that is not TCP’s', { sumOffset: 6 }],
  ])('%s is refused', (_, change) => {
    const given = handedOver(build({ payload: payload(3000) }), GSO_TCP6, 1000);
    const vnet = { ...readVnet(given), ...change };
    expect(tool.segment([Buffer.concat([writeVnet(vnet), given.subarray(10)])])).toEqual([null]);
  });

  test('headers of any bytes are segmented or refused, never read past', () => {
    const any = fc.tuple(
      fc.uint8Array({ minLength: 10, maxLength: 10 }),
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
    );
    const lines = fc
      .sample(any, { numRuns: 500, seed: 21 })
      .map(([header, packet]) => Buffer.concat([header, packet]));
    // The tool is built with AddressSanitizer and ends with an error if it reads past.
    expect(tool.segment(lines)).toHaveLength(500);
  });
});

/** The batch of one stream: `count` packets of 1,000 bytes, each with `change(i)`. */
function stream(count: number, change: (i: number) => Partial<Fields> = () => ({})): Uint8Array[] {
  return Array.from({ length: count }, (_, i) =>
    build({ payload: payload(1000, i), sequence: 1000 + i * 1000, ...change(i) }),
  );
}

/** Packets in each write. */
function sizes(batch: readonly Uint8Array[], allow?: { tcp: boolean; udp: boolean }): number[] {
  return tool.join(batch, allow).map((write) => {
    const { gsoType, gsoBytes, headerBytes } = readVnet(write);
    return gsoType === 0 ? 1 : Math.ceil((write.length - 10 - headerBytes) / gsoBytes);
  });
}

describe('joining', () => {
  test('what was joined, segmented again, is what came', () => {
    const batches = [
      stream(20, () => ({ options: TIMESTAMPS })),
      stream(5, (i) => (i === 4 ? { payload: payload(300), flags: ACK | PSH } : {})),
      stream(3, (i) => (i === 2 ? { flags: ACK | FIN | PSH } : {})),
      stream(4, () => ({ trafficClass: 3, flags: ACK | ECE })),
      stream(10, () => ({ protocol: UDP })),
    ];
    for (const batch of batches) {
      const writes = tool.join(batch);
      expect(writes).toHaveLength(1);
      expect(readVnet(writes[0]!)).toMatchObject({ flags: 1, gsoBytes: 1000, sumStart: 40 });
      expect(tool.segment(writes)[0]!.map((b) => Buffer.from(b).toString('hex'))).toEqual(
        batch.map((b) => Buffer.from(b).toString('hex')),
      );
    }
  });

  test.each<[string, (i: number) => Partial<Fields>, number[]]>([
    ['packets in order', () => ({}), [4]],
    ['a gap', (i) => (i > 1 ? { sequence: 9000 + i * 1000 } : {}), [2, 2]],
    ['another acknowledgement', (i) => (i > 1 ? { acknowledgement: 78 } : {}), [2, 2]],
    ['another window', (i) => (i > 1 ? { window: 503 } : {}), [2, 2]],
    ['other options', (i) => (i > 1 ? { options: TIMESTAMPS } : {}), [2, 2]],
    ['another traffic class (ECN)', (i) => (i > 1 ? { trafficClass: 3 } : {}), [2, 2]],
    ['another flow label', (i) => (i > 1 ? { flowLabel: 1 } : {}), [2, 2]],
    ['another hop limit', (i) => (i > 1 ? { hopLimit: 63 } : {}), [2, 2]],
    ['PSH ends a group', (i) => (i === 1 ? { flags: ACK | PSH } : {}), [2, 2]],
    ['FIN ends a group', (i) => (i === 1 ? { flags: ACK | FIN } : {}), [2, 2]],
    ['ECE is not ACK', (i) => (i > 1 ? { flags: ACK | ECE } : {}), [2, 2]],
    ['CWR stands alone', (i) => (i === 1 ? { flags: ACK | CWR } : {}), [1, 1, 2]],
    ['SYN stands alone', (i) => (i === 1 ? { flags: SYN } : {}), [1, 1, 2]],
    ['RST stands alone', (i) => (i === 1 ? { flags: RST } : {}), [1, 1, 2]],
    ['URG stands alone', (i) => (i === 1 ? { flags: ACK | URG } : {}), [1, 1, 2]],
    ['a wrong checksum stands alone', (i) => (i === 1 ? { badChecksum: true } : {}), [1, 1, 2]],
    ['no payload', (i) => (i === 1 ? { payload: payload(0) } : {}), [1, 1, 2]],
  ])('TCP: %s', (_, change, expected) => {
    expect(sizes(stream(4, change))).toEqual(expected);
  });

  test('a shorter packet is the last of its group, a longer one begins another', () => {
    expect(sizes(stream(4, (i) => (i === 2 ? { payload: payload(999) } : {})))).toEqual([3, 1]);
    expect(
      sizes(
        stream(4, (i) =>
          i < 2 ? {} : { payload: payload(1001), sequence: 3000 + (i - 2) * 1001 },
        ),
      ),
    ).toEqual([2, 2]);
  });

  test.each<[string, (i: number) => Partial<Fields>, number[]]>([
    ['datagrams of one length', () => ({}), [4]],
    ['a shorter one is the last', (i) => (i === 1 ? { payload: payload(10) } : {}), [2, 2]],
    ['a wrong checksum', (i) => (i === 1 ? { badChecksum: true } : {}), [1, 1, 2]],
    ['no checksum', (i) => (i === 1 ? { zeroChecksum: true } : {}), [1, 1, 2]],
    ['another traffic class', (i) => (i > 1 ? { trafficClass: 1 } : {}), [2, 2]],
  ])('UDP: %s', (_, change, expected) => {
    expect(sizes(stream(4, (i) => ({ protocol: UDP, ...change(i) })))).toEqual(expected);
  });

  test('interleaved streams are joined each, and each keeps its order', () => {
    const batch = stream(30, (i) => ({
      sourcePort: 5000 + (i % 3),
      sequence: 1000 + Math.floor(i / 3) * 1000,
    }));
    expect(sizes(batch)).toEqual([10, 10, 10]);
    // More streams at once than there are places: nothing is lost or turned round.
    const many = stream(60, (i) => ({
      sourcePort: 5000 + (i % 20),
      sequence: 1000 + Math.floor(i / 20) * 1000,
    }));
    const back = tool
      .join(many)
      .flatMap((write) =>
        readVnet(write).gsoType === 0 ? [write.subarray(10)] : tool.segment([write])[0]!,
      );
    for (let port = 5000; port < 5020; port++) {
      const of = (packets: readonly Uint8Array[]): string[] =>
        packets
          .filter((p) => p[40]! * 256 + p[41]! === port)
          .map((p) => Buffer.from(p).toString('hex'));
      expect(of(back)).toEqual(of(many));
    }
  });

  test('a super-packet holds no more than an IPv6 header can name', () => {
    const writes = tool.join(
      Array.from({ length: 100 }, (_, i) =>
        build({ payload: payload(1208, i), sequence: i * 1208, options: TIMESTAMPS }),
      ),
    );
    expect(Math.max(...writes.map((w) => w.length - 10 - 40))).toBeLessThanOrEqual(65_535);
    expect(writes.length).toBeLessThanOrEqual(3);
  });

  test('only what the adapter takes is joined', () => {
    const tcp = stream(3);
    const udp = stream(3, () => ({ protocol: UDP }));
    expect(sizes([...tcp, ...udp], { tcp: true, udp: false })).toEqual([1, 1, 1, 3]);
    expect(sizes([...tcp, ...udp], { tcp: false, udp: false })).toEqual([1, 1, 1, 1, 1, 1]);
  });
});
