// Module client/harness drives one client in virtual time, with a server, peers and a relay played from the RFC's text.
import { expect } from 'vitest';
import { TeredoClient } from '../../../engine/client/client.ts';
import { clientConfig } from '../../../engine/client/config.ts';
import type { ClientSettings } from '../../../engine/client/config.ts';
import type { ClientEvent, ClientOutput } from '../../../engine/client/types.ts';
import {
  buildAdvertisement,
  buildBubble,
  buildDatagram,
  buildEcho,
  buildIp6Packet,
  encodeTeredo,
  formatEndpoint,
  parseEcho,
  parseIcmp6,
  PROTOCOL,
  teredoPrefix,
} from '../../../engine/wire/index.ts';
import type { Authentication, Datagram, Endpoint, Ip6 } from '../../../engine/wire/index.ts';
import { at, countedRandom, grownBy, ip4, ip6, MachineBench, open, tagOf } from '../machine.ts';

export { at, ip4, ip6, open, tagOf };

export const PRIMARY = at('192.0.2.1:3544');
export const SECONDARY = at('192.0.2.2:3544');
/** Our mapped endpoint, unless a test moves it. */
export const MAPPED = at('198.51.100.7:40000');
/** A Teredo peer of another server. */
export const PEER_ENDPOINT = at('203.0.113.9:50000');
export const PEER_SERVER = at('192.0.2.129:3544');
export const PEER = encodeTeredo({
  server: PEER_SERVER.ip,
  flags: 0x1234 & 0x3cff,
  client: PEER_ENDPOINT,
});
export const NATIVE = ip6('2001:db8::80');
export const RELAY = at('203.0.113.77:3545');
const SERVER_LINK_LOCAL = ip6('fe80::8000:f227:3fff:fdfe');

export type Transmit = ClientOutput & { kind: 'transmit' };

/** A client whose outputs are collected by kind, at a virtual time. */
export class Bench extends MachineBench<ClientOutput> {
  readonly client: TeredoClient;
  events: ClientEvent[] = [];
  pongs: (ClientOutput & { kind: 'pong' })[] = [];
  /** Side ports that are open. */
  readonly listening = new Set<number>();

  constructor(settings: Partial<ClientSettings> = {}) {
    super();
    this.client = new TeredoClient(
      clientConfig({ server: PRIMARY.ip, server2: SECONDARY.ip, ...settings }),
      countedRandom(),
      (address) => this.stamps.get(address),
    );
    this.client.handleInput(
      { kind: 'network', networks: [{ address: ip4('192.168.1.10'), prefix: 24 }] },
      this.now,
    );
    this.drain();
  }

  protected get machine(): TeredoClient {
    return this.client;
  }

  protected take(output: ClientOutput): void {
    if (output.kind === 'event') this.events.push(output.event);
    else if (output.kind === 'pong') this.pongs.push(output);
    else if (output.kind === 'timeout') this.wake = output.at;
    else if (output.kind === 'listen' && output.on) this.listening.add(output.port);
    else if (output.kind === 'listen') this.listening.delete(output.port);
    else if (output.kind === 'peer') this.peer(output);
  }

  receive(from: Endpoint, bytes: Uint8Array, via?: number): void {
    const came = via === undefined ? {} : { via };
    this.client.handleInput({ kind: 'datagram', from, bytes, ...came }, this.now);
    this.drain();
  }

  fromProgram(packet: Uint8Array): void {
    this.client.handleInput({ kind: 'packet', bytes: packet }, this.now);
    this.drain();
  }

  get address(): Ip6 {
    return this.client.status().address!;
  }

  /** Answers every solicitation in `sent` as the server would; `origins` by server endpoint. */
  answerSolicitations(
    origins: Partial<Record<'primary' | 'secondary', Endpoint>> = {
      primary: MAPPED,
      secondary: MAPPED,
    },
    change: (a: AdvertisementParts) => AdvertisementParts = (a) => a,
  ): void {
    for (const out of this.takeSent()) {
      if (out.why !== 'solicitation' && out.why !== 'refresh') continue;
      const role = formatEndpoint(out.to) === formatEndpoint(PRIMARY) ? 'primary' : 'secondary';
      const origin = origins[role];
      if (!origin) continue;
      this.receive(out.to, advertisement(change(partsFor(open(out), origin))));
    }
  }

