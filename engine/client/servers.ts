// Module client/servers keeps the servers that a client has to do with: the one in use, one that is tried, those of older addresses.
import { decodeTeredo, encodeTeredo, randomFlags, sameEndpoint } from '../wire/index.ts';
import type { Datagram, Endpoint, Ip4, Ip6, Random } from '../wire/index.ts';
import { KEPT_ADDRESSES, KEPT_CHECK_MS, KEPT_IDLE_MS, WANT_SERVER_MS } from './config.ts';
import type { Core } from './core.ts';
import type { PeerList } from './peers.ts';
import { Qualification } from './qualification.ts';
import type { Judgement } from './qualification.ts';

/** An older address, the server that gave it and still forwards to it, and the peers whose flows it is kept for. */
interface Kept {
  readonly address: Ip6;
  readonly qualification: Qualification;
  readonly peers: readonly Ip6[];
}

/** Whose answer a datagram is. */
export type Whose = 'current' | 'candidate' | 'kept';

/** The address is made of its server, so a client changes its server late, and holds on to the old one as long as flows do. */
export class Servers {
  current: Qualification;
  private readonly core: Core;
  private readonly random: Random;
  private candidate: { readonly qualification: Qualification; readonly always: boolean } | null =
    null;
  private kept: readonly Kept[] = [];
  /** The address that was kept of the server that we came back to. */
  private returned: Ip6 | null = null;
  private nextWant = -Infinity;
  private nextKeptCheck = Infinity;

  constructor(core: Core, random: Random) {
    this.core = core;
    this.random = random;
    this.current = new Qualification(core.config, random, () => this.core.refreshIntervalMs);
  }

  get endpoints(): readonly Endpoint[] {
    return this.all().flatMap(([, { endpoints }]) => endpoints);
  }

  isServer(from: Endpoint): boolean {
    return this.all().some(([, qualification]) => qualification.isServer(from));
  }

  get nextAt(): number {
    return Math.min(this.nextKeptCheck, ...this.all().map(([, { nextAt }]) => nextAt));
  }

  /**
   * Our address at the mapping `origin`. Flags are drawn for each new address and kept for the same server and mapping
   * (RFC 5991 §3); `last` is the address of an earlier run.
   */
  addressFor(origin: Endpoint, last: Ip6 | null): Ip6 {
    const { server } = this.current;
    for (const known of [this.core.address, this.returned, last]) {
      const parts = known === null ? undefined : decodeTeredo(known);
      if (parts && parts.server === server && sameEndpoint(parts.client, origin)) return known!;
    }
    return encodeTeredo({ server, flags: randomFlags(this.core.random), client: origin });
  }

  /** Questions of their own to both addresses of the server in use (RFC 6081 §5.5.4.1.1). */
  questions(): Qualification {
    const [primary, secondary] = this.current.endpoints;
    const addresses = { server: primary!.ip, server2: secondary!.ip };
    return new Qualification(
      { ...this.core.config, ...addresses },
      this.random,
      () => this.core.refreshIntervalMs,
    );
  }

  /** Asks another server as well, of which an answer makes it ours; the one that is asked already is asked again. */
  ask(server: Ip4, server2: Ip4, always: boolean, now: number): void {
    if (server === this.current.server) {
      this.current.hurry(now);
      return;
    }
    const qualification = new Qualification(
      { ...this.core.config, server, server2 },
      this.random,
      () => this.core.refreshIntervalMs,
    );
    qualification.startPrimary(now, false);
    this.candidate = { qualification, always };
    this.tellEndpoints();
  }

  /** Sends what is due to all of them. */
  work(why: 'refresh' | 'solicitation', now: number): void {
    for (const [, qualification] of this.all())
      for (const { to, bytes } of qualification.solicitations(now))
        this.core.transmit(to, bytes, why);
  }

  /** Wants another server, unless one is asked just now; true when it was told. */
  want(now: number): boolean {
    if (this.candidate || now < this.nextWant) return false;
    this.nextWant = now + WANT_SERVER_MS;
    this.core.output({ kind: 'wantServer' });
    return true;
  }

  /** The candidate was asked because of doubts in the one in use, and not to leave it in any case. `silent`: it is silent. */
  isOnlyAView(silent: boolean): boolean {
    return !silent && this.candidate?.always === false;
  }

  /** A candidate that stays silent is no candidate; neither is one that is not needed any more. */
  dropCandidate(needed: boolean, now: number): void {
    if (!this.candidate) return;
    const { qualification, always } = this.candidate;
    if (!qualification.isSilent(now) && (needed || always)) return;
    this.candidate = null;
    this.tellEndpoints();
  }

  /** Judges an advertisement from `from`, which is one of them. */
  judge(
    from: Endpoint,
    datagram: Datagram,
    now: number,
  ): { readonly whose: Whose; readonly judgement: Judgement } {
    let refused: { readonly whose: Whose; readonly judgement: Judgement } | null = null;
    for (const [whose, qualification] of this.all()) {
      if (!qualification.isServer(from)) continue;
      const judgement = qualification.judge(from, datagram, now);
      if (judgement.kind === 'valid') return { whose, judgement };
      refused ??= { whose, judgement };
    }
    return refused!;
  }

  /** The candidate is our server from now on. `address` is kept for the flows of `peers`, if there are any. */
  moveToCandidate(address: Ip6 | null, peers: readonly Ip6[], now: number): void {
    if (!this.candidate) return;
    const old = this.current;
    this.current = this.candidate.qualification;
    this.candidate = null;
    this.nextWant = -Infinity;
    const isBack = ({ qualification }: Kept): boolean =>
      qualification.server === this.current.server;
    this.returned = this.kept.find(isBack)?.address ?? null;
    const rest = this.kept.filter((each) => !isBack(each));
    const fresh =
      address === null || peers.length === 0 ? [] : [{ address, qualification: old, peers }];
    this.setKept([...fresh, ...rest].slice(0, KEPT_ADDRESSES), now);
    this.current.startSecondary(now);
  }

  /** Our mapping is another: no older address is ours any more. */
  dropKept(now: number): void {
    this.returned = null;
    if (this.kept.length > 0) this.setKept([], now);
  }

  /** Gives up older addresses whose flows have ended; true when one went. */
  checkKept(list: PeerList, now: number): boolean {
    if (now < this.nextKeptCheck) return false;
    this.nextKeptCheck = now + KEPT_CHECK_MS;
    const living = this.kept.filter(({ peers }) => now - list.lastTraffic(peers) < KEPT_IDLE_MS);
    if (living.length === this.kept.length) return false;
    this.setKept(living, now);
    return true;
  }

  private setKept(kept: readonly Kept[], now: number): void {
    this.kept = kept;
    this.core.deprecated = kept.map(({ address }) => address);
    this.nextKeptCheck = kept.length > 0 ? now + KEPT_CHECK_MS : Infinity;
    this.tellEndpoints();
  }

  private tellEndpoints(): void {
    this.core.output({ kind: 'servers', endpoints: this.endpoints });
  }

  private all(): (readonly [Whose, Qualification])[] {
    return [
      ['current', this.current] as const,
      ...(this.candidate ? [['candidate', this.candidate.qualification] as const] : []),
      ...this.kept.map(({ qualification }) => ['kept', qualification] as const),
    ];
  }
}
