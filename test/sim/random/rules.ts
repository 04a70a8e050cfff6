// Watches every packet of a random network and throws at the first that breaks a rule that must always hold.
import { START_MS } from '../../../engine/sim/index.ts';
import type { Packet4, Simulation, TraceEvent } from '../../../engine/sim/index.ts';
import {
  DISCOVERY_ADDRESS,
  endpointKey,
  formatEndpoint,
  formatIp6,
  parseAdvertisement,
  parseDatagram,
  parseIcmp6,
  parseIp4,
  parseIp6Header,
  PROTOCOL,
  TEREDO_PORT,
} from '../../../engine/wire/index.ts';
import type { Endpoint, Ip4, Ip6 } from '../../../engine/wire/index.ts';
import { FORGED } from './attacks.ts';
import type { Knowledge } from './attacks.ts';
import { countIn } from './hostiles.ts';
import type { Hostiles } from './hostiles.ts';
import { fateOf } from './rows.ts';
import { Violation } from './rule-list.ts';
import type { Rule } from './rule-list.ts';
import type { Attack } from './scenario.ts';

const block = (text: string): { network: number; mask: number } => {
  const [address, length] = text.split('/') as [string, string];
  const mask = (0xffffffff << (32 - Number(length))) >>> 0;
  return { network: parseIp4(address)!, mask };
};

/** What RFC 6890 lists as not globally reachable, but for the three documentation networks, which these networks are made of. */
const NOT_GLOBAL = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/3',
].map(block);

function isGlobal(ip: Ip4): boolean {
  return !NOT_GLOBAL.some(({ network, mask }) => (ip & mask) >>> 0 === network);
}

/**
 * RFC 4380 §5.2.6: not two bubbles to a peer within 2 s. One attempt is a direct bubble and one by the server. RFC 6081 adds one to the
 * peer's random port (§5.4.4.3), and behind a symmetric NAT one of an echo test (§5.5.4.1.1). Each bubble that a peer sends may be
 * answered, by as many; and twice in 2 s a peer that has proven itself gets one: 10 in all.
 */
const BUBBLE_WINDOW_MS = 2_000;
const BUBBLES_PER_ATTEMPT = 3;
const BUBBLES_OF_AN_ECHO_TEST = 1;
const CONFIRMATIONS = 2;
const MOST_IN_WINDOW = 2 * (BUBBLES_PER_ATTEMPT + BUBBLES_OF_AN_ECHO_TEST) + CONFIRMATIONS;
/** Of these so many may go from one port of ours to one of the peer's: where several of them know it by the same one. */
const MOST_ON_ONE_WAY = 6;
/** RFC 4380 §5.2.6: a client makes at most 4 attempts within 300 s at a peer from which nothing comes. */
const SILENT_WINDOW_MS = 300_000;
const ATTEMPTS = 4;
/** RFC 6081 §5.7.2: three questions to a quiet peer; §5.4.2.1: one bubble in 30 s that keeps a way through a side port open. */
const SOLICITATIONS = 3;
const REFRESHES = 10;

/** 20 advertisements a second go to one source, and 20 at once. */
const MOST_ADVERTISED = 40;

/** Bubbles in 300 s to a peer from which nothing comes: 15; 29 with the side ports that only a symmetric NAT calls for. */
function mostUnanswered(symmetric: boolean): number {
  return symmetric
    ? ATTEMPTS * (BUBBLES_PER_ATTEMPT + BUBBLES_OF_AN_ECHO_TEST) + SOLICITATIONS + REFRESHES
    : ATTEMPTS * BUBBLES_PER_ATTEMPT + SOLICITATIONS;
}

const UDP_MARK = 48;
/** By then every copy of an advertisement has come, and its nonce is spent. */
const REPLAYED_AFTER_MS = 5_000;

interface Sent {
  readonly source: Ip6;
  readonly destination: Ip6;
}

/** What machines do with one datagram of the attacker, while they do it. */
interface Reaction {
  readonly node: string;
  readonly at: number;
  readonly attack: Attack;
  /** What the machine had discarded before. */
  readonly before: Readonly<Record<string, number>>;
  readonly question: number;
  /** A server's advertisement goes to whoever asked, and is longer by its format. */
  readonly mayAdvertise: boolean;
  readonly source: string;
  /** A program's packet may make us send more than one. */
  readonly fromProgram: boolean;
  packets: number;
  bytes: number;
}

