// Module service/server-service wires the server machine, its UDP sockets and the raw IPv6 socket into one running server.
import { HostError } from '../host/types.ts';
import type {
  NetworkState,
  RawSocket6,
  SendOutcome,
  ServerHost,
  UdpSocket,
} from '../host/types.ts';
import { TeredoServer } from '../server/index.ts';
import type { AnswerCounts } from '../datapath/answers.ts';
import type { ServerOutput, ServerRules, ServerSide } from '../server/index.ts';
import { directedBroadcast4, Discards, formatIp4 } from '../wire/index.ts';
import type { Endpoint, Ip4 } from '../wire/index.ts';
import type { ServerApi, ServerStatus } from './api.ts';
import type { LogEntry } from './log.ts';
import type { LiveServerSettings, ServerSettings } from './server-config.ts';

type Carried = 'answered' | 'forwarded';

/** One running server. `open` it, `start` it, `close` it; datagrams that come before `start` are dropped unread. */
export class ServerService {
  private readonly host: ServerHost;
  private readonly settings: ServerSettings;
  private readonly log: (entry: LogEntry) => void;
  private readonly server: TeredoServer;
  /** The server holds this very list: it is refilled when the networks change. */
  private readonly broadcasts: Ip4[] = [];
  private readonly sockets = new Map<ServerSide, UdpSocket<Carried>>();
  private readonly unsent = new Discards();
  private readonly counts = { answered: 0, forwarded: 0, native: 0 };
  private raw: RawSocket6 | null = null;
  private serving = false;
  private stopWatching: () => void = () => undefined;

  constructor(host: ServerHost, settings: ServerSettings, log: (entry: LogEntry) => void) {
    this.host = host;
    this.settings = settings;
    this.log = log;
    const { primary, secondary, port, allowPrivate } = settings;
    this.server = new TeredoServer({
      primary,
      secondary,
      port,
      allowPrivate,
      broadcasts: this.broadcasts,
      makeLimit: (...limits) => host.makeLimit(...limits),
      ...rulesOf(settings),
    });
  }

  /** Binds the sockets. Throws HostError when one can't be had; the raw one may be missing. */
  async open(): Promise<void> {
    const { primary, secondary, bindPrimary, bindSecondary } = this.settings;
    this.bind('primary', bindPrimary ?? primary);
    if (secondary !== null) this.bind('secondary', bindSecondary ?? secondary);
    try {
      this.raw = await this.host.openRaw6();
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.log({
        level: 'warning',
        text: `Clients’ connectivity tests to native IPv6 hosts can’t be forwarded: ${error.message}`,
      });
    }
  }

  /** Begins to serve. */
  async start(): Promise<void> {
    this.networkChanged(await this.host.networkState());
    this.stopWatching = this.host.watchNetwork((state) => this.networkChanged(state));
    this.serving = true;
    this.writeAnswers();
    const { primary, secondary, port } = this.settings;
    const second = secondary === null ? '' : ` and ${formatIp4(secondary)}`;
    this.log({
      level: 'info',
      text: `Serving at ${formatIp4(primary)}${second}, UDP port ${port}.`,
    });
    if (secondary === null)
      this.log({
        level: 'warning',
        text: 'Clients can’t tell symmetric NATs from others: that takes a second address of this machine (--secondary).',
      });
  }

  /** Takes new keys and limits; sockets, and what waits in them, stay. */
  configure(settings: LiveServerSettings): void {
    this.server.configure(rulesOf(settings));
    this.writeAnswers();
  }

  async close(): Promise<void> {
    this.stopWatching();
    for (const socket of this.sockets.values()) socket.close();
    this.sockets.clear();
    await this.raw?.close();
    this.raw = null;
  }

  /** The calls of service/api. */
  readonly api: Omit<ServerApi, 'reload'> = { status: () => Promise.resolve(this.status()) };

  status(): ServerStatus {
    const { primary, secondary, port } = this.settings;
    const table = [...this.sockets.values()].map((socket) => socket.counts());
    const sum = (of: (counts: AnswerCounts) => number): number =>
      table.reduce((total, counts) => total + of(counts), 0);
    return {
      role: 'server',
      primary: formatIp4(primary),
      secondary: secondary === null ? null : formatIp4(secondary),
      port,
      nativePings: this.raw !== null,
      counters: {
        ...this.counts,
        answered: this.counts.answered + sum(({ answered }) => answered),
        discards: addUp(this.server.discards, this.unsent.snapshot(), {
          solicitationLimit: sum(({ limited }) => limited),
          sendFailed: sum(({ sendFailed }) => sendFailed),
          sendQueueFull: sum(({ sendQueueFull }) => sendQueueFull),
          serverBusy: sum(({ lost }) => lost),
        }),
      },
    };
  }

  private bind(side: ServerSide, ip: Ip4): void {
    const socket = this.host.openUdp<Carried>({
      bind: { ip, port: this.settings.port },
      workers: this.settings.workers,
      onDatagram: (from, bytes) => {
        if (this.serving) this.received(side, bytes, from);
      },
      // An answer may leave by the other address.
      onBatch: () => {
        for (const each of this.sockets.values()) each.flush();
      },
      onSent: (outcome, what) => this.sent(outcome, what),
    });
    this.sockets.set(side, socket);
  }

  private networkChanged({ networks }: NetworkState): void {
    const fresh = networks
      .map(({ address, prefix }) => directedBroadcast4(address, prefix))
      .filter((ip) => ip !== undefined);
    this.broadcasts.splice(0, this.broadcasts.length, ...fresh);
    this.writeAnswers();
  }

  /** Tells the sockets what they may answer themselves. */
  private writeAnswers(): void {
    if (!this.serving) return;
    const answers = this.server.answers();
    const { primary = null, secondary = null } = Object.fromEntries(this.sockets);
    primary?.answer(answers, secondary);
    secondary?.answer(answers, primary);
  }

  private received(arrivedOn: ServerSide, bytes: Uint8Array, from: Endpoint): void {
    const outputs = this.server.handleDatagram({ from, arrivedOn, bytes }, this.host.now());
    for (const output of outputs) this.send(output);
  }

  private send(output: ServerOutput): void {
    if (output.kind === 'native') {
      if (this.raw?.send(output.bytes)) this.counts.native += 1;
      else this.unsent.count('nativeUnreachable');
      return;
    }
    const { via, to, bytes, why } = output;
    this.sockets.get(via)!.send(to, bytes, why === 'advertisement' ? 'answered' : 'forwarded');
  }

  private sent(outcome: SendOutcome, what: Carried): void {
    if (outcome === 'sent') this.counts[what] += 1;
    else this.unsent.count(outcome === 'full' ? 'sendQueueFull' : 'sendFailed');
  }
}

/** Counts by name, without those that are 0. */
function addUp(...all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const [name, count] of all.flatMap((counts) => Object.entries(counts)))
    if (count > 0) total[name] = (total[name] ?? 0) + count;
  return total;
}

/** The machine's part of the settings. */
function rulesOf({ clients, requireAuthentication, limits }: LiveServerSettings): ServerRules {
  const text = new TextEncoder();
  return {
    requireAuthentication,
    clients: new Map(
      Object.entries(clients).map(([id, key]) => [
        Buffer.from(id).toString('hex'),
        text.encode(key),
      ]),
    ),
    limits: Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined)),
  };
}
