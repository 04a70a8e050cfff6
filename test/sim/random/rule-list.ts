// Module random/rule-list names and states what must hold in every random network.

/** What always holds in every random network. */
export const RULES = [
  /**
   * None of our machines sends to an address that RFC 6890 does not call globally reachable (RFC 4380 §5.2.4), but for another PC of
   * ours behind the same router (RFC 6081 §3.5), and the discovery group where that is set (RFC 4380 §5.2.8).
   */
  'global-only',
  /**
   * RFC 4380 §5.2.6 with what RFC 6081 adds: see `BUBBLE_WINDOW_MS` and the constants after it, and `mostUnanswered` in `random/rules.ts`;
   * the 300 s count no more once a client's list was full and an entry had to make room.
   */
  'bubble-limits',
  /** Whatever a local program gets, the source that it names sent to this very address; an ICMPv6 error quotes what was sent. */
  'delivered-was-sent',
  /** It gets it once, unless a line of this network makes second copies. */
  'delivered-once',
  /**
   * A hostile datagram is worth one of ours at most, and no longer one; a server adds 8 bytes of origin, an advertisement is 2.2 times,
   * and a source gets 40 of these in a second at most (20 a second, and 20 at once).
   */
  'no-amplification',
  /** A client's address names its server and its mapping, and never the attacker's. */
  'address-from-server',
  /** No client trusts an attacker's endpoint for a native host or for another client of this network. */
  'trust-is-earned',
  /** A packet of an attack that can mean nothing good (`fateOf` in `random/rows.ts`) is discarded under a name, and answered by nothing. */
  'refused-by-name',
  /** No client keeps more peers than its limit, no relay more that it waits for, or more bytes for them. */
  'bounded-state',
  /** Whoever sleeps sends nothing. */
  'silent-asleep',
  /** Whoever slept for 125 s, longer than any refresh interval, asks its server within 100 ms of waking. */
  'wakes',
  /**
   * A client whose server has answered nothing valid for 47 s (a refresh interval of 30 s, three questions of 4 s, the slowest line; 137 s
   * with the longest interval that RFC 4380 §5.2.7 may find) does not say that all is well.
   */
  'silence-is-told',
  /**
   * 35 s after the last fault (a refresh interval of 30 s, and the answer over the slowest line; 125 s with the longest interval that
   * RFC 4380 §5.2.7 may find) every client has an address at the
   * external address that its router has now, and is qualified; but for one whose peers have all been silent until then, which may
   * say so (`no-traffic`) until the first of them speaks.
   */
  'heals',
  /**
   * 311 s after the last fault (the 300 s of RFC 4380 §5.2.6, and an attempt) a packet arrives within 10 s (four bubbles, 2 s apart,
   * and the slowest lines) between all whom RFC 4380 §3.1 lets talk, whoever starts; then one of 1,280 bytes, too, unless a line
   * of theirs carries none of 1,308, which must keep the small ones from nobody.
   */
  'supported-pair-connects',
  /** Nothing that comes in makes a machine throw. */
  'no-exception',
] as const;
export type Rule = (typeof RULES)[number];

export class Violation extends Error {
  readonly rule: Rule;
  readonly at: number;
  constructor(rule: Rule, at: number, text: string) {
    super(`${rule} at ${(at / 1000).toFixed(3)} s: ${text}`);
    this.rule = rule;
    this.at = at;
  }
}