export interface WatchOptions {
  /** Nodes that run our machines, and which of them is the server. */
  readonly machines: ReadonlySet<string>;
  readonly server: string;
  readonly relays: ReadonlySet<string>;
  /** Clients behind NATs that map by destination. */
  readonly symmetric: ReadonlySet<string>;
  readonly hostiles: Hostiles;
  /** Counted discards of a machine. */
  readonly discardsOf: (node: string) => Readonly<Record<string, number>>;
  /** Addresses of the other PCs behind the same router. */
  readonly neighbours: (node: string) => readonly Ip4[];
  /** Clients that look for neighbours by multicast. */
  readonly seeking: ReadonlySet<string>;
  /** An advertisement that answers what was asked, with the server's prefix. */
  readonly isTrue: (bytes: Uint8Array) => boolean;
  /** A line of this network makes second copies. */
  readonly duplicates: boolean;
}

export class Watch {
  private readonly options: WatchOptions;
  private readonly sent = new Map<number, Sent>();
  private readonly delivered = new Map<number, number>();
  private readonly bubbles = new Map<string, number[]>();
  private readonly ways = new Map<string, number[]>();
  private readonly heard = new Map<string, number>();
  /** Nodes where a hostile program runs. */
  private readonly infested = new Set<string>();
  /** When the server sent advertisements to a third party, by that. */
  private readonly advertised = new Map<Ip4, number[]>();
  /** Advertisements that came to each client, the last first. */
  private readonly answers = new Map<
    string,
    readonly { readonly from: Endpoint; readonly bytes: Uint8Array; readonly at: number }[]
  >();
  /** When each client asked its server last, when that answered, and who sleeps. */
  private readonly asked = new Map<string, number>();
  private readonly answered = new Map<string, number>();
  private readonly sleeping = new Set<string>();
  private reaction: Reaction | null = null;
  private readonly simulation: Simulation;

  constructor(simulation: Simulation, options: WatchOptions) {
    this.simulation = simulation;
    this.options = options;
    simulation.onTrace((event) => this.see(event));
  }

  private fail(rule: Rule, text: string): never {
    throw new Violation(rule, this.simulation.now, text);
  }

  /** A local program of ours sends packet number `id`. */
  noteSent(id: number, source: Ip6, destination: Ip6): void {
    this.sent.set(id, { source, destination });
  }

  get deliveredCount(): number {
    return this.delivered.size;
  }

  wasDelivered(id: number): boolean {
    return this.delivered.has(id);
  }

  /** A local program behind `own` received `packet`. */
  noteDelivered(node: string, own: readonly Ip6[], packet: Uint8Array): void {
    const header = parseIp6Header(packet);
    if (!header.ok) this.fail('delivered-was-sent', `${node} got no IPv6 packet`);
    const { source, destination, nextHeader } = header.value;
    if (!own.includes(destination))
      this.fail('delivered-was-sent', `${node} got a packet for ${formatIp6(destination)}`);
    if (nextHeader === PROTOCOL.icmp6) {
      this.checkError(node, packet);
      return;
    }
    if (nextHeader !== PROTOCOL.udp || packet.length < UDP_MARK + 2)
      this.fail('delivered-was-sent', `${node} got next header ${nextHeader}`);
    if (packet[UDP_MARK] === FORGED)
      this.fail('delivered-was-sent', `${node} got a forged packet from ${formatIp6(source)}`);
    const id = idOf(packet, UDP_MARK);
    const sent = this.sent.get(id);
    if (sent?.source !== source || sent.destination !== destination)
      this.fail(
        'delivered-was-sent',
        `${node} got packet ${id}, which ${formatIp6(source)} never sent`,
      );
    const times = (this.delivered.get(id) ?? 0) + 1;
    this.delivered.set(id, times);
    if (times > 1 && !this.options.duplicates)
      this.fail('delivered-once', `${node} got packet ${id} ${times} times`);
  }

  /** A hostile program at `node` sends a packet of `length` bytes by `act`. */
  noteProgram(node: string, attack: Attack, length: number, act: () => void): void {
    this.infested.add(node);
    this.options.hostiles.account(attack).sent++;
    this.begin(node, attack, { length, source: '', fromProgram: true });
    act();
    this.settle();
  }

