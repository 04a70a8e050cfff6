// Module own/forwarding has one socket here send bubbles to another through the server, and beside them what no server may pass on.
import type { ProbeHost } from '../../host/probe-types.ts';
import {
  buildBubble,
  buildDatagram,
  encodeTeredo,
  isBubble,
  parseDatagram,
  randomFlags,
  TEREDO_PORT,
} from '../../wire/index.ts';
import type { Endpoint, Ip6 } from '../../wire/index.ts';
import { buildUdp6, parseUdp6 } from '../builtin/udp.ts';
import { qualifiedSocket } from '../doctor/own-mapping.ts';
import { repeated } from '../doctor/solicit.ts';
import type { ServerQuestion } from '../doctor/solicit.ts';
import type { BubbleFacts } from './facts.ts';

/** What must not arrive has so long to do it all the same, after the bubble that was sent behind it, ms. */
const GRACE_MS = 500;
/** The discard service (RFC 863). */
const DISCARD_PORT = 9;

/**
 * Tries the server's forwarding (RFC 4380 §5.3.1), within three times `ms`. Everything is addressed to a socket of this very PC, at
 * the address that the server itself saw: nobody else gets anything. Null: the server gave no address to try with.
 */
export async function tryForwarding(
  host: ProbeHost,
  question: ServerQuestion,
  ms: number,
): Promise<BubbleFacts | null> {
  const { server } = question;
  let addresses: { readonly us: Ip6; readonly sender: Ip6; readonly forged: Ip6 } | null = null;
  let origin: Endpoint | null | undefined;
  let data = false;
  let forged = false;
  let settle: (heard: true) => void = () => undefined;
  const onDatagram = (from: Endpoint, bytes: Uint8Array): void => {
    const parsed = parseDatagram(bytes);
    if (!addresses || from.port !== TEREDO_PORT || from.ip !== server || !parsed.ok) return;
    const { header, packet, origin: named } = parsed.value;
    if (header.destination !== addresses.us) return;
    if (!isBubble(header)) data ||= parseUdp6(packet)?.source === addresses.sender;
    else if (header.source === addresses.forged) forged = true;
    else if (header.source === addresses.sender) {
      origin = named;
      settle(true);
    }
  };
  const [listening, sending] = await Promise.all([
    qualifiedSocket(host, question, ms, onDatagram),
    qualifiedSocket(host, question, ms, () => undefined),
  ]);
  try {
    const { mapped: sender } = sending;
    if (!listening.mapped || !sender) return null;
    const address = (client: Endpoint): Ip6 =>
      encodeTeredo({ server, flags: randomFlags(host.random), client });
    const us = address(listening.mapped);
    addresses = { us, sender: address(sender), forged: address(neighbour(sender)) };
    const { sender: source, forged: stranger } = addresses;
    const ports = { sourcePort: DISCARD_PORT, destinationPort: DISCARD_PORT };
    const packets = [
      buildUdp6({ source, destination: us, ...ports }, host.random.bytes(8)),
      buildBubble(stranger, us),
      // Last: when it is there, the others had their time.
      buildBubble(source, us),
    ];
    await repeated<boolean>(
      host,
      ms,
      () => {
        for (const packet of packets)
          sending.socket.send({ ip: server, port: TEREDO_PORT }, buildDatagram({ packet }));
      },
      (done) => (settle = done),
      () => false,
    );
    await new Promise<void>((resolve) => host.after(GRACE_MS, resolve));
    return { origin, sender, data, forged };
  } finally {
    listening.socket.close();
    sending.socket.close();
  }
}

/** Another port of the same address: one that is not the sender's. */
const neighbour = ({ ip, port }: Endpoint): Endpoint => ({
  ip,
  port: port === 0xffff ? port - 1 : port + 1,
});
