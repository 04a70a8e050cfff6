// Module service/server-service wires the server machine, its UDP sockets and the raw IPv6 socket into one running server.
import { createSocket } from 'node:dgram';
import type { RemoteInfo, Socket } from 'node:dgram';
import { HostError } from '../host/types.ts';
import type { NetworkState, RawSocket6, ServerHost } from '../host/types.ts';
import { TeredoServer } from '../server/index.ts';
import type { ServerOutput, ServerRules, ServerSide } from '../server/index.ts';
import { directedBroadcast4, Discards, formatIp4, parseIp4 } from '../wire/index.ts';
import type { Ip4 } from '../wire/index.ts';
import type { ServerApi, ServerStatus } from './api.ts';
import type { LogEntry } from './log.ts';
import type { LiveServerSettings, ServerSettings } from './server-config.ts';

/** Asked for; the kernel grants what net.core.rmem_max allows. 4 MiB hold some 40,000 solicitations. */
const RECEIVE_BUFFER_BYTES = 4 << 20;
/** What waits for a full link, bytes: more is dropped rather than kept in memory. */
const MAX_WAITING_BYTES = 1 << 20;

/** One running server. `open` it, `start` it, `close` it; datagrams that come before `start` are dropped unread. */
export class ServerService {
  private readonly host: ServerHost;
  private readonly settings: ServerSettings;
  private readonly log: (entry: LogEntry) => void;
  private readonly server: TeredoServer;
  /** The server holds this very list: it is refilled when the networks change. */
  private readonly broadcasts: Ip4[] = [];
  private readonly sockets = new Map<ServerSide, Socket>();
  private readonly unsent = new Discards();
  private readonly counts = { answered: 0, forwarded: 0, native: 0 };
  private raw: RawSocket6 | null = null;
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
      ...rulesOf(settings),
    });
  }

  /** Binds the sockets. Throws HostError when one can't be had; the raw one may be missing. */
  async open(): Promise<void> {
    const { primary, secondary, bindPrimary, bindSecondary } = this.settings;
    await this.bind('primary', bindPrimary ?? primary);
    if (secondary !== null) await this.bind('secondary', bindSecondary ?? secondary);
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
    for (const [side, socket] of this.sockets)
      socket.on('message', (bytes, from) => this.received(side, bytes, from));
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
  }

  async close(): Promise<void> {
    this.stopWatching();
    await Promise.all(
      [...this.sockets.values()].map(
        (socket) => new Promise<void>((resolve) => void socket.close(resolve)),
      ),
    );
    this.sockets.clear();
    await this.raw?.close();
    this.raw = null;
  }

  /** The calls of service/api. */
  readonly api: Omit<ServerApi, 'reload'> = { status: () => Promise.resolve(this.status()) };

  status(): ServerStatus {
    const { primary, secondary, port } = this.settings;
    return {
      role: 'server',
      primary: formatIp4(primary),
      secondary: secondary === null ? null : formatIp4(secondary),
      port,
      nativePings: this.raw !== null,
      counters: {
        ...this.counts,
        discards: { ...this.server.discards, ...this.unsent.snapshot() },
      },
    };
  }

  private async bind(side: ServerSide, ip: Ip4): Promise<void> {
    // Destinations are addresses, never names.
    const socket = createSocket({
      type: 'udp4',
      lookup: (address, _options, callback) => callback(null, address, 4),
    });
    const { port } = this.settings;
    const address = formatIp4(ip);
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ address, port, exclusive: true }, resolve);
      });
    } catch (error) {
      socket.close();
      throw bindError(error, address, port);
    }
    socket.removeAllListeners('error');
    socket.on('error', () => this.unsent.count('socketError'));
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    this.sockets.set(side, socket);
  }

  private networkChanged({ networks }: NetworkState): void {
    const fresh = networks
      .map(({ address, prefix }) => directedBroadcast4(address, prefix))
      .filter((ip) => ip !== undefined);
    this.broadcasts.splice(0, this.broadcasts.length, ...fresh);
  }

  private received(arrivedOn: ServerSide, bytes: Uint8Array, { address, port }: RemoteInfo): void {
    const from = { ip: parseIp4(address)!, port };
    const outputs = this.server.handleDatagram({ from, arrivedOn, bytes }, this.host.now());
    for (const output of outputs) this.send(output);
  }

  private send(output: ServerOutput): void {
    if (output.kind === 'native') {
      if (this.raw?.send(output.bytes)) this.counts.native += 1;
      else this.unsent.count('nativeUnreachable');
      return;
    }
    const socket = this.sockets.get(output.via)!;
    if (socket.getSendQueueSize() > MAX_WAITING_BYTES) {
      this.unsent.count('sendQueueFull');
      return;
    }
    const { to, bytes, why } = output;
    socket.send(bytes, to.port, formatIp4(to.ip), (error) => {
      if (error) this.unsent.count('sendFailed');
      else this.counts[why === 'advertisement' ? 'answered' : 'forwarded'] += 1;
    });
  }
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

function bindError(error: unknown, address: string, port: number): HostError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    return new HostError(
      'port-taken',
      `UDP port ${port} of ${address} is in use already; end the other server (see: ss -ulpn), or choose another address.`,
    );
  if (code === 'EADDRNOTAVAIL')
    return new HostError(
      'bind-failed',
      `This machine has no address ${address}; give one that "ip -4 address" shows. If the provider translates a public address to one of those, name that one with --bind-primary (or --bind-secondary).`,
    );
  return new HostError(
    'bind-failed',
    `UDP port ${port} of ${address} can’t be used (${message}); choose another address or port.`,
  );
}
