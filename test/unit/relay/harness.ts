// Module relay/harness drives one relay in virtual time, with native hosts, Teredo clients and their servers played from the RFC's text.
import { relayConfig } from '../../../engine/relay/config.ts';
import type { RelaySettings } from '../../../engine/relay/config.ts';
import { TeredoRelay } from '../../../engine/relay/relay.ts';
import type { Ip6Network, RelayIp4Network, RelayOutput } from '../../../engine/relay/types.ts';
import type { PeerStamps } from '../../../engine/datapath/types.ts';
import {
  buildBubble,
  buildIp6Packet,
  encodeTeredo,
  formatEndpoint,
  parseDatagram,
  parseEndpoint,
  parseIcmp6,
  parseIp4,
  parseIp6,
  PROTOCOL,
} from '../../../engine/wire/index.ts';
import type { Datagram, Endpoint, Ip6 } from '../../../engine/wire/index.ts';

export const ip4 = (text: string): number => parseIp4(text)!;
export const ip6 = (text: string): Ip6 => parseIp6(text)!;
export const at = (text: string): Endpoint => parseEndpoint(text)!;

export const SERVER = at('192.0.2.1:3544');
export const CLIENT_AT = at('198.51.100.7:40000');
export const CLIENT = encodeTeredo({ server: SERVER.ip, flags: 0x0234, client: CLIENT_AT });
export const NATIVE = ip6('2001:db8::80');
export const ROUTER = ip6('2001:db8::1');
export const OWN_NETWORK: RelayIp4Network = { address: ip4('203.0.113.5'), prefix: 24 };

export type Transmit = RelayOutput & { kind: 'transmit' };

/** A client's address with the client at `endpoint`, of the server at `server`. */
export const clientAt = (endpoint: string, server = '192.0.2.1'): Ip6 =>
  encodeTeredo({ server: ip4(server), flags: 0x0111, client: at(endpoint) });
/** The n-th made-up client. */
export const madeUp = (n: number, server = SERVER.ip): Ip6 =>
  encodeTeredo({
    server,
    flags: n & 0x00ff,
    client: { ip: 0xc6336500 + (n >>> 8), port: 1024 + n },
  });

/** A relay whose outputs are collected by kind, at a virtual time. */
export class Bench {
  now = 1_000_000;
  readonly relay: TeredoRelay;
  sent: Transmit[] = [];
  delivered: (RelayOutput & { kind: 'deliver' })[] = [];
  peerTable = new Map<Ip6, Endpoint>();
  stamps = new Map<Ip6, PeerStamps>();
  order: string[] = [];
  served: (RelayOutput & { kind: 'served' }) | null = null;
  wake = Infinity;
  private counter = 1;

  constructor(settings: Partial<RelaySettings> = {}, served: readonly Ip6Network[] = []) {
    const random = {
      bytes: (length: number): Uint8Array =>
        Uint8Array.from({ length }, () => {
          this.counter = (this.counter * 48_271) % 0x7fffffff;
          return this.counter >>> 8;
        }),
    };
    this.relay = new TeredoRelay(relayConfig({ address: ROUTER, ...settings }), random, (address) =>
      this.stamps.get(address),
    );
    this.relay.handleInput({ kind: 'network', networks: [OWN_NETWORK], served }, this.now);
    this.drain();
  }

  drain(): void {
    for (let output = this.relay.pollOutput(); output; output = this.relay.pollOutput()) {
      this.order.push(output.kind);
      if (output.kind === 'transmit') this.sent.push(output);
      else if (output.kind === 'deliver') this.delivered.push(output);
      else if (output.kind === 'timeout') this.wake = output.at;
      else if (output.kind === 'served') this.served = output;
      else if (output.endpoint) this.peerTable.set(output.address, output.endpoint);
      else this.peerTable.delete(output.address);
    }
  }

  /** Lets `ms` pass, waking the relay whenever it asked for it. */
  pass(ms: number): void {
    const end = this.now + ms;
    while (this.wake <= end) {
      this.now = Math.max(this.now, this.wake);
      this.wake = Infinity;
      this.relay.handleInput({ kind: 'timeout' }, this.now);
      this.drain();
    }
    this.now = end;
  }

  fromNative(bytes: Uint8Array): void {
    this.relay.handleInput({ kind: 'packet', bytes }, this.now);
    this.drain();
  }

  fromClient(bytes: Uint8Array, from: Endpoint = CLIENT_AT): void {
    this.relay.handleInput({ kind: 'datagram', from, bytes }, this.now);
    this.drain();
  }

  takeSent(): Transmit[] {
    const taken = this.sent;
    this.sent = [];
    return taken;
  }

  takeDelivered(): (RelayOutput & { kind: 'deliver' })[] {
    const taken = this.delivered;
    this.delivered = [];
    return taken;
  }

  /** What was sent since the last look, as `why endpoint`. */
  story(): string[] {
    return this.takeSent().map((s) => `${s.why} ${formatEndpoint(s.to)}`);
  }

  /** ICMPv6 errors that native senders got since the last look: [type, code, destination]. */
  errors(): [number, number, Ip6][] {
    return this.takeDelivered()
      .filter((d) => d.error)
      .map((d) => {
        const icmp = parseIcmp6(d.bytes);
        if (!icmp.ok) throw new Error(icmp.reason);
        return [icmp.value.type, icmp.value.code, icmp.value.header.destination];
      });
  }

  /** The name under which `act` was refused; 'none' if it was not. */
  refusal(act: () => void): string {
    const before = this.relay.discards;
    act();
    const grown = Object.entries(this.relay.discards).filter(([k, n]) => n !== (before[k] ?? 0));
    return grown.map(([k]) => k).join() || 'none';
  }

  /** A relay that knows `CLIENT` at `CLIENT_AT`, with nothing pending. */
  static connected(
    settings: Partial<RelaySettings> = {},
    served: readonly Ip6Network[] = [],
  ): Bench {
    const bench = new Bench(settings, served);
    bench.fromNative(packet());
    bench.fromClient(buildBubble(CLIENT, open(bench.sent[0]!).header.source));
    bench.takeSent();
    bench.order = [];
    return bench;
  }
}

export function open(out: { bytes: Uint8Array }): Datagram {
  const parsed = parseDatagram(out.bytes);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

/** A UDP packet of `size` bytes in all with `tag` as its last byte. */
export function packet(tag = 0, source = NATIVE, destination = CLIENT, size = 60): Uint8Array {
  const payload = new Uint8Array(size - 40);
  payload[payload.length - 1] = tag;
  return buildIp6Packet({ nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination }, payload);
}

/** The same the other way. */
export const answer = (tag = 0, source = CLIENT, destination = NATIVE): Uint8Array =>
  packet(tag, source, destination);
export const tagOf = (bytes: Uint8Array): number => bytes[bytes.length - 1]!;
