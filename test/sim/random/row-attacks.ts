// Module random/row-attacks builds what a crowd of attackers sends for each row of the list of attacks, from every side.
import {
  buildAdvertisement,
  buildBubble,
  buildDatagram,
  buildEcho,
  buildIcmp6,
  buildIp6Packet,
  buildSolicitation,
  DISCOVERY_ADDRESS,
  encodeTeredo,
  ICMP6,
  LINK_LOCAL_ALL_NODES,
  linkLocalFor,
  originBytesOf,
  parseIp4,
  parseIp6,
  PROTOCOL,
  sameEndpoint,
  TEREDO_PORT,
  teredoPrefix,
} from '../../../engine/wire/index.ts';
import type { Endpoint, Ip4, Ip6 } from '../../../engine/wire/index.ts';
import { forgedUdp, PRIVATE, udpFrom } from './attacks.ts';
import type { Knowledge, Shot } from './attacks.ts';
import type { CrowdAttack } from './scenario.ts';

const NONE = new Uint8Array(0);
const ip = (text: string): Ip4 => parseIp4(text)!;
const ip6 = (text: string): Ip6 => parseIp6(text)!;
/** Sources that are nobody's: what a routing table would never have brought (RFC 4291 §2.5, RFC 6890). */
const NOT_UNICAST = ['::', '::1', '::ffff:192.0.2.4', 'fec0::1', 'ff02::1'].map(ip6);
/** Where attackers on the native Internet say that they are. */
const NATIVE_STRANGERS = ip6('2001:db8:bad::');

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** An IPv6 packet with a routing header of `type`, `left` segments left, perhaps behind options. */
function routed(source: Ip6, destination: Ip6, type: number, left: number, behind: boolean) {
  const header = Uint8Array.of(PROTOCOL.udp, 2, type, left, ...new Uint8Array(20));
  const options = Uint8Array.of(PROTOCOL.routing, 0, 1, 4, 0, 0, 0, 0);
  return buildIp6Packet(
    {
      nextHeader: behind ? PROTOCOL.destinationOptions : PROTOCOL.routing,
      hopLimit: 64,
      source,
      destination,
    },
    joined(behind ? options : NONE, header, forgedUdp(), new Uint8Array(8)),
  );
}

