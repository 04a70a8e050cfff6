// Module server/harness asks one server in virtual time, and holds what Miredo's server 1.2.6 answered to the same bytes.
import { TeredoServer } from '../../../engine/server/server.ts';
import type { ServerOutput, ServerSettings } from '../../../engine/server/types.ts';
import {
  buildBubble,
  buildEcho,
  buildSolicitation,
  encodeTeredo,
} from '../../../engine/wire/index.ts';
import type { Endpoint, Ip6 } from '../../../engine/wire/index.ts';
import { at, grownBy, ip4, ip6, open } from '../machine.ts';

export { at, ip4, ip6, open };

export const PRIMARY = ip4('192.0.2.1');
export const SECONDARY = ip4('192.0.2.2');
/** Two clients of the server, with the addresses they had when Miredo's server was asked. */
export const A_AT = at('198.51.100.7:40000');
export const B_AT = at('198.51.100.8:50000');
export const A = encodeTeredo({ server: PRIMARY, flags: 0x0234, client: A_AT });
export const B = encodeTeredo({ server: PRIMARY, flags: 0x0111, client: B_AT });
export const NATIVE = ip6('2001:db8::80');
export const LINK_LOCAL = ip6('fe80::234:5678:9abc:def0');
export const LINK_LOCAL_CONE = ip6('fe80::8000:1:2:3');

/** UDP payloads sent to and received from miredo-server 1.2.6 at 192.0.2.1 and .2, from `A_AT`. */
export const MIREDO = {
  solicitation:
    '000100000102030405060708006000000000083afffe80000000000000023456789abcdef0ff0200000000000000000000000000028500aadd00000000',
  advertisement:
    '00010000010203040506070800000063bf39cc9bf86000000000383afffe800000000000008000f2273ffffdfefe80000000000000023456789abcdef08600c2f20000000000000000000007d003044040ffffffffffffffff0000000020010000c000020100000000000000000501000000000500',
  bubble: '6000000000003bff20010000c0000201023463bf39cc9bf820010000c000020101113caf39cc9bf7',
  forwarded:
    '000063bf39cc9bf86000000000003bff20010000c0000201023463bf39cc9bf820010000c000020101113caf39cc9bf7',
  bubbleWithTrailer:
    '6000000000003bff20010000c0000201023463bf39cc9bf820010000c000020101113caf39cc9bf7010401020304',
  forwardedWithTrailer:
    '000063bf39cc9bf86000000000003bff20010000c0000201023463bf39cc9bf820010000c000020101113caf39cc9bf7010401020304',
  bubbleFromLinkLocal:
    '6000000000003bfffe80000000000000023456789abcdef020010000c000020101113caf39cc9bf7',
  forwardedFromLinkLocal:
    '000063bf39cc9bf86000000000003bfffe80000000000000023456789abcdef020010000c000020101113caf39cc9bf7',
} as const;

export const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export type Transmit = ServerOutput & { kind: 'transmit' };

/** One server and a clock. */
export class Bench {
  now = 1_000_000;
  readonly server: TeredoServer;

  constructor(settings: Partial<ServerSettings> = {}) {
    this.server = new TeredoServer({ primary: PRIMARY, secondary: SECONDARY, ...settings });
  }

  ask(
    bytes: Uint8Array,
    from: Endpoint = A_AT,
    arrivedOn: 'primary' | 'secondary' = 'primary',
  ): ServerOutput[] {
    return this.server.handleDatagram({ from, arrivedOn, bytes }, this.now);
  }

  /** The one transmission that `bytes` led to; throws when there was none. */
  sent(bytes: Uint8Array, from?: Endpoint, arrivedOn?: 'primary' | 'secondary'): Transmit {
    const outputs = this.ask(bytes, from, arrivedOn);
    const [output] = outputs;
    if (outputs.length !== 1 || output?.kind !== 'transmit')
      throw new Error(`no transmission: ${JSON.stringify(this.server.discards)}`);
    return output;
  }

  /** The name under which `bytes` were discarded; what was sent instead, if anything was. */
  refusal(
    bytes: Uint8Array,
    from?: Endpoint,
    arrivedOn?: 'primary' | 'secondary',
  ): string | ServerOutput[] {
    let outputs: ServerOutput[] = [];
    const grown = grownBy(this.server, () => (outputs = this.ask(bytes, from, arrivedOn)));
    return outputs.length > 0 ? outputs : grown;
  }
}

export const solicitation = (source: Ip6 = LINK_LOCAL): Uint8Array => buildSolicitation(source);
export const bubble = (source: Ip6, destination: Ip6): Uint8Array =>
  buildBubble(source, destination);
export const echo = (source: Ip6, destination: Ip6, size = 16, reply = false): Uint8Array =>
  buildEcho({
    reply,
    source,
    destination,
    identifier: 1,
    sequence: 1,
    data: new Uint8Array(size),
  });
/** A Teredo address of our server with the client at `client`. */
export const clientAt = (client: string, server = PRIMARY): Ip6 =>
  encodeTeredo({ server, flags: 0x0111, client: at(client) });
