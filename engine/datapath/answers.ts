// Module datapath/answers says, as a table, which datagrams are answered alike for everybody, so that no judgement is needed each time.
import type { Ip4 } from '../wire/types.ts';
import type { SourceLimit } from './limits.ts';

/** Bytes that the question lends the answer. */
export interface Lent {
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/** One kind of question and its answer; both end with an ICMPv6 packet. */
export interface AnswerCase {
  /** The question is exactly as long and has these bits where `mask` has ones; the packet's checksum is right. */
  readonly question: Uint8Array;
  readonly mask: Uint8Array;
  /** What goes back, zero where something is filled in: `lent`, the origin at `originAt`, the packet's checksum. */
  readonly answer: Uint8Array;
  readonly lent: readonly Lent[];
  readonly questionPacketAt: number;
  readonly answerPacketAt: number;
  readonly originAt: number;
  /** The answer leaves by our other address. */
  readonly viaOther: boolean;
}

/** IPv4 addresses whose first `prefix` bits are those of `network`. */
export interface Range4 {
  readonly network: Ip4;
  readonly prefix: number;
}

export interface Answers {
  readonly cases: readonly AnswerCase[];
  /** Sources whose questions are left to the one who judges; so are those from port 0. */
  readonly refused: readonly Range4[];
  /** Asked for each question that would be answered. */
  readonly limit: SourceLimit;
}

/** What became of the questions in the table. */
export interface AnswerCounts {
  readonly answered: number;
  /** Refused by the limit. */
  readonly limited: number;
  readonly sendFailed: number;
  readonly sendQueueFull: number;
  /** Datagrams not in the table that found no room on their way to the one who judges. */
  readonly lost: number;
}
