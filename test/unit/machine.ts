// Module unit/machine holds what the harnesses of client, relay and server share: addresses by their text, virtual time, outputs collected by kind.
import type { PeerStamps } from '../../engine/datapath/types.ts';
import { parseDatagram, parseEndpoint, parseIp4, parseIp6 } from '../../engine/wire/index.ts';
import type { Datagram, Endpoint, Ip6 } from '../../engine/wire/index.ts';

export const ip4 = (text: string): number => parseIp4(text)!;
export const ip6 = (text: string): Ip6 => parseIp6(text)!;
export const at = (text: string): Endpoint => parseEndpoint(text)!;
export const tagOf = (packet: Uint8Array): number => packet[packet.length - 1]!;

/** The parsed datagram of a transmission, or of its bytes; throws when it is no valid one. */
export function open(out: Uint8Array | { readonly bytes: Uint8Array }): Datagram {
  const parsed = parseDatagram(out instanceof Uint8Array ? out : out.bytes);
  if (!parsed.ok) throw new Error(`not a Teredo datagram: ${parsed.reason}`);
  return parsed.value;
}

/** The names of the counters that `act` made grow; 'none' if it was none. */
export function grownBy(
  machine: { readonly discards: Readonly<Record<string, number>> },
  act: () => void,
): string {
  const before = machine.discards;
  act();
  const grown = Object.entries(machine.discards).filter(([k, n]) => n !== (before[k] ?? 0));
  return grown.map(([k]) => k).join() || 'none';
}

/** Bytes that look random and are the same in every run. */
export function countedRandom(): { bytes: (length: number) => Uint8Array } {
  let counter = 1;
  return {
    bytes: (length) =>
      Uint8Array.from({ length }, () => {
        counter = (counter * 48_271) % 0x7fffffff;
        return counter >>> 8;
      }),
  };
}

interface Machine<Output> {
  handleInput(input: { kind: 'timeout' }, now: number): void;
  pollOutput(): Output | undefined;
}

/** One state machine at a virtual time, milliseconds, with its outputs collected by kind. */
export abstract class MachineBench<Output extends { readonly kind: string }> {
  now = 1_000_000;
  sent: (Output & { kind: 'transmit' })[] = [];
  delivered: (Output & { kind: 'deliver' })[] = [];
  readonly peerTable = new Map<Ip6, Endpoint>();
  readonly stamps = new Map<Ip6, PeerStamps>();
  order: string[] = [];
  wake = Infinity;

  protected abstract readonly machine: Machine<Output>;
  /** Takes whatever is neither sent nor delivered. */
  protected abstract take(output: Output): void;

  /** Enters what the machine said of a peer. */
  protected peer({ address, endpoint }: { address: Ip6; endpoint: Endpoint | null }): void {
    if (endpoint) this.peerTable.set(address, endpoint);
    else this.peerTable.delete(address);
  }

  drain(): void {
    for (let output = this.machine.pollOutput(); output; output = this.machine.pollOutput()) {
      this.order.push(output.kind);
      if (output.kind === 'transmit') this.sent.push(output as Output & { kind: 'transmit' });
      else if (output.kind === 'deliver')
        this.delivered.push(output as Output & { kind: 'deliver' });
      else this.take(output);
    }
  }

  /** Lets `ms` pass, waking the machine whenever it asked for it. */
  pass(ms: number): void {
    const end = this.now + ms;
    while (this.wake <= end) {
      this.now = Math.max(this.now, this.wake);
      this.wake = Infinity;
      this.machine.handleInput({ kind: 'timeout' }, this.now);
      this.drain();
    }
    this.now = end;
  }

  /** What was transmitted since the last call. */
  takeSent(): (Output & { kind: 'transmit' })[] {
    const taken = this.sent;
    this.sent = [];
    return taken;
  }
}
