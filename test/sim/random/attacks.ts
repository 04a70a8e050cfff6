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
import type { Endpoint, Ip4, Ip6, Random } from '../../../engine/wire/index.ts';
import type { Attack } from './scenario.ts';

/** What the attacker knows. */
export interface Knowledge {
  readonly random: Random & { between(low: number, high: number): number };
  readonly attacker: Endpoint;
  readonly server: Endpoint;
  readonly target: {
    readonly address: Ip6;
    readonly mapped: Endpoint;
    readonly probeId: number;
  };
  /** Addresses of the other clients. */
  readonly others: readonly Ip6[];
  readonly natives: readonly Ip6[];
}

export interface Hostile {
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
}

/** Marks the payload of a packet that nobody but the attacker sends. */
export const FORGED = 0xa7;

/** Addresses that no datagram may ever go to (RFC 4380 §5.2.4; RFC 6890). */
const PRIVATE: readonly Ip4[] = [
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

const forgedUdp = (): Uint8Array => Uint8Array.of(0x30, 0x39, 0, 9, 0, 10, 0, 0, FORGED, FORGED);

function udpFrom(source: Ip6, destination: Ip6): Uint8Array {
  return buildIp6Packet(
    { nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination },
    forgedUdp(),
  );
}

/** A Teredo address of `server` that leads to `client`. */
function addressOf(server: Ip4, client: Endpoint, flags: number): Ip6 {
  return encodeTeredo({ server, flags, client });
}

/** One datagram of the attack. */
export function hostile(attack: Attack, knowledge: Knowledge): Hostile {
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
  const toTarget = (bytes: Uint8Array): Hostile => ({ to: mapped, bytes });
  switch (attack) {
    case 'junk':
      return pick([toTarget, (bytes: Uint8Array): Hostile => ({ to: server, bytes })])(
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
      return { to: server, bytes: buildSolicitation(linkLocalFor(random)) };
    case 'viaServer':
      return {
        to: server,
        bytes: buildBubble(pick([privateOne, stranger, peer]), pick([address, privateOne])),
      };
    case 'viaRelay':
      // For the native Internet: the player sends it from a native host.
      return { to: attacker, bytes: udpFrom(native, privateOne) };
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
