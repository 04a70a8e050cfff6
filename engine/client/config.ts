// Module client/config holds the client's settings and the protocol's time constants, each with its source.
import type { Ip4 } from '../wire/index.ts';
import type { ClientConfig, ClientLimits } from './types.ts';

/** T: wait for an advertisement before the solicitation is repeated, ms (RFC 4380 §5.2.1). */
export const SOLICITATION_TIMEOUT_MS = 4_000;
/** N: solicitations sent before the server counts as silent (RFC 4380 §5.2.1). */
export const SOLICITATION_TRIES = 3;
/** Longest wait between solicitations to a server that stays silent, ms. Our choice: one small datagram each ten seconds. */
export const SOLICITATION_BACKOFF_MS = 10_000;
/** While we hold an address the server's return is noticed within this time, ms; each wait is drawn from 75 % to 100 % of it. */
export const SILENT_SERVER_RETRY_MS = 4_000;
/** A solicitation that is unanswered for so long casts doubt on the server, ms: few paths on Earth are slower. */
export const SERVER_DOUBT_MS = 1_500;
/** A sign that the mapping changed makes us ask the server at once, but not sooner than this after the last time, ms. */
export const EARLY_REFRESH_MS = 2_000;
/** Silence after which a server is left for another while we hold an address, ms: it changes the address, so it is the last resort. */
const FAILOVER_MS = 300_000;
/** Another server is wanted again after this time, ms: the one before was asked N times in vain. */
export const WANT_SERVER_MS = SOLICITATION_TIMEOUT_MS * SOLICITATION_TRIES;
/** An older address goes when the peers of its time have been quiet for so long, ms: longer than a keep-alive of any sense. */
export const KEPT_IDLE_MS = 300_000;
/** Older addresses are looked over this often, ms. */
export const KEPT_CHECK_MS = 30_000;
/** Older addresses kept at most. */
export const KEPT_ADDRESSES = 2;
/** Teredo refresh interval, ms; each wait is drawn from 75 % to 100 % of it (RFC 4380 §5.2, §5.2.5). */
export const REFRESH_INTERVAL_MS = 30_000;
/** A peer entry serves this long after the last reception, ms (RFC 4380 §5.2.4). */
export const PEER_VALID_MS = 30_000;
/** No bubble to a peer within this time of the last one, ms (RFC 4380 §5.2.6). */
export const BUBBLE_INTERVAL_MS = 2_000;
/** At most this many bubbles to a peer in `BUBBLE_WINDOW_MS` without a direct answer (RFC 4380 §5.2.6). */
export const BUBBLE_LIMIT = 4;
export const BUBBLE_WINDOW_MS = 300_000;
/** Indirect bubbles of one peer are answered no sooner than this, ms, and so often without anything direct from it in `BUBBLE_WINDOW_MS`. */
export const ANSWER_INTERVAL_MS = 1_500;
export const ANSWER_LIMIT = 8;
/** A queue lives until the last bubble plus this, ms: long enough for an answer through two slow links. */
export const BUBBLE_GRACE_MS = 1_000;
/** An attempt to open a path lasts no longer than this, ms: a local sender waits for it. */
export const ATTEMPT_MS = 8_500;
/** The direct IPv6 connectivity test is repeated after this time, ms, up to 3 times more (RFC 4380 §5.2.4 case 2). */
export const PING_TEST_INTERVAL_MS = 2_000;
export const PING_TEST_TRIES = 4;
/** A test asked for by a packet from outside is not repeated: that packet is worth one of ours, and no longer one. */
export const PING_TEST_TRIES_IN = 1;
/** Length of a connectivity test, bytes: IPv6 header 40, ICMPv6 header 8, 128 unguessable bits. */
export const PING_TEST_LENGTH = 64;
/** Peers are looked over this often while any of them is in use, ms. */
export const PEER_CHECK_MS = 1_000;
/** Sending unanswered for so long asks a trusted peer again, ms. */
export const PEER_UNANSWERED_MS = 3_000;
/** An ICMPv4 error counts only about what was sent within this time, ms. */
export const ICMP_FRESH_MS = 10_000;
/** So long the senders to a peer that just refused or fell silent are told at once, ms; after that they wait for an answer again. */
export const GONE_MS = 10_000;
/** Bubbles saved for the server's return while it is in doubt: of the 4 in 300 s (RFC 4380 §5.2.6) none would be left. */
export const BUBBLES_SAVED = 2;
/** An entry without trust is forgotten after this time, ms: by then its bubble limit has lapsed. */
export const PEER_FORGET_MS = BUBBLE_WINDOW_MS + 10_000;
/** The list is looked over for those at most this often while no peer is in use, ms. */
export const FORGET_CHECK_MS = 30_000;
/** Where a quiet peer was reached last is worth a question for so long, ms: few NATs keep a mapping longer (RFC 4787 §4.3). */
export const FORMER_MS = 300_000;
/** TeredoDiscoverySolicitations to a quiet peer, and the wait after each, ms (RFC 6081 §5.7.2). */
export const DISCOVERY_TRIES = 3;
/** A way through a side port is kept open this often, ms, so many times after the last data (RFC 6081 §5.4.2.1). */
export const SIDE_REFRESH_MS = 30_000;
export const SIDE_REFRESHES = 20;
/** Echo tests for one way, the first given 1 s, the second 2 s (RFC 6081 §5.5.2.2, §5.5.4.1.1). */
export const ECHO_TESTS = 2;
export const ECHO_TEST_MS = 1_000;
/** Probes are sent this many at a time, this often, ms: 200 a second, some 120 kbit/s. */
export const PROBES_PER_TICK = 10;
export const PROBE_TICK_MS = 50;
/** A round of probing lasts so long, ms: 1,024 probes, and time for the last answer. */
export const PROBE_ROUND_MS = 6_500;
/** `probeRounds` are counted over this time, ms. */
export const PROBE_WINDOW_MS = BUBBLE_WINDOW_MS;
/** Echo requests of the user's `ping` are repeated this often, ms. */
export const USER_PING_INTERVAL_MS = 1_000;
/** Inbound packets kept for a source under a connectivity test: count, and bytes. */
export const HELD_PACKETS = 8;
export const HELD_BYTES = 8 * 1280;

const DEFAULT_LIMITS: ClientLimits = {
  maxPeers: 16_384,
  queueBytesPerPeer: 65_536,
  queuePacketsPerPeer: 256,
  queueBytesTotal: 8 * 1024 * 1024,
  newPeersPerSecondIn: 50,
  newPeersPerSecondOut: 200,
  icmpPerSecond: 100,
  sidePorts: 16,
  probePorts: 64,
  probeGuesses: 1_024,
  probeRounds: 4,
};

/** Settings that a caller may give; `server` he must. */
export type ClientSettings = Partial<Omit<ClientConfig, 'server' | 'limits'>> & {
  readonly server: Ip4;
  readonly limits?: Partial<ClientLimits>;
};

/** Fills `settings` up with defaults: the secondary address is the primary plus one. */
export function clientConfig(settings: ClientSettings): ClientConfig {
  return {
    server2: (settings.server + 1) >>> 0,
    allowPrivate: false,
    localPort: 0,
    localDiscovery: false,
    intervalSearch: false,
    birthdayProbing: false,
    refreshIntervalMs: REFRESH_INTERVAL_MS,
    failoverMs: FAILOVER_MS,
    ...settings,
    limits: { ...DEFAULT_LIMITS, ...settings.limits },
  };
}
