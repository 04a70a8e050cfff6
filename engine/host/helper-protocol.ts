// Module host/helper-protocol builds the frames for the privileged helper and reads its answers.
import { writeIp6 } from '../wire/index.ts';
import type { Ip6 } from '../wire/index.ts';
import { HostError } from './types.ts';
import type { HostErrorCode } from './types.ts';

/** Head: `magic u32 | version u16 | command u16 | length of the rest u32`, big-endian; native/helper/protocol.h is the other side. */
const MAGIC = 0x53575048;
const VERSION = 1;
const HEAD_BYTES = 12;
/** An answer's body: `status u32 | interface index u32`, then a sentence when the status is not 0. */
const STATUS_BYTES = 8;
const NAME_BYTES = 16;

const COMMAND = {
  hello: 1,
  openAdapter: 2,
  setAddress: 3,
  removeAddress: 4,
  defaultRoute: 5,
  openRaw6: 6,
  growBuffers: 7,
  startRelay: 20,
  openOwners: 30,
} as const;

/** What a connection is for; the role of a client's adapter is named by saying nothing. */
const ROLE = { server: 2, relay: 3 } as const;

/** Between which interfaces a relay's machine forwards: none, the adapter and the named one (Linux 6.17), all. */
export type Forwarding = 'none' | 'two' | 'every';
const FORWARDING: Readonly<Record<Forwarding, number>> = { none: 0, two: 1, every: 2 };

/** Statuses with a meaning of their own; any other is 'helper-refused'. */
const STATUS_CODES: Readonly<Record<number, HostErrorCode>> = {
  8: 'adapter-busy',
  9: 'no-tun',
  11: 'forwarding-unsupported',
  12: 'policy-forbids',
};

function frame(command: number, bodyBytes: number, fill?: (body: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + bodyBytes);
  const head = new DataView(bytes.buffer);
  head.setUint32(0, MAGIC);
  head.setUint16(4, VERSION);
  head.setUint16(6, command);
  head.setUint32(8, bodyBytes);
  fill?.(bytes.subarray(HEAD_BYTES));
  return bytes;
}

/** `name 16`, padded with 0; cut short, a name without its end is refused by the helper. */
function writeName(body: Uint8Array, name: string): void {
  body.set(new TextEncoder().encode(name).subarray(0, NAME_BYTES));
}

/**
 * One builder per command; there are no others. HELLO comes first, OPEN_ADAPTER once, then the rest in any order; a server's
 * connection knows OPEN_RAW6 alone, once; a relay's knows OPEN_ADAPTER, START_RELAY and GROW_BUFFERS.
 */
export const helperFrames = {
  hello: (): Uint8Array => frame(COMMAND.hello, 0),
  /** `role u8 | 0 0 0`. */
  helloServer: (): Uint8Array => frame(COMMAND.hello, 4, (body) => (body[0] = ROLE.server)),
  helloRelay: (): Uint8Array => frame(COMMAND.hello, 4, (body) => (body[0] = ROLE.relay)),
  /** `native interface 16 | forwarding u8 | 0 0 0`. */
  startRelay: (native: string, forwarding: Forwarding): Uint8Array =>
    frame(COMMAND.startRelay, NAME_BYTES + 4, (body) => {
      writeName(body, native);
      body[NAME_BYTES] = FORWARDING[forwarding];
    }),
  /** The answer brings the descriptor of a raw IPv6 socket. */
  openRaw6: (): Uint8Array => frame(COMMAND.openRaw6, 0),
  /** Goes with descriptors of one to eight UDP sockets, which get buffers of 8 MB each way. */
  growBuffers: (): Uint8Array => frame(COMMAND.growBuffers, 0),
  /** `name 16 (padded with 0) | mtu u16 | queues u8 | flags u8 (1: virtio_net_hdr before each packet)`. The answer brings one descriptor per queue. */
  openAdapter: (name: string, mtu: number, queues: number, vnetHeader = false): Uint8Array =>
    frame(COMMAND.openAdapter, NAME_BYTES + 4, (body) => {
      writeName(body, name);
      new DataView(body.buffer, body.byteOffset).setUint16(NAME_BYTES, mtu);
      body[NAME_BYTES + 2] = queues;
      body[NAME_BYTES + 3] = vnetHeader ? 1 : 0;
    }),
  /** `address 16 | preferred u8 | 0 0 0`. */
  setAddress: (address: Ip6, preferred: boolean): Uint8Array =>
    frame(COMMAND.setAddress, 20, (body) => {
      writeIp6(body, 0, address);
      body[16] = preferred ? 1 : 0;
    }),
  /** `without programs u8 | 0 0 0`. The answer brings the stream of host/owner-frames. */
  openOwners: (withoutPrograms: boolean): Uint8Array =>
    frame(COMMAND.openOwners, 4, (body) => (body[0] = withoutPrograms ? 1 : 0)),
  /** `address 16`. */
  removeAddress: (address: Ip6): Uint8Array =>
    frame(COMMAND.removeAddress, 16, (body) => writeIp6(body, 0, address)),
  /** `on u8 | 0 0 0`. */
  defaultRoute: (on: boolean): Uint8Array =>
    frame(COMMAND.defaultRoute, 4, (body) => (body[0] = on ? 1 : 0)),
};

/** What an answer says when the helper did as asked: the adapter's index, 0 where the command has none. */
export interface HelperAnswer {
  readonly index: number;
}

/**
 * Reads an answer of any bytes to `request`. Throws HostError with the helper's own sentence when it refused, 'helper-lost'
 * when this is no answer to that request.
 */
export function readReply(request: Uint8Array, reply: Uint8Array): HelperAnswer {
  const view = new DataView(reply.buffer, reply.byteOffset, reply.length);
  const body = reply.length - HEAD_BYTES;
  if (body < STATUS_BYTES || view.getUint32(0) !== MAGIC || view.getUint32(8) !== body)
    throw new HostError(
      'helper-lost',
      'The helper answered with something else than its protocol; install Shipworm and its helper anew.',
    );
  const status = view.getUint32(HEAD_BYTES);
  if (status !== 0) {
    const text = new TextDecoder().decode(reply.subarray(HEAD_BYTES + STATUS_BYTES));
    throw new HostError(STATUS_CODES[status] ?? 'helper-refused', text);
  }
  const asked = new DataView(request.buffer, request.byteOffset).getUint16(6);
  if (view.getUint16(4) !== VERSION || view.getUint16(6) !== asked)
    throw new HostError(
      'helper-lost',
      'The helper answered another question; start Shipworm again.',
    );
  return { index: view.getUint32(HEAD_BYTES + 4) };
}
