// Module client/reasons says in one sentence each what the client's reason codes mean for a person.
import type { ClientReason } from './types.ts';

const TEXTS: Record<ClientReason, string> = {
  starting: 'Asking the Teredo server for an address.',
  'network-changed': 'The network changed; asking the server again.',
  'no-network':
    'This PC is in no IPv4 network just now. It goes on by itself when one is back; the address is kept for that.',
  qualified: 'The tunnel works.',
  'server-silent':
    'The server does not answer just now; the address and all connections stay, and it is asked again.',
  'no-answer':
    'No answer from the Teredo server: it is down, its name or address is wrong, or the network blocks UDP port 3544. Trying again.',
  'server-junk':
    'Something other than a Teredo server answers in its place: a login page of this network, or a wrong --server. Log in to the network first; asking goes on.',
  'server-changed':
    'Another server serves us now, so the Teredo address is new; the old one stays for the connections that use it.',
  'no-traffic':
    'The server gave us an address, but nobody who was asked answers to it: they may all be off, or the server may have told us a wrong address. Another server is asked, if one is set.',
  'key-refused':
    'The server does not accept the client id and key. Ask whoever runs it for a new key.',
  'server-address-refused':
    'The server’s address is not a public IPv4 address, so it cannot serve Teredo. Use --allow-private only in a closed lab.',
  'mapping-changed': 'The router gave us another port or address, so the Teredo address is new.',
  'mapping-refused':
    'The server says that we come from an address that is not public, so nobody could answer us. Trying again.',
};

/** The sentence for `code`. */
export function reasonText(code: ClientReason): string {
  return TEXTS[code];
}
