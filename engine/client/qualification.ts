// Module client/qualification asks the server for an address and judges its answers (RFC 4380 §5.2.1, §5.2.2, §5.2.5).
import {
  authenticate,
  authenticationValue,
  buildDatagram,
  buildSolicitation,
  constantTimeEqual,
  linkLocalFor,
  parseAdvertisement,
  sameEndpoint,
  TEREDO_PORT,
  teredoPrefix,
} from '../wire/index.ts';
import type { Datagram, Endpoint, Ip4, Ip6, Random } from '../wire/index.ts';
import {
  EARLY_REFRESH_MS,
  SERVER_DOUBT_MS,
  SILENT_SERVER_RETRY_MS,
  SOLICITATION_BACKOFF_MS,
  SOLICITATION_TIMEOUT_MS,
  SOLICITATION_TRIES,
} from './config.ts';
import type { ClientConfig } from './types.ts';

export type Role = 'primary' | 'secondary';

/** What a valid advertisement says. */
export interface Advertisement {
  readonly role: Role;
  /** Our mapped address as that server sees it. */
  readonly origin: Endpoint;
  readonly mtu: number | null;
  /** Time from the solicitation to this answer, ms. */
  readonly rttMs: number;
}

export type AdvertisementReason =
  | 'advertisementUnsolicited'
  | 'advertisementNonce'
  | 'advertisementSource'
  | 'advertisementDestination'
  | 'advertisementPrefix'
  | 'advertisementNoOrigin'
  | 'advertisementUnsigned'
  | 'advertisementSignature'
  | 'advertisementInvalid';

export type Judgement =
  | { readonly kind: 'valid'; readonly advertisement: Advertisement }
  | { readonly kind: 'keyRefused' }
  | { readonly kind: 'discard'; readonly reason: AdvertisementReason };

interface Outstanding {
  readonly nonce: Uint8Array;
  readonly source: Ip6;
  readonly sentAt: number;
}

/** Solicitations to one address of the server: a nonce each, repeated until one is answered. */
class Solicitor {
  readonly role: Role;
  readonly endpoint: Endpoint;
  /** When to solicit next; Infinity: not at all. */
  next = Infinity;
  /** Solicitations sent since the last answer (or since `start`). */
  tries = 0;
  /** When the first of `tries` was sent, and the last; -Infinity: never. */
  firstAt = -Infinity;
  lastAt = -Infinity;
  private readonly config: ClientConfig;
  private outstanding: Outstanding[] = [];

  constructor(role: Role, ip: number, config: ClientConfig) {
    this.role = role;
    this.endpoint = { ip, port: TEREDO_PORT };
    this.config = config;
  }

  start(now: number): void {
    this.tries = 0;
    this.next = now;
  }

  stop(): void {
    this.next = Infinity;
    this.outstanding = [];
  }

  /** One solicitation as a UDP payload; sets `next` to when it counts as lost. */
  solicit(now: number, random: Random, retryMs: number): Uint8Array {
    const nonce = random.bytes(8);
    const source = linkLocalFor(random);
    const packet = buildSolicitation(source);
    const keepMs = SOLICITATION_TIMEOUT_MS * SOLICITATION_TRIES;
    this.outstanding = this.outstanding.filter((o) => now - o.sentAt < keepMs);
    this.outstanding.push({ nonce, source, sentAt: now });
    this.tries += 1;
    if (this.tries === 1) this.firstAt = now;
    this.lastAt = now;
    this.next = now + retryMs;
    const authentication = this.config.credentials
      ? authenticate({ ...this.config.credentials, nonce, confirmation: 0, packet })
      : { clientId: new Uint8Array(0), value: new Uint8Array(0), nonce, confirmation: 0 };
    return buildDatagram({ authentication, packet });
  }

  judge(from: Endpoint, datagram: Datagram, now: number): Judgement {
    const { authentication } = datagram;
    if (this.outstanding.length === 0) return discard('advertisementUnsolicited');
    if (!authentication) return discard('advertisementNonce');
    const asked = this.outstanding.find((o) => constantTimeEqual(o.nonce, authentication.nonce));
    if (!asked) return discard('advertisementNonce');
    if (!sameEndpoint(from, this.endpoint)) return discard('advertisementSource');
    const key = this.config.credentials?.key;
    if (authentication.confirmation !== 0 && (!key || authentication.value.length === 0))
      return { kind: 'keyRefused' };
    if (key) {
      if (authentication.value.length === 0) return discard('advertisementUnsigned');
      const expected = authenticationValue(
        key,
        authentication.nonce,
        authentication.confirmation,
        datagram.originBytes,
        datagram.packet,
      );
      if (!constantTimeEqual(expected, authentication.value))
        return discard('advertisementSignature');
      if (authentication.confirmation !== 0) return { kind: 'keyRefused' };
    }
    const parsed = parseAdvertisement(datagram.packet);
    if (!parsed.ok) return discard('advertisementInvalid');
    if (parsed.value.destination !== asked.source) return discard('advertisementDestination');
    if (parsed.value.prefix !== teredoPrefix(this.config.server))
      return discard('advertisementPrefix');
    if (!datagram.origin) return discard('advertisementNoOrigin');
    // One answer each: a second one with this nonce is a replay.
    this.outstanding = [];
    this.tries = 0;
    return {
      kind: 'valid',
      advertisement: {
        role: this.role,
        origin: datagram.origin,
        mtu: parsed.value.mtu,
        rttMs: now - asked.sentAt,
      },
    };
  }
}

function discard(reason: AdvertisementReason): Judgement {
  return { kind: 'discard', reason };
}

