// Module service/side-sockets opens what a client needs beside its service port: further UDP ports, and the group of local discovery.
import type { ClientInput, Ip4Network } from '../client/types.ts';
import type { Host, SidePort } from '../host/types.ts';
import { DISCOVERY_ADDRESS, TEREDO_PORT } from '../wire/index.ts';
import type { Endpoint } from '../wire/index.ts';

/** The further sockets of one client machine. */
export class SideSockets {
  private readonly host: Pick<Host, 'openSidePort' | 'joinGroup'>;
  private readonly input: (input: ClientInput) => void;
  private readonly ports = new Map<number, SidePort>();
  private group: { close(): void } | null = null;

  /** @param input takes what comes in; never called from within a call of this */
  constructor(host: Pick<Host, 'openSidePort' | 'joinGroup'>, input: (input: ClientInput) => void) {
    this.host = host;
    this.input = input;
  }

  /** Nothing is open. */
  get isEmpty(): boolean {
    return this.ports.size === 0 && this.group === null;
  }

  /** Opens the UDP port `via`, or closes it; what can't be had is told by a `portFailed` input. */
  listen(via: number, on: boolean): void {
    this.ports.get(via)?.close();
    this.ports.delete(via);
    if (!on) return;
    try {
      const take = (from: Endpoint, bytes: Uint8Array): void =>
        this.input({ kind: 'datagram', from, bytes: bytes.slice(), via });
      this.ports.set(via, this.host.openSidePort(via, take));
    } catch {
      // Not from within the machine's own output.
      queueMicrotask(() => this.input({ kind: 'portFailed', port: via }));
    }
  }

  send(via: number, to: Endpoint, bytes: Uint8Array): void {
    this.ports.get(via)?.send(to, bytes);
  }

  /** Listens to the discovery bubbles on the links of `networks` (RFC 4380 §5.2.8), or no longer. */
  join(on: boolean, networks: readonly Ip4Network[]): void {
    this.group?.close();
    this.group = null;
    if (!on) return;
    const take = (from: Endpoint, bytes: Uint8Array): void =>
      this.input({ kind: 'discovery', from, bytes });
    const links = networks.map(({ address }) => address);
    this.group = this.host.joinGroup(DISCOVERY_ADDRESS, TEREDO_PORT, links, take);
  }

  close(): void {
    for (const port of this.ports.values()) port.close();
    this.ports.clear();
    this.join(false, []);
  }
}
