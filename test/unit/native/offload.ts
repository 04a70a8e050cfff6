// Builds packets for the tests of the offloads, and runs the datapath's own segmentation and joining on them.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const TCP = 6;
export const UDP = 17;
const IP6_HEADER = 40;

/** Fields of a TCP or UDP packet of the tests; what is left out has a value that joins. */
export interface Fields {
  readonly protocol?: typeof TCP | typeof UDP;
  readonly payload: Uint8Array;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  /** TCP's flags; ACK alone by default. */
  readonly flags?: number;
  readonly window?: number;
  /** TCP options, a multiple of 4 bytes. */
  readonly options?: Uint8Array;
  readonly trafficClass?: number;
  readonly flowLabel?: number;
  readonly hopLimit?: number;
  readonly badChecksum?: boolean;
  readonly zeroChecksum?: boolean;
}

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;

/** RFC 1071 over 16-bit words, in the plainest form: the reference for the vectorised one. */
export function sum16(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) {
    sum += i % 2 === 0 ? bytes[i]! * 256 : bytes[i]!;
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

/** The sum that RFC 8200 §8.1 puts before the upper-layer packet. */
export function pseudoHeader(packet: Uint8Array): Uint8Array {
  const pseudo = new Uint8Array(40);
  pseudo.set(packet.subarray(8, 40), 0);
  new DataView(pseudo.buffer).setUint32(32, packet.length - IP6_HEADER);
  pseudo[39] = packet[6]!;
  return pseudo;
}

/** True when the checksum of the upper layer is right (RFC 8200 §8.1). */
export function checksumHolds(packet: Uint8Array): boolean {
  return (
    sum16(Buffer.concat([pseudoHeader(packet), packet.subarray(IP6_HEADER)])) % 0xffff === 0 &&
    packet.length > IP6_HEADER
  );
}

function setChecksum(packet: Uint8Array, at: number, udp: boolean): void {
  const sum = 0xffff - sum16(Buffer.concat([pseudoHeader(packet), packet.subarray(IP6_HEADER)]));
  const value = udp && sum === 0 ? 0xffff : sum;
  packet[at] = value >> 8;
  packet[at + 1] = value & 0xff;
}

/** A whole packet with its right checksum. */
export function build(fields: Fields): Uint8Array {
  const { protocol = TCP, payload, options = new Uint8Array(0) } = fields;
  const upper = protocol === TCP ? 20 + options.length : 8;
  const packet = new Uint8Array(IP6_HEADER + upper + payload.length);
  const view = new DataView(packet.buffer);
  view.setUint32(
    0,
    0x60000000 + (fields.trafficClass ?? 0) * 0x100000 + (fields.flowLabel ?? 0x12345),
  );
  view.setUint16(4, upper + payload.length);
  packet[6] = protocol;
  packet[7] = fields.hopLimit ?? 64;
  packet.set(Buffer.from('20010000c000020100ff3a12cb0071fe', 'hex'), 8);
  packet.set(Buffer.from('20010000c000020100ff3a13cb0071fd', 'hex'), 24);
  view.setUint16(40, fields.sourcePort ?? 5201);
  view.setUint16(42, fields.destinationPort ?? 40000);
  if (protocol === TCP) {
    view.setUint32(44, fields.sequence ?? 1000);
    view.setUint32(48, fields.acknowledgement ?? 77);
    packet[52] = ((20 + options.length) / 4) << 4;
    packet[53] = fields.flags ?? ACK;
    view.setUint16(54, fields.window ?? 502);
    packet.set(options, 60);
  } else {
    view.setUint16(44, upper + payload.length);
  }
  packet.set(payload, IP6_HEADER + upper);
  const at = protocol === TCP ? 56 : 46;
  if (fields.zeroChecksum) return packet;
  setChecksum(packet, at, protocol === UDP);
  if (fields.badChecksum) packet[at + 1]! ^= 0x01;
  return packet;
}

/** virtio_net_hdr, as the kernel fills it in. */
export interface Vnet {
  readonly flags: number;
  readonly gsoType: number;
  readonly headerBytes: number;
  readonly gsoBytes: number;
  readonly sumStart: number;
  readonly sumOffset: number;
}

export function writeVnet(vnet: Vnet): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  bytes[0] = vnet.flags;
  bytes[1] = vnet.gsoType;
  [vnet.headerBytes, vnet.gsoBytes, vnet.sumStart, vnet.sumOffset].forEach((value, i) =>
    view.setUint16(2 + 2 * i, value, true),
  );
  return bytes;
}

export function readVnet(bytes: Uint8Array): Vnet {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [headerBytes, gsoBytes, sumStart, sumOffset] = [2, 4, 6, 8].map((at) =>
    view.getUint16(at, true),
  );
  return {
    flags: bytes[0]!,
    gsoType: bytes[1]!,
    headerBytes: headerBytes!,
    gsoBytes: gsoBytes!,
    sumStart: sumStart!,
    sumOffset: sumOffset!,
  };
}

/** What the kernel hands over for `packet`: its checksum left to us, the pseudo header's sum in the field. */
export function handedOver(packet: Uint8Array, gsoType: number, gsoBytes: number): Uint8Array {
  const copy = Uint8Array.from(packet);
  const tcp = packet[6] === TCP;
  const offset = tcp ? 16 : 6;
  const partial = sum16(pseudoHeader(copy));
  copy[40 + offset] = partial >> 8;
  copy[40 + offset + 1] = partial & 0xff;
  const headerBytes = tcp ? 40 + (packet[52]! >> 4) * 4 : 48;
  const vnet = { flags: 1, gsoType, headerBytes, gsoBytes, sumStart: 40, sumOffset: offset };
  return Buffer.concat([writeVnet(vnet), copy]);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The tool, compiled for one test file. */
export class OffloadTool {
  private readonly folder = mkdtempSync(join(tmpdir(), 'shipworm-offload-'));
  private readonly program = join(this.folder, 'offload');

  constructor() {
    const sources = ['segment', 'coalesce', 'checksum'].map((name) => `native/datapath/${name}.cc`);
    const flags = ['-std=c++20', '-O2', '-fsanitize=address,undefined', '-fno-sanitize-recover'];
    const main = 'test/unit/native/offload-tool.cc';
    execFileSync('g++', [...flags, '-o', this.program, main, ...sources]);
  }

  /** Segments of each packet, null for one that is refused. */
  segment(packets: readonly Uint8Array[]): (Uint8Array[] | null)[] {
    return this.run(packets.map((packet) => `S ${hex(packet)}`));
  }

  /** Writes that a batch becomes. */
  join(batch: readonly Uint8Array[], allow = { tcp: true, udp: true }): Uint8Array[] {
    const line = ['J', allow.tcp ? 1 : 0, allow.udp ? 1 : 0, ...batch.map(hex)].join(' ');
    return this.run([line])[0]!;
  }

  private run(lines: readonly string[]): (Uint8Array[] | null)[] {
    const out = execFileSync(this.program, {
      input: `${lines.join('\n')}\n`,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    return out
      .split('.\n')
      .slice(0, -1)
      .map((block) => {
        const found = block.split('\n').filter((line) => line !== '');
        return found[0] === '!' ? null : found.map((line) => Buffer.from(line, 'hex'));
      });
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
