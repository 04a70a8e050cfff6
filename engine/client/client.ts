// Module client/client is the Teredo client as a state machine: input and a time go in, outputs and the next time-out come out.
//
// The way of a packet, in the order of the functions below:
//   1. handleInput: a datagram, a packet from the adapter, a time-out, a change of network
//   2. receive: from our server advertisements and forwarded bubbles; all else is Traffic's
//   3. Traffic: what peers send and what local programs send, with trust; Paths opens the ways
//   4. pollOutput: what to transmit and deliver, what the datapath may do by itself, when to come back
import {
  isBubble,
  isLinkLocal6,
  isMulticast6,
  parseDatagram,
  sameEndpoint,
  TEREDO_MTU,
} from '../wire/index.ts';
import type { Datagram, Endpoint, Ip6, Random } from '../wire/index.ts';
import { KEPT_IDLE_MS, SERVER_DOUBT_MS } from './config.ts';
import { Core } from './core.ts';
import { Discovery } from './discovery.ts';
import { Evidence } from './evidence.ts';
import { NatView } from './nat-view.ts';
import { Paths } from './paths.ts';
import type { PeerList } from './peers.ts';
import { Pings } from './pings.ts';
import type { Advertisement } from './qualification.ts';
import { reasonText } from './reasons.ts';
import { Servers } from './servers.ts';
import { SidePorts } from './sidePorts.ts';
import { Traffic } from './traffic.ts';
import type {
  ClientConfig,
  ClientInput,
  ClientOutput,
  ClientReason,
  ClientState,
  ClientStatus,
  PeerRow,
  StampReader,
} from './types.ts';

/** A secondary's answer that comes first waits as long again for the primary's, but at least this, ms. */
const GRACE_MS = 50;

export type { ClientStatus } from './types.ts';

/** RFC 4380 §5.2 with RFC 5991 and RFC 6081. Construct it, hand it a `network` input, and it starts to qualify. */
export class TeredoClient {
  private readonly core: Core;
  private readonly servers: Servers;
  private readonly paths: Paths;
  private readonly pings: Pings;
  private readonly discovery: Discovery;
  private readonly traffic: Traffic;
  private readonly evidence = new Evidence();
  private networks: string | null = null;
  private route = '';
  private state: ClientState = 'off';
  private reason: ClientReason = 'starting';
  private readonly nat = new NatView();
  private mapped: Endpoint | null = null;
  private mtu = TEREDO_MTU;
  private serverRttMs: number | null = null;
  /** A secondary's advertisement that waits for the primary's. */
  private early: { advertisement: Advertisement; until: number } | null = null;
  private readonly lastAddress: Ip6 | null;
  /** Our server is silent, as far as we know. */
  private silent = false;
  /** When the network changed last, and whether a server has answered since. */
  private changedAt = -Infinity;
  private confirmed = false;
  /** When something other than an answer came from our server's address. */
  private junkAt = -Infinity;
  private outputs: ClientOutput[] = [];
  private announced = NaN;

  constructor(config: ClientConfig, random: Random, stamps: StampReader) {
    this.core = new Core(config, random, stamps);
    const servers = new Servers(this.core, random);
    this.servers = servers;
    const sides = new SidePorts(this.core, () => servers.questions());
    this.paths = new Paths(this.core, sides, {
      endpoint: () => servers.current.primaryEndpoint,
      inDoubt: (now) => servers.current.isInDoubt(now),
      hurry: (now) => servers.current.hurry(now),
    });
    this.discovery = new Discovery(this.core, this.paths);
    this.pings = new Pings(this.core, this.paths);
    this.paths.onPath = (peer, open, now) => {
      this.pings.pathChanged(peer, open);
      if (open || !servers.current.isInDoubt(now)) this.evidence.path(peer, open, this.nat.kind);
    };
    this.traffic = new Traffic(this.core, this.paths, this.pings, () => servers.endpoints);
    this.lastAddress = config.lastAddress ?? null;
  }

  /** Counted, named discards. */
  get discards(): Readonly<Record<string, number>> {
    return this.core.discards.snapshot();
  }

