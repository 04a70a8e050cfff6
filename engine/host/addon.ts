// Module host/addon loads the native add-on and states its typed interface.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AnswerCounts, Answers } from '../datapath/answers.ts';
import type { MakeSourceLimit } from '../datapath/limits.ts';
import type { AddressRange } from '../datapath/types.ts';
import type { Endpoint, Ip4, Ip6 } from '../wire/types.ts';
import { HostError } from './types.ts';

/** What a failed system call throws or rejects with: `code` is the errno name ('EADDRINUSE'), `syscall` the call. */
export interface SystemError extends Error {
  readonly code: string;
  readonly syscall: string;
}

/** Answer of the privileged helper. `fds` are close-on-exec and belong to the receiver. */
export interface HelperReply {
  readonly reply: Uint8Array;
  readonly fds: readonly number[];
}

/** IPv4 address of an interface, as RTM_GETADDR names it. */
export interface DumpedAddress {
  readonly interface: string;
  readonly index: number;
  readonly address: Ip4;
  readonly prefix: number;
}

/** Default route (prefix length 0) that leads somewhere: unreachable, blackhole and prohibit routes are left out. */
export interface DumpedRoute {
  readonly family: 4 | 6;
  /** Index of the outgoing interface; a route with several next hops gives one entry each. */
  readonly oif: number;
  /** IPv4 address of the next hop, 0 for none and for IPv6. */
  readonly gateway: Ip4;
  readonly table: number;
}

export interface NetworkDump {
  readonly addresses: readonly DumpedAddress[];
  readonly defaultRoutes: readonly DumpedRoute[];
}

export interface NativeDatapathOptions {
  /** TUN descriptors, or any message-oriented descriptors; owned by the datapath, and closed too when opening throws. */
  readonly tun: readonly number[];
  /** Each packet on `tun` carries a 10-byte virtio_net_hdr. */
  readonly vnetHeader: boolean;
  /** False leaves every offload of adapter and socket off. */
  readonly offloads: boolean;
  readonly bind: Endpoint;
  readonly validMs: number;
  readonly maxPeers: number;
  readonly maxFlows: number;
  /** Upcalls wait in the rings, or `failure()` has become true. Coalesced. Never called from within another call. */
  readonly onWake: () => void;
}

/**
 * The datapath as the add-on gives it; `host/linux-datapath.ts` makes a `SocketDatapath` of it. A closed one takes every
 * call and does nothing.
 */
export interface NativeDatapath {
  /** UDP endpoint in use. */
  readonly local: Endpoint;
  /** Names of the offloads in force. */
  readonly offloads: readonly string[];
  setAddresses(addresses: readonly Ip6[]): void;
  setRanges(accept: readonly AddressRange[], except: readonly AddressRange[]): void;
  setServers(endpoints: readonly Endpoint[]): void;
  /** False when the table is full. */
  setPeer(address: Ip6, ip: Ip4, port: number, receivedMs: number): boolean;
  removePeer(address: Ip6): void;
  /** lastReceivedMs, lastSentMs, bytesIn, bytesOut, packetsIn, packetsOut into `into`; false when there is no such peer. */
  readPeer(address: Ip6, into: Float64Array): boolean;
  /** `verdict`: 0 pass, 1 drop, 2 wait. False when the table is full. */
  setFlow(
    protocol: number,
    local: Ip6,
    localPort: number,
    remote: Ip6,
    remotePort: number,
    verdict: number,
  ): boolean;
  removeFlow(
    protocol: number,
    local: Ip6,
    localPort: number,
    remote: Ip6,
    remotePort: number,
  ): void;
  clearFlows(): void;
  setDefaultPass(pass: boolean): void;
  setProbeId(identifier: number): void;
  /** Closes the UDP socket and forgets peers and flows. */
  sleep(): void;
  /** Opens it again. Throws a SystemError when it can't be had. */
  wake(ip: Ip4, port: number): void;
  /** What the kernel granted for receiving and for sending, bytes; 0 while there is no socket. */
  bufferBytes(): [number, number];
  /** Descriptors of the UDP sockets, which stay the datapath's. */
  sockets(): number[];
  transmit(ip: Ip4, port: number, datagram: Uint8Array): void;
  deliver(packet: Uint8Array): void;
  /**
   * Moves waiting upcalls into `into` and returns the number of bytes used. Each is a record in host byte order, padded
   * to 8 bytes: u32 length of the payload, u8 kind (0 server datagram, 1 other datagram, 2 packet, 3 icmp4), u8 ICMP
   * type, u8 ICMP code, u8 0, u32 IPv4 address, u16 port, u16 0, payload. `into` holds at least 128 KiB.
   * When records are left behind, `onWake` is called again.
   */
  drain(into: Uint8Array): number;
  /** Copies of datagrams are kept from now on, or no longer; those that were kept are forgotten. */
  setTap(on: boolean): void;
  /** Moves copies into `into`, the oldest first, and returns the bytes used (native/datapath/tap.h). */
  drainTap(into: Uint8Array): number;
  /** Copies that found no room since it was opened. */
  tapLost(): number;
  counters(): Record<string, number>;
  /** One sentence when the thread has ended by itself, else null. */
  failure(): string | null;
  close(): void;
}

