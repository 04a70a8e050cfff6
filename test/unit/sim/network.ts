// Small networks for the simulator's tests.
import { Host, Nat, NAT_KINDS, Segment, Simulation } from '../../../engine/sim/index.ts';
import type { NatBehaviour } from '../../../engine/sim/index.ts';
import { parseEndpoint, parseIp4 } from '../../../engine/wire/index.ts';
import type { Endpoint, Ip4 } from '../../../engine/wire/index.ts';

export const ip = (text: string): Ip4 => parseIp4(text)!;
export const at = (text: string): Endpoint => parseEndpoint(text)!;

/** What a socket heard. */
export interface Heard {
  readonly from: Endpoint;
  readonly bytes: number[];
  readonly on: Ip4;
}

/** Binds `port` on `host` and keeps what comes. */
export function listen(host: Host, port: number, address?: Ip4) {
  const heard: Heard[] = [];
  const errors: { to: Endpoint; type: number; code: number }[] = [];
  const socket = host.bind(
    port,
    {
      onDatagram: (from, bytes, on) => void heard.push({ from, bytes: [...bytes], on }),
      onIcmp: (to, type, code) => void errors.push({ to, type, code }),
    },
    address,
  );
  return { socket, heard, errors };
}

export interface NatNetwork {
  readonly simulation: Simulation;
  readonly internet: Segment;
  readonly nat: Nat;
  readonly inside: Host;
  readonly inside2: Host;
  /** Two public hosts. */
  readonly y1: Host;
  readonly y2: Host;
  /** Runs for `ms`, by default until everything under way has come. */
  readonly run: (ms?: number) => void;
}

export const NAT_IP = '198.51.100.1';
export const Y1 = '203.0.113.1';
export const Y2 = '203.0.113.2';
export const X1 = '192.168.1.2';
export const X2 = '192.168.1.3';

/** RFC 4787's figures: X1 and X2 behind a NAT, Y1 and Y2 outside. */
export function natNetwork(
  behaviour: Partial<NatBehaviour> = {},
  addresses: readonly string[] = [NAT_IP],
  seed = 1,
): NatNetwork {
  const simulation = new Simulation(seed);
  const internet = new Segment(simulation, 'internet');
  const nat = new Nat(simulation, 'nat', {
    outside: internet,
    addresses: addresses.map(ip),
    inside: { address: ip('192.168.1.0'), prefix: 24, gateway: ip('192.168.1.1') },
    behaviour: { ...NAT_KINDS.portRestricted, ...behaviour },
  });
  const host = (name: string, segment: Segment, address: string): Host => {
    const made = new Host(simulation, name);
    made.addInterface(segment, ip(address));
    return made;
  };
  return {
    simulation,
    internet,
    nat,
    inside: host('x1', nat.inside, X1),
    inside2: host('x2', nat.inside, X2),
    y1: host('y1', internet, Y1),
    y2: host('y2', internet, Y2),
    run: (ms = 100) => simulation.runUntil(simulation.now + ms),
  };
}