  /** Identifier of the engine's own echo requests, for `Datapath.setProbeId`. */
  get probeId(): number {
    return this.core.probeId;
  }

  /** The server's two endpoints, for `Datapath.setServers`; a `servers` output tells when they are others. */
  get serverEndpoints(): readonly Endpoint[] {
    return this.servers.endpoints;
  }

  status(): ClientStatus {
    return {
      state: this.state,
      reason: { code: this.reason, text: reasonText(this.reason) },
      address: this.core.address,
      mtu: this.mtu,
      server: this.servers.current.primaryEndpoint,
      serverRttMs: this.serverRttMs,
      mapped: this.mapped,
      nat: this.nat.kind,
    };
  }

  /** All of them, or those chosen, in the order of last use. */
  peers(...asked: Parameters<PeerList['rows']>): PeerRow[] {
    return this.paths.peers.rows(...asked);
  }
  readonly peerCounts: PeerList['counts'] = (now) => this.paths.peers.counts(now);

  /** Takes one input at time `now` (ms, never decreasing). Never throws on what came from outside. */
  handleInput(input: ClientInput, now: number): void {
    switch (input.kind) {
      case 'datagram':
        this.receive(input.from, input.bytes, input.via, now);
        break;
      case 'packet':
        this.traffic.send(input.bytes, this.mtu, now);
        break;
      case 'network':
        this.networkChanged(input, now);
        break;
      case 'server':
        if (this.core.policy.isPublic(input.server))
          this.servers.ask(input.server, input.server2, input.always, now);
        break;
      case 'icmp4':
        // Only "port unreachable" speaks of the peer itself (RFC 792); the rest is the network's passing trouble.
        if (input.type === 3 && input.code === 3) this.paths.refusedBy(input.to, now);
        break;
      case 'discovery':
        this.discovery.receive(input.from, input.bytes, now);
        break;
      case 'portFailed':
        this.paths.sides.failed(input.port);
        this.paths.probing.failed(input.port);
        break;
      case 'portMapping':
        this.nat.granted = input.external;
        this.learnNat();
        break;
      case 'ping':
        this.pings.start(input, this.serves, now);
        break;
      case 'timeout':
        // The caller's timer is spent, even if it ran a little early: it must be told the time again.
        this.announced = NaN;
        break;
    }
    this.work(now);
  }

  /** The next output, undefined when there is none. A `timeout` comes last, and only when it changed. */
  pollOutput(): ClientOutput | undefined {
    if (this.outputs.length === 0) this.outputs = this.core.takeOutputs().reverse();
    const output = this.outputs.pop();
    if (output) return output;
    const at = this.nextAt();
    if (at === this.announced) return undefined;
    this.announced = at;
    return { kind: 'timeout', at };
  }

  private nextAt(): number {
    return Math.min(
      this.servers.nextAt,
      this.early?.until ?? Infinity,
      this.paths.nextAt,
      this.pings.nextAt,
      this.discovery.nextAt,
    );
  }

  // ---- time

  private work(now: number): void {
    if (this.early && now >= this.early.until) {
      const { advertisement } = this.early;
      this.early = null;
      this.qualify(advertisement, now);
    }
    if (this.servers.current.isSilent(now)) this.serverSilent();
    this.servers.dropCandidate(this.silent || this.evidence.isMissing, now);
    this.paths.work(now);
    if (this.wantsServer(now) && this.servers.want(now)) this.evidence.asked();
    this.servers.work(this.serves ? 'refresh' : 'solicitation', now);
    if (this.servers.checkKept(this.paths.peers, now)) this.giveAddress(this.core.address!);
    this.pings.work(now);
    this.discovery.work(this.serves, now);
    if (this.serves && this.reason !== 'server-silent') this.showQualified(this.reason);
    // A timer that has just run is announced again even if it was set to the same time.
    if (this.announced <= now) this.announced = NaN;
  }

  /** Flows need no server: while a peer speaks, or the network is the one in which our mapping was seen, all stays. */
  private serverSilent(): void {
    this.silent = true;
    const heard = this.confirmed || this.paths.peers.heardSince(this.changedAt);
    if (this.core.address && heard && !this.evidence.isMissing)
      this.setState('qualified', 'server-silent');
    else this.setState('qualifying', this.silentReason());
  }

