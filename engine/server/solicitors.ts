// Module server/solicitors decides who may have an advertisement, and with which authentication (RFC 4380 §5.2.2, §5.3.1 rule 4).
import { authenticationValue, constantTimeEqual } from '../wire/index.ts';
import type { Datagram } from '../wire/index.ts';
import type { ClientKeys, ServerReason, ServerSettings } from './types.ts';

/** What the answer repeats and signs. */
export interface Solicitor {
  readonly clientId: Uint8Array;
  /** The shared secret; null: the answer is unsigned. */
  readonly key: Uint8Array | null;
  /** Null when the solicitation had no authentication: then the answer has none. */
  readonly nonce: Uint8Array | null;
  /** 0, or 1 when the identifier is not valid here and its holder needs a new key (RFC 4380 §5.3.2). */
  readonly confirmation: number;
}

const NONE = new Uint8Array(0);
/** Confirmation byte that asks for a new key. */
const NEW_KEY = 1;

/** Judges the authentication of a solicitation. */
export function checkSolicitor(
  datagram: Datagram,
  settings: Pick<ServerSettings, 'clients' | 'requireAuthentication'>,
): Solicitor | ServerReason {
  const { authentication } = datagram;
  const required = settings.requireAuthentication === true;
  if (!authentication || authentication.clientId.length === 0) {
    if (required) return 'authenticationMissing';
    return { clientId: NONE, key: null, nonce: authentication?.nonce ?? null, confirmation: 0 };
  }
  const { clientId, nonce, confirmation, value } = authentication;
  const key = findKey(settings.clients, hex(clientId));
  if (!key) {
    if (required) return 'authenticationUnknown';
    return { clientId, key: null, nonce, confirmation: NEW_KEY };
  }
  const expected = authenticationValue(key, nonce, confirmation, NONE, datagram.packet);
  if (!constantTimeEqual(expected, value)) return 'authenticationFailed';
  return { clientId, key, nonce, confirmation: 0 };
}

function findKey(clients: ClientKeys | undefined, clientId: string): Uint8Array | undefined {
  return typeof clients === 'function' ? clients(clientId) : clients?.get(clientId);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
