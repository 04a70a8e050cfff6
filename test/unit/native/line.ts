// Test bench for the native datapath: an adapter made of a socket pair, UDP neighbours, and packets of known make.
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { nativeAddon } from '../../../engine/host/addon.ts';
import { openDatapath } from '../../../engine/host/linux-datapath.ts';
import type { Adapter, HostError, SocketDatapath } from '../../../engine/host/types.ts';
import type { Upcall } from '../../../engine/datapath/types.ts';
import {
  buildIp6Packet,
  checksum6,
  parseIp4,
  parseIp6,
  PROTOCOL,
} from '../../../engine/wire/index.ts';
import type { Endpoint, Ip6 } from '../../../engine/wire/index.ts';

export const LOOPBACK = parseIp4('127.0.0.1')!;
export const OURS = parseIp6('2001:0:c000:201:1234:56:7890:1')!;
export const PEER = parseIp6('2001:0:c000:201:1234:56:7890:2')!;
export const STRANGER = parseIp6('2001:db8::99')!;

/** Builds the add-on where it is missing or older than its sources. */
export function buildAddon(): void {
  if (process.env['SHIPWORM_NATIVE'] !== undefined) return;
  // One at a time: test files run side by side.
  execFileSync('flock', ['native', 'make', '-s', '-C', 'native', 'addon'], { stdio: 'inherit' });
  if (!existsSync('build/native/shipworm.node')) throw new Error('the add-on was not built');
}

/** Waits until `condition` gives something; fails after two seconds. */
export async function until<T>(what: string, condition: () => T | undefined | false): Promise<T> {
  for (let i = 0; i < 400; i++) {
    const value = condition();
    if (value !== undefined && value !== false) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`waited in vain for ${what}`);
}

/** As much of an adapter as the datapath uses. */
function adapterOn(fd: number): Adapter {
  const refuse = () => Promise.reject(new Error('not an adapter'));
  return {
    name: 'pair',
    index: 0,
    queues: [fd],
    vnetHeader: false,
    setAddress: refuse,
    removeAddress: refuse,
    setDefaultRoute: refuse,
    onLost: () => undefined,
    close: refuse,
  };
}

/** A datapath with everything it ever handed up. */
export interface Watched {
  readonly datapath: SocketDatapath;
  readonly upcalls: Upcall[];
  readonly failures: HostError[];
}

export function watched(queue: number | null, bind: Endpoint, validMs = 30_000): Watched {
  const upcalls: Upcall[] = [];
  const failures: HostError[] = [];
  const datapath = openDatapath({
    adapter: queue === null ? null : adapterOn(queue),
    bind,
    validMs,
    offloads: true,
    onUpcalls: (batch) => upcalls.push(...batch),
    onFailed: (error) => failures.push(error),
  });
  return { datapath, upcalls, failures };
}

/** A UDP socket of a neighbour on loopback, with everything it received. */
export interface Neighbour {
  readonly socket: Socket;
  readonly endpoint: Endpoint;
  readonly received: { readonly from: Endpoint; readonly bytes: Uint8Array }[];
}

export async function neighbour(): Promise<Neighbour> {
  const socket = createSocket('udp4');
  const received: { from: Endpoint; bytes: Uint8Array }[] = [];
  socket.on('message', (bytes, remote) =>
    received.push({
      from: { ip: parseIp4(remote.address)!, port: remote.port },
      bytes: new Uint8Array(bytes),
    }),
  );
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { socket, endpoint: { ip: LOOPBACK, port: socket.address().port }, received };
}

/**
 * One datapath under test between its adapter's far end and loopback. The far end is read and written by a second
 * datapath without tables: it hands up every packet, and `deliver` writes one.
 */
export class Line {
  readonly under: Watched;
  readonly far: Watched;
  readonly neighbours: Neighbour[] = [];

  constructor(validMs?: number) {
    const [near, far] = nativeAddon().socketpair();
    this.under = watched(near, { ip: LOOPBACK, port: 0 }, validMs);
    this.far = watched(far, { ip: LOOPBACK, port: 0 });
  }

  get datapath(): SocketDatapath {
    return this.under.datapath;
  }

  async addNeighbour(): Promise<Neighbour> {
    const added = await neighbour();
    this.neighbours.push(added);
    return added;
  }

  /** Packets that the datapath wrote to its adapter. */
  delivered(): Uint8Array[] {
    return this.far.upcalls.flatMap((upcall) => (upcall.kind === 'packet' ? [upcall.bytes] : []));
  }

  /** A local program sends `packet`. */
  fromAdapter(packet: Uint8Array): void {
    this.far.datapath.deliver(packet);
  }

  fromSocket(from: Neighbour, bytes: Uint8Array): void {
    from.socket.send(bytes, this.datapath.local.port, '127.0.0.1');
  }

  close(): void {
    this.datapath.close();
    this.far.datapath.close();
    for (const { socket } of this.neighbours) socket.close();
  }
}

/** An IPv6 packet with a UDP datagram from port 1000 to port 2000 (or others). */
export function udpPacket(
  source: Ip6,
  destination: Ip6,
  ports = { source: 1000, destination: 2000 },
  data: Uint8Array = new Uint8Array(20),
): Uint8Array {
  const payload = new Uint8Array(8 + data.length);
  const view = new DataView(payload.buffer);
  view.setUint16(0, ports.source);
  view.setUint16(2, ports.destination);
  view.setUint16(4, payload.length);
  payload.set(data, 8);
  view.setUint16(6, checksum6(source, destination, PROTOCOL.udp, payload));
  return buildIp6Packet({ source, destination, nextHeader: PROTOCOL.udp, hopLimit: 64 }, payload);
}