  /** A qualified bench with nothing pending. */
  static qualified(settings: Partial<ClientSettings> = {}): Bench {
    const bench = new Bench(settings);
    bench.answerSolicitations();
    bench.takeSent();
    bench.events = [];
    return bench;
  }
}

export interface AdvertisementParts {
  authentication: Authentication | null;
  origin: Endpoint | null;
  source: Ip6;
  destination: Ip6;
  prefix: Ip6;
}

/** What a good server answers to `solicitation` (RFC 4380 §5.3.1). */
export function partsFor(solicitation: Datagram, origin: Endpoint): AdvertisementParts {
  const { nonce } = solicitation.authentication!;
  return {
    authentication: {
      clientId: new Uint8Array(0),
      value: new Uint8Array(0),
      nonce,
      confirmation: 0,
    },
    origin,
    source: SERVER_LINK_LOCAL,
    destination: solicitation.header.source,
    prefix: teredoPrefix(PRIMARY.ip),
  };
}

export function advertisement(parts: AdvertisementParts): Uint8Array {
  const { source, destination, prefix } = parts;
  return buildDatagram({
    ...(parts.authentication && { authentication: parts.authentication }),
    ...(parts.origin && { origin: parts.origin }),
    packet: buildAdvertisement({ source, destination, prefix, mtu: 1280 }),
  });
}

export const bubble = (source: Ip6, destination: Ip6, origin?: Endpoint): Uint8Array =>
  buildDatagram({ ...(origin && { origin }), packet: buildBubble(source, destination) });

/** A UDP packet of `size` bytes in all with `tag` as its last byte; the checksum is of no matter here. */
export function udp(source: Ip6, destination: Ip6, tag = 0, size = 60): Uint8Array {
  const payload = new Uint8Array(size - 40);
  payload.set([0x30, 0x39, 0x00, 0x35, payload.length >> 8, payload.length & 255]);
  payload[payload.length - 1] = tag;
  return buildIp6Packet({ nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination }, payload);
}

/** The answer of a native host to the echo request in `out`. */
export function echoReply(out: Transmit): Uint8Array {
  const echo = parseEcho(open(out).packet);
  if (!echo.ok) throw new Error(`not an echo: ${echo.reason}`);
  const { source, destination, identifier, sequence, data } = echo.value;
  const packet = buildEcho({
    reply: true,
    source: destination,
    destination: source,
    identifier,
    sequence,
    data,
  });
  return buildDatagram({ packet });
}

/** What was sent since the last look, as `why endpoint`. */
export const story = (bench: Bench): string[] =>
  bench.takeSent().map((s) => `${s.why} ${formatEndpoint(s.to)}`);
/** A datagram of nothing but `packet`. */
export const data = (packet: Uint8Array): Uint8Array => buildDatagram({ packet });
/** ICMPv6 errors that local senders got: [type, code]. */
export const errors = (bench: Bench): number[][] =>
  bench.delivered
    .filter((d) => d.error)
    .map((d) => {
      const icmp = parseIcmp6(d.bytes);
      if (!icmp.ok) throw new Error(icmp.reason);
      return [icmp.value.type, icmp.value.code];
    });

/** Somebody whom the client never heard of. */
export const STRANGER = at('203.0.113.66:40404');

export const joined = (...parts: Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));
export const teredoAt = (endpoint: string, server = '192.0.2.129', flags = 0): Ip6 =>
  encodeTeredo({ server: ip4(server), flags, client: at(endpoint) });

/** A qualified client that has a trusted Teredo peer and a trusted native host behind a relay. */
export function connected(): Bench {
  const bench = Bench.qualified();
  bench.receive(PEER_ENDPOINT, bubble(PEER, bench.address));
  bench.fromProgram(udp(bench.address, NATIVE));
  bench.receive(RELAY, echoReply(bench.takeSent()[0]!));
  bench.takeSent();
  return bench;
}

/** The names under which `act` was refused; 'none' if it was not. */
export const refusal = (bench: Bench, act: () => void): string => grownBy(bench.client, act);

/** Nothing came of it: no packet to anybody, nothing for the adapter. */
export function silent(bench: Bench): void {
  expect([bench.takeSent(), bench.delivered]).toEqual([[], []]);
}