  /** An ICMPv6 error must be about something that a local program sent. */
  private checkError(node: string, packet: Uint8Array): void {
    const icmp = parseIcmp6(packet);
    if (!icmp.ok) this.fail('delivered-was-sent', `${node} got broken ICMPv6`);
    const quoted = icmp.value.body.subarray(4);
    const sent = quoted.length >= UDP_MARK + 2 ? this.sent.get(idOf(quoted, UDP_MARK)) : undefined;
    if (!sent && !(quoted[UDP_MARK] === FORGED && this.infested.has(node)))
      this.fail('delivered-was-sent', `${node} got an error about nothing it sent`);
  }

  private see(event: TraceEvent): void {
    const { packet, node, kind } = event;
    const { machines, hostiles } = this.options;
    if (!machines.has(node)) return;
    if (kind === 'receive') {
      this.settle();
      if (packet.kind === 'udp') this.noteHeard(node, packet);
      const attack = hostiles.attackOf(packet.id);
      if (attack === undefined && packet.kind === 'udp') this.noteAnswer(node, packet);
      if (attack === undefined || packet.kind === 'icmp4') return;
      const source = packet.kind === 'udp' ? formatEndpoint(packet.source) : '';
      this.begin(node, attack, { length: packet.bytes.length, source, fromProgram: false });
      this.simulation.after(0, () => this.settle());
    } else if (kind === 'send' && packet.kind === 'udp') this.judgeSent(node, packet);
  }

  private noteAnswer(node: string, { source, bytes }: Packet4 & { kind: 'udp' }): void {
    if (source.port !== TEREDO_PORT) return;
    const datagram = parseDatagram(bytes);
    if (!datagram.ok || !parseAdvertisement(datagram.value.packet).ok) return;
    if (this.options.isTrue(bytes)) this.answered.set(node, this.simulation.now);
    const before = this.answers.get(node) ?? [];
    this.answers.set(
      node,
      [{ from: source, bytes, at: this.simulation.now }, ...before].slice(0, 8),
    );
  }

  /** An advertisement that `node` took some seconds ago. */
  advertisedTo(node: string): Knowledge['target']['advertised'] {
    const { now } = this.simulation;
    return this.answers.get(node)?.find(({ at }) => now - at > REPLAYED_AFTER_MS) ?? null;
  }

  private begin(
    node: string,
    attack: Attack,
    {
      length,
      source,
      fromProgram,
    }: { readonly length: number; readonly source: string; readonly fromProgram: boolean },
  ): void {
    const { server, discardsOf } = this.options;
    this.reaction = {
      node,
      at: this.simulation.now,
      attack,
      before: discardsOf(node),
      question: length,
      mayAdvertise: node === server,
      source,
      fromProgram,
      packets: 0,
      bytes: 0,
    };
  }

  /** What became of the last hostile packet. */
  private settle(): void {
    const { reaction } = this;
    this.reaction = null;
    if (!reaction) return;
    const { node, attack, before, packets } = reaction;
    const { hostiles, discardsOf } = this.options;
    const account = hostiles.account(attack);
    const names = Object.entries(discardsOf(node)).flatMap(([name, count]) =>
      count > (before[name] ?? 0) ? [name] : [],
    );
    if (packets > 0) account.answered++;
    else if (names.length === 0) account.taken++;
    for (const name of names) countIn(account.refused, name);
    if (fateOf(attack) === 'refused' && (packets > 0 || names.length === 0))
      this.fail(
        'refused-by-name',
        `${node} ${packets > 0 ? 'answered' : 'took'} a packet of ${attack}`,
      );
  }

  noteSleep(node: string): void {
    this.sleeping.add(node);
  }

  /** From now on it has time to find out whether its server is there. */
  noteWake(node: string): void {
    this.sleeping.delete(node);
    this.answered.set(node, this.simulation.now);
  }

  /** When `node` sent to a server last. */
  lastQuestion(node: string): number {
    return this.asked.get(node) ?? -Infinity;
  }

  /** When a server answered `node` last, and truly; when it began or woke, before that. */
  lastAnswer(node: string): number {
    return this.answered.get(node) ?? START_MS;
  }

