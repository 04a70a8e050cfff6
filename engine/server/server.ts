// Module server/server is the Teredo server (RFC 4380 §5.3): stateless, one datagram in, at most one packet out.
//
// The way of a datagram, in the order of the functions below:
//   1. handleDatagram: well formed (rule 1), from a global address (rule 3), not from ourselves
//   2. solicited: a router solicitation (rule 4) is answered with an advertisement (§5.3.2)
//   3. forward: a bubble or a ping (rule 2) of an honest source (rules 5 and 6) goes on
//   4. toClient or toNative, by its destination
import type { Answers } from '../datapath/answers.ts';
import { KeyedBuckets } from '../datapath/limits.ts';
import type { MakeSourceLimit, SourceLimit } from '../datapath/limits.ts';
import {
  authenticate,
  buildAdvertisement,
  buildDatagram,
  CONE_FLAG,
  decodeTeredo,
  Discards,
  embedsRefused,
  isBubble,
  isCone,
  isLinkLocal6,
  isNative6,
  isReachableEndpoint,
  isTeredo,
  isUnicastPeer6,
  IP6_HEADER_LENGTH,
  LINK_LOCAL_ALL_ROUTERS,
  originBytesOf,
  parseDatagram,
  parseEcho,
  parseSolicitation,
  PROTOCOL,
  readdressIcmp6,
  sameEndpoint,
  TEREDO_MTU,
  TEREDO_PORT,
  teredoPrefix,
  unreachableBlocks,
  walkHeaders,
} from '../wire/index.ts';
import type { Authentication, Datagram, Endpoint, Ip4, Ip6, Reach } from '../wire/index.ts';
import { plainCases } from './plain.ts';
import { checkSolicitor } from './solicitors.ts';
import type {
  ServerInput,
  ServerLimits,
  ServerOutput,
  ServerReason,
  ServerRules,
  ServerSettings,
  ServerSide,
} from './types.ts';

/** Longest ICMPv6 message that is carried, bytes: enough for every connectivity test, too little for a tunnel (as Miredo's). */
const MAX_ICMP = 88;
/** Trailers that follow a forwarded bubble, bytes in all: a nonce, a random port and eight alternate addresses (RFC 6081 §4). */
const MAX_TRAILERS = 64;
const HOP_LIMIT_AT = 7;
const SOURCE_AT = 8;

const DEFAULT_LIMITS: ServerLimits = {
  solicitationsPerSecondPerSource: 20,
  forwardedPerSecondPerSource: 200,
  maxSources: 16_384,
};

const keyedBuckets: MakeSourceLimit = (...limits) => new KeyedBuckets<Ip4>(...limits);

/** What each source may do. */
function limitsOf({
  limits: given = {},
  makeLimit = keyedBuckets,
}: Pick<ServerSettings, 'limits' | 'makeLimit'>): Record<
  'solicitations' | 'forwards',
  SourceLimit
> {
  const limits = { ...DEFAULT_LIMITS, ...given };
  const { solicitationsPerSecondPerSource: asked, forwardedPerSecondPerSource: carried } = limits;
  return {
    solicitations: makeLimit(asked, Math.max(1, asked), limits.maxSources),
    forwards: makeLimit(carried, Math.max(1, carried), limits.maxSources),
  };
}

/** A pure server; whoever runs it gives it what arrives and sends what it returns. Never throws on what came from outside. */
export class TeredoServer {
  private readonly counted = new Discards();
  private settings: ServerSettings;
  private readonly reach: Reach;
  private readonly port: number;
  /** Our one or two addresses. */
  private readonly own: readonly Ip4[];
  private solicitations: SourceLimit;
  private forwards: SourceLimit;
  /** The advertisement, which is the same for all but in its destination; its source is our address and port, cone bit 1. */
  private readonly advertisement: Uint8Array;

  constructor(settings: ServerSettings) {
    this.settings = settings;
    this.port = settings.port ?? TEREDO_PORT;
    const { primary, secondary } = settings;
    this.own = secondary === null ? [primary] : [primary, secondary];
    this.reach = {
      allowPrivate: settings.allowPrivate ?? false,
      broadcasts: settings.broadcasts ?? [],
    };
    ({ solicitations: this.solicitations, forwards: this.forwards } = limitsOf(settings));
    this.advertisement = buildAdvertisement({
      source: serverLinkLocal({ ip: primary, port: this.port }),
      destination: 0n,
      prefix: teredoPrefix(primary),
      mtu: TEREDO_MTU,
    });
  }

