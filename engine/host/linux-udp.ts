// Module host/linux-udp reads and writes a UDP socket in batches through the native add-on, and words its failures for a server.
import type { AnswerCounts, Answers } from '../datapath/answers.ts';
import { formatIp4 } from '../wire/index.ts';
import type { Endpoint } from '../wire/index.ts';
import { nativeAddon } from './addon.ts';
import type { NativeUdp, SystemError } from './addon.ts';
import { forEachRecord, LITTLE_ENDIAN } from './records.ts';
import { onceATurn } from './turns.ts';
import { HostError } from './types.ts';
import type { SendOutcome, UdpOptions, UdpSocket } from './types.ts';

/** As in native/datapath/udp-binding.cc. */
const BATCH = 64;
const HEAD_BYTES = 16;
const SLOT_BYTES = 2064;
const OUTCOMES: readonly SendOutcome[] = ['sent', 'failed', 'full'];
/** Taken at once; then timers and other sockets get their turn. */
const DRAIN_BYTES = 128 * 1024;

export class LinuxUdp<Tag> implements UdpSocket<Tag> {
  readonly #native: NativeUdp;
  readonly #options: UdpOptions<Tag>;
  readonly #in = new Uint8Array(DRAIN_BYTES);
  readonly #out = new Uint8Array(BATCH * SLOT_BYTES);
  readonly #outView = new DataView(this.#out.buffer);
  readonly #tags: Tag[] = [];

  /** Throws HostError. */
  constructor(options: UdpOptions<Tag>) {
    this.#options = options;
    const { bind, workers = 1 } = options;
    try {
      const onReadable = onceATurn(() => this.#onReadable());
      this.#native = nativeAddon().openUdp(bind.ip, bind.port, workers, onReadable);
    } catch (error) {
      throw error instanceof HostError ? error : bindError(error as SystemError, bind);
    }
  }

  send(to: Endpoint, bytes: Uint8Array, tag: Tag): void {
    const at = this.#tags.length * SLOT_BYTES;
    this.#outView.setUint32(at, bytes.length, LITTLE_ENDIAN);
    this.#outView.setUint32(at + 8, to.ip, LITTLE_ENDIAN);
    this.#outView.setUint16(at + 12, to.port, LITTLE_ENDIAN);
    this.#out.set(bytes, at + HEAD_BYTES);
    this.#tags.push(tag);
    if (this.#tags.length === BATCH) this.flush();
  }

  flush(): void {
    const count = this.#tags.length;
    if (count === 0) return;
    this.#native.send(this.#out, count);
    for (let i = 0; i < count; i++)
      this.#options.onSent(OUTCOMES[this.#out[i * SLOT_BYTES + 4]!]!, this.#tags[i]!);
    this.#tags.length = 0;
  }

  close(): void {
    this.#native.close();
  }

  answer(answers: Answers | null, other: UdpSocket<Tag> | null): void {
    this.#native.setAnswers(answers, other instanceof LinuxUdp ? other.#native : null);
  }

  counts(): AnswerCounts {
    return this.#native.counts();
  }

  #onReadable(): void {
    const used = this.#native.drain(this.#in);
    forEachRecord(this.#in, used, ({ endpoint, bytes }) =>
      this.#options.onDatagram(endpoint, bytes),
    );
    if (used > 0) this.#options.onBatch();
  }
}

function bindError({ code, message }: SystemError, { ip, port }: Endpoint): HostError {
  const address = formatIp4(ip);
  if (code === 'EADDRINUSE')
    return new HostError(
      'port-taken',
      `UDP port ${port} of ${address} is in use already; end the other server (see: ss -ulpn), or choose another address.`,
    );
  if (code === 'EADDRNOTAVAIL')
    return new HostError(
      'bind-failed',
      `This machine has no address ${address}; give one that "ip -4 address" shows. If the provider translates a public address to one of those, name that one with --bind-primary (or --bind-secondary).`,
    );
  return new HostError(
    'bind-failed',
    `UDP port ${port} of ${address} can’t be used (${message}); choose another address or port.`,
  );
}
