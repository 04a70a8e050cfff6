// Tests the native datapath on a real socket: what passes by the tables, what is dropped, what goes up.
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nativeAddon } from '../../../engine/host/addon.ts';
import type { Upcall } from '../../../engine/datapath/types.ts';
import { buildBubble, buildEcho, buildIp6Packet, PROTOCOL } from '../../../engine/wire/index.ts';
import {
  buildAddon,
  Line,
  LOOPBACK,
  OURS,
  PEER,
  STRANGER,
  udpPacket,
  until,
  watched,
} from './line.ts';
import type { Neighbour } from './line.ts';

beforeAll(buildAddon, 120_000);

let line: Line;
let peer: Neighbour;
beforeEach(async () => {
  line = new Line();
  peer = await line.addNeighbour();
  line.datapath.setAddresses([OURS]);
  line.datapath.setPeer(PEER, peer.endpoint, nativeAddon().now());
});
afterEach(() => line.close());

const oneUpcall = (): Promise<Upcall> => until('an upcall', () => line.under.upcalls[0]);

describe('to a peer', () => {
  test('a packet of ours to a fresh peer whose flow passes leaves as it is, and is stamped', async () => {
    line.datapath.setDefaultVerdict('pass');
    const before = nativeAddon().now();
    const packet = udpPacket(OURS, PEER);
    line.fromAdapter(packet);
    const got = await until('the datagram', () => peer.received[0]);
    expect(got.bytes).toEqual(packet);
    expect(got.from).toEqual(line.datapath.local);
    const stamps = line.datapath.readPeer(PEER)!;
    expect(stamps).toMatchObject({ packetsOut: 1, bytesOut: packet.length, packetsIn: 0 });
    expect(stamps.lastSentMs).toBeGreaterThanOrEqual(before);
    expect(line.datapath.counters()).toMatchObject({ packetsOut: 1, upcallsAdapter: 0 });
  });
});
