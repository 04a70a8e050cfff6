// Module sim/station gives a host a datapath: its UDP socket on one side, the local programs on the other.
import { MemoryDatapath } from '../datapath/memory.ts';
import type { Upcall } from '../datapath/types.ts';
import type { Ip4 } from '../wire/index.ts';
import type { Host, UdpSocket } from './host.ts';
import type { Simulation } from './simulation.ts';

export interface StationOptions {
  readonly host: Host;
  /** UDP port; 0 takes a free one. */
  readonly port: number;
  /** Address to bind to; without it all of the host's. */
  readonly address?: Ip4;
  /** Peer validity in milliseconds (RFC 4380 §5.2.4: 30,000). */
  readonly validMs: number;
  /** Takes what the tables did not settle. */
  readonly onUpcalls: (batch: readonly Upcall[]) => void;
  /** Local programs receive an IPv6 packet. */
  readonly onDeliver: (packet: Uint8Array) => void;
}

/** A datapath on a socket of a simulated host. Local programs send by `datapath.fromAdapter`. */
export interface Station {
  readonly datapath: MemoryDatapath;
  readonly socket: UdpSocket;
  /** Closes both. */
  close(): void;
}

/** Throws a RangeError if the port is taken. */
export function openStation(simulation: Simulation, options: StationOptions): Station {
  const { host, port, address, validMs, onUpcalls, onDeliver } = options;
  const datapath: MemoryDatapath = new MemoryDatapath({
    now: () => simulation.now,
    transmit: (to, bytes) => void socket.send(to, bytes),
    deliver: onDeliver,
    upcall: onUpcalls,
    validMs,
  });
  const socket = host.bind(
    port,
    {
      onDatagram: (from, bytes) => datapath.fromSocket(from, bytes),
      onIcmp: (to, type, code) => datapath.fromSocketError(to, type, code),
    },
    address,
  );
  return {
    datapath,
    socket,
    close: () => {
      datapath.close();
      socket.close();
    },
  };
}
