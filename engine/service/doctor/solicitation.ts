// Module doctor/solicitation makes one router solicitation, and reads what comes back for it, right or wrong.
import {
  authenticate,
  authenticationValue,
  buildDatagram,
  buildSolicitation,
  CONE_FLAG,
  constantTimeEqual,
  ICMP6,
  linkLocalFor,
  parseAdvertisement,
  parseDatagram,
  parseIcmp6,
} from '../../wire/index.ts';
import type { Datagram, Endpoint, Ip6, Random } from '../../wire/index.ts';

/** Client id and key of secure qualification, as the settings have them. */
export interface Credentials {
  readonly clientId: string;
  readonly key: string;
}

/** The same as bytes. */
export function keyOf({ clientId, key }: Credentials): { clientId: Uint8Array; key: Uint8Array } {
  const encoder = new TextEncoder();
  return { clientId: encoder.encode(clientId), key: encoder.encode(key) };
}

/** One question, as it is sent. */
export interface Question {
  readonly nonce: Uint8Array;
  readonly source: Ip6;
  /** A whole UDP payload. */
  readonly bytes: Uint8Array;
}

/** A solicitation with a nonce (RFC 4380 §5.2.1, §5.2.2); `cone`: it wants to be answered from the server's other address. */
export function question(random: Random, credentials: Credentials | null, cone = false): Question {
  const nonce = random.bytes(8);
  const source = linkLocalFor(random) | (cone ? BigInt(CONE_FLAG) << 48n : 0n);
  const packet = buildSolicitation(source);
  const authentication = credentials
    ? authenticate({ ...keyOf(credentials), nonce, confirmation: 0, packet })
    : { clientId: new Uint8Array(0), value: new Uint8Array(0), nonce, confirmation: 0 };
  return { nonce, source, bytes: buildDatagram({ authentication, packet }) };
}

/** What is wrong with an advertisement; the first that was found. */
export type AnswerFault =
  'no-nonce' | 'other-nonce' | 'bad-signature' | 'malformed' | 'other-receiver' | 'no-origin';

/** An advertisement, as far as it could be read. */
export interface Reading {
  readonly fault: AnswerFault | null;
  /** By what name the wire's rules refuse it; null: they don't. */
  readonly malformed: string | null;
  /** It says that the client id and key are not, or no longer, good (RFC 4380 §5.3.2). */
  readonly keyRefused: boolean;
  readonly origin: Endpoint | null;
  readonly prefix: Ip6 | null;
  readonly mtu: number | null;
}

/** Reads an answer to one of `asked`, and tells to which; null: it is no router advertisement at all. */
export function readAnswer(
  asked: readonly Question[],
  credentials: Credentials | null,
  bytes: Uint8Array,
): { readonly to: Question | null; readonly reading: Reading } | null {
  const parsed = parseDatagram(bytes);
  if (!parsed.ok) return null;
  const datagram = parsed.value;
  const icmp = parseIcmp6(datagram.packet);
  if (!icmp.ok || icmp.value.type !== ICMP6.routerAdvertisement) return null;
  const { authentication, origin } = datagram;
  const to =
    asked.find(({ nonce }) => authentication && constantTimeEqual(nonce, authentication.nonce)) ??
    null;
  const advertisement = parseAdvertisement(datagram.packet);
  const { prefix = null, mtu = null } = advertisement.ok ? advertisement.value : {};
  const fault = ((): AnswerFault | null => {
    if (!authentication) return 'no-nonce';
    if (!to) return 'other-nonce';
    if (credentials && !isSigned(datagram, credentials)) return 'bad-signature';
    if (!advertisement.ok) return 'malformed';
    if (advertisement.value.destination !== to.source) return 'other-receiver';
    return origin ? null : 'no-origin';
  })();
  return {
    to,
    reading: {
      ...{ fault, origin: origin ?? null, prefix, mtu },
      malformed: advertisement.ok ? null : advertisement.reason,
      keyRefused: to !== null && (authentication?.confirmation ?? 0) !== 0,
    },
  };
}

function isSigned(
  { authentication, originBytes, packet }: Datagram,
  credentials: Credentials,
): boolean {
  if (!authentication || authentication.value.length === 0) return false;
  const { nonce, confirmation, value } = authentication;
  const { key } = keyOf(credentials);
  const expected = authenticationValue(key, nonce, confirmation, originBytes, packet);
  return constantTimeEqual(expected, value);
}
