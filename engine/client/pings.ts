// Module client/pings sends the echo requests of the user's `ping` and times their answers.
import { buildDatagram, buildEcho, constantTimeEqual } from '../wire/index.ts';
import type { Echo, Ip6 } from '../wire/index.ts';
import { USER_PING_INTERVAL_MS } from './config.ts';
import type { Core } from './core.ts';
import type { Paths } from './paths.ts';
import type { Peer } from './peers.ts';
import type { ClientInput, PingResult } from './types.ts';

/** More pings at once than a person could want would only be a way to flood. */
const MAX_PINGS = 64;

interface Ping {
  readonly id: number;
  readonly peer: Peer;
  readonly data: Uint8Array;
  readonly until: number;
  /** When each echo request was sent, by its sequence number. */
  readonly sent: number[];
  next: number;
}

/** Pings under way. */
export class Pings {
  private readonly core: Core;
  private readonly paths: Paths;
  private readonly running = new Map<number, Ping>();

  constructor(core: Core, paths: Paths) {
    this.core = core;
    this.paths = paths;
  }

  get nextAt(): number {
    let next = Infinity;
    for (const ping of this.running.values()) next = Math.min(next, ping.next, ping.until);
    return next;
  }

  start(input: ClientInput & { kind: 'ping' }, qualified: boolean, now: number): void {
    const fail = (code: (PingResult & { ok: false })['code']): void =>
      this.core.output({ kind: 'pong', id: input.id, result: { ok: false, code } });
    if (!qualified) return fail('not-qualified');
    const destination = this.core.policy.judge(input.address);
    if (destination.kind === 'refused' || this.core.isOurs(input.address))
      return fail('address-refused');
    if (this.running.size >= MAX_PINGS || this.running.has(input.id)) return fail('busy');
    const teredo = destination.kind === 'teredo' ? destination.teredo : null;
    const peer = this.paths.entry(input.address, teredo, false, now);
    if (typeof peer === 'string') return fail('busy');
    const ping: Ping = {
      id: input.id,
      peer,
      data: this.core.random.bytes(16),
      until: now + input.timeoutMs,
      sent: [],
      next: Infinity,
    };
    this.running.set(ping.id, ping);
    if (this.paths.isValid(peer, now)) ping.next = -Infinity;
    else {
      this.paths.open(peer, now);
      if (!peer.attempt) this.pathChanged(peer, false);
    }
  }

  /** An echo reply with our identifier, from a proven peer. */
  handleEcho(echo: Echo, now: number): void {
    for (const ping of this.running.values()) {
      if (ping.peer.address !== echo.source || !constantTimeEqual(ping.data, echo.data)) continue;
      const sentAt = ping.sent[echo.sequence];
      if (sentAt === undefined) continue;
      ping.peer.rttMs = now - sentAt;
      this.end(ping, { ok: true, rttMs: now - sentAt, path: ping.peer.path ?? 'direct' });
    }
  }

  work(now: number): void {
    for (const ping of this.running.values()) {
      if (now >= ping.until) {
        this.end(ping, { ok: false, code: ping.sent.length === 0 ? 'no-path' : 'no-reply' });
      } else if (now >= ping.next) this.send(ping, now);
    }
  }

  pathChanged(peer: Peer, open: boolean): void {
    for (const ping of this.running.values()) {
      if (ping.peer !== peer) continue;
      if (open) ping.next = -Infinity;
      else this.end(ping, { ok: false, code: 'no-path' });
    }
  }

  private send(ping: Ping, now: number): void {
    const source: Ip6 | null = this.core.address;
    ping.next = now + USER_PING_INTERVAL_MS;
    if (source === null || !ping.peer.endpoint) return;
    const packet = buildEcho({
      reply: false,
      source,
      destination: ping.peer.address,
      identifier: this.core.probeId,
      sequence: ping.sent.length,
      data: ping.data,
    });
    ping.sent.push(now);
    // Like data: if nothing comes back, the way is asked for again.
    ping.peer.dataSentAt = now;
    this.core.transmit(ping.peer.endpoint, buildDatagram({ packet }), 'ping', ping.peer.via);
  }

  private end(ping: Ping, result: PingResult): void {
    this.running.delete(ping.id);
    this.core.output({ kind: 'pong', id: ping.id, result });
  }
}
