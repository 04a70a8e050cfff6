// What the datapath contract needs of a datapath under test, and what its tests share.
import type { Datapath, FlowKey, Upcall } from '../../../engine/datapath/types.ts';
import { PROTOCOL } from '../../../engine/wire/index.ts';
import type { Endpoint } from '../../../engine/wire/index.ts';
import { PEER, US } from './packets.ts';

/** What came out of a datapath since the last `take`. */
export interface Taken {
  readonly transmitted: readonly { readonly to: Endpoint; readonly bytes: Uint8Array }[];
  readonly delivered: readonly Uint8Array[];
  readonly upcalls: readonly Upcall[];
}

/** A datapath with a world around it that the suite can play. */
export interface DatapathHarness {
  readonly datapath: Datapath;
  /** Three distinct endpoints that datagrams can come from and go to; the first two share their IPv4 address. */
  readonly endpoints: readonly [Endpoint, Endpoint, Endpoint];
  /** Milliseconds of the clock that the datapath stamps with. */
  now(): number;
  /** Lets `ms` pass on that clock. */
  advance(ms: number): Promise<void>;
  /** A local program sends `packet`. */
  fromAdapter(packet: Uint8Array): void;
  /** `bytes` are sent to our socket from one of `endpoints`. */
  fromSocket(from: Endpoint, bytes: Uint8Array): void;
  /** An ICMPv4 error comes back for a datagram of ours; absent where the platform can't be made to. */
  fromSocketError?(to: Endpoint, type: number, code: number): void;
  /** Runs `play` while nobody takes upcalls. */
  whileBusy(play: () => void): Promise<void>;
  /** Waits until everything given in has come out, and empties the record. */
  take(): Promise<Taken>;
  close(): Promise<void>;
}

export const OUT = { source: US, destination: PEER };
export const IN = { source: PEER, destination: US };
export const DNS: FlowKey = {
  protocol: PROTOCOL.udp,
  local: US,
  localPort: 4000,
  remote: PEER,
  remotePort: 53,
};
export const NOTHING: Taken = { transmitted: [], delivered: [], upcalls: [] };

export const packet = (bytes: Uint8Array) => ({ kind: 'packet', bytes });
export const datagram = (
  from: Endpoint,
  bytes: Uint8Array,
  ring: 'server' | 'other' = 'other',
) => ({ kind: 'datagram', ring, from, bytes });

/** The datapath of the test that runs. */
export class Bench {
  readonly validMs: number;
  #harness: DatapathHarness | undefined;

  constructor(validMs: number) {
    this.validMs = validMs;
  }

  /** Takes the datapath of the next test. */
  set(harness: DatapathHarness): void {
    this.#harness = harness;
  }

  get harness(): DatapathHarness {
    if (!this.#harness) throw new Error('No test is running.');
    return this.#harness;
  }
  get datapath(): Datapath {
    return this.harness.datapath;
  }
  get home(): Endpoint {
    return this.harness.endpoints[0];
  }
  get sameHost(): Endpoint {
    return this.harness.endpoints[1];
  }
  get elsewhere(): Endpoint {
    return this.harness.endpoints[2];
  }

  /** Our address, a fresh peer at `home`, its DNS flow. */
  open(): void {
    this.datapath.setAddresses([US]);
    this.datapath.setPeer(PEER, this.home, this.harness.now());
    this.datapath.setFlow(DNS, 'pass');
  }
}
