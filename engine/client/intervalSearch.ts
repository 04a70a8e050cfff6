// Module client/interval finds how long our NAT keeps a mapping that nobody uses (RFC 4380 §5.2.7).
import {
  buildBubble,
  buildDatagram,
  encodeTeredo,
  isBubble,
  randomFlags,
  sameEndpoint,
} from '../wire/index.ts';
import type { Datagram, Endpoint } from '../wire/index.ts';
import type { Core } from './core.ts';
import type { Qualification } from './qualification.ts';

/** First Maximum Teredo Refresh Interval, ms; the candidate begins at twice the interval in use (RFC 4380 §5.2.7). */
const MAXIMUM_MS = 120_000;
/** A test bubble is waited for so long, ms, and repeated at most three times (§5.2.7 step 3). */
const WAIT_MS = 2_000;
const TRIES = 4;
/** With the interval this close to the maximum the procedure has concluded (§5.2.7 step 5). */
const CLOSE_ENOUGH = 0.75;
/** The least by which a further candidate must be longer, of the interval that it began with: 5 s of 30 s are not worth a minute of waiting. */
const LEAST_GAIN = 1 / 6;
/** The secondary port is qualified again if that did not come about in this time, ms; then the procedure is given up. */
const QUALIFY_MS = 15_000;
const FIRST_DYNAMIC_PORT = 49_152;

type Phase =
  /** Not begun, or over. */
  | { readonly kind: 'idle' }
  /** The maintenance procedure runs on the secondary port (§5.2.7 step 6). */
  | { readonly kind: 'qualifying'; readonly until: number }
  /** Nobody uses the secondary port until the candidate interval is over (step 1). */
  | { readonly kind: 'waiting'; readonly mapped: Endpoint; readonly until: number }
  /** Bubbles are on their way (steps 2 and 3). */
  | {
      readonly kind: 'testing';
      readonly mapped: Endpoint;
      readonly tries: number;
      readonly until: number;
    };

/** Runs once for each network, on a port of its own that serves nothing else. */
export class IntervalSearch {
  private readonly core: Core;
  private readonly newQuestions: () => Qualification;
  private due = false;
  private phase: Phase = { kind: 'idle' };
  private port: number | null = null;
  private questions: Qualification | null = null;
  /** Teredo refresh interval as far as it is known to hold, its candidate, and what is known not to hold, ms. */
  private interval = 0;
  private candidate = 0;
  private maximum = MAXIMUM_MS;

  /** @param newQuestions asks both addresses of the server in use */
  constructor(core: Core, newQuestions: () => Qualification) {
    this.core = core;
    this.newQuestions = newQuestions;
  }

  get nextAt(): number {
    if (this.phase.kind === 'idle') return Infinity;
    return Math.min(this.phase.until, this.questions?.nextAt ?? Infinity);
  }

  /** The network is another. `known`: what was found out about it earlier; else it is found out once there is an address. */
  reset(known: number | undefined): void {
    this.stop();
    this.due = this.core.config.intervalSearch && known === undefined;
    this.core.refreshIntervalMs = known ?? this.core.config.refreshIntervalMs;
  }

  private get isWorthIt(): boolean {
    return this.candidate - this.interval >= LEAST_GAIN * this.core.config.refreshIntervalMs;
  }

  private start(now: number): void {
    this.due = false;
    this.interval = this.core.refreshIntervalMs;
    const intervalMs = this.interval;
    this.maximum = MAXIMUM_MS;
    this.candidate = Math.min(2 * intervalMs, MAXIMUM_MS);
    if (!this.isWorthIt) return;
    const draw = this.core.random.bytes(2);
    this.port = FIRST_DYNAMIC_PORT + (((draw[0]! << 8) | draw[1]!) >>> 2);
    this.core.output({ kind: 'listen', port: this.port, on: true });
    this.maintain(now);
  }