  /** From the next datagram on these keys and limits rule; what was counted stays. New limits forget who sent how much. */
  configure({ clients, requireAuthentication, limits }: ServerRules): void {
    this.settings = { ...this.settings, clients, requireAuthentication, limits };
    ({ solicitations: this.solicitations, forwards: this.forwards } = limitsOf(this.settings));
  }

  /**
   * The solicitations that whoever runs the server may answer by this table instead of asking, and the answers; true until the
   * next `configure` or change of the broadcasts. Null when each has to be judged.
   */
  answers(): Answers | null {
    const { requireAuthentication = false, secondary } = this.settings;
    if (requireAuthentication) return null;
    const own = [...this.own, ...this.reach.broadcasts];
    const blocks = [
      ...unreachableBlocks(this.reach),
      ...own.map((ip): readonly [Ip4, number] => [ip, 32]),
    ];
    // Inverted, as an origin is, this endpoint is all zeros.
    const nobody = { ip: 0xffffffff, port: 0xffff };
    return {
      cases: plainCases((bytes) => {
        const parsed = parseDatagram(bytes);
        const built = parsed.ok ? this.advertisementFor(nobody, parsed.value) : parsed.reason;
        if (typeof built === 'string') throw new Error(`no plain solicitation: ${built}`);
        return built;
      }, secondary !== null),
      refused: blocks.map(([network, prefix]) => ({ network, prefix })),
      limit: this.solicitations,
    };
  }

  /** Counted, named discards. */
  get discards(): Readonly<Record<string, number>> {
    return this.counted.snapshot();
  }

  /** Takes one datagram at time `now` (ms, never decreasing). */
  handleDatagram(input: ServerInput, now: number): ServerOutput[] {
    const { from, bytes } = input;
    const parsed = parseDatagram(bytes);
    if (!parsed.ok) return this.discard(parsed.reason);
    const datagram = parsed.value;
    if (!isReachableEndpoint(from, this.reach)) return this.discard('sourceNotGlobal');
    // A relay or client on this machine is fine, at a port of its own; our own datagram coming back is a loop.
    if (this.isOurs(from.ip) && from.port === this.port) return this.discard('sourceIsServer');
    // Only a server adds an origin, and no server sends to another.
    if (datagram.origin) return this.discard('originUnexpected');
    const { source, destination } = datagram.header;
    if (isLinkLocal6(source) && destination === LINK_LOCAL_ALL_ROUTERS)
      return this.solicited(input, datagram, now);
    return this.forward(from, datagram, trailerBytes(bytes, datagram), now);
  }

  // ---- router solicitations (RFC 4380 §5.3.1 rule 4, §5.3.2)

  private solicited(input: ServerInput, datagram: Datagram, now: number): ServerOutput[] {
    const { from, arrivedOn } = input;
    const solicitation = parseSolicitation(datagram.packet);
    if (!solicitation.ok) return this.discard(solicitation.reason);
    if (!this.solicitations.take(from.ip, now)) return this.discard('solicitationLimit');
    const answering = this.answeringSide(arrivedOn, solicitation.value.source);
    if (!answering) return this.discard('solicitationCone');
    const bytes = this.advertisementFor(from, datagram);
    if (typeof bytes === 'string') return this.discard(bytes);
    return [{ kind: 'transmit', via: answering, to: from, bytes, why: 'advertisement' }];
  }

  /** The datagram that answers a valid solicitation from `from`. */
  private advertisementFor(from: Endpoint, datagram: Datagram): Uint8Array | ServerReason {
    const solicitor = checkSolicitor(datagram, this.settings);
    if (typeof solicitor === 'string') return solicitor;
    const packet = readdressIcmp6(
      this.advertisement,
      datagram.packet.subarray(SOURCE_AT, SOURCE_AT + 16),
    );
    let authentication: Authentication | null = null;
    if (solicitor.nonce) {
      const { clientId, key, nonce, confirmation } = solicitor;
      authentication = key
        ? authenticate({ clientId, key, nonce, confirmation, origin: from, packet })
        : { clientId, value: new Uint8Array(0), nonce, confirmation };
    }
    return buildDatagram({ ...(authentication && { authentication }), origin: from, packet });
  }

  /** With the cone bit the answer comes from our other address, else from the one that was asked; null: there is no other. */
  private answeringSide(arrivedOn: ServerSide, source: Ip6): ServerSide | null {
    if (!isCone(Number((source >> 48n) & 0xffffn))) return arrivedOn;
    if (this.settings.secondary === null) return null;
    return arrivedOn === 'primary' ? 'secondary' : 'primary';
  }

  // ---- forwarding (RFC 4380 §5.3.1 rules 2, 5, 6)

