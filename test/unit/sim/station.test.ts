// A datapath on a simulated host: packets between two programs cross NATs as datagrams, misses and ICMP errors come up.
import { expect, it } from 'vitest';
import type { Upcall } from '../../../engine/datapath/types.ts';
import { answerFrom, openStation } from '../../../engine/sim/index.ts';
import type { Host, Simulation } from '../../../engine/sim/index.ts';
import { buildBubble, buildEcho, parseEcho, parseIp6 } from '../../../engine/wire/index.ts';
import type { Ip6 } from '../../../engine/wire/index.ts';
import { NAT_IP, Y1, at, natNetwork } from './network.ts';

const A = parseIp6('2001:0:c000:201::a')!;
const B = parseIp6('2001:0:c000:201::b')!;

/** A computer whose only program answers pings. */
function computer(simulation: Simulation, host: Host, port: number, address: Ip6) {
  const upcalls: Upcall[] = [];
  const delivered: Uint8Array[] = [];
  const station = openStation(simulation, {
    host,
    port,
    validMs: 30_000,
    onUpcalls: (batch) => void upcalls.push(...batch),
    onDeliver: (packet) => {
      delivered.push(packet);
      const answer = answerFrom(address, packet);
      if (answer) station.datapath.fromAdapter(answer);
    },
  });
  station.datapath.setAddresses([address]);
  station.datapath.setDefaultVerdict('pass');
  return { ...station, upcalls, delivered };
}

it('a ping crosses a NAT between two stations, there and back', () => {
  const { simulation, inside, y1, run } = natNetwork();
  const a = computer(simulation, inside, 4000, A);
  const b = computer(simulation, y1, 3544, B);
  a.datapath.setPeer(B, at(`${Y1}:3544`), simulation.now);
  b.datapath.setPeer(A, at(`${NAT_IP}:4000`), simulation.now);
  a.datapath.fromAdapter(
    buildEcho({
      reply: false,
      source: A,
      destination: B,
      identifier: 5,
      sequence: 1,
      data: new Uint8Array(4),
    }),
  );
  run();
  expect(b.delivered).toHaveLength(1);
  expect(parseEcho(a.delivered[0]!)).toMatchObject({ ok: true, value: { reply: true, source: B } });
  expect(a.datapath.readPeer(B)).toMatchObject({ packetsIn: 1, packetsOut: 1 });
  expect([...a.upcalls, ...b.upcalls]).toEqual([]);
});

it('misses and ICMP errors come up with the endpoints that the socket saw', () => {
  const { simulation, inside, y1, run } = natNetwork();
  const a = computer(simulation, inside, 4000, A);
  const b = computer(simulation, y1, 3544, B);
  const bubble = buildBubble(A, B);
  a.datapath.transmit(at(`${Y1}:3544`), bubble);
  a.datapath.transmit(at(`${Y1}:3545`), bubble);
  run();
  expect(b.upcalls).toEqual([
    { kind: 'datagram', ring: 'other', from: at(`${NAT_IP}:4000`), bytes: bubble },
  ]);
  expect(a.upcalls).toEqual([{ kind: 'icmp4', to: at(`${Y1}:3545`), type: 3, code: 3 }]);
});

it('a closed station answers as if nobody were there', () => {
  const { simulation, inside, y1, run } = natNetwork();
  const a = computer(simulation, inside, 4000, A);
  const b = computer(simulation, y1, 3544, B);
  b.close();
  a.datapath.transmit(at(`${Y1}:3544`), buildBubble(A, B));
  run();
  expect(b.upcalls).toEqual([]);
  expect(a.upcalls).toMatchObject([{ kind: 'icmp4' }]);
});
