// Module host/owner-frames builds and reads the frames of the stream on which the helper answers about owners of sockets.
import type { FlowKey } from '../datapath/types.ts';
import type {
  Confidence,
  Direction,
  Group,
  GroupKind,
  Identity,
  Owner,
  Process,
  SocketVerdict,
} from '../gate/types.ts';
import { readIp6, writeIp6 } from '../wire/index.ts';
import type { Ip6 } from '../wire/index.ts';
import type { Listener } from './types.ts';

/** A frame: `length of the rest u32 | kind u16 | body`, big-endian; native/owners/frames.h is the other side. */
const LENGTH_BYTES = 4;
const KIND_BYTES = 2;
/** The helper sends nothing near it; a longer frame is none of its. */
const MAX_FRAME = 16 << 20;
const FLOW_BYTES = 38;

const KIND = {
  verdict: 2,
  resolve: 3,
  release: 4,
  watch: 5,
  listeners: 6,
  forgotten: 7,
  mode: 128,
  owner: 129,
  closed: 130,
  attempt: 131,
  exec: 132,
  exit: 133,
  listening: 134,
  listener: 135,
  applied: 136,
} as const;

/** What the helper tells. `id` is that of the question. */
export type OwnerFrame =
  | {
      readonly kind: 'mode';
      readonly mode: 'programs' | 'sock-diag';
      readonly why: string | null;
      readonly startsSeen: boolean;
      readonly decidesFor: readonly number[] | null;
    }
  | {
      readonly kind: 'owner';
      readonly id: number;
      readonly cookie: bigint | null;
      readonly owner: Owner | null;
    }
  | { readonly kind: 'applied'; readonly id: number }
  | { readonly kind: 'closed'; readonly cookie: bigint }
  | {
      readonly kind: 'attempt';
      readonly cookie: bigint;
      readonly flow: FlowKey;
      readonly times: number;
    }
  | { readonly kind: 'exec'; readonly process: Process; readonly identity: Identity }
  | { readonly kind: 'exit'; readonly process: Process }
  | { readonly kind: 'listening'; readonly id: number; readonly listeners: readonly Listener[] }
  | { readonly kind: 'listener'; readonly listening: boolean; readonly listener: Listener };

const GROUPS: readonly (GroupKind | null)[] = [
  null,
  'flatpak',
  'snap',
  'appimage',
  'systemd',
  'container',
  'run',
];
const CONFIDENCES: readonly Confidence[] = ['exact', 'shared', 'inferred', 'unknown'];

function frame(
  kind: number,
  bodyBytes: number,
  fill: (body: DataView, bytes: Uint8Array) => void,
): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + KIND_BYTES + bodyBytes);
  const head = new DataView(bytes.buffer);
  head.setUint32(0, KIND_BYTES + bodyBytes);
  head.setUint16(LENGTH_BYTES, kind);
  fill(new DataView(bytes.buffer, LENGTH_BYTES + KIND_BYTES), bytes.subarray(6));
  return bytes;
}

/** `protocol u8 | 0 | local port u16 | remote port u16 | local 16 | remote 16`. */
function writeFlow(body: DataView, bytes: Uint8Array, at: number, flow: FlowKey): void {
  body.setUint8(at, flow.protocol);
  body.setUint16(at + 2, flow.localPort);
  body.setUint16(at + 4, flow.remotePort);
  writeIp6(bytes, at + 6, flow.local);
  writeIp6(bytes, at + 22, flow.remote);
}

const VERDICT_OUT = { allow: 1, deny: 2 } as const;