  private stop(): void {
    if (this.port !== null) this.core.output({ kind: 'listen', port: this.port, on: false });
    this.port = null;
    this.questions = null;
    this.phase = { kind: 'idle' };
  }

  /** Whether `port` is the secondary port. */
  isOn(port: number): boolean {
    return port === this.port;
  }

  /** The system has no such port for us: the interval stays as it is. */
  failed(): void {
    this.port = null;
    this.stop();
  }

  /** A datagram on the secondary port: an advertisement, or the bubble that we sent ourselves. */
  receive(from: Endpoint, datagram: Datagram, now: number): void {
    const { phase, questions } = this;
    if (phase.kind === 'qualifying' && questions) {
      const judgement = questions.judge(from, datagram, now);
      if (judgement.kind === 'valid' && judgement.advertisement.role === 'primary') {
        questions.stop();
        const mapped = judgement.advertisement.origin;
        this.phase = { kind: 'waiting', mapped, until: now + this.candidate };
        return;
      }
    } else if (phase.kind === 'testing' && this.isOurs(from, datagram)) {
      this.succeeded(now);
      return;
    }
    this.core.discards.count('sidePort');
  }

  work(now: number): void {
    // Without a NAT nothing has to be kept open.
    if (this.due && this.core.address !== null && this.core.policy.hasNeighbours) this.start(now);
    const { phase } = this;
    if (phase.kind === 'qualifying') {
      // Without an answer the interval stays what it is.
      if (now >= phase.until) this.stop();
      else this.ask(now);
    } else if (phase.kind === 'waiting' && now >= phase.until) this.test(phase.mapped, 0, now);
    else if (phase.kind === 'testing' && now >= phase.until) {
      if (phase.tries < TRIES) this.test(phase.mapped, phase.tries, now);
      else this.failedCandidate(now);
    }
  }

  private maintain(now: number): void {
    this.questions = this.newQuestions();
    this.questions.startPrimary(now, false);
    this.phase = { kind: 'qualifying', until: now + QUALIFY_MS };
    this.ask(now);
  }

  private ask(now: number): void {
    for (const { to, bytes } of this.questions!.solicitations(now))
      this.core.transmit(to, bytes, 'interval-test', this.port!);
  }

  /**
   * Step 2: a bubble to the secondary Teredo address, through the server, from the service port. The server sends it to the
   * secondary port, whose mapping is there or not.
   */
  private test(mapped: Endpoint, tries: number, now: number): void {
    this.phase = { kind: 'testing', mapped, tries: tries + 1, until: now + WAIT_MS };
    const { address } = this.core;
    if (address === null) return;
    const server = this.questions!.primaryEndpoint;
    const client = {
      server: this.questions!.server,
      flags: randomFlags(this.core.random),
      client: mapped,
    };
    const packet = buildBubble(address, encodeTeredo(client));
    this.core.transmit(server, buildDatagram({ packet }), 'interval-test');
  }

  private isOurs(from: Endpoint, { header }: Datagram): boolean {
    return (
      sameEndpoint(from, this.questions!.primaryEndpoint) &&
      isBubble(header) &&
      header.source === this.core.address
    );
  }

  /** Step 4. */
  private succeeded(now: number): void {
    this.interval = this.candidate;
    this.core.refreshIntervalMs = this.interval;
    this.core.event({ kind: 'interval', ms: this.interval });
    this.candidate = Math.min(2 * this.interval, (this.interval + this.maximum) / 2);
    this.goOn(now);
  }

  /** Step 5. */
  private failedCandidate(now: number): void {
    this.maximum = this.candidate;
    if (this.interval >= CLOSE_ENOUGH * this.maximum) this.stop();
    else {
      this.candidate = (this.interval + this.maximum) / 2;
      this.goOn(now);
    }
  }

  /** Step 6, unless what is left to gain is not worth it. */
  private goOn(now: number): void {
    if (!this.isWorthIt) this.stop();
    else this.maintain(now);
  }
}
