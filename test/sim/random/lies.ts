// Module random/lies makes a server's advertisements say what is not so, while it is told to.
import type { Host } from '../../../engine/sim/index.ts';
import {
  buildAdvertisement,
  buildDatagram,
  parseAdvertisement,
  parseDatagram,
  parseIp4,
  teredoPrefix,
} from '../../../engine/wire/index.ts';
import type { Endpoint } from '../../../engine/wire/index.ts';

/** A public address that is nobody's here, and a server that is none. */
export const ELSEWHERE: Endpoint = { ip: parseIp4('198.51.100.222')!, port: 40_000 };
const OTHER_SERVER = parseIp4('203.0.113.251')!;

/** It names another origin or prefix, or says again what it said to the same client at first. */
export const LIES = ['wrongOrigin', 'wrongPrefix', 'replay'] as const;
export type Lie = (typeof LIES)[number];

export class LyingServer {
  private lie: Lie | null = null;
  /** The first advertisement to each client. */
  private readonly first = new Map<string, Uint8Array>();
  /** What was said with another prefix, or for the second time. */
  private readonly invalid = new Set<string>();

  /** @param host runs an honest server, whose datagrams are changed on their way out */
  constructor(host: Host) {
    const honest = host.transmit.bind(host);
    host.transmit = (socket, to, bytes, from) =>
      honest(socket, to, this.change(to, socket.address ?? 0, bytes), from);
  }

  /** False for an advertisement that nobody may believe. */
  isValid(bytes: Uint8Array): boolean {
    return this.invalid.size === 0 || !this.invalid.has(bytes.join());
  }

  /** From now on it tells `lie`; null: the truth. */
  tell(lie: Lie | null): void {
    this.lie = lie;
  }

  private change(to: Endpoint, from: number, bytes: Uint8Array): Uint8Array {
    const datagram = parseDatagram(bytes);
    if (!datagram.ok) return bytes;
    const { authentication, origin, packet } = datagram.value;
    const parsed = parseAdvertisement(packet);
    if (!parsed.ok || !origin) return bytes;
    // One of the same length: it lies, but sends nobody more than was asked for.
    const key = `${from} ${to.ip} ${bytes.length}`;
    const isFirst = !this.first.has(key);
    if (isFirst) this.first.set(key, bytes.slice());
    const { source, destination, prefix, mtu } = parsed.value;
    const build = (named: Endpoint, of: bigint): Uint8Array =>
      buildDatagram({
        ...(authentication && { authentication }),
        origin: named,
        packet: buildAdvertisement({
          source,
          destination,
          prefix: of,
          ...(mtu !== null && { mtu }),
        }),
      });
    if (this.lie === 'wrongOrigin') return build(ELSEWHERE, prefix);
    if (this.lie === null || (this.lie === 'replay' && isFirst)) return bytes;
    const told =
      this.lie === 'replay' ? this.first.get(key)! : build(origin, teredoPrefix(OTHER_SERVER));
    this.invalid.add(told.join());
    return told;
  }
}