/** One builder per frame that an engine sends; there are no others. */
export const ownerFrames = {
  /** `id u32 | cookie u64 | out u8 | in u8 (0 none, 1 all, 2 ports) | count u16 | port u16 ...`. */
  verdict: (id: number, cookie: bigint, verdict: SocketVerdict): Uint8Array => {
    const ports = typeof verdict.in === 'string' ? [] : verdict.in;
    return frame(KIND.verdict, 16 + 2 * ports.length, (body) => {
      body.setUint32(0, id);
      body.setBigUint64(4, cookie);
      body.setUint8(12, VERDICT_OUT[verdict.out]);
      body.setUint8(13, verdict.in === 'none' ? 0 : verdict.in === 'all' ? 1 : 2);
      body.setUint16(14, ports.length);
      ports.forEach((port, i) => body.setUint16(16 + 2 * i, port));
    });
  },
  /** `id u32 | 0 out or 1 in u8 | flow`. */
  resolve: (id: number, flow: FlowKey, direction: Direction): Uint8Array =>
    frame(KIND.resolve, 5 + FLOW_BYTES, (body, bytes) => {
      body.setUint32(0, id);
      body.setUint8(4, direction === 'in' ? 1 : 0);
      writeFlow(body, bytes, 5, flow);
    }),
  release: (flow: FlowKey): Uint8Array =>
    frame(KIND.release, FLOW_BYTES, (body, bytes) => writeFlow(body, bytes, 0, flow)),
  /** `count u16 | { length u16, path } ... | count u16 | { pid u32, started ms u64 } ... | count u16 | { kind u8, length u16, id } ...`. */
  watch: (
    files: readonly string[],
    processes: readonly Process[],
    groups: readonly Group[],
  ): Uint8Array => {
    const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
    const paths = files.map(encode);
    const named = groups.map(({ kind, id }) => ({ kind: GROUPS.indexOf(kind), id: encode(id) }));
    const length =
      paths.reduce((sum, path) => sum + 2 + path.length, 2) +
      (2 + 12 * processes.length) +
      named.reduce((sum, { id }) => sum + 3 + id.length, 2);
    return frame(KIND.watch, length, (body, bytes) => {
      let at = 0;
      const u16 = (value: number): void => {
        body.setUint16(at, value);
        at += 2;
      };
      const text = (value: Uint8Array): void => {
        u16(value.length);
        bytes.set(value, at);
        at += value.length;
      };
      u16(paths.length);
      for (const path of paths) text(path);
      u16(processes.length);
      for (const { pid, startedMs } of processes) {
        body.setUint32(at, pid);
        body.setBigUint64(at + 4, BigInt(startedMs));
        at += 12;
      }
      u16(named.length);
      for (const { kind, id } of named) {
        body.setUint8(at++, kind);
        text(id);
      }
    });
  },
  listeners: (id: number): Uint8Array => frame(KIND.listeners, 4, (body) => body.setUint32(0, id)),
  forgotten: (cookie: bigint): Uint8Array =>
    frame(KIND.forgotten, 8, (body) => body.setBigUint64(0, cookie)),
};

/** Reads one body; a read past its end throws RangeError. */
class Body {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  private step(count: number): number {
    const at = this.at;
    this.at += count;
    if (this.at > this.bytes.length) throw new RangeError('the frame is too short');
    return at;
  }
  u8 = (): number => this.view.getUint8(this.step(1));
  u16 = (): number => this.view.getUint16(this.step(2));
  u32 = (): number => this.view.getUint32(this.step(4));
  u64 = (): bigint => this.view.getBigUint64(this.step(8));
  address = (): Ip6 => readIp6(this.bytes, this.step(16));
  text(): string {
    const length = this.u16();
    const at = this.step(length);
    return new TextDecoder().decode(this.bytes.subarray(at, at + length));
  }
  flow(): FlowKey {
    const protocol = this.u8();
    this.u8();
    const localPort = this.u16();
    const remotePort = this.u16();
    const local = this.address();
    return { protocol, local, localPort, remote: this.address(), remotePort };
  }
  process(): Process {
    const pid = this.u32();
    return { pid, startedMs: Number(this.u64()) };
  }