  private judgeSent(node: string, packet: Packet4 & { kind: 'udp' }): void {
    if (this.sleeping.has(node)) this.fail('silent-asleep', `${node} sends in its sleep`);
    if (packet.destination.port === TEREDO_PORT) this.asked.set(node, this.simulation.now);
    const to = formatEndpoint(packet.destination);
    const { ip, port } = packet.destination;
    const { neighbours, seeking } = this.options;
    const isGroup = ip === DISCOVERY_ADDRESS && port === TEREDO_PORT && seeking.has(node);
    if (!isGlobal(ip) && !isGroup && !neighbours(node).includes(ip))
      this.fail('global-only', `${node} sent to ${to}`);
    this.judgeBubble(node, packet);
    const { reaction } = this;
    if (reaction?.node !== node || reaction.at !== this.simulation.now) return;
    reaction.packets++;
    reaction.bytes += packet.bytes.length;
    // 1.9 times by its format, and only to the source (with an authentication header less).
    const isAdvertisement = reaction.mayAdvertise && to === reaction.source;
    if (isAdvertisement) this.noteAdvertised(ip);
    const most = isAdvertisement ? reaction.question * 2.2 : originAllowance(reaction);
    if (reaction.fromProgram) return;
    if (reaction.packets > 1 || reaction.bytes > most)
      this.fail(
        'no-amplification',
        `${node} answered ${reaction.question} bytes by ${reaction.packets} packets of ${reaction.bytes}`,
      );
  }

  /** A third party gets no more of them than the server's limit. */
  private noteAdvertised(victim: Ip4): void {
    const { now } = this.simulation;
    const recent = (this.advertised.get(victim) ?? []).filter((at) => now - at < 1_000);
    this.advertised.set(victim, [...recent, now]);
    if (recent.length >= MOST_ADVERTISED)
      this.fail('no-amplification', `a forged source brought ${recent.length + 1} answers in 1 s`);
  }

  private judgeBubble(node: string, packet: Packet4 & { kind: 'udp' }): void {
    const header = parseIp6Header(packet.bytes);
    // A server or relay forwards bubbles and asks for many clients: their own limits are tried in their own tests.
    if (node === this.options.server || !header.ok || header.value.nextHeader !== PROTOCOL.none)
      return;
    const peer = header.value.destination;
    const key = `${node} ${peer.toString(16)}`;
    const way = `${key} ${endpointKey(packet.source)} ${endpointKey(packet.destination)}`;
    const before = (this.ways.get(way) ?? []).filter((at) => this.simulation.now - at < 2_000);
    this.ways.set(way, [...before, this.simulation.now]);
    if (before.length >= MOST_ON_ONE_WAY)
      this.fail('bubble-limits', `${node} sent ${before.length + 1} bubbles in 2 s on one way`);
    const times = this.bubbles.get(key) ?? [];
    this.bubbles.set(key, times);
    const now = this.simulation.now;
    times.push(now);
    const recent = times.filter((at) => now - at < BUBBLE_WINDOW_MS).length;
    if (recent > MOST_IN_WINDOW)
      this.fail('bubble-limits', `${node} sent ${recent} bubbles in 2 s for ${formatIp6(peer)}`);
    // A relay has no such rule: it tries again for whoever sends again (§5.4.1), within limits of its own.
    if (this.options.relays.has(node)) return;
    // How often a peer was asked is forgotten with its entry, when that had to make room.
    if ((this.options.discardsOf(node)['peerEvicted'] ?? 0) > 0) return;
    const since = Math.max(now - SILENT_WINDOW_MS, this.heard.get(key) ?? 0);
    const unanswered = times.filter((at) => at > since).length;
    if (unanswered > mostUnanswered(this.options.symmetric.has(node)))
      this.fail(
        'bubble-limits',
        `${node} sent ${unanswered} unanswered bubbles for ${formatIp6(peer)}`,
      );
  }

  /** Whatever names a peer as its source counts as heard from it: bubbles may be answered. */
  private noteHeard(node: string, packet: Packet4 & { kind: 'udp' }): void {
    // Behind an origin indication of 8 bytes, if the server forwarded it.
    const inner = packet.bytes[0] === 0 ? packet.bytes.subarray(8) : packet.bytes;
    const header = parseIp6Header(inner);
    if (header.ok)
      this.heard.set(`${node} ${header.value.source.toString(16)}`, this.simulation.now);
  }
}

/** A server puts an origin indication of 8 bytes before what it forwards (RFC 4380 §5.3.1): of its own, not the sender's. */
function originAllowance(reaction: Reaction): number {
  return reaction.question + (reaction.mayAdvertise ? 8 : 0);
}

function idOf(packet: Uint8Array, at: number): number {
  return (packet[at]! << 8) | packet[at + 1]!;
}