/** A UDP port of `openUdp`. A closed one receives and sends nothing. */
export interface NativeUdp {
  /**
   * Moves datagrams that the table didn't answer into `into` and returns the number of bytes used: records as in
   * `NativeDatapath.drain`. When some are left behind, `onReadable` is called again.
   */
  drain(into: Uint8Array): number;
  /** Sends the first `count` slots and writes into each what became of it (see native/datapath/udp-binding.cc). */
  send(slots: Uint8Array, count: number): void;
  /**
   * From now on answers by this table in the threads that read; `limit` is one of `openSourceLimit`. `other` sends what leaves
   * by the other address.
   */
  setAnswers(answers: Answers | null, other: NativeUdp | null): void;
  counts(): AnswerCounts;
  close(): void;
}

export interface NativeAddon {
  /** Milliseconds of CLOCK_BOOTTIME, with a fraction. */
  now(): number;
  /** Two connected SEQPACKET Unix sockets, close-on-exec. */
  socketpair(): [number, number];
  /** Connects to the SEQPACKET Unix socket at `path`; close-on-exec. Throws SystemError. */
  connectUnixSeqpacket(path: string): number;
  /**
   * Sends one frame on a SEQPACKET socket, with copies of the descriptors `passed`, and waits for one frame back (at most 64 KiB; at most
   * 16 descriptors either way). Calls on one descriptor must not overlap. Rejects with SystemError: ETIMEDOUT (a late answer would be taken for the next one:
   * close the descriptor), EPIPE when the other side is gone.
   */
  helperCall(
    fd: number,
    frame: Uint8Array,
    timeoutMs: number,
    passed?: readonly number[],
  ): Promise<HelperReply>;
  /**
   * Calls back once when the other side of `fd` hangs up. Doesn't keep the process alive. Returns a stop function, to be
   * called before `fd` is closed.
   */
  watchFd(fd: number, callback: () => void): () => void;
  /** Closes a descriptor; one that is closed already is no error. */
  closeFd(fd: number): void;
  /**
   * Sends one IPv6 packet, header included, to the destination in its header, by the raw socket `fd`. Throws SystemError
   * (ENETUNREACH without native IPv6, EINVAL for less than a header).
   */
  sendRaw6(fd: number, packet: Uint8Array): void;
  /** Gives freed memory back to the system, which the C library otherwise keeps for later. */
  trimMemory(): void;
  /** No new privileges by exec, no core dump, no ptrace by others of the same user. */
  lockDown(): void;
  /** IPv4 addresses and default routes of this network namespace. Throws SystemError. */
  dumpNetwork(): NetworkDump;
  /**
   * Calls back, coalesced, when a link, an address or a route changed, or instead (`neighbours`) an entry of the tables of neighbours.
   * Doesn't keep the process alive. Returns a stop function.
   */
  openNetlink(callback: () => void, neighbours?: boolean): () => void;
  /**
   * Calls back, coalesced, when the computer has slept or its clock was set; nothing runs before. Doesn't keep the process alive.
   * Returns a stop function. Throws SystemError.
   */
  watchClock(callback: () => void): () => void;
  /**
   * A UDP port that `workers` threads read, each by a socket of its own. `onReadable` is called when datagrams wait that they did
   * not answer. Throws SystemError.
   */
  openUdp(ip: Ip4, port: number, workers: number, onReadable: () => void): NativeUdp;
  /** A limit in the sense of `MakeSourceLimit` that the threads of `openUdp` can ask, too. */
  openSourceLimit: MakeSourceLimit;
  /** Throws SystemError; `syscall` tells bind from the rest. */
  openDatapath(options: NativeDatapathOptions): NativeDatapath;
}

let loaded: NativeAddon | undefined;

/** Where the add-on is; the helper and the sweeper lie beside it. */
export function nativePath(): string {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
  return process.env['SHIPWORM_NATIVE'] ?? join(root, 'build', 'native', 'shipworm.node');
}

/**
 * The add-on, loaded at the first call from `SHIPWORM_NATIVE` or from `build/native/shipworm.node` of this repository.
 * Throws HostError 'native-missing'.
 */
export function nativeAddon(): NativeAddon {
  if (loaded) return loaded;
  const path = nativePath();
  if (!existsSync(path))
    throw new HostError(
      'native-missing',
      `The native part ${path} is missing; build it with "make -C native".`,
    );
  try {
    loaded = createRequire(import.meta.url)(path) as NativeAddon;
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new HostError(
      'native-missing',
      `The native part ${path} can't be loaded (${cause}); build it anew with "make -C native".`,
    );
  }
  return loaded;
}