  private forward(
    from: Endpoint,
    datagram: Datagram,
    trailers: Uint8Array,
    now: number,
  ): ServerOutput[] {
    const { header, packet } = datagram;
    const { source, destination } = header;
    const refusal =
      (isBubble(header) ? null : pingRefusal(packet, header.payloadLength)) ??
      this.sourceRefusal(from, source, destination, isBubble(header));
    if (refusal) return this.discard(refusal);
    if (source === destination) return this.discard('destinationIsSource');
    const client = decodeTeredo(destination);
    const going = client
      ? this.toClient(from, packet, trailers, client)
      : this.toNative(packet, source, destination);
    if (typeof going === 'string') return this.discard(going);
    if (!this.forwards.take(from.ip, now)) return this.discard('forwardLimit');
    return [going];
  }

  /** A Teredo source is the sender itself (rule 5); any other speaks to clients of ours only (rule 6). */
  private sourceRefusal(
    from: Endpoint,
    source: Ip6,
    destination: Ip6,
    bubble: boolean,
  ): ServerReason | null {
    const teredo = decodeTeredo(source);
    if (teredo) return sameEndpoint(teredo.client, from) ? null : 'sourceMismatch';
    if (!isTeredo(destination)) return 'sourceMismatch';
    // Relays send bubbles from a link-local source; nothing else with one leaves its link (RFC 4291 §2.5.6).
    if (!isUnicastPeer6(source) && !(bubble && isLinkLocal6(source))) return 'sourceNotUnicast';
    return embedsRefused(source, this.own, this.reach) ? 'sourceEmbedded' : null;
  }

  private toClient(
    from: Endpoint,
    packet: Uint8Array,
    trailers: Uint8Array,
    { server, client }: { server: Ip4; client: Endpoint },
  ): ServerOutput | ServerReason {
    if (server !== this.settings.primary) return 'clientOfAnotherServer';
    if (this.isOurs(client.ip)) return 'destinationIsServer';
    if (!isReachableEndpoint(client, this.reach)) return 'clientNotGlobal';
    if (trailers.length > MAX_TRAILERS) return 'trailersTooLong';
    const bytes = concatenate(originBytesOf(from), packet, trailers);
    return { kind: 'transmit', via: 'primary', to: client, bytes, why: 'forward' };
  }

  /** A client's ping to the IPv6 Internet (RFC 4380 §5.2.9). We are the router that takes the hop. */
  private toNative(packet: Uint8Array, source: Ip6, destination: Ip6): ServerOutput | ServerReason {
    if (decodeTeredo(source)?.server !== this.settings.primary) return 'clientOfAnotherServer';
    if (!isNative6(destination, this.reach)) return 'destinationNotGlobal';
    if (embedsRefused(destination, this.own, this.reach)) return 'destinationEmbedded';
    if (packet.length === IP6_HEADER_LENGTH) return 'bubbleToNative';
    const hopLimit = packet[HOP_LIMIT_AT]!;
    if (hopLimit <= 1) return 'hopLimit';
    const bytes = packet.slice();
    bytes[HOP_LIMIT_AT] = hopLimit - 1;
    return { kind: 'native', bytes };
  }

  // ---- addresses

  private isOurs(ip: Ip4): boolean {
    return this.own.includes(ip);
  }

  private discard(reason: string): [] {
    this.counted.count(reason);
    return [];
  }
}

/** `fe80::8000:~port:~ip`: flags with the cone bit alone, the rest as in a Teredo address (RFC 4380 §4). */
function serverLinkLocal({ ip, port }: Endpoint): Ip6 {
  const identifier =
    (BigInt(CONE_FLAG) << 48n) | (BigInt(port ^ 0xffff) << 32n) | BigInt((ip ^ 0xffffffff) >>> 0);
  return (0xfe80n << 112n) | identifier;
}

/** Why `packet`, which is no bubble, is no short echo either. Extension headers are refused: no connectivity test has any. */
function pingRefusal(packet: Uint8Array, payloadLength: number): string | null {
  const walked = walkHeaders(packet);
  if (!walked.ok) return walked.reason;
  const { protocol, offset } = walked.value;
  if (protocol !== PROTOCOL.icmp6 || offset !== IP6_HEADER_LENGTH) return 'notRelayed';
  if (payloadLength > MAX_ICMP) return 'icmpTooLong';
  const echo = parseEcho(packet);
  return echo.ok ? null : echo.reason;
}

/** What follows the packet in a datagram, as it came: trailers are for the client, not for us (RFC 6081 §4). */
function trailerBytes(bytes: Uint8Array, { packet }: Datagram): Uint8Array {
  return bytes.subarray(packet.byteOffset - bytes.byteOffset + packet.length);
}

function concatenate(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
