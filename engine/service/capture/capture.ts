// Module capture/capture captures the datagrams of the tunnel's socket as pieces of a pcapng file, within bounds.
import type { SocketDatapath } from '../../host/types.ts';
import type { Ip4Network } from '../../client/types.ts';
import type { Api } from '../api.ts';
import type { captureCalls, CaptureState } from './calls.ts';
import { fileEnd, fileHead, innerBlock, joined, LINKTYPE, packetBlock } from './pcapng.ts';

const LIMIT_BYTES = 64 * 1024 * 1024;
/** What waits to be taken; more ends up as dropped. */
const WAITING_BYTES = 8 * 1024 * 1024;
/** One answer, before base64. */
const PIECE_BYTES = 2 * 1024 * 1024;
const READ_MS = 100;
/** Nobody takes anything for so long: whoever began it is gone. */
const ABANDONED_MS = 10_000;

const TEXTS: Record<NonNullable<CaptureState['end']>, string> = {
  full: 'The capture ended: it has reached its size.',
  'nobody-reads': 'The capture ended: nobody took what was captured.',
};

export interface CaptureParts {
  readonly service: {
    readonly datapath: SocketDatapath | null;
    readonly network: { readonly around: { readonly networks: readonly Ip4Network[] } };
  };
  readonly application: string;
  readonly onChange: () => void;
}

/** One capture at a time. */
export class Capture {
  private readonly parts: CaptureParts;
  private state: CaptureState = {
    ...{ running: false, packets: 0, bytes: 0, dropped: 0, limitBytes: LIMIT_BYTES },
    ...{ startedAt: null, end: null, text: null },
  };
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  /** Dropped by the tap before this capture. */
  private lostBefore = 0;
  private refused = 0;
  /** The IPv6 packets alone. */
  private inner = false;
  private takenAt = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(parts: CaptureParts) {
    this.parts = parts;
  }

  /** The calls of capture/calls. */
  readonly api: Pick<Api, keyof typeof captureCalls> = {
    captureState: () => Promise.resolve(this.state),
    beginCapture: ({ limitBytes, inner }) => {
      if (!this.state.running) this.begin(limitBytes ?? LIMIT_BYTES, inner ?? false);
      return Promise.resolve(this.state);
    },
    takeCaptured: () => {
      this.takenAt = performance.now();
      if (this.state.running) this.read();
      const data = Buffer.from(this.take()).toString('base64');
      return Promise.resolve({ ...this.state, data });
    },
    endCapture: () => {
      if (this.state.running) {
        this.read();
        this.finish(null);
      }
      return Promise.resolve(this.state);
    },
  };

  private begin(limitBytes: number, inner: boolean): void {
    this.inner = inner;
    const { datapath } = this.parts.service;
    this.waiting = [];
    this.waitingBytes = 0;
    this.refused = 0;
    this.lostBefore = datapath?.readTap().lost ?? 0;
    const now = Date.now();
    this.state = {
      ...{ running: true, packets: 0, bytes: 0, dropped: 0, limitBytes },
      ...{ startedAt: now, end: null, text: null },
    };
    this.put(
      fileHead(
        this.parts.application,
        inner ? 'inside' : 'tunnel',
        inner
          ? 'IPv6 packets from inside the datagrams of the Teredo socket.'
          : 'Datagrams of the Teredo socket. The IPv4 and UDP headers are made anew.',
        inner ? LINKTYPE.ipv6 : LINKTYPE.ipv4,
      ),
    );
    datapath?.setTap(true);
    this.takenAt = performance.now();
    this.timer = setInterval(() => this.look(), READ_MS).unref();
    this.parts.onChange();
  }

  private look(): void {
    if (performance.now() - this.takenAt > ABANDONED_MS) {
      this.finish('nobody-reads');
      this.waiting = [];
    } else this.read();
  }

  /** Moves what the datapath kept into the file. */
  private read(): void {
    const { datapath, network } = this.parts.service;
    if (!datapath) return;
    const { datagrams, lost } = datapath.readTap();
    const local = { ip: network.around.networks[0]?.address ?? 0, port: datapath.local.port };
    const before = this.state.packets;
    for (const datagram of datagrams) {
      const block = this.inner ? innerBlock(datagram) : packetBlock(datagram, local);
      if (!block) continue;
      if (this.state.bytes + block.length > this.state.limitBytes) {
        this.finish('full');
        break;
      }
      if (this.waitingBytes + block.length > WAITING_BYTES) this.refused += 1;
      else {
        this.put(block);
        this.state = { ...this.state, packets: this.state.packets + 1 };
      }
    }
    this.state = { ...this.state, dropped: lost - this.lostBefore + this.refused };
    if (this.state.packets !== before) this.parts.onChange();
  }

  private finish(end: CaptureState['end']): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
    this.parts.service.datapath?.setTap(false);
    this.put(fileEnd(Date.now(), this.state.dropped));
    this.state = { ...this.state, running: false, end, text: end && TEXTS[end] };
    this.parts.onChange();
  }

  private put(bytes: Uint8Array): void {
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
    this.state = { ...this.state, bytes: this.state.bytes + bytes.length };
  }

  private take(): Uint8Array {
    let count = 0;
    let bytes = 0;
    while (count < this.waiting.length && bytes < PIECE_BYTES)
      bytes += this.waiting[count++]!.length;
    this.waitingBytes -= bytes;
    return joined(this.waiting.splice(0, count));
  }
}
