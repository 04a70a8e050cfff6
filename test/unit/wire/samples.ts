// Module test/unit/wire/samples holds one whole datagram of every kind, to be cut and changed: some recorded from Miredo, some of our own making.
import {
  buildAdvertisement,
  buildBubble,
  buildDatagram,
  buildEcho,
  buildIcmp6Error,
  buildSolicitation,
  parseIp6,
} from '../../../engine/wire/index.ts';
import { hex } from './bytes.ts';
import captures from './miredo.json' with { type: 'json' };

export const source = parseIp6('fe80::1')!;
export const destination = parseIp6('fe80::2')!;
export const prefix = parseIp6('2001:0:c000:201::')!;
const origin = { ip: 0xc633_6407, port: 40_000 };
const authentication = {
  clientId: hex('6d65'),
  value: new Uint8Array(20).fill(0xab),
  nonce: hex('0102030405060708'),
  confirmation: 0,
};
const trailers = [
  { type: 1, value: hex('01020304') },
  { type: 3, value: hex('0000 0a000001 9c40 0a000002 9c41') },
  { type: 4, value: hex('01000000') },
  { type: 5, value: hex('9c40') },
];
export const echo = buildEcho({
  reply: false,
  identifier: 7,
  sequence: 9,
  data: hex('aabbccdd'),
  source,
  destination,
});

export const SAMPLES: readonly Uint8Array[] = [
  ...Object.values(captures).map((capture) => hex(capture.hex)),
  buildDatagram({ authentication, packet: buildSolicitation(source) }),
  buildDatagram({
    authentication,
    origin,
    packet: buildAdvertisement({ source, destination, prefix, mtu: 1280 }),
    trailers,
  }),
  buildDatagram({ origin, packet: buildBubble(source, destination), trailers }),
  buildDatagram({ packet: echo, trailers }),
  buildDatagram({
    packet: buildIcmp6Error({
      type: 1,
      code: 0,
      parameter: 0,
      source,
      destination,
      quoted: echo,
    }),
  }),
];