/** What `Qualification.solicitations` wants sent. */
export interface Solicitation {
  readonly role: Role;
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
}

/**
 * The asking side of qualification and maintenance. Both addresses are solicited at once, so that an open path costs one
 * round trip; the primary is asked for ever, the secondary N times per start.
 */
export class Qualification {
  private readonly primary: Solicitor;
  private readonly secondary: Solicitor;
  /** Primary address; it is part of the addresses that this server gives. */
  readonly server: Ip4;
  private readonly random: Random;
  private readonly refreshIntervalMs: () => number;
  private haveAddress = false;

  constructor(
    config: ClientConfig,
    random: Random,
    refreshIntervalMs = (): number => config.refreshIntervalMs,
  ) {
    this.server = config.server;
    this.random = random;
    this.refreshIntervalMs = refreshIntervalMs;
    this.primary = new Solicitor('primary', config.server, config);
    this.secondary = new Solicitor('secondary', config.server2, config);
  }

  get endpoints(): readonly Endpoint[] {
    return [this.primary.endpoint, this.secondary.endpoint];
  }

  /** True when `from` is one of the server's two addresses. */
  isServer(from: Endpoint): boolean {
    return this.endpoints.some((e) => sameEndpoint(e, from));
  }

  get primaryEndpoint(): Endpoint {
    return this.primary.endpoint;
  }

  /** Begins anew with both addresses. */
  start(now: number, haveAddress: boolean): void {
    this.startPrimary(now, haveAddress);
    this.startSecondary(now);
  }

  startPrimary(now: number, haveAddress: boolean): void {
    this.haveAddress = haveAddress;
    this.primary.start(now);
  }

  /** Asks for the second view of our mapping, which tells the kind of NAT. */
  startSecondary(now: number): void {
    if (sameEndpoint(this.primary.endpoint, this.secondary.endpoint)) this.secondary.stop();
    else this.secondary.start(now);
  }

  stop(): void {
    this.primary.stop();
    this.secondary.stop();
  }

  /** True once N solicitations to the primary stayed without an answer for T each. */
  isSilent(now: number): boolean {
    const { tries, firstAt } = this.primary;
    return (
      tries >= SOLICITATION_TRIES && now - firstAt >= SOLICITATION_TRIES * SOLICITATION_TIMEOUT_MS
    );
  }

  /** Since when solicitations to the primary stay unanswered; null: the last one was answered, or none was sent. */
  get unansweredSince(): number | null {
    return this.primary.tries > 0 ? this.primary.firstAt : null;
  }

  /** True while an answer of the primary is overdue, long before it counts as silent. */
  isInDoubt(now: number): boolean {
    return this.primary.tries > 0 && now - this.primary.firstAt >= SERVER_DOUBT_MS;
  }

  /** Something looks as if the mapping had changed or the server were back: asks at once, unless that was done just now. */
  hurry(now: number): void {
    const { primary } = this;
    // Before the first answer the protocol's own pace holds (RFC 4380 §5.2.1).
    if (!this.haveAddress || primary.next === Infinity) return;
    if (now - primary.lastAt < EARLY_REFRESH_MS) return;
    primary.next = Math.min(primary.next, now);
  }

  get nextAt(): number {
    return Math.min(this.primary.next, this.secondary.next);
  }

  /** Everything due at `now`. */
  solicitations(now: number): Solicitation[] {
    const due: Solicitation[] = [];
    if (now >= this.primary.next) due.push(this.ask(this.primary, now, this.primaryRetryMs()));
    if (now >= this.secondary.next) {
      if (this.secondary.tries < SOLICITATION_TRIES)
        due.push(this.ask(this.secondary, now, SOLICITATION_TIMEOUT_MS));
      else this.secondary.stop();
    }
    return due;
  }

  /** Judges a datagram from `from` that carries a router advertisement. A valid one is answered by nothing. */
  judge(from: Endpoint, datagram: Datagram, now: number): Judgement {
    const first = this.primary.judge(from, datagram, now);
    const judgement =
      first.kind === 'discard' && !sameEndpoint(from, this.primary.endpoint)
        ? this.secondary.judge(from, datagram, now)
        : first;
    if (judgement.kind === 'valid') {
      if (judgement.advertisement.role === 'secondary') this.secondary.stop();
      else this.refreshLater(now);
    }
    return judgement;
  }

  /** The next refresh: drawn from 75 % to 100 % of the interval (RFC 4380 §5.2.5). */
  private refreshLater(now: number): void {
    this.haveAddress = true;
    this.primary.next = now + this.drawn(this.refreshIntervalMs());
  }

  /** 75 % to 100 % of `ms`: many clients of one server must not march in step. */
  private drawn(ms: number): number {
    const draw = this.random.bytes(2);
    const fraction = ((draw[0]! << 8) | draw[1]!) / 0xffff;
    return ms * (0.75 + 0.25 * fraction);
  }

  private ask(solicitor: Solicitor, now: number, retryMs: number): Solicitation {
    const bytes = solicitor.solicit(now, this.random, retryMs);
    return { role: solicitor.role, to: solicitor.endpoint, bytes };
  }

  private primaryRetryMs(): number {
    if (this.primary.tries + 1 <= SOLICITATION_TRIES) return SOLICITATION_TIMEOUT_MS;
    if (this.haveAddress) return this.drawn(SILENT_SERVER_RETRY_MS);
    const doublings = this.primary.tries + 1 - SOLICITATION_TRIES;
    return Math.min(SOLICITATION_TIMEOUT_MS * 2 ** doublings, SOLICITATION_BACKOFF_MS);
  }
}