  private silentReason(): ClientReason {
    if (this.networks === '') return 'no-network';
    if (this.reason === 'mapping-refused') return 'mapping-refused';
    const since = this.servers.current.unansweredSince ?? Infinity;
    return this.junkAt >= since ? 'server-junk' : 'no-answer';
  }

  /** Another server changes the address: wanted at once when this one is of no use, else after a long silence. */
  private wantsServer(now: number): boolean {
    if (!this.silent) return this.evidence.wantsView;
    if (this.state === 'qualifying') return this.reason !== 'no-network';
    const since = this.servers.current.unansweredSince;
    return since !== null && now - since >= this.core.config.failoverMs;
  }

  private networkChanged(input: ClientInput & { kind: 'network' }, now: number): void {
    const { networks, route = '' } = input;
    const key = networks
      .map((n) => `${n.address}/${n.prefix}`)
      .sort()
      .join();
    if (key === this.networks && route === this.route) return;
    const first = this.networks === null;
    this.networks = key;
    this.route = route;
    this.core.policy.setNetworks(networks);
    this.paths.sides.search.reset(input.refreshIntervalMs);
    const { current } = this.servers;
    if (!this.core.policy.isPublic(current.primaryEndpoint.ip)) {
      current.stop();
      this.setState('refused', 'server-address-refused');
      return;
    }
    // The address and all ways stay until the server says that our mapping is another.
    this.nat.begin();
    this.early = null;
    this.confirmed = false;
    this.changedAt = now;
    const reason = first ? 'starting' : 'network-changed';
    this.setState('qualifying', networks.length === 0 ? 'no-network' : reason);
    current.start(now, this.core.address !== null);
  }

  /** We hold an address and our server answers. */
  private get serves(): boolean {
    return this.state === 'qualified' || this.reason === 'no-traffic';
  }

  /** Qualified, unless nothing speaks for the address that the server gave. */
  private showQualified(reason: ClientReason): void {
    if (this.evidence.isMissing) this.setState('qualifying', 'no-traffic');
    else this.setState('qualified', reason === 'no-traffic' ? 'qualified' : reason);
  }

  private setState(state: ClientState, reason: ClientReason): void {
    if (this.state === state && this.reason === reason) return;
    this.state = state;
    this.reason = reason;
    this.core.event({ kind: 'state', state, reason, text: reasonText(reason) });
  }

  // ---- receiving (RFC 4380 §5.2.3)

  private receive(from: Endpoint, bytes: Uint8Array, via: number | undefined, now: number): void {
    const parsed = parseDatagram(bytes);
    if (!parsed.ok) {
      this.core.discards.count(parsed.reason);
      if (this.servers.isServer(from)) this.junkAt = now;
      return;
    }
    const datagram = parsed.value;
    if (this.servers.isServer(from)) {
      if (via === undefined) this.receiveFromServer(from, datagram, now);
      else this.paths.sides.receive(via, from, datagram, now);
      return;
    }
    // Only a server has reason to add these (RFC 4380 §5.1.1).
    if (datagram.authentication || datagram.origin)
      this.core.discards.count('indicatorNotFromServer');
    else this.traffic.receive(from, datagram, via, now);
  }

  private receiveFromServer(from: Endpoint, datagram: Datagram, now: number): void {
    if (isMulticast6(datagram.header.source)) {
      this.core.discards.count('sourceNotUnicast');
    } else if (isBubble(datagram.header)) {
      this.traffic.receiveForwarded(datagram, now);
    } else if (isLinkLocal6(datagram.header.source)) {
      this.advertised(from, datagram, now);
    } else {
      this.core.discards.count('serverPacket');
      this.junkAt = now;
    }
  }