  identity(): Identity {
    const user = this.u32();
    const path = this.text();
    const hasFile = this.u8() !== 0;
    const device = String(this.u64());
    const inode = String(this.u64());
    const hash = this.text();
    const kind = GROUPS[this.u8()] ?? null;
    const id = this.text();
    const flags = this.u8();
    const script = this.text();
    const group: Group | null = kind === null ? null : { kind, id };
    return {
      user,
      path: path === '' ? null : path,
      file: hasFile ? { device, inode } : null,
      hash: hash === '' ? null : hash,
      group,
      writable: (flags & 1) !== 0,
      replaced: (flags & 2) !== 0,
      foreign: (flags & 4) !== 0,
      script: script === '' ? null : script,
    };
  }

  /** `confidence u8 | process (pid 0: not known) | comm | count u16 | identity ...`. */
  private ownerParts(): Owner {
    const confidence = CONFIDENCES[this.u8()] ?? 'unknown';
    const process = this.process();
    const comm = this.text();
    const identities = Array.from({ length: this.u16() }, () => this.identity());
    return { identities, process: process.pid === 0 ? null : process, comm, confidence };
  }
  owner(): Owner | null {
    return this.u8() !== 0 ? this.ownerParts() : null;
  }

  /** `cookie u64 | protocol u8 | port u16 | address 16 | v6only u8 | owner`. */
  listener(): Listener {
    const cookie = this.u64();
    const protocol = this.u8();
    const port = this.u16();
    const address = this.address();
    const v6only = this.u8() !== 0;
    return { cookie, protocol, port, address, v6only, owner: this.owner() };
  }
}

function readBody(kind: number, body: Body): OwnerFrame | null {
  switch (kind) {
    case KIND.mode: {
      const mode = body.u8() === 1 ? 'programs' : 'sock-diag';
      const why = body.text();
      const startsSeen = body.u8() !== 0;
      const everybody = body.u8() !== 0;
      const users = Array.from({ length: body.u16() }, () => body.u32());
      const decidesFor = everybody ? null : users;
      return { kind: 'mode', mode, why: why === '' ? null : why, startsSeen, decidesFor };
    }
    case KIND.owner: {
      const id = body.u32();
      const found = body.u8() !== 0;
      const cookie = body.u64();
      return { kind: 'owner', id, cookie: found ? cookie : null, owner: body.owner() };
    }
    case KIND.applied:
      return { kind: 'applied', id: body.u32() };
    case KIND.closed:
      return { kind: 'closed', cookie: body.u64() };
    case KIND.attempt: {
      const cookie = body.u64();
      const flow = body.flow();
      return { kind: 'attempt', cookie, flow, times: body.u32() };
    }
    case KIND.exec:
      return { kind: 'exec', process: body.process(), identity: body.identity() };
    case KIND.exit:
      return { kind: 'exit', process: body.process() };
    case KIND.listening: {
      const id = body.u32();
      const listeners = Array.from({ length: body.u16() }, () => body.listener());
      return { kind: 'listening', id, listeners };
    }
    case KIND.listener:
      return { kind: 'listener', listening: body.u8() !== 0, listener: body.listener() };
    default:
      return null;
  }
}

/** Cuts a stream into frames. */
export class OwnerFrameReader {
  private held = new Uint8Array(0);

  /** Frames that are whole with `bytes`. Throws RangeError when they are nobody's. */
  read(bytes: Uint8Array): OwnerFrame[] {
    const all = new Uint8Array(this.held.length + bytes.length);
    all.set(this.held);
    all.set(bytes, this.held.length);
    const view = new DataView(all.buffer);
    const frames: OwnerFrame[] = [];
    let at = 0;
    while (all.length - at >= LENGTH_BYTES + KIND_BYTES) {
      const length = view.getUint32(at);
      if (length < KIND_BYTES || length > MAX_FRAME) throw new RangeError('no frame');
      const end = at + LENGTH_BYTES + length;
      if (end > all.length) break;
      const kind = view.getUint16(at + LENGTH_BYTES);
      const body = new Body(all.subarray(at + LENGTH_BYTES + KIND_BYTES, end));
      const read = readBody(kind, body);
      if (read === null) throw new RangeError('no frame');
      frames.push(read);
      at = end;
    }
    this.held = all.slice(at);
    return frames;
  }
}
