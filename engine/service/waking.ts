// Module service/waking keeps the packets of allowed programs that wait while the tunnel wakes.
import { PacketQueue } from '../datapath/limits.ts';
import { parseIp6Header, UNREACHABLE } from '../wire/index.ts';
import type { Ip6 } from '../wire/index.ts';

const MAX_PACKETS = 64;
const MAX_BYTES = 64 * 1024;

type Refuse = (packet: Uint8Array, code: number) => void;

export class Waking {
  private readonly queue = new PacketQueue(MAX_BYTES, MAX_PACKETS);
  private readonly refuse: Refuse;

  /** @param refuse tells the program of a packet that it will not arrive, and why (RFC 4443 §3.1) */
  constructor(refuse: Refuse) {
    this.refuse = refuse;
  }

  /** False when there is no room. */
  push(packet: Uint8Array): boolean {
    return this.queue.push(packet);
  }

  /** What waited goes on; what was sent from the address before can't be answered any more, and its program is told. */
  sendAll(address: Ip6, send: (packet: Uint8Array) => void): void {
    for (const packet of this.queue.drain()) {
      const header = parseIp6Header(packet);
      if (header.ok && header.value.source === address) send(packet);
      else this.refuse(packet, UNREACHABLE.address);
    }
  }

  /** It sleeps again. */
  refuseAll(): void {
    for (const packet of this.queue.drain()) this.refuse(packet, UNREACHABLE.prohibited);
  }
}