  private advertised(from: Endpoint, datagram: Datagram, now: number): void {
    const { whose, judgement } = this.servers.judge(from, datagram, now);
    if (judgement.kind === 'discard') {
      this.core.discards.count(judgement.reason);
      this.junkAt = now;
      return;
    }
    if (judgement.kind === 'keyRefused') {
      if (whose === 'current' && this.state !== 'qualified')
        this.setState('refused', 'key-refused');
      this.core.discards.count('keyRefused');
      return;
    }
    const { advertisement } = judgement;
    if (!this.core.policy.maySendTo(advertisement.origin)) {
      this.core.discards.count('originNotGlobal');
      if (this.state !== 'qualified') this.setState('qualifying', 'mapping-refused');
      return;
    }
    // An older server's answer keeps our router open to it; what it says of our mapping the one in use says, too.
    if (whose === 'kept') return;
    if (whose === 'candidate') {
      this.moveToCandidate(advertisement, now);
      return;
    }
    this.nat.see(advertisement.role, advertisement.origin);
    if (advertisement.role === 'secondary' && !this.nat.hasPrimary && !this.serves) {
      // The primary forwards our bubbles, so its view of our mapping is the one that counts.
      this.early = { advertisement, until: now + Math.max(GRACE_MS, advertisement.rttMs) };
      return;
    }
    this.early = null;
    if (advertisement.role === 'primary' || !this.serves) this.qualify(advertisement, now);
    else this.learnNat();
  }

  /** The server that we tried answers: it is ours now. */
  private moveToCandidate(advertisement: Advertisement, now: number): void {
    const { origin } = advertisement;
    const { kind } = this.nat;
    if (this.mapped && this.servers.isOnlyAView(this.silent))
      if (this.evidence.agrees(origin, this.mapped, kind)) return;
    const { address } = this.core;
    const peers = address === null ? [] : this.paths.peers.usedSince(now - KEPT_IDLE_MS);
    this.servers.moveToCandidate(address, peers, now);
    this.nat.begin(origin);
    this.early = null;
    // To a symmetric NAT another server is another destination: its other view is no change of ours.
    if (kind === 'symmetric' && this.mapped?.ip === origin.ip) this.setMapped(origin);
    this.evidence.begin();
    this.qualify(advertisement, now, address !== null);
  }

  /** A valid advertisement counts: take the address it gives us, or notice that the mapping changed. */
  private qualify(advertisement: Advertisement, now: number, moved = false): void {
    const { origin } = advertisement;
    this.serverRttMs = advertisement.rttMs;
    const changed = this.mapped !== null && !sameEndpoint(this.mapped, origin);
    this.mtu = advertisement.mtu ?? TEREDO_MTU;
    const back = this.silent || advertisement.rttMs >= SERVER_DOUBT_MS;
    this.silent = false;
    this.confirmed = true;
    if (!this.mapped || changed) {
      this.setMapped(origin);
      this.evidence.begin();
    }
    // What peers know of us is the mapping: with another one no older address is ours.
    if (changed) this.servers.dropKept(now);
    const address = this.servers.addressFor(origin, this.lastAddress);
    if (address !== this.core.address) this.giveAddress(address);
    if (changed) {
      this.nat.begin(origin);
      this.setState('qualified', 'mapping-changed');
      this.paths.reset(now);
      // The second answer tells anew what kind of NAT this is.
      this.servers.current.start(now, true);
      return;
    }
    this.showQualified(moved ? 'server-changed' : 'qualified');
    if (back) this.paths.serverReturned(now);
    this.learnNat();
  }

  private setMapped(mapped: Endpoint): void {
    this.mapped = mapped;
    this.core.policy.setMapped(mapped);
    this.core.event({ kind: 'mapped', mapped });
  }

  private giveAddress(address: Ip6): void {
    this.core.address = address;
    const { deprecated } = this.core;
    this.core.output({ kind: 'address', address, mtu: this.mtu, deprecated });
  }

  private learnNat(): void {
    const own = this.mapped !== null && this.core.policy.isOwnInterface(this.mapped.ip);
    const learnt = this.nat.learn(own);
    this.nat.writeFlags(this.core.nat, this.mapped, this.core.config.localPort);
    if (learnt) this.core.event({ kind: 'nat', nat: this.nat.kind });
  }
}
