// Module relay/harness drives one relay in virtual time, with native hosts, Teredo clients and their servers played from the RFC's text.
import { relayConfig } from '../../../engine/relay/config.ts';
import type { RelaySettings } from '../../../engine/relay/config.ts';
import { TeredoRelay } from '../../../engine/relay/relay.ts';
import type { Ip6Network, RelayIp4Network, RelayOutput } from '../../../engine/relay/types.ts';
import {
  buildBubble,
  buildIp6Packet,
  encodeTeredo,
  formatEndpoint,
  parseIcmp6,
  PROTOCOL,
} from '../../../engine/wire/index.ts';
import type { Endpoint, Ip6 } from '../../../engine/wire/index.ts';
import { at, countedRandom, grownBy, ip4, ip6, MachineBench, open, tagOf } from '../machine.ts';

export { at, ip4, ip6, open, tagOf };

export const SERVER = at('192.0.2.1:3544');
export const CLIENT_AT = at('198.51.100.7:40000');
export const CLIENT = encodeTeredo({ server: SERVER.ip, flags: 0x0234, client: CLIENT_AT });
export const NATIVE = ip6('2001:db8::80');
export const ROUTER = ip6('2001:db8::1');
const OWN_NETWORK: RelayIp4Network = { address: ip4('203.0.113.5'), prefix: 24 };

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
export class Bench extends MachineBench<RelayOutput> {
  readonly relay: TeredoRelay;
  served: (RelayOutput & { kind: 'served' }) | null = null;

  constructor(settings: Partial<RelaySettings> = {}, served: readonly Ip6Network[] = []) {
    super();
    this.relay = new TeredoRelay(
      relayConfig({ address: ROUTER, ...settings }),
      countedRandom(),
      (address) => this.stamps.get(address),
    );
    this.relay.handleInput({ kind: 'network', networks: [OWN_NETWORK], served }, this.now);
    this.drain();
  }

  protected get machine(): TeredoRelay {
    return this.relay;
  }

  protected take(output: RelayOutput): void {
    if (output.kind === 'timeout') this.wake = output.at;
    else if (output.kind === 'served') this.served = output;
    else if (output.kind === 'peer') this.peer(output);
  }

  fromNative(bytes: Uint8Array): void {
    this.relay.handleInput({ kind: 'packet', bytes }, this.now);
    this.drain();
  }

  fromClient(bytes: Uint8Array, from: Endpoint = CLIENT_AT): void {
    this.relay.handleInput({ kind: 'datagram', from, bytes }, this.now);
    this.drain();
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
    return grownBy(this.relay, act);
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

/** A UDP packet of `size` bytes in all with `tag` as its last byte. */
export function packet(tag = 0, source = NATIVE, destination = CLIENT, size = 60): Uint8Array {
  const payload = new Uint8Array(size - 40);
  payload[payload.length - 1] = tag;
  return buildIp6Packet({ nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination }, payload);
}

/** The same the other way. */
export const answer = (tag = 0, source = CLIENT, destination = NATIVE): Uint8Array =>
  packet(tag, source, destination);
