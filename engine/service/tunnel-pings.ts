// Module service/tunnel-pings keeps the user's pings until the client machine answers them; those without an address wait for one.
import type { ClientInput, PingResult } from '../client/types.ts';
import type { Host } from '../host/types.ts';
import type { Ip6 } from '../wire/index.ts';

interface PendingPing {
  readonly address: Ip6;
  readonly timeoutMs: number;
  readonly resolve: (result: PingResult) => void;
}

/** What the pings need of the tunnel. */
export interface PingTunnel {
  readonly after: Host['after'];
  readonly hasAddress: () => boolean;
  readonly isAwake: () => boolean;
  readonly input: (input: ClientInput) => void;
}

/** All pings of one tunnel. */
export class TunnelPings {
  private readonly tunnel: PingTunnel;
  private readonly pings = new Map<number, PendingPing>();
  /** Pings that wait for an address. */
  private early: PendingPing[] = [];
  private next = 1;

  constructor(tunnel: PingTunnel) {
    this.tunnel = tunnel;
  }

  /** Pings once there is an address, at the latest after `timeoutMs`. */
  ping(address: Ip6, timeoutMs: number): Promise<PingResult> {
    return new Promise((resolve) => {
      const ping = { address, timeoutMs, resolve };
      if (this.tunnel.hasAddress()) this.start(ping);
      else if (!this.tunnel.isAwake()) resolve({ ok: false, code: 'not-qualified' });
      else {
        this.early.push(ping);
        this.tunnel.after(timeoutMs, () => {
          if (!this.early.includes(ping)) return;
          this.early = this.early.filter((each) => each !== ping);
          resolve({ ok: false, code: 'not-qualified' });
        });
      }
    });
  }

  /** There is an address now. */
  addressGiven(): void {
    for (const ping of this.early.splice(0)) this.start(ping);
  }

  answered(id: number, result: PingResult): void {
    this.pings.get(id)?.resolve(result);
    this.pings.delete(id);
  }

  /** Nobody will answer the pings under way. */
  settle(): void {
    for (const { resolve } of [...this.pings.values(), ...this.early])
      resolve({ ok: false, code: 'not-qualified' });
    this.pings.clear();
    this.early = [];
  }

  private start(ping: PendingPing): void {
    const id = this.next++;
    this.pings.set(id, ping);
    this.tunnel.input({ kind: 'ping', id, address: ping.address, timeoutMs: ping.timeoutMs });
  }
}
