// Module server/plain writes down the solicitations that everybody may send as a table, with the answers that the server gives them.
import type { AnswerCase, Lent } from '../datapath/answers.ts';
import { buildDatagram, buildSolicitation, CONE_FLAG } from '../wire/index.ts';
import type { Authentication, Ip6 } from '../wire/index.ts';

/** Of a solicitation of 48 bytes without options, and of the advertisement: both begin with an IPv6 header. */
const SOURCE_AT = 8;
const DESTINATION_AT = 24;
/** The last six bytes of a solicitation: checksum and reserved field. */
const CHECKSUM_AT = 42;
const ADDRESS_LENGTH = 16;
/** Of an authentication without identifier and value: `00 01 00 00 | nonce 8 | confirmation`. */
const NONCE_AT = 4;
const NONCE_LENGTH = 8;
const AUTHENTICATION_LENGTH = 13;
const ORIGIN_LENGTH = 8;

const LINK_LOCAL: Ip6 = 0xfe80n << 112n;
const CONE: Ip6 = BigInt(CONE_FLAG) << 48n;
const UNSIGNED: Authentication = {
  clientId: new Uint8Array(0),
  value: new Uint8Array(0),
  nonce: new Uint8Array(NONCE_LENGTH),
  confirmation: 0,
};

/** What the server answers to the datagram `bytes`; the place of the answer's origin is filled with zeros. */
export type Answer = (bytes: Uint8Array) => Uint8Array;

/** Cases for solicitations without a signature: with and without a nonce, with and, where there is another address, without the cone bit. */
export function plainCases(answer: Answer, twoAddresses: boolean): AnswerCase[] {
  const kinds = [LINK_LOCAL, ...(twoAddresses ? [LINK_LOCAL | CONE] : [])];
  return kinds.flatMap((source) =>
    [undefined, UNSIGNED].map((authentication) => {
      const packet = buildSolicitation(source);
      const question = buildDatagram({ ...(authentication && { authentication }), packet });
      const packetAt = authentication ? AUTHENTICATION_LENGTH : 0;
      const answerPacketAt = packetAt + ORIGIN_LENGTH;
      const lent: Lent[] = [
        { from: packetAt + SOURCE_AT, to: answerPacketAt + DESTINATION_AT, length: ADDRESS_LENGTH },
      ];
      if (authentication) lent.push({ from: NONCE_AT, to: NONCE_AT, length: NONCE_LENGTH });
      return {
        question,
        mask: maskOf(question.length, packetAt),
        answer: answer(question),
        lent,
        questionPacketAt: packetAt,
        answerPacketAt,
        originAt: packetAt,
        viaOther: source !== LINK_LOCAL,
      };
    }),
  );
}

/**
 * Ones for all but what is the client's own: nonce and confirmation, traffic class and flow label, the source but for
 * fe80::/10 and the cone bit, the checksum and the reserved field.
 */
function maskOf(length: number, packetAt: number): Uint8Array {
  const mask = new Uint8Array(length).fill(0xff);
  mask.fill(0, Math.min(NONCE_AT, packetAt), packetAt);
  const packet = mask.subarray(packetAt);
  packet[0] = 0xf0;
  packet.fill(0, 1, 4);
  packet.fill(0, SOURCE_AT + 1, SOURCE_AT + ADDRESS_LENGTH);
  packet[SOURCE_AT + 1] = 0xc0;
  packet[SOURCE_AT + 8] = CONE_FLAG >>> 8;
  packet.fill(0, CHECKSUM_AT);
  return mask;
}
