// Module own/facts names everything that the check of one's own server and relay is judged by; a null is what was not tried.
import type { Endpoint, Ip4 } from '../../wire/index.ts';
import type { ManagedFacts, NameFacts } from '../doctor/facts.ts';
import type { UdpOut } from '../doctor/paths.ts';
import type { Reading } from '../doctor/solicitation.ts';

/** What one address of the server did when it was asked. */
export interface SideFacts {
  /** The best advertisement that came from it; null: none did. */
  readonly reading: Reading | null;
  /** From the question to that answer, ms; null where it can't be told which question it answers. */
  readonly rttMs: number | null;
  /** Something that is no advertisement came from it. */
  readonly junk: boolean;
}

/** What came of bubbles from one socket here through the server to another one here. */
export interface BubbleFacts {
  /** As whom the server named the sender; null: the bubble arrived without an origin. Undefined: none arrived. */
  readonly origin: Endpoint | null | undefined;
  /** Where the sender really is. */
  readonly sender: Endpoint;
  /** A data packet was forwarded, too (RFC 4380 §5.3.1 rule 2). */
  readonly data: boolean;
  /** A bubble was forwarded whose source is not its sender (rule 5). */
  readonly forged: boolean;
}

/** What came of a ping through the server to a native host. */
export interface NativeFacts {
  /** As it was given, or the address of the root name server that answered, or of the first that was asked. */
  readonly host: string;
  /** Whoever asked named it. */
  readonly given: boolean;
  /** Why it has no address, one sentence; null: it has. */
  readonly error: string | null;
  /** The relay that brought the answer; null: no answer came. */
  readonly relay: Endpoint | null;
  /** Handshake and all, ms. */
  readonly firstMs: number | null;
  /** A bubble of that relay came before the answer (RFC 4380 §5.4.1). */
  readonly bubble: boolean;
  /** Round trip of a second ping, straight to the relay, ms; null: unanswered. */
  readonly directMs: number | null;
}

/** Every fact, as far as it came in. */
export interface OwnFacts {
  /** A closed lab is meant: private addresses are fine. */
  readonly allowPrivate: boolean;
  readonly managed: ManagedFacts | null;
  /** IPv4 has a way out of here. */
  readonly ipv4: boolean | null;
  readonly name: NameFacts | null;
  readonly server: Ip4 | null;
  readonly server2: Ip4 | null;
  readonly primary: SideFacts | null;
  readonly secondary: SideFacts | null;
  /** The network or this system refused what was sent to the server: the name of the error. */
  readonly refused: string | null;
  /** Whether UDP gets out at all; tried only where the server is silent. */
  readonly udpOut: UdpOut | null;
  /** Who answered a solicitation that asks for the server's other address; null: nobody. Undefined: nobody was asked. */
  readonly coneFrom: Ip4 | null | undefined;
  readonly bubbles: BubbleFacts | null;
  /** What was named by whoever asked, or a root name server. */
  readonly native: NativeFacts | null;
  /** A root name server, asked when what was named is silent. */
  readonly witness: NativeFacts | null;
  /** The relay that is said to be one's own. */
  readonly relay: Ip4 | null;
}