/** One packet of `attack`; null where this network has nobody to send it to. */
export function crowdShot(attack: CrowdAttack, knowledge: Knowledge): Shot | null {
  const { random, attacker, server, target, peers, relays } = knowledge;
  const { address, mapped, own, probeId } = target;
  const pick = <T>(items: readonly T[]): T => items[random.between(0, items.length - 1)]!;
  const flags = random.between(0, 0xffff);
  const teredo = (client: Endpoint, of = server.ip): Ip6 =>
    encodeTeredo({ server: of, flags, client });
  const stranger = teredo(attacker);
  const peer = pick(peers.length > 0 ? peers : [{ address: stranger, mapped: attacker }]);
  const nativeStranger = NATIVE_STRANGERS | BigInt(random.between(1, 0xffff));
  // Whoever knows an endpoint can write it into his packets as their source.
  const sources = [attacker, knowledge.servers[0]!, knowledge.servers[1]!, peer.mapped, ...relays];
  const relay = relays.length > 0 ? pick(relays) : null;
  /** A third party in whose name somebody else asks. */
  const victim = pick([peer.mapped, { ip: ip('198.51.100.200'), port: 53 }]);
  const at = (to: Endpoint, bytes: Uint8Array, from = pick(sources)): Shot => ({
    side: 'internet',
    from,
    to,
    bytes,
  });
  /** To the target, from outside or from its own link. */
  const toTarget = (bytes: Uint8Array, from = pick(sources)): Shot =>
    own && random.chance(0.3)
      ? { side: 'link', from, to: own, bytes }
      : { side: 'internet', from, to: mapped, bytes };
  const toServer = (bytes: Uint8Array, from = attacker): Shot => at(server, bytes, from);
  const toRelay = (bytes: Uint8Array, from = attacker): Shot | null =>
    relay && at(relay, bytes, from);
  const fromServer = (bytes: Uint8Array): Shot => toTarget(bytes, server);
  const native = (bytes: Uint8Array): Shot => ({ side: 'native', bytes });
  const program = (bytes: Uint8Array): Shot => ({ side: 'program', bytes });
  const large = (source: Ip6, destination: Ip6): Uint8Array =>
    buildIp6Packet(
      { nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination },
      joined(forgedUdp(), new Uint8Array(1_190)),
    );
  const dead = (port: number): Ip6 => teredo({ ip: ip('203.0.113.250'), port });
  const advertisement = (
    prefix: Ip6,
    nonce: Uint8Array | null,
    origin: Endpoint,
    prefixes = 1,
  ): Uint8Array => {
    const ends = { source: linkLocalFor(random), destination: linkLocalFor(random) };
    const one = buildAdvertisement({ ...ends, prefix });
    const packet = buildIcmp6(
      { type: ICMP6.routerAdvertisement, code: 0, ...ends, hopLimit: 255 },
      joined(one.subarray(44), ...Array<Uint8Array>(prefixes - 1).fill(one.subarray(-32))),
    );
    const authentication = nonce && { clientId: NONE, value: NONE, nonce, confirmation: 0 };
    return buildDatagram({ ...(authentication && { authentication }), origin, packet });
  };

  switch (attack) {
    case 'cut': {
      const whole = pick([
        buildBubble(peer.address, address),
        udpFrom(peer.address, address),
        buildSolicitation(linkLocalFor(random)),
      ]);
      const head = pick([NONE, originBytesOf(attacker)]);
      const bytes = joined(head, whole).subarray(0, head.length + random.between(0, 39));
      return pick([toTarget, toServer, toRelay])(bytes, pick(sources));
    }
    case 'looping':
      return pick([
        () => toTarget(udpFrom(address, address)),
        () => toTarget(udpFrom(address, peer.address)),
        () =>
          fromServer(buildDatagram({ origin: mapped, packet: buildBubble(peer.address, address) })),
        () => toServer(buildBubble(teredo(server), address), server),
        () => toServer(buildSolicitation(linkLocalFor(random)), server),
        () => relay && toRelay(udpFrom(teredo(relay), nativeStranger), relay),
      ])();
    case 'unfit': {
      const bytes = udpFrom(pick([peer.address, stranger]), address);
      pick([
        () => (bytes[5] = 11 + random.between(1, 200)),
        () => (bytes[4] = random.between(1, 255)),
        () => (bytes[0] = pick([1, 4, 5, 7, 15]) << 4),
        () => {
          bytes[6] = pick([PROTOCOL.hopByHop, PROTOCOL.destinationOptions]);
          bytes[41] = 200;
        },
        () => bytes.set(udpFrom(pick(NOT_UNICAST), address).subarray(8, 24), 8),
        () => bytes.set(udpFrom(1n, pick(NOT_UNICAST)).subarray(24, 40), 24),
      ])();
      // From where a client is, even what goes nowhere proves to a relay that it is there.
      return pick([() => toTarget(bytes), () => toServer(bytes), () => toRelay(bytes)])();
    }
    case 'toServerItself': {
      const client = {
        ip: pick([...knowledge.servers.map((each) => each.ip), 0xffffffff, ip('224.0.0.1')]),
        port: pick([TEREDO_PORT, random.between(1, 65_535)]),
      };
      const to = teredo(client, knowledge.servers[0]!.ip);
      return toServer(buildBubble(pick([stranger, linkLocalFor(random)]), to));
    }
    case 'sourceRouting': {
      const way = (source: Ip6, destination: Ip6): Uint8Array =>
        routed(source, destination, pick([0, 2, 4, 253]), random.between(1, 3), random.chance(0.3));
      return pick([
        () => toTarget(way(peer.address, address)),
        () => toServer(way(stranger, address)),
        () => toRelay(way(stranger, nativeStranger)),
        () => native(way(nativeStranger, address)),
        () => program(way(address, pick([peer.address, nativeStranger]))),
      ])();
    }
    case 'guessedBits': {
      const nonce = pick([new Uint8Array(8), new Uint8Array(8).fill(255), random.bytes(8)]);
      const otherFlags = address ^ (1n << BigInt(random.between(48, 63)));
      return pick([
        () => fromServer(advertisement(teredoPrefix(knowledge.servers[0]!.ip), nonce, mapped)),
        () => toTarget(udpFrom(peer.address, otherFlags), peer.mapped),
      ])();
    }
    case 'programToPrivate':
      return program(
        udpFrom(
          address,
          teredo({ ip: pick(PRIVATE), port: random.between(1, 65_535) }, pick([server.ip])),
        ),
      );
    case 'insideSource': {
      const inside = { ip: ip('192.168.1.33'), port: random.between(1, 65_535) };
      const bytes = pick([udpFrom(teredo(inside), address), buildBubble(teredo(inside), address)]);
      return pick([
        () => toTarget(bytes, inside),
        () => toTarget(bytes),
        () =>
          fromServer(
            buildDatagram({ origin: attacker, packet: buildBubble(teredo(inside), address) }),
          ),
      ])();
    }
    case 'everNewSources': {
      const from = { ip: attacker.ip, port: random.between(1, 65_535) };
      const bytes = pick([
        large(nativeStranger, address),
        udpFrom(nativeStranger, address),
        buildBubble(teredo(from), address),
      ]);
      return toTarget(bytes, from);
    }
    case 'everNewLinks':
      return program(udpFrom(address, pick([dead(random.between(1, 65_535)), nativeStranger])));
    case 'largeToDead': {
      const to = dead(random.between(1, 3));
      return random.chance(0.5) ? program(large(address, to)) : native(large(nativeStranger, to));
    }
    case 'everNewClients': {
      // Each with a bubble to a server of the attacker's choice.
      const to = teredo(
        { ip: attacker.ip, port: random.between(1, 65_535) },
        pick([peer.mapped.ip, server.ip]),
      );
      return native(udpFrom(nativeStranger, to));
    }
    case 'spoofedAdvertisement': {
      const own = teredoPrefix(knowledge.servers[0]!.ip);
      return fromServer(
        pick([
          advertisement(own, null, attacker),
          advertisement(own, random.bytes(8), attacker),
          advertisement(teredoPrefix(attacker.ip), random.bytes(8), mapped),
          advertisement(own, random.bytes(8), { ip: pick(PRIVATE), port: 4_000 }),
          advertisement(own, random.bytes(8), attacker, 2),
        ]),
      );
    }
    case 'replayedAdvertisement': {
      const { advertised } = target;
      return advertised && toTarget(advertised.bytes, advertised.from);
    }
    case 'unprovenNative': {
      const bytes = large(nativeStranger, address);
      return toTarget(bytes, pick([relay ?? attacker, attacker]));
    }
    case 'guessedPing':
      return toTarget(
        buildEcho({
          reply: true,
          source: nativeStranger,
          destination: address,
          identifier: probeId,
          sequence: random.between(0, 3),
          data: random.bytes(16),
        }),
      );
    case 'forgedSolicitation':
      return toServer(buildSolicitation(linkLocalFor(random)), victim);
    case 'reflection':
      return pick([
        () => toServer(buildBubble(teredo(victim), address), victim),
        () =>
          toServer(
            buildEcho({
              reply: false,
              source: teredo(victim, knowledge.servers[0]!.ip),
              destination: nativeStranger,
              identifier: 1,
              sequence: 1,
              data: random.bytes(16),
            }),
            victim,
          ),
        () => toTarget(buildBubble(teredo(victim), address), victim),
        () => toRelay(udpFrom(teredo(victim), nativeStranger), victim),
        () =>
          fromServer(
            buildDatagram({ origin: victim, packet: buildBubble(teredo(victim), address) }),
          ),
      ])();
    case 'circle': {
      // 6to4 and ISATAP addresses that hide the receiver's own IPv4 address, or nobody's.
      const hiding = (own: Ip4): Ip6 => {
        const embedded = BigInt(pick([own, ip('10.0.0.1'), ip('127.0.0.1')]));
        return pick([
          (0x2002n << 112n) | (embedded << 80n) | 1n,
          (0x20010db8n << 96n) | (0x200_5efen << 32n) | embedded,
        ]);
      };
      const inside = hiding(mapped.ip);
      return pick([
        () => toTarget(pick([udpFrom(inside, address), buildBubble(inside, address)])),
        () => toServer(buildBubble(hiding(server.ip), address)),
        // Nearest to the native Internet is the first.
        () => relay && native(udpFrom(hiding(relays[0]!.ip), address)),
        () => program(udpFrom(address, inside)),
      ])();
    }
    case 'scan': {
      const guess = pick([
        () => address ^ (1n << BigInt(random.between(48, 63))),
        () => teredo({ ip: mapped.ip, port: random.between(1, 65_535) }),
      ])();
      const to = { ip: mapped.ip, port: pick([mapped.port, mapped.port + 1, mapped.port - 1]) };
      const bytes = udpFrom(stranger, guess === address ? guess ^ (1n << 48n) : guess);
      return at(to, bytes);
    }
    case 'discoveryLie': {
      if (!own) return null;
      const group = { ip: DISCOVERY_ADDRESS, port: TEREDO_PORT };
      const near = { ip: ip('192.168.1.250'), port: 50_000 };
      const foreign = { ip: pick([attacker.ip, ip('10.66.0.9')]), port: 50_000 };
      const sibling = teredo({ ip: mapped.ip, port: 40_000 });
      const wrong = teredo({ ip: attacker.ip, port: 40_000 });
      // To another PC behind the same router this would be a neighbour's.
      const isAlone = peers.every((each) => each.mapped.ip !== mapped.ip);
      const link = (from: Endpoint, to: Endpoint, bytes: Uint8Array): Shot => ({
        side: 'link',
        from,
        to,
        bytes,
      });
      const all = LINK_LOCAL_ALL_NODES;
      return pick([
        link(foreign, group, buildBubble(sibling, all)),
        link(near, group, buildBubble(wrong, all)),
        link(near, group, buildBubble(nativeStranger, all)),
        link(near, group, buildBubble(isAlone ? address : wrong, all)),
        link(near, group, buildBubble(sibling, address)),
        link(near, group, udpFrom(sibling, all)),
        link(near, group, random.bytes(random.between(0, 60))),
        link(near, own, buildBubble(sibling, all)),
        at(mapped, buildBubble(sibling, all)),
      ]);
    }
    case 'refusedTrailers': {
      const refuses = Uint8Array.of(pick([0x41, 0x7f]), 0);
      const before = pick([NONE, Uint8Array.of(1, 4, 1, 2, 3, 4), new Uint8Array(512)]);
      const bytes = joined(buildBubble(stranger, address), before, refuses);
      const long = joined(buildBubble(stranger, address), new Uint8Array(random.between(65, 900)));
      return pick([() => toTarget(bytes), () => toServer(long)])();
    }
    case 'nested': {
      const authentication = buildDatagram({
        authentication: { clientId: NONE, value: NONE, nonce: random.bytes(8), confirmation: 0 },
        packet: NONE,
      });
      const origin = originBytesOf(attacker);
      const inner = udpFrom(peer.address, address);
      const wrong = pick([
        [authentication, authentication],
        [origin, origin],
        [origin, authentication],
        [Uint8Array.of(0, random.between(2, 255))],
      ]);
      const bytes = joined(...wrong, inner);
      const from = pick(sources);
      const isServer = knowledge.servers.some((each) => sameEndpoint(each, from));
      return pick([
        () => toTarget(bytes, from),
        () => toServer(bytes),
        () => toRelay(bytes),
        () => toRelay(joined(pick([origin, authentication]), inner)),
        () => (isServer ? null : toTarget(joined(pick([origin, authentication]), inner), from)),
      ])();
    }
  }
}
