// Builds what the hostile host of a random network sends: it knows every address and endpoint, but none of the secrets.
import {
  buildAdvertisement,
  buildBubble,
  buildDatagram,
  buildEcho,
  buildIp6Packet,
  buildSolicitation,
  encodeTeredo,
  linkLocalFor,
  parseIp4,
  PROTOCOL,
  teredoPrefix,
} from '../../../engine/wire/index.ts';
import type { SeededRandom } from '../../../engine/sim/index.ts';
import type { Endpoint, Ip4, Ip6 } from '../../../engine/wire/index.ts';
import type { LoneAttack } from './scenario.ts';

/** What the attacker knows. */
export interface Knowledge {
  readonly random: SeededRandom;
  readonly attacker: Endpoint;
  /** The one of `servers` that this packet is about. */
  readonly server: Endpoint;
  readonly servers: readonly Endpoint[];
  readonly relays: readonly Endpoint[];
  readonly target: {
    readonly address: Ip6;
    readonly mapped: Endpoint;
    /** Where it is on its own link; null: it has no router. */
    readonly own: Endpoint | null;
    readonly probeId: number;
    /** An advertisement that it took a while ago, and where that came from. */
    readonly advertised: { readonly from: Endpoint; readonly bytes: Uint8Array } | null;
  };
  /** Addresses of the other clients, older ones too. */
  readonly others: readonly Ip6[];
  /** The other clients as they are now. */
  readonly peers: readonly { readonly address: Ip6; readonly mapped: Endpoint }[];
  readonly natives: readonly Ip6[];
}

/** One packet, and from which side it comes: the Internet or the target's own link with any source, the native Internet, a program there. */
export type Shot =
  | {
      readonly side: 'internet' | 'link';
      readonly from: Endpoint;
      readonly to: Endpoint;
      readonly bytes: Uint8Array;
    }
  | { readonly side: 'native'; readonly bytes: Uint8Array }
  | { readonly side: 'program'; readonly bytes: Uint8Array };

/** Marks the payload of a packet that nobody but the attacker sends. */
export const FORGED = 0xa7;

/** Addresses that no datagram may ever go to (RFC 4380 §5.2.4; RFC 6890). */
export const PRIVATE: readonly Ip4[] = [
  '10.1.2.3',
  '192.168.1.1',
  '127.0.0.1',
  '169.254.7.7',
  '224.0.0.253',
  '255.255.255.255',
  '0.0.0.0',
  '172.16.0.9',
  '100.64.0.1',
  '240.0.0.1',
].map((text) => parseIp4(text)!);

export const forgedUdp = (): Uint8Array =>
  Uint8Array.of(0x30, 0x39, 0, 9, 0, 10, 0, 0, FORGED, FORGED);

export function udpFrom(source: Ip6, destination: Ip6): Uint8Array {
  return buildIp6Packet(
    { nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination },
    forgedUdp(),
  );
}

/** A Teredo address of `server` that leads to `client`. */
function addressOf(server: Ip4, client: Endpoint, flags: number): Ip6 {
  return encodeTeredo({ server, flags, client });
}

/** One packet of what a lone attacker sends. */
export function loneShot(attack: LoneAttack, knowledge: Knowledge): Shot {
  const { random, attacker, server, target, others, natives } = knowledge;
  const { address, mapped, probeId } = target;
  const pick = <T>(items: readonly T[]): T => items[random.between(0, items.length - 1)]!;
  const flags = random.between(0, 0xffff);
  const stranger = addressOf(
    server.ip,
    { ip: attacker.ip, port: random.between(1, 65_535) },
    flags,
  );
  const privateOne = addressOf(
    pick([server.ip, ...PRIVATE]),
    { ip: pick(PRIVATE), port: random.between(0, 65_535) },
    flags,
  );
  const native = pick(natives.length > 0 ? natives : [0x20010db8_0066_0000_0000_0000_0000_0001n]);
  const peer = pick(others.length > 0 ? others : [stranger]);
  const send = (to: Endpoint, bytes: Uint8Array): Shot => ({
    side: 'internet',
    from: attacker,
    to,
    bytes,
  });
  const toTarget = (bytes: Uint8Array): Shot => send(mapped, bytes);
  switch (attack) {
    case 'junk':
      return pick([toTarget, (bytes: Uint8Array): Shot => send(server, bytes)])(
        random.bytes(pick([0, 1, 39, 40, 60, 1400])),
      );
    case 'bubbleFromPrivate':
      return toTarget(buildBubble(privateOne, address));
    case 'bubbleFromStranger':
      return toTarget(buildBubble(stranger, address));
    case 'forgedPeer':
      return toTarget(pick([udpFrom(peer, address), buildBubble(peer, address)]));
    case 'forgedNative':
      return toTarget(udpFrom(native, address));
    case 'routingHeader': {
      const routing = Uint8Array.of(PROTOCOL.udp, 2, 0, 1, 0, 0, 0, 0, ...random.bytes(16));
      const fields = { nextHeader: PROTOCOL.routing, hopLimit: 64, source: peer };
      const payload = Uint8Array.from([...routing, ...forgedUdp()]);
      return toTarget(buildIp6Packet({ ...fields, destination: address }, payload));
    }
    case 'advertisement': {
      const packet = buildAdvertisement({
        source: linkLocalFor(random),
        destination: linkLocalFor(random),
        prefix: teredoPrefix(pick([server.ip, attacker.ip])),
      });
      const nonce = random.bytes(8);
      const empty = new Uint8Array(0);
      const authentication = { clientId: empty, value: empty, nonce, confirmation: 0 };
      return toTarget(buildDatagram({ authentication, origin: attacker, packet }));
    }
    case 'echoReply':
      return toTarget(
        buildEcho({
          reply: true,
          source: native,
          destination: address,
          identifier: probeId,
          sequence: random.between(0, 3),
          data: random.bytes(16),
        }),
      );
    case 'solicitation':
      return send(server, buildSolicitation(linkLocalFor(random)));
    case 'viaServer':
      return send(
        server,
        buildBubble(pick([privateOne, stranger, peer]), pick([address, privateOne])),
      );
    case 'viaRelay':
      return { side: 'native', bytes: udpFrom(native, privateOne) };
    case 'fragment': {
      const head = Uint8Array.of(PROTOCOL.udp, 0, 0, random.between(0, 9), ...random.bytes(4));
      const fields = { nextHeader: PROTOCOL.fragment, hopLimit: 64, source: peer };
      const payload = Uint8Array.from([...head, ...forgedUdp()]);
      return toTarget(buildIp6Packet({ ...fields, destination: address }, payload));
    }
    case 'trailers':
      return toTarget(
        Uint8Array.from([
          ...buildBubble(stranger, address),
          ...random.bytes(random.between(1, 60)),
        ]),
      );
  }
}
